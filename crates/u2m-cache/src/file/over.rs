//! What a change may replace: in the entry itself, and in the copies that hold the refresh token that is being used.

use super::FileStoreInner;
use super::codec::DecodedEntry;
use super::document::{CacheDocument, ParsedCache};
use super::mirror::MirrorWish;
use crate::error::StoreError;
use crate::sidecar::record_file::Sidecar;
use crate::sidecar::{SidecarFiles, claim};
use std::io;
use u2m_core::{CacheKey, Fingerprint, Session};

/// What a change may replace.
#[derive(Clone, Copy)]
pub(crate) enum ReplaceRule<'a> {
    /// Anything: a login or a logout.
    Whatever,
    /// The state whose refresh token was claimed and used, or an older state of this login that someone restored.
    Claimed(&'a Fingerprint),
    /// One of these states whose tokens were used for this login, or an older state of it.
    Spent(&'a [Fingerprint]),
}

impl ReplaceRule<'_> {
    /// Returns whether a stored state is one that `new` has replaced, or is the state of `new` itself.
    pub(crate) fn replaces(
        self,
        beside: &SidecarFiles,
        there: &Fingerprint,
        new: &Session,
    ) -> bool {
        let new = new.fingerprint();
        // A used token of another login means that someone is going to save a login there.
        let is_older = |is_own: &dyn Fn(&Fingerprint) -> bool| {
            claim::leads_to(beside, there, |bought| *bought == new || is_own(bought))
        };
        match self {
            Self::Whatever => true,
            Self::Claimed(claimed) => {
                there == claimed || *there == new || is_older(&|bought| bought == claimed)
            }
            Self::Spent(spent) => {
                spent.contains(there) || is_older(&|bought| spent.contains(bought))
            }
        }
    }
}

impl FileStoreInner {
    /// Returns other entries that hold the refresh token that is being replaced: copies under the host's key made by older
    /// programs. The token is used up for them too.
    pub(super) fn twins_of<'d>(
        &self,
        document: &'d CacheDocument<'_>,
        (key, old): (&CacheKey, &DecodedEntry<'_>),
        over: ReplaceRule<'_>,
    ) -> Vec<&'d str> {
        let renewable = |session: &Session| session.refresh_token.is_some();
        let old = old.session().filter(renewable).map(|old| old.fingerprint());
        let claimed = if let ReplaceRule::Claimed(claimed) = over { Some(claimed) } else { None };
        match (&old, claimed) {
            (None, None) => Vec::new(),
            _ => self.twins(document, key, |there| {
                Some(there) == old.as_ref() || Some(there) == claimed
            }),
        }
    }

    /// Returns other entries whose refresh token is one of the `spent` tokens.
    pub(super) fn twins<'d>(
        &self,
        document: &'d CacheDocument<'_>,
        key: &CacheKey,
        spent: impl Fn(&Fingerprint) -> bool,
    ) -> Vec<&'d str> {
        let others = document.keys().into_iter().filter(|name| *name != key.as_str());
        let is_twin = |name: &&str| {
            let there = self.read(document, name).and_then(|there| there.session());
            let token = there.and_then(|there| there.refresh_token);
            token.is_some_and(|token| spent(&Fingerprint::of_refresh(&token)))
        };
        others.filter(is_twin).collect()
    }

    /// Returns whether `old` may be replaced. `is_there` says whether it exists: an entry that is gone was removed by
    /// someone.
    pub(super) fn may_replace(
        &self,
        over: ReplaceRule<'_>,
        is_there: bool,
        old: &DecodedEntry<'_>,
        new: &Session,
    ) -> bool {
        match (over, old.session()) {
            (ReplaceRule::Whatever, _) => true,
            (_, Some(old)) => self.is_replaced(over, &old.fingerprint(), new),
            // An entry that cannot be read is no usable login.
            (ReplaceRule::Claimed(_), None) => is_there,
            (ReplaceRule::Spent(_), None) => false,
        }
    }

    /// Returns whether a stored state is one that `new` has replaced, or is the state of `new` itself.
    pub(super) fn is_replaced(
        &self,
        over: ReplaceRule<'_>,
        there: &Fingerprint,
        new: &Session,
    ) -> bool {
        over.replaces(&self.beside, there, new)
    }

    /// Returns whether a copy under a host's key may be replaced. What another program stored in place of this login's own
    /// copy is kept.
    pub(super) fn may_renew_copy(
        &self,
        document: &CacheDocument<'_>,
        known: &Sidecar,
        key: &CacheKey,
        (session, over): (&Session, ReplaceRule<'_>),
        (to, wish): (&CacheKey, MirrorWish),
    ) -> bool {
        let there = self.read(document, to.as_str()).and_then(|there| there.session());
        let was_ours = known.mirrored(to.as_str()) == Some(key.as_str());
        let is_old = there.is_none_or(|it| self.is_replaced(over, &it.fingerprint(), session));
        // A separate login that an older program keeps there gives way to a copy that the user asked for.
        let gives_way = !was_ours && wish != MirrorWish::WhereFree;
        matches!(over, ReplaceRule::Whatever) || is_old || gives_way
    }

    /// Fails if the whole file is missing. That does not mean a logout: programs without a lock remove the file before they
    /// write, and a folder may be mounted again. Only an entry missing from an existing file was removed.
    pub(super) fn check_there(&self, over: ReplaceRule<'_>) -> Result<(), StoreError> {
        let path = &self.beside.path;
        match matches!(over, ReplaceRule::Whatever) || path.exists() {
            true => Ok(()),
            false => Err(StoreError::io("find", path, io::ErrorKind::NotFound.into())),
        }
    }

    /// Returns whether the file is damaged, so that an entry missing from it was not removed: programs without a lock used to
    /// empty the file before they wrote.
    pub(super) fn is_damaged(&self, text: &str, parsed: &ParsedCache<'_>) -> bool {
        let is_empty = text.trim_ascii().is_empty();
        parsed.broken.is_some() || is_empty && self.beside.path.exists()
    }
}
