//! Checks the profile file.

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

/// Reports whether other users can read the file, if it holds a secret.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Doctor;
    use u2m_config::ConfigFile;

    /// The findings for a profile file with this text: level, subject and text.
    fn told(text: &str) -> Vec<(&'static str, &'static str, String)> {
        let ward = Examination {
            doctor: Doctor::new([("HOME", "/nonexistent")]).with_program("databricks auth"),
            path: "/cfg".into(),
            config: ConfigFile::parse(text).unwrap(),
        };
        let told = look(&ward).into_iter();
        told.map(|told| (told.level.as_str(), told.check, told.text)).collect()
    }

    #[test]
    fn profiles_are_counted_and_those_that_cannot_be_meant_are_named() {
        let one = "[dev]\nhost = https://a.example\n";
        assert_eq!(told(one), [("ok", CHECK, "/cfg, 1 profile".to_owned())]);
        let two =
            format!("{one}[__settings__]\ndefault_profile = dev\n[ids]\naccount_id = 1\nhost =\n");
        assert_eq!(told(&two), [("ok", CHECK, "/cfg, 2 profiles".to_owned())]);
        let gone = told(&format!("{one}[__settings__]\ndefault_profile = gone\n"));
        let words = ("warn", "default profile", "\"gone\" does not exist".to_owned());
        assert_eq!(gone[1..], [words]);
        let named = told("[https://a.example]\nhost = https://a.example\n");
        let words = "\"https://a.example\" looks like a host".to_owned();
        assert_eq!(named[1..], [("warn", "profile name", words)]);
        let bad = told("[dev]\nhost = https://a b\n");
        assert_eq!((bad.len(), bad[1].0, bad[1].1), (2, "warn", "profile host"), "{bad:?}");
    }

    #[test]
    #[cfg(unix)]
    fn others_may_read_a_file_that_holds_no_secret() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg");
        for (text, bits, is_told) in [
            ("[dev]\nhost = a\ntoken = t\n", 0o644, true),
            ("[dev]\nhost = a\ntoken = t\n", 0o620, true),
            ("[dev]\nhost = a\ntoken = t\n", 0o600, false),
            ("[dev]\nhost = a\n", 0o644, false),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).unwrap();
            let config = ConfigFile::parse(text).unwrap();
            let doctor = Doctor::new([("HOME", "/nonexistent")]);
            let told = mode(&Examination { doctor, path: path.clone(), config }, "cfg");
            let words = format!("others can read cfg (mode {bits:o})");
            assert_eq!(told.map(|told| told.text), is_told.then_some(words), "{text}");
        }
    }
}
