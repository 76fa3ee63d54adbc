//! What may be wrong on a machine is named, with what to do; and looking changes nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/home.rs"]
mod home;

use home::{Home, all, dev, one, said};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};
use u2m::AccessToken;
use u2m::check::{Doctor, DoctorFinding, Severity};
use u2m::config::TargetArgs;
use u2m::source::Lifetime;
use u2m::store::{AutoStore, CacheKey, Session, TokenStore};
use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};

#[test]
fn a_machine_on_which_all_is_well_is_told_so() {
    let home = Home::signed_in(1800);
    let findings = home.examine(&[("BROWSER", "none")]);
    let level = |check: &str| one(&findings, check).0;
    for check in
        ["profile file", "store", "store choice", "login", "saving", "connection", "host", "clock"]
    {
        assert_eq!(level(check), Severity::Ok, "{check}: {findings:#?}");
    }
    assert_eq!(level("browser"), Severity::Ok);
    let base = home.world.server.base_url();
    assert_eq!(one(&findings, "profile file").1, "~/.databrickscfg, 1 profile");
    assert_eq!(one(&findings, "store").1, "plaintext: ~/.databricks/token-cache.json, 1 login");
    assert_eq!(
        one(&findings, "store choice").1,
        "plaintext, by DATABRICKS_AUTH_STORAGE environment variable"
    );
    assert!(one(&findings, "login").1.ends_with("and can be renewed"));
    assert!(one(&findings, "connection").1.contains("127.0.0.1 port "));
    assert!(one(&findings, "host").1.starts_with(base), "{base}");
    assert!(all(&findings, "certificate").is_empty(), "there is none in clear text");
    assert_eq!(home.world.refreshes(), 0);
}

#[test]
fn nobody_is_asked_where_that_is_not_wanted() {
    let home = Home::signed_in(1800);
    let findings = home.offline(&[]);
    for check in ["connection", "host", "clock"] {
        assert!(all(&findings, check).is_empty(), "{check}");
    }
    assert_eq!(one(&findings, "login").0, Severity::Ok);
    assert_eq!(home.world.server.counts().requests, 0);
}

#[test]
fn a_host_in_trouble_is_told_from_one_that_is_none() {
    for (status, level, words) in [
        (StatusCode::OK, Severity::Ok, "says what it is"),
        (StatusCode::NOT_FOUND, Severity::Ok, "answers, and says nothing about itself"),
        (StatusCode::SERVICE_UNAVAILABLE, Severity::Warn, "answers with status 503"),
        (StatusCode::TOO_MANY_REQUESTS, Severity::Warn, "answers with status 429"),
        (StatusCode::FORBIDDEN, Severity::Warn, "answers with status 403"),
    ] {
        let home = Home::new();
        let fault = Fault::status(status, "application/json", "{}");
        home.world.server.inject(Endpoint::HostMetadata, Times::Always, fault);
        let findings = home.examine(&[]);
        let (found, text) = one(&findings, "host");
        assert!(found == level && text.ends_with(words), "{status}: {text}");
    }
}

#[test]
fn a_host_that_never_answers_holds_up_nothing_else() {
    let home = Home::signed_in(1800);
    home.world.server.inject(Endpoint::HostMetadata, Times::Always, Fault::never_answer());
    let start = Instant::now();
    let findings = home.examine(&[]);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(one(&findings, "host").0, Severity::Fail);
    assert_eq!(
        (one(&findings, "login").0, one(&findings, "saving").0),
        (Severity::Ok, Severity::Ok)
    );
    // Who waits for less is told that there was no answer.
    let doctor = home.doctor(&[]).with_said(said()).with_timeout(Duration::ZERO);
    let (level, text) = (Severity::Fail, "did not answer in time");
    assert_eq!(one(&doctor.examine(), "host"), (level, text));
}

