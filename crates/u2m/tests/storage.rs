//! Which store a user's logins are in: the tables of precedence, of reading, of logging in and of pinning.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use u2m::config::{ConfigFile, Environment};
use u2m::oauth::RefreshToken;
use u2m::store::{
    Binding, CacheKey, Session, Storage, StorageChoice, StorageError, StorageMode, StorageSource,
    TokenStore,
};
use u2m::{AccessToken, Host};

fn choose(
    named: Option<&str>,
    variable: Option<&str>,
    config: &str,
) -> Result<StorageChoice, StorageError> {
    let variable = variable.map(OsString::from);
    let env = |name: &str| (name == "DATABRICKS_AUTH_STORAGE").then(|| variable.clone()).flatten();
    let config = ConfigFile::parse(config).unwrap();
    StorageChoice::of(named, &Environment { env: &env, config: &config }, Some("dev"))
}

const SETTING: &str = "[__settings__]\nauth_storage = plaintext\n";

#[test]
fn the_first_source_that_says_something_counts() {
    use StorageMode::{Encrypted, Plaintext, Secure};
    use StorageSource::{Default, Environment, Override, Profile, Settings};
    let profile = format!("[dev]\nhost = https://a.example\nauth_storage = encrypted\n{SETTING}");
    for (named, variable, config, mode, source) in [
        (Some("secure"), Some("plaintext"), SETTING, Secure, Override),
        (None, Some("secure"), SETTING, Secure, Environment),
        (None, Some(" PlainText\t"), "", Plaintext, Environment),
        (None, Some(""), SETTING, Plaintext, Settings),
        (None, None, profile.as_str(), Encrypted, Profile),
        (None, None, SETTING, Plaintext, Settings),
        (None, None, "[__settings__]\nauth_storage =\n", Secure, Default),
        (None, None, "[dev]\nhost = https://a.example\n", Secure, Default),
    ] {
        let choice = choose(named, variable, config).unwrap();
        assert_eq!(
            (choice.mode(), choice.source()),
            (mode, source),
            "{named:?} {variable:?} {config}"
        );
        assert_eq!(choice.is_explicit(), source != Default);
    }
}

#[test]
fn a_word_that_names_no_store_is_an_error_that_says_where_it_stands() {
    for (variable, config, text) in [
        (
            Some("legacy"),
            SETTING,
            "DATABRICKS_AUTH_STORAGE: unknown storage mode \"legacy\" (want plaintext, secure or encrypted)",
        ),
        (
            None,
            "[__settings__]\nauth_storage = vault\n",
            "auth_storage: unknown storage mode \"vault\" (want plaintext, secure or encrypted)",
        ),
    ] {
        assert_eq!(choose(None, variable, config).unwrap_err().to_string(), text);
    }
    // White space alone is no word.
    assert_eq!(choose(None, Some("  "), SETTING).unwrap().source(), StorageSource::Settings);
}

#[test]
fn an_earlier_source_hides_what_is_wrong_with_a_later_one() {
    let choice = choose(None, Some("plaintext"), "[__settings__]\nauth_storage = vault\n").unwrap();
    assert_eq!(choice.mode(), StorageMode::Plaintext);
}

#[test]
fn the_sources_have_the_names_that_are_shown() {
    assert_eq!(StorageSource::Environment.label(), "DATABRICKS_AUTH_STORAGE environment variable");
    assert_eq!(
        StorageSource::Settings.label(),
        "auth_storage in [__settings__] section of config file"
    );
    assert_eq!(StorageSource::Default.label(), "default");
    assert_eq!(StorageSource::Override.label(), "command-line override");
}

/// A user without any keyring.
struct User {
    home: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn storage(&self, settings: &[(&str, &str)], config: &str) -> Storage {
        self.open(settings, None, config)
    }

    fn storage_of(&self, profile: Option<&str>, config: &str) -> Storage {
        self.open(&[], profile, config)
    }

    fn open(&self, settings: &[(&str, &str)], profile: Option<&str>, config: &str) -> Storage {
        let home = self.home.path().to_str().unwrap();
        let mut vars: BTreeMap<_, _> = settings.iter().copied().collect();
        vars.insert("HOME", home);
        vars.insert("USERPROFILE", home);
        let env = |name: &str| vars.get(name).map(OsString::from);
        let config = ConfigFile::parse(config).unwrap();
        Storage::open(None, &Environment { env: &env, config: &config }, profile).unwrap()
    }
}

