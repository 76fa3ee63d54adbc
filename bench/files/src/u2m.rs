//! u2m's file store, with logins as a server that rotates makes them: each state has a refresh token of its own, and it is
//! recorded whom it belongs to.

use crate::Counts;
use crate::cache::{FILE, count_of, counting_token};
use std::path::Path;
use u2m::oauth::RefreshToken;
use u2m::store::{Binding, CacheKey, FileStore, Session, TokenStore};
use u2m::{AccessToken, Host, Timestamp};

pub(crate) struct U2m(FileStore);

impl U2m {
    pub(crate) fn at(folder: &Path) -> Self {
        Self(FileStore::at(folder.join(FILE)))
    }
}

impl Counts for U2m {
    fn count_up(&self, key: &str, count: u64) -> Option<u64> {
        let session = Session::new(AccessToken::new(counting_token(count + 1)))
            .with_refresh_token(RefreshToken::new(format!("doau{key:0>32}{count:032}")))
            .with_expiry(Timestamp::from_unix(4_000_000_000))
            .with_issued_at(Timestamp::from_unix(3_999_990_000))
            .with_binding(binding());
        let key = CacheKey::new(key);
        let found = match self.0.load(&key) {
            Ok(Some(session)) => count_of(session.access_token.expose()),
            Ok(None) => Some(0),
            Err(_) => None,
        };
        self.0.save(&key, &session).expect("the folder is writable");
        found
    }
}

fn binding() -> Binding {
    let host = Host::parse("https://my-workspace.cloud.databricks.com").expect("it is a host");
    let issuer = "https://my-workspace.cloud.databricks.com/oidc";
    let endpoint = format!("{issuer}/v1/token").parse().expect("it is a URL");
    Binding::new(issuer, endpoint, "databricks-cli", host)
}