#[test]
fn a_host_that_is_not_there_is_no_connection() {
    let home = Home::new();
    home.configure("[dev]\nhost = http://127.0.0.1:9\n");
    let findings = home.examine(&[]);
    let (level, text) = one(&findings, "connection");
    assert!(level == Severity::Fail && text.starts_with("127.0.0.1 port 9: "), "{text}");
    assert!(all(&findings, "host").is_empty(), "nobody is there to be asked");
}

#[test]
fn a_clock_that_is_more_than_half_a_minute_off_is_told_and_in_which_direction() {
    for (ahead, words) in [(90, "behind the host's"), (-90, "ahead of the host's")] {
        let home = Home::new();
        home.world.server.advance(Lifetime::from_seconds(ahead));
        let findings = home.examine(&[]);
        let (level, text) = one(&findings, "clock");
        assert!(level == Severity::Warn && text.ends_with(words), "{text}");
    }
}

#[test]
fn an_issuer_of_its_own_is_only_connected_to() {
    let home = Home::new();
    let issuer = format!("{}/oidc", home.world.server.base_url());
    home.configure(&format!("[dev]\nu2m_issuer = {issuer}\nu2m_client_id = cli\n"));
    let findings = home.examine(&[]);
    assert_eq!(one(&findings, "connection").0, Severity::Ok);
    assert!(all(&findings, "host").is_empty(), "whatever it says of itself means nothing");
    assert_eq!(one(&findings, "clock").0, Severity::Ok);
}

#[test]
fn behind_a_proxy_no_connection_is_tried() {
    let home = Home::new();
    home.configure("[dev]\nhost = https://no-such-host.invalid\n");
    let findings = home.examine(&[("HTTPS_PROXY", "http://127.0.0.1:9")]);
    assert!(all(&findings, "connection").is_empty() && all(&findings, "name").is_empty());
    assert_eq!(one(&findings, "proxy").0, Severity::Ok);
}

#[test]
fn who_is_not_signed_in_is_told_how() {
    let home = Home::new();
    let findings = home.offline(&[]);
    assert_eq!(one(&findings, "login"), (Severity::Warn, "nobody is signed in as \"dev\""));
    let advice = all(&findings, "login")[0].advice.as_deref();
    assert_eq!(advice, Some("sign in: u2m login --profile dev"));
    assert!(all(&findings, "saving").is_empty());
}

#[test]
fn a_login_that_the_server_has_ended_is_remembered_and_told() {
    let home = Home::signed_in(-5);
    home.world.server.revoke_all();
    let auth = home.world.builder();
    let target = home.world.target().with_profile(u2m::ProfileName::parse("dev").unwrap());
    drop(auth);
    let auth = u2m::PersistentAuth::builder(target).with_store(home.store()).build().unwrap();
    assert!(auth.blocking().token().is_err());
    let findings = home.offline(&[]);
    assert_eq!(one(&findings, "login"), (Severity::Fail, "the server has ended \"dev\""));
}

#[test]
fn a_refresh_that_is_under_way_is_told_and_waited_for_no_longer() {
    let home = Home::signed_in(1800);
    let held = home.store().lock(&dev(), common::LONG).unwrap().unwrap();
    let findings = home.offline(&[]);
    assert_eq!(one(&findings, "saving"), (Severity::Warn, "another process is refreshing"));
    drop(held);
    assert_eq!(one(&home.offline(&[]), "saving").0, Severity::Ok);
}

#[test]
fn a_store_that_cannot_be_read_is_told_once() {
    let home = Home::signed_in(1800);
    let path = home.folder.path().join(".databricks/token-cache.json");
    fs::write(&path, "{").unwrap();
    let findings = home.offline(&[]);
    let (level, text) = one(&findings, "store");
    assert!(level == Severity::Fail && text.starts_with("plaintext: "), "{text}");
    assert!(all(&findings, "login").is_empty(), "that was said already: {findings:#?}");
}

