//! The rules for what may replace what, as checks that a store makes in the middle of a change.

use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::sidecar::{SidecarFiles, lock};
use u2m_core::{CacheKey, Fingerprint, Session};

/// Decides whether a change may be made, given what [`TokenStore::load`](crate::TokenStore::load) would return for the entry
/// now, errors included.
pub type ReplaceCheck<'a> =
    &'a dyn Fn(Result<Option<Session>, StoreError>) -> Result<(), StoreError>;

/// For a login: replaces an entry that cannot be read, keeps one that only newer programs can read, and loses no refresh
/// token.
pub(super) fn signing_in(
    beside: &SidecarFiles,
    key: &CacheKey,
    new: &Session,
) -> impl Fn(Result<Option<Session>, StoreError>) -> Result<(), StoreError> {
    move |found| match found {
        Ok(old) => lock::check_keeps_refresh_token(beside, key, old.as_ref(), new),
        Err(StoreError::BadEntry { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// For the result of a refresh: replaces only the states that `over` allows. An entry that is gone was removed by someone,
/// and one that cannot be read is no usable login.
pub(super) fn over(
    beside: &SidecarFiles,
    key: &CacheKey,
    new: &Session,
    over: ReplaceRule<'_>,
) -> impl Fn(Result<Option<Session>, StoreError>) -> Result<(), StoreError> {
    move |found| match (found, over) {
        (Ok(Some(old)), _) if over.replaces(beside, &old.fingerprint(), new) => {
            lock::check_keeps_refresh_token(beside, key, Some(&old), new)
        }
        (Err(StoreError::BadEntry { .. }), ReplaceRule::Claimed(_)) => Ok(()),
        (Ok(_) | Err(StoreError::BadEntry { .. }), _) => Err(superseded(key)),
        (Err(error), _) => Err(error),
    }
}

/// For a change of exactly this state.
pub(super) fn expecting(
    key: &CacheKey,
    state: &Fingerprint,
) -> impl Fn(Result<Option<Session>, StoreError>) -> Result<(), StoreError> {
    move |found| match found {
        Ok(Some(there)) if there.fingerprint() == *state => Ok(()),
        Ok(_) | Err(StoreError::BadEntry { .. } | StoreError::NewerEntry { .. }) => {
            Err(superseded(key))
        }
        Err(error) => Err(error),
    }
}

/// For a change that requires the entry to be absent.
pub(super) fn expecting_nothing(
    key: &CacheKey,
) -> impl Fn(Result<Option<Session>, StoreError>) -> Result<(), StoreError> {
    move |found| match found {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(StoreError::BadEntry { .. } | StoreError::NewerEntry { .. }) => {
            Err(superseded(key))
        }
        Err(error) => Err(error),
    }
}

fn superseded(key: &CacheKey) -> StoreError {
    StoreError::Superseded { key: key.clone() }
}
