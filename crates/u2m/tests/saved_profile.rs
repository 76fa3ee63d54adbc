//! A saved profile is opened in one call, and what is wrong with it is told by what is at fault.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::Path;
use u2m::config::{ChooseError, ConfigFile, Environment, OpenError};
use u2m::store::{CacheKey, FileStore, Session, StorageError, TokenStore};
use u2m::{AccessToken, Builder, Scopes};

const CONFIG: &str = "\
[dev]
host = https://a.example
scopes = sql
[corp]
u2m_issuer = https://id.example
u2m_client_id = cli
[account]
host = https://accounts.cloud.databricks.com
account_id = acc
[bot]
host = https://a.example
client_id = c
client_secret = canary
[bare]
cluster_id = c
[lost]
host = https://b.example
auth_storage = vault
";

fn opened(folder: &Path, name: &str, config: &str) -> Result<Builder, OpenError> {
    let config = ConfigFile::parse(config).unwrap();
    let env = |name: &str| match name {
        "U2M_TOKEN_CACHE" => Some(folder.join("token-cache.json").into_os_string()),
        "HOME" | "USERPROFILE" => Some(OsString::from(folder)),
        _ => None,
    };
    Builder::for_profile(name, &Environment { env: &env, config: &config })
}

#[test]
fn a_profile_is_opened_with_its_host_its_account_its_client_and_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        format!("{CONFIG}[__settings__]\nauth_storage = plaintext\ndefault_profile = dev\n");
    let auth = |name: &str| opened(folder.path(), name, &config).unwrap().build().unwrap();
    let store = FileStore::at(folder.path().join("token-cache.json"));
    let expiry = u2m::Timestamp::from_unix(4_000_000_000);
    for name in ["dev", "corp", "account"] {
        let session = Session::new(AccessToken::new(format!("of-{name}"))).with_expiry(expiry);
        store.save(&CacheKey::new(name), &session).unwrap();
    }
    assert_eq!(auth("dev").target().host().unwrap().as_str(), "https://a.example");
    assert_eq!(auth("corp").target().issuer_id(), Some("https://id.example"));
    assert_eq!(auth("account").target().account_id().unwrap().as_str(), "acc");
    let token = auth("account").blocking().token().unwrap();
    assert_eq!(token.access_token().expose(), "of-account");
    // The profile's scopes are those that the login must have.
    let narrow = opened(folder.path(), "dev", &config).unwrap().with_scopes(Scopes::default());
    assert!(narrow.build().is_ok());
}

#[test]
fn what_is_wrong_is_told_by_what_is_at_fault() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str| opened(folder.path(), name, CONFIG).err().unwrap();
    for name in ["dve", "", "DEV"] {
        let error = error(name);
        assert!(matches!(error, OpenError::Choose(ChooseError::UnknownProfile { .. })), "{error}");
    }
    assert!(matches!(error("__settings__"), OpenError::Choose(ChooseError::Reserved)));
    assert!(matches!(error("bot"), OpenError::Choose(ChooseError::MachineProfile(_))));
    assert!(matches!(error("bare"), OpenError::Choose(ChooseError::NoHost(_))));
    let unknown = error("lost");
    assert!(matches!(unknown, OpenError::Storage(StorageError::UnknownMode { .. })), "{unknown}");
    assert!(!format!("{unknown:?}{}", error("bot")).contains("canary"));
}
