//! Checks the stores and the login in them.

use super::{DoctorFinding, Examination, Severity};
use crate::choose::TokenChoice;
use crate::clock::now;
use crate::storage::Storage;
use std::time::Duration;
use u2m_cache::{NamedStore, StorageMode, StoreError, TokenStore};
use u2m_core::{CacheKey, FreshnessRules, RefreshFailure, Session, chain};

/// How long to wait for a refresh that is under way: long enough to tell a lock from a slow disk.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn look(ward: &Examination, choice: Option<&TokenChoice>) -> Vec<DoctorFinding> {
    let profile = choice.and_then(|choice| choice.target.profile()).map(|name| name.as_str());
    let storage = match ward.with_surroundings(|around| Storage::open(None, around, profile)) {
        Ok(storage) => storage,
        Err(error) => {
            return vec![DoctorFinding::fail("store", chain(&error), "correct that setting")];
        }
    };
    let mut findings = stores(ward, &storage);
    if let Some(choice) = choice {
        let is_told = findings.iter().any(|finding| finding.level == Severity::Fail);
        findings.extend(login(ward, &storage, choice, is_told));
    }
    findings
}

/// What is wrong with a store, and what to do.
fn broken(ward: &Examination, mode: StorageMode, error: &StoreError) -> DoctorFinding {
    let advice = match mode {
        StorageMode::Secure => "unlock the keyring, or choose another store with \
             DATABRICKS_AUTH_STORAGE=plaintext or encrypted"
            .to_owned(),
        StorageMode::Encrypted => {
            format!("see '{} storage --help' on where its key comes from", ward.doctor.program)
        }
        StorageMode::Plaintext => {
            "see who owns the file and its folder, and what is in it".to_owned()
        }
    };
    DoctorFinding::fail("store", format!("{}: {}", mode.as_str(), chain(error)), advice)
}

/// Checks each store on this machine: whether it answers, and the encrypted one's key. The keyring must answer within its own
/// limit.
fn stores(ward: &Examination, storage: &Storage) -> Vec<DoctorFinding> {
    let mut findings = Vec::new();
    let chosen = storage.choice();
    for mode in StorageMode::ALL {
        let place = storage.location(mode, &|path| ward.shown(path));
        let is_wanted = chosen.is_explicit() && chosen.mode() == mode;
        let asked = storage.store().part(mode).and_then(|part| Ok((part, part.keys()?)));
        let (part, keys) = match asked {
            Ok(both) => both,
            Err(error) if error.is_absent_store() && !is_wanted => {
                if mode == StorageMode::Secure && !chosen.is_explicit() {
                    let file = storage.location(StorageMode::Plaintext, &|path| ward.shown(path));
                    findings.push(DoctorFinding::warn(
                        "store",
                        format!("there is no keyring here: new logins are kept unencrypted in {file}"),
                        "set DATABRICKS_AUTH_STORAGE to encrypted, or to plaintext to say that this is fine",
                    ));
                }
                continue;
            }
            Err(error) => {
                findings.push(broken(ward, mode, &error));
                continue;
            }
        };
        // Decrypting an entry proves that the key is right.
        let sealed = keys.first().filter(|_| mode == StorageMode::Encrypted);
        if let Some(Err(error)) = sealed.map(|key| part.load(key)) {
            findings.push(broken(ward, mode, &error));
            continue;
        }
        if is_wanted || !keys.is_empty() || mode == StorageMode::Secure {
            let logins = if keys.len() == 1 { "login" } else { "logins" };
            let text = format!("{}: {place}, {} {logins}", mode.as_str(), keys.len());
            findings.push(DoctorFinding::ok("store", text));
        }
    }
    if chosen.is_explicit() {
        let text = format!("{}, by {}", chosen.mode().as_str(), chosen.source().label());
        findings.push(DoctorFinding::ok("store choice", text));
    }
    findings
}