fn key() -> CacheKey {
    CacheKey::new("dev")
}

#[test]
fn fall_2_a_login_by_default_without_a_keyring_is_pinned_to_the_file_with_a_notice() {
    let user = User::new();
    let storage = user.storage(&[], "");
    assert_eq!(storage.to_pin(&key()), None, "before a login there is nothing to pin");
    storage.store().prepare_login(&key()).unwrap();
    storage.store().save(&key(), &Session::new(AccessToken::new("a"))).unwrap();
    assert_eq!(storage.to_pin(&key()), Some(StorageMode::Plaintext));
    assert_eq!(storage.home(&key()), Some(StorageMode::Plaintext));
    assert_eq!(storage.store().take_notices().len(), 1);
}

#[test]
fn a_choice_that_somebody_made_is_never_pinned() {
    let user = User::new();
    for (settings, config) in
        [([("DATABRICKS_AUTH_STORAGE", "plaintext")].as_slice(), ""), ([].as_slice(), SETTING)]
    {
        let storage = user.storage(settings, config);
        storage.store().prepare_login(&key()).unwrap();
        storage.store().save(&key(), &Session::new(AccessToken::new("a"))).unwrap();
        assert_eq!(storage.to_pin(&key()), None);
        assert!(storage.store().take_notices().is_empty());
    }
}

#[test]
fn t25_a_keyring_that_was_asked_for_and_is_not_there_is_an_error_before_anything_else() {
    let user = User::new();
    let storage = user.storage(&[("DATABRICKS_AUTH_STORAGE", "secure")], "");
    assert!(storage.store().prepare_login(&key()).is_err());
    assert!(storage.store().load(&key()).is_err());
    assert!(std::fs::read_dir(user.home.path()).unwrap().next().is_none(), "nothing was written");
}

/// A login at `host`.
fn at(host: &str, name: &str) -> Session {
    let endpoint = url::Url::parse(&format!("{host}/oidc/v1/token")).unwrap();
    let issuer = format!("{host}/oidc");
    let binding = Binding::new(issuer, endpoint, "databricks-cli", Host::parse(host).unwrap());
    Session::new(AccessToken::new(name))
        .with_refresh_token(RefreshToken::new(name))
        .with_binding(binding)
}

#[test]
fn dual_2_the_first_profile_of_a_host_has_the_copy_until_another_one_asks_for_it() {
    const HOST: &str = "https://a.example";
    let user = User::new();
    let config = |dev: &str, prod: &str| {
        format!(
            "[dev]\nhost = {HOST}\n{dev}\n[prod]\nhost = {HOST}\n{prod}\n\
             [idp]\nu2m_issuer = {HOST}\nu2m_client_id = c\n\
             [__settings__]\nauth_storage = plaintext\n"
        )
    };
    let save = |profile: &str, config: &str, token: &str| {
        let storage = user.storage_of(Some(profile), config);
        storage.store().save(&CacheKey::new(profile), &at(HOST, token)).unwrap();
        assert!(storage.store().take_notices().is_empty());
        let copy = storage.store().load(&CacheKey::new(HOST)).unwrap();
        copy.map(|copy| copy.access_token.expose().to_owned())
    };
    let plain = config("", "");
    assert_eq!(save("idp", &plain, "i"), None, "nobody looks for it there");
    assert_eq!(save("dev", &plain, "d1").as_deref(), Some("d1"));
    assert_eq!(save("prod", &plain, "p1").as_deref(), Some("d1"));
    assert_eq!(save("dev", &plain, "d2").as_deref(), Some("d2"), "a refresh brings it along");
    let prods = config("", "mirror_host_key = true");
    assert_eq!(save("prod", &prods, "p2").as_deref(), Some("p2"));
    assert_eq!(save("dev", &prods, "d3").as_deref(), Some("p2"));
    let nobodys = config("mirror_host_key = false", "mirror_host_key = false");
    assert_eq!(save("dev", &nobodys, "d4").as_deref(), Some("p2"));
    assert_eq!(save("prod", &nobodys, "p3"), None);
}

