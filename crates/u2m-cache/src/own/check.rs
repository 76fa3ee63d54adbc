//! What may replace what, as questions to a store in the midst of its change.

use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::sidecar::{SidecarFiles, lock};
use u2m_core::{CacheKey, Fingerprint, Session};

/// Agrees to a change, by what stands there: what [`TokenStore::load`](crate::TokenStore::load) would say, errors included.
pub type ReplaceCheck<'a> =
    &'a dyn Fn(Result<Option<Session>, StoreError>) -> Result<(), StoreError>;

/// For a login: it replaces what cannot be read, leaves what only newer programs can, and loses no refresh token.
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

/// For what a refresh has brought: it replaces the states that it is `over`. An entry that is gone was removed by somebody, and
/// one that cannot be read is nobody's login.
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

/// For a change of one state, and of no other.
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

/// For a change where nothing is, and of nothing else.
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