/// Checks the login: whether it exists, how long it lasts, and whether its successor could be saved. `is_told`: a broken store
/// was already reported.
fn login(
    ward: &Examination,
    storage: &Storage,
    choice: &TokenChoice,
    is_told: bool,
) -> Vec<DoctorFinding> {
    let own = choice.target.cache_key();
    let others = choice.other_key().into_iter().chain(choice.host_fallback_key());
    let looked = std::iter::once(own.clone()).chain(others).map(|key| {
        let held = storage.store().load(&key);
        (key, held)
    });
    let found = looked.into_iter().find(|(_, held)| !matches!(held, Ok(None)));
    let (key, held) = found.unwrap_or((choice.other_key().unwrap_or(own), Ok(None)));
    let sign_in = sign_in(ward, choice);
    let session = match held {
        Ok(Some(session)) => session,
        Ok(None) => {
            let text =
                format!("nobody is signed in as \"{}\"", u2m_core::Sanitized::new(key.as_str()));
            return vec![DoctorFinding::warn("login", text, sign_in)];
        }
        Err(_) if is_told => return Vec::new(),
        Err(error) => {
            let chosen = storage.choice();
            let mode = storage.place(&key, chosen).unwrap_or(chosen.mode());
            return vec![broken(ward, mode, &error)];
        }
    };
    let (refresh_failure, writable) = reserve(storage, &key, ward);
    let state = state(&session, choice, refresh_failure.as_ref(), &key, sign_in);
    disagreement(storage, &key, ward).into_iter().chain([state, writable]).collect()
}

/// Reports a setting that names another store than the one with the login, because other programs follow the setting only.
fn disagreement(storage: &Storage, key: &CacheKey, ward: &Examination) -> Option<DoctorFinding> {
    let NamedStore::First(first) = storage.store().naming() else { return None };
    let place = storage.store().place(key).filter(|place| *place != first)?;
    let (name, label) = (u2m_core::Sanitized::new(key.as_str()), storage.choice().source().label());
    let mut text = format!("\"{name}\" is in {place}, where it was saved; {label} names {first}");
    let other = storage.store().part(first).and_then(|part| part.load(key));
    let (program, quoted) = (&ward.doctor.program, quoted(key.as_str()));
    let mut advice =
        format!("let the setting follow: {program} storage migrate --to {place} {quoted}");
    if matches!(other, Ok(Some(_))) {
        text += ", where another one stands that is not used";
        advice += &format!("; to use {first} instead, sign in again: what is new goes there");
    }
    Some(DoctorFinding::warn("store choice", text, advice))
}

fn state(
    session: &Session,
    choice: &TokenChoice,
    refresh_failure: Option<&RefreshFailure>,
    key: &CacheKey,
    sign_in: String,
) -> DoctorFinding {
    let name = u2m_core::Sanitized::new(key.as_str());
    if let (Some(binding), Some(host)) = (&session.binding, choice.target.host())
        && binding.host != *host
    {
        let text = format!("\"{name}\" is a login to {}, not to {host}", binding.host);
        return DoctorFinding::fail("login", text, sign_in);
    }
    if refresh_failure.is_some_and(|refresh_failure| refresh_failure.is_final_for(session)) {
        let text = format!("the server has ended \"{name}\"");
        return DoctorFinding::fail("login", text, sign_in);
    }
    if FreshnessRules::default().fresh_from(session).is_some_and(|from| now() < from) {
        let text = format!(
            "\"{name}\" was issued in the future by this machine's clock, which was ahead then or is behind now"
        );
        let then = match session.refresh_token {
            Some(_) => "the token is renewed when it is used next".to_owned(),
            None => sign_in,
        };
        return DoctorFinding::warn("login", text, format!("see that the clock is right; {then}"));
    }
    if let Some(left) = refresh_failure
        .filter(|refresh_failure| refresh_failure.of == session.fingerprint())
        .and_then(|refresh_failure| refresh_failure.left_of_pause(now()))
    {
        let text = format!(
            "the token endpoint wants no refresh of \"{name}\" for another {} seconds",
            left.seconds()
        );
        return DoctorFinding::warn("login", text, "wait, or use the token while it is good");
    }
    let left = session.expiry.map(|expiry| now().until(expiry).seconds());
    let is_renewable = session.refresh_token.is_some();
    let text = match left {
        None => format!("\"{name}\" does not say when it ends"),
        Some(left @ 1..) => format!("\"{name}\" is good for {} minutes", (left + 59) / 60),
        Some(_) => format!("the token of \"{name}\" has run out"),
    };
    match (is_renewable, left) {
        (true, _) => DoctorFinding::ok("login", format!("{text}, and can be renewed")),
        (false, Some(..=0)) => {
            DoctorFinding::fail("login", format!("{text}, and cannot be renewed"), sign_in)
        }
        (false, _) => {
            DoctorFinding::warn("login", format!("{text}, and cannot be renewed"), sign_in)
        }
    }
}