#[test]
fn a_login_is_where_the_choice_says_and_nobody_knows_where_without_one() {
    let user = User::new();
    let (open, named) = (user.storage(&[], ""), user.storage(&[], SETTING));
    for storage in [&open, &named] {
        assert_eq!(storage.place(&key(), open.choice()), None);
        assert_eq!(storage.place(&key(), named.choice()), Some(StorageMode::Plaintext));
    }
}

#[test]
fn a_login_that_cannot_be_kept_is_not_begun() {
    let user = User::new();
    let storage = user.storage(&[("DATABRICKS_AUTH_STORAGE", "secure")], "");
    let host = Host::parse("http://127.0.0.1:9").unwrap();
    let builder = u2m::PersistentAuth::builder(u2m::Target::workspace(host));
    let auth = builder.with_store(storage.store().clone()).build().unwrap();
    let error = auth.blocking().challenge().unwrap_err();
    assert!(matches!(error, u2m::ChallengeError::Store(_)), "{error:?}");
}

#[test]
fn a_login_at_an_issuer_has_no_copy() {
    let user = User::new();
    let config = "[dev]\nhost = https://a.example\n[__settings__]\nauth_storage = plaintext\n";
    let storage = user.storage_of(Some("dev"), config).for_issuer();
    storage.store().save(&key(), &at("https://a.example", "d")).unwrap();
    assert_eq!(storage.store().load(&CacheKey::new("https://a.example")).unwrap(), None);
}

#[test]
fn the_other_profiles_of_a_host_that_ask_for_its_copy_are_named_to_one_that_asks() {
    let user = User::new();
    let config = |dev: &str| {
        format!(
            "[dev]\nhost = https://a.example\n{dev}\n[prod]\nhost = a.example/\nmirror_host_key = TRUE\n\
             [other]\nhost = https://a.example\nmirror_host_key = true\n\
             [off]\nhost = a.example\nmirror_host_key = false\n[plain]\nhost = a.example\n\
             [account]\nhost = a.example\naccount_id = acc\nmirror_host_key = true\n\
             [far]\nhost = b.example\nmirror_host_key = true\n"
        )
    };
    let rivals = |profile: Option<&str>, dev: &str| {
        user.storage_of(profile, &config(dev)).mirror_rivals().to_vec()
    };
    let asks = "mirror_host_key = true";
    assert_eq!(rivals(Some("dev"), asks), ["prod", "other"]);
    assert_eq!(rivals(Some("other"), asks), ["dev", "prod"]);
    assert!(rivals(Some("dev"), "").is_empty(), "it asks for no copy");
    assert!(rivals(Some("off"), asks).is_empty() && rivals(None, asks).is_empty());
    assert!(rivals(Some("far"), asks).is_empty(), "it is alone on its host");
    let issuers = user.storage_of(Some("dev"), &config(asks)).for_issuer();
    assert!(issuers.mirror_rivals().is_empty(), "no copy is made of it");
}

#[test]
fn each_store_has_a_place_that_is_shown() {
    let user = User::new();
    let storage = user.storage(&[], SETTING);
    let file = user.home.path().join(".databricks/token-cache.json");
    assert_eq!(storage.shared_file(), file);
    let shown = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    for (mode, place) in [
        (StorageMode::Plaintext, "token-cache.json"),
        (StorageMode::Secure, "OS keyring (service: databricks-cli)"),
        (StorageMode::Encrypted, "token-cache.sealed.json"),
    ] {
        assert_eq!(storage.location(mode, &shown), place);
    }
    assert_eq!(storage.choice().source(), StorageSource::Settings);
    assert_eq!(StorageSource::Profile.label(), "auth_storage of the profile in the config file");
}

