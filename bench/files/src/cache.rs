//! The shared file, as the hand-written ways read and write it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The name that every way gives the file.
pub(crate) const FILE: &str = "token-cache.json";

#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Cache {
    pub(crate) version: u32,
    pub(crate) tokens: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Entry {
    access_token: String,
    token_type: String,
    refresh_token: String,
    expiry: String,
}

impl Cache {
    /// The parsed file; `None` when it cannot be read or does not parse.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// The bytes as they stand in the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("strings and numbers serialise")
    }

    /// Writes the file in place.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, self.bytes())
    }
}

impl Entry {
    /// An entry of usual length whose access token carries `count`.
    pub(crate) fn counting(count: u64) -> Self {
        Self {
            access_token: counting_token(count),
            token_type: "Bearer".into(),
            refresh_token: format!("doau{}", "0f".repeat(32)),
            expiry: "2099-01-01T00:00:00Z".into(),
        }
    }

    pub(crate) fn count(&self) -> Option<u64> {
        count_of(&self.access_token)
    }
}

/// An access token of usual length that carries `count`.
pub(crate) fn counting_token(count: u64) -> String {
    format!("eyJ{}.{count}", "aZ9-_".repeat(180))
}

/// The count that `token` carries.
pub(crate) fn count_of(token: &str) -> Option<u64> {
    token.rsplit_once('.')?.1.parse().ok()
}