/// Checks what is remembered of the login and whether a refresh could be saved. It tests this under the entry's lock and does
/// not change the entry.
fn reserve(
    storage: &Storage,
    key: &CacheKey,
    ward: &Examination,
) -> (Option<RefreshFailure>, DoctorFinding) {
    let mut lock = match storage.store().lock(key, PATIENCE) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            let advice = "if this stays so, see which process holds the lock";
            return (None, DoctorFinding::warn("saving", "another process is refreshing", advice));
        }
        Err(error) => return (None, unsaved(ward, storage, &error)),
    };
    let refresh_failure = lock.refresh_failure();
    let proof = lock.prove_writable();
    match proof {
        Ok(()) => (refresh_failure, DoctorFinding::ok("saving", "a renewed login can be saved")),
        Err(error) => (refresh_failure, unsaved(ward, storage, &error)),
    }
}

fn unsaved(ward: &Examination, storage: &Storage, error: &StoreError) -> DoctorFinding {
    let folder = storage.shared_file().parent().unwrap_or(storage.shared_file());
    let advice = format!("make {} writable, or refreshes stop", ward.shown(folder));
    DoctorFinding::fail(
        "saving",
        format!("a renewed login could not be saved: {}", chain(error)),
        advice,
    )
}

fn sign_in(ward: &Examination, choice: &TokenChoice) -> String {
    let program = &ward.doctor.program;
    match (choice.target.profile(), choice.target.host(), choice.target.account_id()) {
        (Some(profile), ..) => {
            format!("sign in: {program} login --profile {}", quoted(profile.as_str()))
        }
        (None, Some(host), Some(account)) => {
            format!("sign in: {program} login --host {host} --account-id {account}")
        }
        (None, Some(host), None) => format!("sign in: {program} login --host {host}"),
        (None, None, _) => format!("sign in: {program} login"),
    }
}

