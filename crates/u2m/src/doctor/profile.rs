//! The profile file.

use super::{Finding, Ward};
use u2m_config::looks_like_host;
use u2m_core::{Foreign, Host};

const CHECK: &str = "profile file";

pub(super) fn look(ward: &Ward) -> Vec<Finding> {
    let shown = ward.shown(&ward.path);
    if ward.config.is_missing() {
        let program = &ward.doctor.program;
        let advice = match ward.var("DATABRICKS_CONFIG_FILE") {
            Some(_) => {
                "DATABRICKS_CONFIG_FILE names it: correct it, or sign in to make it".to_owned()
            }
            None => format!("to make it: {program} login"),
        };
        return vec![Finding::warn(CHECK, format!("{shown} does not exist"), advice)];
    }
    let profiles = ward.config.profiles();
    let count = match profiles.len() {
        1 => "1 profile".to_owned(),
        many => format!("{many} profiles"),
    };
    let mut findings = vec![Finding::ok(CHECK, format!("{shown}, {count}"))];
    findings.extend(mode(ward, &shown));
    if let Some(name) = ward.config.default_profile()
        && ward.config.profile(name).is_none()
    {
        findings.push(Finding::warn(
            "default profile",
            format!("\"{}\" does not exist", Foreign::new(name)),
            format!("choose one that does: {} switch", ward.doctor.program),
        ));
    }
    for profile in &profiles {
        let name = Foreign::new(profile.name());
        if looks_like_host(profile.name()) {
            findings.push(Finding::warn(
                "profile name",
                format!("\"{name}\" looks like a host"),
                "as an argument it means the profile; give it another name",
            ));
        }
        if let Some(Err(error)) = profile.host().filter(|host| !host.is_empty()).map(Host::typed) {
            findings.push(Finding::warn(
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
fn mode(ward: &Ward, shown: &str) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&ward.path).ok()?.permissions().mode() & 0o777;
    let text = format!("others can read {shown} (mode {mode:o})");
    (mode & 0o077 != 0 && ward.config.holds_secret())
        .then(|| Finding::warn("profile file mode", text, format!("chmod 600 {shown}")))
}

#[cfg(not(unix))]
fn mode(_: &Ward, _: &str) -> Option<Finding> {
    None
}
