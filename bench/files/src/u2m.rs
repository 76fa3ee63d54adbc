//! u2m's file store.

use crate::Counts;
use crate::cache::{FILE, count_of, counting_token};
use std::path::Path;
use u2m::{AccessToken, CacheKey, FileStore, RefreshToken, Session, Timestamp, TokenStore};

pub(crate) struct U2m(FileStore);

impl U2m {
    pub(crate) fn at(folder: &Path) -> Self {
        Self(FileStore::at(folder.join(FILE)))
    }
}

impl Counts for U2m {
    fn count_up(&self, key: &str, count: u64) -> Option<u64> {
        let key = CacheKey::new(key);
        let session = Session::new(AccessToken::new(counting_token(count + 1)))
            .with_refresh_token(RefreshToken::new(format!("doau{}", "0f".repeat(32))))
            .with_expiry(Timestamp::from_unix(4_000_000_000));
        let found = match self.0.load(&key) {
            Ok(Some(session)) => count_of(session.access_token.expose()),
            Ok(None) => Some(0),
            Err(_) => None,
        };
        self.0.save(&key, &session).expect("the folder is writable");
        found
    }
}
