//! What a change may replace: of the entry itself, and of the copies that hold the refresh token which is being spent.

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
    /// Whatever is there: somebody has signed in, or out.
    Whatever,
    /// The state whose refresh token was claimed and spent, or an older one of this login that somebody has put back.
    Claimed(&'a Fingerprint),
    /// One of these states that were spent for this login, or an older one of it.
    Spent(&'a [Fingerprint]),
}

impl ReplaceRule<'_> {
    /// Whether a stored state is one that `new` has replaced, or is its own.
    pub(crate) fn replaces(
        self,
        beside: &SidecarFiles,
        there: &Fingerprint,
        new: &Session,
    ) -> bool {
        let new = new.fingerprint();
        // Another login's spent token stands for a login that somebody is about to save.
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
    /// Other entries that hold the refresh token which is being replaced: copies under the host's key that older programs
    /// made. It is spent for them too.
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

    /// Other entries whose refresh token is one of the `spent`.
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

    /// Whether `old` may be replaced, if it `is_there`: an entry that is gone was removed by somebody.
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
            // What cannot be read is nobody's login.
            (ReplaceRule::Claimed(_), None) => is_there,
            (ReplaceRule::Spent(_), None) => false,
        }
    }

    /// Whether a stored state is one that `new` has replaced, or is its own.
    pub(super) fn is_replaced(
        &self,
        over: ReplaceRule<'_>,
        there: &Fingerprint,
        new: &Session,
    ) -> bool {
        over.replaces(&self.beside, there, new)
    }

    /// Whether a copy under a host's key may be replaced: what another program stored in the place of this login's own copy
    /// stays.
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
        // A login of its own, which an older program keeps there, gives way to a copy that somebody asked for.
        let gives_way = !was_ours && wish != MirrorWish::WhereFree;
        matches!(over, ReplaceRule::Whatever) || is_old || gives_way
    }

    /// A file that is not there at all has lost nobody's login: programs without a lock remove it before they write, and a
    /// folder may be mounted again. Only an entry that is missing from a file was removed.
    pub(super) fn check_there(&self, over: ReplaceRule<'_>) -> Result<(), StoreError> {
        let path = &self.beside.path;
        match matches!(over, ReplaceRule::Whatever) || path.exists() {
            true => Ok(()),
            false => Err(StoreError::io("find", path, io::ErrorKind::NotFound.into())),
        }
    }

    /// Whether something is the matter with the file, so that an entry which is not in it was not removed: programs without
    /// a lock used to empty it before they wrote.
    pub(super) fn is_damaged(&self, text: &str, parsed: &ParsedCache<'_>) -> bool {
        let is_empty = text.trim_ascii().is_empty();
        parsed.broken.is_some() || is_empty && self.beside.path.exists()
    }
}
