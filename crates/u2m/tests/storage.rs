//! Which store a user's logins are in: the tables of precedence, of reading, of logging in and of pinning.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use u2m::{
    AccessToken, Binding, CacheKey, ConfigFile, Host, RefreshToken, Session, Storage,
    StorageChoice, StorageError, StorageMode, StorageSource, Surroundings, TokenStore,
};

fn choose(
    named: Option<&str>,
    variable: Option<&str>,
    config: &str,
) -> Result<StorageChoice, StorageError> {
    let variable = variable.map(OsString::from);
    let env = |name: &str| (name == "DATABRICKS_AUTH_STORAGE").then(|| variable.clone()).flatten();
    let config = ConfigFile::parse(config).unwrap();
    StorageChoice::of(named, &Surroundings { env: &env, config: &config }, Some("dev"))
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
            Some("  "),
            SETTING,
            "DATABRICKS_AUTH_STORAGE: unknown storage mode \"\" (want plaintext, secure or encrypted)",
        ),
        (
            None,
            "[__settings__]\nauth_storage = vault\n",
            "auth_storage: unknown storage mode \"vault\" (want plaintext, secure or encrypted)",
        ),
    ] {
        assert_eq!(choose(None, variable, config).unwrap_err().to_string(), text);
    }
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
        Storage::open(None, &Surroundings { env: &env, config: &config }, profile).unwrap()
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

#[test]
fn dual_1_a_profile_that_wishes_it_has_a_copy_under_its_hosts_key() {
    let user = User::new();
    let config = "[dev]\nhost = https://a.example\nmirror_host_key = true\n\
                  [prod]\nhost = https://a.example\n[__settings__]\nauth_storage = plaintext\n";
    let host = Host::parse("https://a.example").unwrap();
    let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
    let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
    let session = |name: &str| {
        Session::new(AccessToken::new(name))
            .with_refresh_token(RefreshToken::new(name))
            .with_binding(binding.clone())
    };
    let (copy, dev, prod) =
        (CacheKey::new("https://a.example"), CacheKey::new("dev"), CacheKey::new("prod"));
    user.storage_of(Some("prod"), config).store().save(&prod, &session("p")).unwrap();
    let storage = user.storage_of(Some("dev"), config);
    assert!(storage.store().load(&copy).unwrap().is_none(), "it is off unless asked for");
    for name in ["first", "second"] {
        storage.store().save(&dev, &session(name)).unwrap();
        let copied = storage.store().load(&copy).unwrap().unwrap();
        assert_eq!(copied.access_token.expose(), name);
    }
}