#[cfg(feature = "encrypted")]
#[test]
fn the_key_of_the_sealed_file_comes_from_where_the_user_says() {
    let user = User::new();
    let path = |name: &str| user.home.path().join(name).to_str().unwrap().to_owned();
    let sealed = |env: &[(&str, &str)], settings: &str| {
        let config = format!("[__settings__]\nauth_storage = encrypted\n{settings}\n");
        user.storage(env, &config)
    };
    let session = || Session::new(AccessToken::new("a"));
    let (one, other) = (path("one"), path("other"));
    let by_file = sealed(&[], &format!("u2m_storage_key_file = {one}"));
    by_file.store().save(&key(), &session()).unwrap();
    assert!(std::path::Path::new(&one).exists() && !std::path::Path::new(&other).exists());
    // The environment goes before the settings, and another key opens nothing.
    let text = std::fs::read_to_string(&one).unwrap();
    std::fs::write(&other, text.chars().rev().collect::<String>()).unwrap();
    let env = [("U2M_STORAGE_KEY_FILE", other.as_str())];
    assert!(sealed(&env, &format!("u2m_storage_key_file = {one}")).store().load(&key()).is_err());
    // A program may give it.
    let by_command = sealed(&[("U2M_STORAGE_KEY_COMMAND", &format!("cat {one}"))], "");
    assert_eq!(by_command.store().load(&key()).unwrap(), Some(session()));
}

const COPIES: &str = "mirror_host_key = true";

#[test]
fn profiles_of_one_host_and_account_that_ask_for_its_copy_are_rivals() {
    let user = User::new();
    let dev = format!("[dev]\nhost = a.example\naccount_id = 1\n{COPIES}\n");
    for (own, other, rivals) in [
        (
            dev.as_str(),
            format!("host = https://A.example/\naccount_id = 1\n{COPIES}"),
            &["prod"][..],
        ),
        (&dev, format!("host = b.example\naccount_id = 1\n{COPIES}"), &[]),
        (&dev, format!("host = a.example\naccount_id = 2\n{COPIES}"), &[]),
        (&dev, format!("host = a.example\n{COPIES}"), &[]),
        (&dev, "host = a.example\naccount_id = 1\nmirror_host_key = false".to_owned(), &[]),
        (&dev, "host = a.example\naccount_id = 1".to_owned(), &[]),
        (
            "[dev]\nhost = a.example\naccount_id = 1\n",
            format!("host = a.example\naccount_id = 1\n{COPIES}"),
            &[],
        ),
    ] {
        let config = format!("{own}[prod]\n{other}\n");
        let storage = user.storage_of(Some("dev"), &config);
        assert_eq!(storage.mirror_rivals(), rivals, "{config}");
        assert!(storage.for_issuer().mirror_rivals().is_empty());
        assert!(user.storage_of(None, &config).mirror_rivals().is_empty());
        assert!(user.storage_of(Some("gone"), &config).mirror_rivals().is_empty());
    }
}

#[test]
fn a_login_at_another_issuer_has_no_copy_under_its_hosts_key() {
    let config = format!(
        "[dev]\nhost = https://a.example\n{COPIES}\n[__settings__]\nauth_storage = plaintext\n"
    );
    let host = Host::parse("https://a.example").unwrap();
    let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
    let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
    let session = Session::new(AccessToken::new("a")).with_refresh_token(RefreshToken::new("r"));
    let session = session.with_binding(binding);
    for (is_issuers, count) in [(false, 2), (true, 1)] {
        let user = User::new();
        let mut storage = user.storage_of(Some("dev"), &config);
        if is_issuers {
            storage = storage.for_issuer();
        }
        storage.store().save(&key(), &session).unwrap();
        let keys = storage.store().keys().unwrap();
        assert_eq!(keys.len(), count, "{keys:?}");
    }
}

#[test]
fn a_login_is_looked_for_where_the_choice_of_another_says() {
    let user = User::new();
    let settled = |mode: &str| format!("[__settings__]\nauth_storage = {mode}\n");
    let plain = user.storage(&[], &settled("plaintext"));
    plain.store().save(&key(), &Session::new(AccessToken::new("a"))).unwrap();
    let other = user.storage(&[("DATABRICKS_AUTH_STORAGE", "encrypted")], "");
    assert_eq!(plain.place(&key(), plain.choice()), Some(StorageMode::Plaintext));
    assert_eq!(other.place(&key(), plain.choice()), Some(StorageMode::Plaintext));
    assert_eq!(other.place(&key(), other.choice()), Some(StorageMode::Encrypted));
    assert_eq!(plain.place(&key(), other.choice()), Some(StorageMode::Encrypted));
}