/// Quotes text for a shell, as one argument.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@/:+".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choose::{Environment, TargetArgs, choose_for_token};
    use crate::doctor::Doctor;
    use u2m_config::ConfigFile;
    use u2m_core::{AccessToken, Binding, Host, Lifetime, RefreshFailureKind, RefreshToken};

    const CONFIG: &str = "[dev]\nhost = https://a.example\n[two words]\nhost = https://b.example\n";

    fn chosen(host: Option<&str>, profile: Option<&str>, account: Option<&str>) -> TokenChoice {
        let config = ConfigFile::parse(CONFIG).unwrap();
        let around = Environment { env: &|_| None, config: &config };
        let text = |text: Option<&str>| text.map(str::to_owned);
        let said = TargetArgs {
            host: text(host),
            profile: text(profile),
            account_id: text(account),
            ..TargetArgs::default()
        };
        choose_for_token(&said, &around).unwrap()
    }

    fn session(left: i64) -> Session {
        Session::new(AccessToken::new("t")).with_expiry(now().plus(Lifetime::from_seconds(left)))
    }

    fn told(session: &Session, refresh_failure: Option<&RefreshFailure>) -> (&'static str, String) {
        let choice = chosen(None, Some("dev"), None);
        let told =
            state(session, &choice, refresh_failure, &CacheKey::new("dev"), "sign in".into());
        (told.level.as_str(), told.text)
    }

    #[test]
    fn how_long_a_login_lasts_and_whether_it_can_be_renewed_is_told() {
        let renewable = |session: Session| session.with_refresh_token(RefreshToken::new("r"));
        let (level, text) = told(&renewable(session(600)), None);
        assert_eq!(
            (level, text.as_str()),
            ("ok", "\"dev\" is good for 10 minutes, and can be renewed")
        );
        let (level, text) = told(&session(90), None);
        assert_eq!(
            (level, text.as_str()),
            ("warn", "\"dev\" is good for 2 minutes, and cannot be renewed")
        );
        let (level, text) = told(&renewable(session(-1)), None);
        assert_eq!(
            (level, text.as_str()),
            ("ok", "the token of \"dev\" has run out, and can be renewed")
        );
        let (level, text) = told(&session(-1), None);
        assert_eq!(
            (level, text.as_str()),
            ("fail", "the token of \"dev\" has run out, and cannot be renewed")
        );
        let (level, text) = told(&Session::new(AccessToken::new("t")), None);
        assert_eq!(
            (level, text.as_str()),
            ("warn", "\"dev\" does not say when it ends, and cannot be renewed")
        );
    }

    #[test]
    fn a_login_to_another_host_is_told_whatever_it_lasts() {
        let bound = |host: &str| {
            let endpoint = url::Url::parse(&format!("{host}/oidc/v1/token")).unwrap();
            let host = Host::parse(host).unwrap();
            session(600).with_binding(Binding::new("i", endpoint, "databricks-cli", host))
        };
        let (level, text) = told(&bound("https://b.example"), None);
        let words = "\"dev\" is a login to https://b.example, not to https://a.example";
        assert_eq!((level, text.as_str()), ("fail", words));
        assert_eq!(
            told(&bound("https://a.example"), None).0,
            "warn",
            "only that it cannot be renewed"
        );
    }

    #[test]
    fn a_login_from_the_future_is_told_with_what_becomes_of_it() {
        let hour = Lifetime::from_seconds(3600);
        let early = session(7200).with_issued_at(now().plus(hour)).with_lifetime(hour);
        let choice = chosen(None, Some("dev"), None);
        let told = |session: &Session| {
            let told = state(session, &choice, None, &CacheKey::new("dev"), "sign in".into());
            assert!(told.text.contains("\"dev\" was issued in the future"), "{told}");
            (told.level.as_str(), told.advice.unwrap())
        };
        let (level, advice) = told(&early);
        assert!(level == "warn" && advice.ends_with("; sign in"), "{advice}");
        let (level, advice) = told(&early.with_refresh_token(RefreshToken::new("r")));
        assert!(level == "warn" && advice.ends_with("is renewed when it is used next"), "{advice}");
    }

    #[test]
    fn a_pause_that_the_token_endpoint_asks_for_is_told_while_it_lasts() {
        let renewable = session(600).with_refresh_token(RefreshToken::new("r"));
        let pause = |of: &Session, seconds| {
            let refresh_failure =
                RefreshFailure::new(of.fingerprint(), now(), RefreshFailureKind::transient("busy"));
            told(&renewable, Some(&refresh_failure.with_pause(Duration::from_secs(seconds))))
        };
        let (level, text) = pause(&renewable, 300);
        assert!(
            level == "warn" && text.contains("wants no refresh of \"dev\" for another"),
            "{text}"
        );
        assert_eq!(pause(&renewable, 0).0, "ok");
        assert_eq!(pause(&session(5), 300).0, "ok", "it is another login's");
    }

    #[test]
    fn the_way_back_in_names_what_was_chosen() {
        let doctor = Doctor::new([("HOME", "/nonexistent")]).with_program("databricks auth");
        let config = ConfigFile::parse(CONFIG).unwrap();
        let ward = Examination { doctor, path: "x".into(), config };
        let console = "https://accounts.cloud.databricks.com";
        for (choice, words) in [
            (chosen(None, Some("dev"), None), "--profile dev"),
            (chosen(None, Some("two words"), None), "--profile 'two words'"),
            (chosen(Some("https://c.example"), None, None), "--host https://c.example"),
            (
                chosen(Some(console), None, Some("acc")),
                "--host https://accounts.cloud.databricks.com --account-id acc",
            ),
        ] {
            assert_eq!(sign_in(&ward, &choice), format!("sign in: databricks auth login {words}"));
        }
    }

    #[test]
    fn what_a_shell_would_not_take_for_one_word_is_quoted() {
        assert_eq!(quoted("a-1_b.c@d/e:f+g"), "a-1_b.c@d/e:f+g");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$x"), "'$x'");
    }
}
