//! The login under a host's key, for a profile that has none of its own (DUAL-5). Programs without profiles keep theirs there.
//!
//! It stays the host's: it is read and renewed under its own key and its own lock, and nothing is written under the profile's
//! key. It is looked up anew for each call, so that the profile's own login counts as soon as it exists.

use super::Refresher;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use u2m_cache::Notice;
use u2m_core::{Target, Timestamp, TokenError};
use u2m_http::Fetched;

/// The target of the login under the host's key, for a profile's own target.
pub(crate) fn under_host_key(target: &Target) -> Option<Target> {
    let profile = target.profile()?;
    let is_issuer = target.issuer_id().is_some();
    let is_by_profile = target.cache_key().as_str() == profile.as_str();
    let host = target.host().filter(|_| is_by_profile && !is_issuer)?.clone();
    Some(match target.account_id() {
        Some(account) if target.is_unified() => Target::unified(host, account.clone()),
        Some(account) => Target::account(host, account.clone()),
        None => Target::workspace(host),
    })
}

impl Refresher {
    /// Returns the outcome for this login, or for the host's login if this one is not stored.
    pub(super) fn or_of_host<T>(
        &self,
        own: Result<T, TokenError>,
        of_host: impl FnOnce(&Arc<Self>) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        match (own, &self.of_host) {
            (Err(TokenError::NotFound), Some(host)) => match of_host(host) {
                Ok(found) => {
                    self.tell_of_host(host);
                    Ok(found)
                }
                // It is a login to something else.
                Err(TokenError::Mismatch { .. }) => Err(TokenError::NotFound),
                Err(error) => Err(error),
            },
            (own, _) => own,
        }
    }

    fn tell_of_host(&self, host: &Self) {
        if !self.has_told.swap(true, Ordering::Relaxed) {
            self.notice(Notice::of_host_fallback(&self.key, &host.key).text);
        }
    }
}

/// A token of the host's login. The next call checks again whether the profile has one of its own.
pub(super) fn lent(fetched: Fetched<TokenError>) -> Fetched<TokenError> {
    Fetched { fresh_until: Some(Timestamp::from_unix(0)), gives_way: true, ..fetched }
}