#[test]
fn one_entry_that_cannot_be_read_is_the_logins_fault() {
    let home = Home::signed_in(1800);
    let path = home.folder.path().join(".databricks/token-cache.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["tokens"]["dev"] = serde_json::json!({"access_token": 5});
    fs::write(&path, document.to_string()).unwrap();
    let findings = home.offline(&[]);
    let levels: Vec<_> = all(&findings, "store").iter().map(|one| one.level).collect();
    assert_eq!(levels, [Severity::Ok, Severity::Fail], "{findings:#?}");
}

#[test]
fn a_store_that_there_is_not_is_the_settings_fault() {
    let home = Home::new();
    let findings = home.offline(&[("DATABRICKS_AUTH_STORAGE", "vault")]);
    let (level, text) = one(&findings, "store");
    assert!(level == Severity::Fail && text.contains("unknown storage mode \"vault\""), "{text}");
}

#[test]
fn each_store_is_told_that_was_asked_for_or_holds_a_login() {
    let home = Home::new();
    assert!(one(&home.offline(&[]), "store").1.ends_with("token-cache.json, 0 logins"));
    // There is no keyring.
    let findings = home.offline(&[("DATABRICKS_AUTH_STORAGE", "secure")]);
    let (level, text) = one(&findings, "store");
    assert!(level == Severity::Fail && text.starts_with("secure: "), "{text}");
    let home = Home::signed_in(1800);
    let findings = home.offline(&[("DATABRICKS_AUTH_STORAGE", "")]);
    let told: Vec<_> = all(&findings, "store").iter().map(|one| one.text.as_str()).collect();
    let file = "~/.databricks/token-cache.json";
    let nowhere = format!("there is no keyring here: new logins are kept unencrypted in {file}");
    assert!(told.contains(&&*nowhere), "{told:?}");
    assert!(told.contains(&&*format!("plaintext: {file}, 1 login")), "{told:?}");
    assert!(all(&findings, "store choice").is_empty(), "nobody has made one");
}

#[test]
fn two_logins_are_two() {
    let home = Home::signed_in(1800);
    home.store().save(&CacheKey::new("b"), &Session::new(AccessToken::new("t"))).unwrap();
    assert!(one(&home.offline(&[]), "store").1.ends_with(", 2 logins"));
}

#[cfg(feature = "encrypted")]
#[test]
fn a_sealed_file_whose_key_does_not_fit_is_told() {
    let home = Home::new();
    let key = |name: &str| home.folder.path().join(name).to_str().unwrap().to_owned();
    let sealed = |name: &str| {
        let path = home.folder.path().join(".databricks/token-cache.sealed.json");
        u2m::store::EncryptedFileStore::at(path, u2m::store::SealKeySource::File(key(name).into()))
    };
    sealed("right").save(&dev(), &home.world.session(1800)).unwrap();
    let with = |name: &str| {
        let env = [("DATABRICKS_AUTH_STORAGE", "encrypted"), ("U2M_STORAGE_KEY_FILE", name)];
        home.offline(&env)
    };
    let findings = with(&key("right"));
    assert_eq!(one(&findings, "store").0, Severity::Ok, "{findings:#?}");
    assert_eq!(one(&findings, "login").0, Severity::Ok);
    fs::write(home.folder.path().join("wrong"), "ab".repeat(32)).unwrap();
    fs::set_permissions(home.folder.path().join("wrong"), PermissionsExt::from_mode(0o600))
        .unwrap();
    let findings = with(&key("wrong"));
    let (level, text) = one(&findings, "store");
    assert!(level == Severity::Fail && text.starts_with("encrypted: "), "{text}");
}

#[cfg(feature = "encrypted")]
#[test]
fn a_setting_that_names_another_store_than_the_logins_is_told() {
    let home = Home::new();
    let at = |name: &str| home.folder.path().join(name);
    let sealed = || {
        let source = u2m::store::SealKeySource::File(at("key"));
        u2m::store::EncryptedFileStore::at(at(".databricks/token-cache.sealed.json"), source)
    };
    let setting = |mode: &str| {
        home.configure(&format!(
            "[dev]\nhost = {}\n[__settings__]\nauth_storage = {mode}\nu2m_storage_key_file = {}\n",
            home.world.server.base_url(),
            at("key").display()
        ));
        let findings = home.offline(&[("DATABRICKS_AUTH_STORAGE", "")]);
        let told = all(&findings, "store choice").into_iter().cloned();
        told.filter(|one| one.level != Severity::Ok).collect::<Vec<_>>()
    };
    let store = AutoStore::new(home.store());
    store.prepare_login(&dev()).unwrap();
    store.save(&dev(), &home.world.session(1800)).unwrap();
    assert!(setting("plaintext").is_empty(), "it is where the setting says");
    let told = &setting("encrypted")[0];
    let label = "auth_storage in [__settings__] section of config file";
    let text = format!("\"dev\" is in plaintext, where it was saved; {label} names encrypted");
    let advice = "let the setting follow: u2m storage migrate --to plaintext dev";
    assert_eq!((told.level, &told.text), (Severity::Warn, &text));
    assert_eq!(told.advice.as_deref(), Some(advice));
    sealed().save(&dev(), &home.world.session(1800)).unwrap();
    let told = &setting("encrypted")[0];
    assert_eq!(told.text, format!("{text}, where another one stands that is not used"));
    assert!(told.advice.as_ref().unwrap().contains("; to use encrypted instead, sign in again"));
}

#[test]
fn the_profile_file_is_looked_through() {
    let home = Home::new();
    let text = "[dev]\nhost = https://a.example\ntoken = canary\n[a.example.com]\nhost = https://b.example\n\
                [odd]\nhost = https://\n[empty]\nhost =\n[__settings__]\ndefault_profile = gone\n";
    home.configure(text);
    let path = home.folder.path().join(".databrickscfg");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let findings = home.offline(&[]);
    assert_eq!(one(&findings, "profile file").1, "~/.databrickscfg, 4 profiles");
    let mode = "others can read ~/.databrickscfg (mode 640)";
    assert_eq!(one(&findings, "profile file mode"), (Severity::Warn, mode));
    assert_eq!(one(&findings, "default profile"), (Severity::Warn, "\"gone\" does not exist"));
    assert_eq!(
        one(&findings, "profile name"),
        (Severity::Warn, "\"a.example.com\" looks like a host")
    );
    let (level, text) = one(&findings, "profile host");
    assert!(
        level == Severity::Warn && text.starts_with("the host of \"odd\" cannot be used"),
        "{text}"
    );
    // A file of one's own may hold one, and one without a secret may be shared.
    home.configure(text);
    assert!(all(&home.offline(&[]), "profile file mode").is_empty());
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    fs::write(&path, text.replace("token = canary", "")).unwrap();
    assert!(all(&home.offline(&[]), "profile file mode").is_empty());
    // And where there is nothing to say, nothing is said.
    let findings = Home::new().offline(&[]);
    for check in ["profile file mode", "default profile", "profile name", "profile host"] {
        assert!(all(&findings, check).is_empty(), "{check}");
    }
}

#[test]
fn without_a_file_or_a_choice_the_next_step_is_named() {
    let home = Home::new();
    let path = home.folder.path().join(".databrickscfg");
    let level = |findings: &[DoctorFinding], check: &str| one(findings, check).0;
    let findings = home.doctor(&[]).offline().examine();
    assert_eq!(one(&findings, "login"), (Severity::Warn, "no profile is chosen"));
    let other = TargetArgs { profile: Some("other".into()), ..TargetArgs::default() };
    let findings = home.doctor(&[]).with_said(other).offline().examine();
    assert_eq!(level(&findings, "login"), Severity::Fail);
    fs::write(&path, "[dev\n").unwrap();
    let findings = home.doctor(&[]).offline().examine();
    assert!(
        level(&findings, "profile file") == Severity::Fail && findings.len() == 1,
        "{findings:?}"
    );
    fs::remove_file(&path).unwrap();
    let findings = home.doctor(&[]).offline().examine();
    assert_eq!(one(&findings, "profile file"), (Severity::Warn, "~/.databrickscfg does not exist"));
    assert_eq!(one(&findings, "login"), (Severity::Warn, "there is none yet"));
    let findings = home.doctor(&[("DATABRICKS_CONFIG_FILE", "/no/such")]).offline().examine();
    let advice = all(&findings, "profile file")[0].advice.clone().unwrap();
    assert!(advice.starts_with("DATABRICKS_CONFIG_FILE names it"), "{advice}");
    let nowhere = Doctor::new([("X", "y")]).examine();
    assert_eq!((nowhere.len(), nowhere[0].level), (1, Severity::Fail));
}

/// A program of so many bytes.
fn program(path: &Path, size: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::File::create(path).unwrap().set_len(size).unwrap();
}

#[test]
fn the_command_that_sdks_would_call_is_looked_at() {
    let home = Home::new();
    let bin = home.folder.path().join("bin");
    let path = bin.to_str().unwrap();
    let databricks = bin.join("databricks");
    let found = |env: &[(&str, &str)], check: &str| {
        let findings = home.offline(env);
        let (level, text) = one(&findings, check);
        (level, text.to_owned())
    };
    let on_path = [("PATH", path)];
    assert_eq!(found(&on_path, "command for SDKs").0, Severity::Warn);
    for (size, level) in [(1 << 20, Severity::Ok), ((1 << 20) - 1, Severity::Warn)] {
        program(&databricks, size);
        let (found, text) = found(&on_path, "databricks on PATH");
        assert_eq!(found, level, "{size}: {text}");
        let words = [", which is another program", "smaller than 1 MiB: SDKs pass it over"];
        assert!(text.ends_with(words[usize::from(level == Severity::Warn)]), "{text}");
    }
    let own = std::env::current_exe().unwrap();
    fs::remove_file(&databricks).unwrap();
    symlink(&own, &databricks).unwrap();
    let words = "~/bin/databricks, which is this program";
    assert_eq!(found(&on_path, "databricks on PATH"), (Severity::Ok, words.to_owned()));
    // By a variable: a name that is on PATH, or a path.
    for named in ["databricks", databricks.to_str().unwrap()] {
        let env = [("PATH", path), ("DATABRICKS_CLI_PATH", named)];
        assert_eq!(found(&env, "DATABRICKS_CLI_PATH"), (Severity::Ok, words.to_owned()), "{named}");
    }
    let small = bin.join("small");
    program(&small, 10);
    for (named, words) in [("no-such", "is no program"), (small.to_str().unwrap(), "refuse it")] {
        let env = [("PATH", "/nonexistent"), ("DATABRICKS_CLI_PATH", named)];
        let (level, text) = found(&env, "DATABRICKS_CLI_PATH");
        assert!(level == Severity::Fail && text.ends_with(words), "{text}");
        assert!(all(&home.offline(&env), "command for SDKs").is_empty(), "the variable names one");
    }
    program(&bin.join("u2m"), 10);
    assert_eq!(found(&on_path, "u2m on PATH"), (Severity::Ok, "~/bin/u2m".to_owned()));
}

#[test]
fn nothing_is_changed_by_looking() {
    let home = Home::signed_in(-5);
    let path = home.folder.path().join(".databricks/token-cache.json");
    let before = fs::read(&path).unwrap();
    home.examine(&[]);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(home.world.refreshes(), 0);
    let shown = format!("{:?}", home.doctor(&[("SECRET", "canary")]).with_said(said()));
    assert!(shown.contains("dev") && !shown.contains("canary"), "{shown}");
}
