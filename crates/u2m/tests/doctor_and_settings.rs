//! What settings name is looked for as they mean it, and stores and logins are told as they are.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/home.rs"]
mod home;

use home::{Home, all, one};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use u2m::check::{DoctorFinding, Severity};

#[test]
fn certificates_that_a_variable_names_are_looked_for_as_the_variable_means_it() {
    let home = Home::new();
    let at = |name: &str| home.folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("a:b.pem"), "").unwrap();
    fs::create_dir(at("folder")).unwrap();
    let (odd, folder, gone) = (at("a:b.pem"), at("folder"), at("gone"));
    for (name, value, missing) in [
        ("SSL_CERT_FILE", odd.clone(), None),
        ("SSL_CERT_FILE", gone.clone(), Some("gone")),
        ("SSL_CERT_DIR", format!(":{folder}"), None),
        ("SSL_CERT_DIR", format!("{folder}:{gone}"), Some("gone")),
    ] {
        let findings = home.offline(&[(name, &value)]);
        let (level, text) = one(&findings, "certificates");
        match missing {
            None => {
                assert_eq!((level, text), (Severity::Ok, format!("{name} is {value}").as_str()))
            }
            Some(part) => {
                assert_eq!(level, Severity::Warn);
                assert!(text.contains(part) && text.ends_with("which is not there"), "{text}");
            }
        }
    }
}

#[test]
fn the_program_that_shows_addresses_is_named() {
    let findings = Home::new().offline(&[("BROWSER", "/bin/true")]);
    let (level, text) = one(&findings, "browser");
    assert_eq!(level, Severity::Ok, "{text}");
    assert!(text.starts_with("/bin/true"), "{text}");
    let is_wsl = format!("{:?}", u2m::login::BrowserEnv::current().platform()) == "Wsl";
    assert_eq!(text.contains("(WSL)"), is_wsl, "{text}");
}

#[test]
fn stores_are_told_of_that_are_wanted_or_in_use() {
    let stores = |findings: &[DoctorFinding]| {
        let told = all(findings, "store").into_iter();
        told.map(|one| (one.level, one.text.clone())).collect::<Vec<_>>()
    };
    let of = |home: &Home, mode: &str| stores(&home.offline(&[("DATABRICKS_AUTH_STORAGE", mode)]));
    let plain =
        |count: &str| (Severity::Ok, format!("plaintext: ~/.databricks/token-cache.json, {count}"));
    assert_eq!(of(&Home::new(), "plaintext"), [plain("0 logins")]);
    let home = Home::signed_in(1800);
    assert!(of(&home, "").contains(&plain("1 login")));
    assert!(!of(&Home::new(), "").contains(&plain("0 logins")));
    // Where the system has no keyring, that is a failure for whoever wants it, and for others a warning.
    let wanted = of(&home, "secure");
    if let Some((level, _)) = wanted.iter().find(|(_, text)| text.starts_with("secure: "))
        && *level == Severity::Fail
    {
        let told = of(&home, "");
        let warnings: Vec<_> = told.iter().filter(|(level, _)| *level == Severity::Warn).collect();
        let start = "there is no keyring here: new logins are kept unencrypted in ~/";
        assert!(matches!(&warnings[..], [(_, text)] if text.starts_with(start)), "{told:?}");
        assert!(!wanted.iter().any(|(level, _)| *level == Severity::Warn), "{wanted:?}");
    }
}

#[test]
fn a_login_from_the_future_is_told() {
    let findings = Home::signed_in(3_600 + 1_000).offline(&[]);
    let (level, text) = one(&findings, "login");
    assert_eq!(level, Severity::Warn);
    assert!(text.contains("was issued in the future by this machine's clock"), "{text}");
}

#[test]
fn a_file_with_a_secret_that_others_can_read_is_told_with_its_mode() {
    let home = Home::new();
    home.configure("[dev]\nhost = https://a.example\ntoken = t\n");
    let path = home.folder.path().join(".databrickscfg");
    for (mode, told) in [(0o644, Some("644")), (0o660, Some("660")), (0o600, None)] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let findings = home.offline(&[]);
        let texts: Vec<_> =
            all(&findings, "profile file mode").iter().map(|one| one.text.clone()).collect();
        let expected = told.map(|mode| format!("others can read ~/.databrickscfg (mode {mode})"));
        assert_eq!(texts, expected.into_iter().collect::<Vec<_>>());
    }
}
