//! The part of the token flow after its refresh token is spent: save; and what follows a failure.

use super::pause::ServerPause;
use super::refresh::{CheckWritable, RefreshInProgress};
use super::{
    EntryDecision, IssuedToken, RefreshFailure, RefreshFailureKind, StoreFailure, TokenError,
    TokenOrigin, TokenStep, WhichToken,
};
use crate::oauth::{ResponseError, TokenEndpointError};
use crate::secret::Fingerprint;
use crate::session::Session;
use crate::text::Sanitized;
use crate::time::{Lifetime, Moment, Timestamp};

/// Awaits that the new session is saved.
#[derive(Debug)]
#[must_use]
pub struct Save {
    pub(super) renewal: RefreshInProgress,
    pub(super) session: Session,
    pub(super) what: SavableTokens,
}

/// What of an answer can be saved.
#[derive(Debug)]
pub(super) enum SavableTokens {
    All,
    /// The access token, and of the refresh token that came with it only that it came: the old one is spent.
    Half,
    /// Nothing but a new refresh token: why that is all, and whether the old token may stand in.
    RefreshToken {
        error: TokenEndpointError,
        keeps: bool,
    },
}

impl Save {
    /// What to save.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Ends the flow. A failure to save does not take the token from the caller; the driver tries to save it again.
    ///
    /// # Errors
    /// The server has issued the very token that the caller cannot use, or none that can be used at all.
    pub fn saved(self, outcome: Result<(), StoreFailure>) -> Result<TokenStep, TokenError> {
        let Self { renewal, session, what } = self;
        let is_rejected = matches!(&renewal.inquiry.ask, WhichToken::Other(rejected) if *rejected == session.access_token);
        let how = match outcome {
            Ok(()) => TokenOrigin::Renewed,
            Err(failure) => TokenOrigin::RenewedUnsaved(failure),
        };
        match what {
            SavableTokens::RefreshToken { error, keeps } => {
                let error = TokenError::Refresh(error);
                if !keeps {
                    return Err(error);
                }
                Ok(TokenStep::Done(IssuedToken { session, how: TokenOrigin::Kept(error) }))
            }
            SavableTokens::Half => {
                let error = TokenEndpointError::Answer(ResponseError::RefreshToken);
                let issued = (!is_rejected).then_some(IssuedToken { session, how });
                let kind = RefreshFailureKind::of(&error);
                let error = TokenError::SameTokenAgain;
                Ok(TokenStep::RecordFailure(RecordFailure {
                    renewal,
                    kind,
                    pause: None,
                    error,
                    issued,
                }))
            }
            SavableTokens::All if is_rejected => Err(TokenError::SameTokenAgain),
            SavableTokens::All => Ok(TokenStep::Done(IssuedToken { session, how })),
        }
    }
}

/// Awaits the entry after a rejection: a program that does not know our lock may have rotated it meanwhile.
#[derive(Debug)]
#[must_use]
pub struct ReloadAfterRejection {
    pub(super) renewal: RefreshInProgress,
    pub(super) error: TokenEndpointError,
}

impl ReloadAfterRejection {
    /// Whether `entry` is still the one that was rejected. A program that has just won saves what it has a moment after our
    /// answer came: while nothing has changed, it is worth looking again for a while.
    pub fn is_unchanged(&self, entry: Option<&Session>) -> bool {
        entry.is_some_and(|entry| entry.fingerprint() == self.renewal.old.fingerprint())
    }

    /// Takes what the store holds now.
    ///
    /// # Errors
    /// As [`Load::loaded`](super::Load::loaded) for an entry that has changed.
    pub fn loaded(
        mut self,
        entry: Option<Session>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let changed = entry.filter(|entry| entry.fingerprint() != self.renewal.old.fingerprint());
        let Some(entry) = changed else { return Ok(self.renewal.note(self.error, None)) };
        match self.renewal.inquiry.judge(Some(entry), now)? {
            EntryDecision::Good(session) => {
                Ok(TokenStep::Done(IssuedToken { session, how: TokenOrigin::Stored }))
            }
            // There is no third refresh token: who comes next sees whether this one is good.
            EntryDecision::Ahead(_) | EntryDecision::Due(_) if self.renewal.second => {
                Ok(self.renewal.note(self.error, None))
            }
            EntryDecision::Ahead(old) | EntryDecision::Due(old) => {
                let inquiry = self.renewal.inquiry;
                Ok(TokenStep::CheckWritable(CheckWritable::second(inquiry, old)))
            }
        }
    }
}

/// Awaits that a failure is remembered.
#[derive(Debug)]
#[must_use]
pub struct RecordFailure {
    pub(super) renewal: RefreshInProgress,
    pub(super) kind: RefreshFailureKind,
    /// What the server asked for.
    pub(super) pause: Option<Box<ServerPause>>,
    pub(super) error: TokenError,
    /// What there is to hand out all the same.
    pub(super) issued: Option<IssuedToken>,
}

impl RecordFailure {
    /// What to remember, beside the entry's lock. It fell `now`, when the answer or the deadline came: who asked before
    /// has waited for it, and shares it.
    pub fn verdict(&self, now: impl Into<Moment>) -> RefreshFailure {
        let verdict = RefreshFailure::new(self.renewal.old.fingerprint(), now, self.kind.clone());
        self.pause.iter().map(|pause| pause.length).fold(verdict, RefreshFailure::with_pause)
    }

    /// What to remember for other logins at the same token endpoint, where that is whom the server asked to wait; `known` is what
    /// is remembered so of a [door](super::RefreshingToken::doors).
    pub fn for_others(
        &self,
        now: impl Into<Moment>,
        known: impl FnOnce(&Fingerprint) -> Option<RefreshFailure>,
    ) -> Option<RefreshFailure> {
        let pause = self.pause.as_ref()?;
        let before = known(pause.door.as_ref()?);
        pause.for_others(before.as_ref(), &self.verdict(now))
    }

    /// For how long the server asked not to be asked again: as long as is remembered.
    pub fn pause(&self) -> Option<Lifetime> {
        self.verdict(Timestamp::from_unix(0)).pause
    }

    /// Why what is handed out cannot be renewed by itself, if that is what is remembered.
    pub fn warning(&self) -> Option<&Sanitized> {
        match &self.kind {
            RefreshFailureKind::Spent(why) if self.issued.is_some() => Some(why),
            _ => None,
        }
    }

    /// Ends the flow, whether it could be remembered or not.
    ///
    /// # Errors
    /// The failure, unless the old token is still good and the refresh was not forced.
    pub fn noted(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        match self.issued {
            Some(issued) => Ok(TokenStep::Done(issued)),
            None => self.renewal.give_up(self.error, now),
        }
    }
}
