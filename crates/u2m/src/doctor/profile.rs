//! The profile file.

use super::{DoctorFinding, Examination};
use u2m_config::looks_like_host;
use u2m_core::{Host, Sanitized};

const CHECK: &str = "profile file";

pub(super) fn look(ward: &Examination) -> Vec<DoctorFinding> {
    let shown = ward.shown(&ward.path);
    if ward.config.is_missing() {
        let program = &ward.doctor.program;
        let advice = match ward.var("DATABRICKS_CONFIG_FILE") {
            Some(_) => {
                "DATABRICKS_CONFIG_FILE names it: correct it, or sign in to make it".to_owned()
            }
            None => format!("to make it: {program} login"),
        };
        return vec![DoctorFinding::warn(CHECK, format!("{shown} does not exist"), advice)];
    }
    let profiles = ward.config.profiles();
    let count = match profiles.len() {
        1 => "1 profile".to_owned(),
        many => format!("{many} profiles"),
    };
    let mut findings = vec![DoctorFinding::ok(CHECK, format!("{shown}, {count}"))];
    findings.extend(mode(ward, &shown));
    if let Some(name) = ward.config.default_profile()
        && ward.config.profile(name).is_none()
    {
        findings.push(DoctorFinding::warn(
            "default profile",
            format!("\"{}\" does not exist", Sanitized::new(name)),
            format!("choose one that does: {} switch", ward.doctor.program),
        ));
    }
    for profile in &profiles {
        let name = Sanitized::new(profile.name());
        if looks_like_host(profile.name()) {
            findings.push(DoctorFinding::warn(
                "profile name",
                format!("\"{name}\" looks like a host"),
                "as an argument it means the profile; give it another name",
            ));
        }
        if let Some(Err(error)) = profile.host().filter(|host| !host.is_empty()).map(Host::typed) {
            findings.push(DoctorFinding::warn(
                "profile host",
                format!("the host of \"{name}\" cannot be used: {error}"),
                "correct it in the file",
            ));
        }
    }
    findings
}

/// Other people's eyes, where the file holds a secret.
#[cfg(unix)]
fn mode(ward: &Examination, shown: &str) -> Option<DoctorFinding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&ward.path).ok()?.permissions().mode() & 0o777;
    let text = format!("others can read {shown} (mode {mode:o})");
    (mode & 0o077 != 0 && ward.config.holds_secret())
        .then(|| DoctorFinding::warn("profile file mode", text, format!("chmod 600 {shown}")))
}

#[cfg(not(unix))]
fn mode(_: &Examination, _: &str) -> Option<DoctorFinding> {
    None
}
