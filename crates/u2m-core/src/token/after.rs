//! The part of the token flow after the refresh token is spent: saving the session, and handling a failure.

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

/// Waits until the new session is saved.
#[derive(Debug)]
#[must_use]
pub struct Save {
    pub(super) renewal: RefreshInProgress,
    pub(super) session: Session,
    pub(super) what: SavableTokens,
}

/// Which tokens of a response can be saved.
#[derive(Debug)]
pub(super) enum SavableTokens {
    All,
    /// The access token. A refresh token came with it but cannot be read, and the old one is spent.
    Half,
    /// Only a new refresh token: why there is no more, and whether the old access token may be returned.
    RefreshToken {
        error: TokenEndpointError,
        keeps: bool,
    },
}

impl Save {
    /// The session to save.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Ends the flow. If saving failed, the caller still gets the token; the driver tries to save it again.
    ///
    /// # Errors
    /// Fails if the server issued the same token that an API had rejected, or none that can be used.
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

/// Waits for the entry after a rejection: a program that does not use this lock may have rotated the refresh token meanwhile.
#[derive(Debug)]
#[must_use]
pub struct ReloadAfterRejection {
    pub(super) renewal: RefreshInProgress,
    pub(super) error: TokenEndpointError,
}

impl ReloadAfterRejection {
    /// Whether `entry` is still the one that was rejected. A program that won the race saves its tokens a moment after the
    /// rejection arrives, so while nothing has changed, look again for a while.
    pub fn is_unchanged(&self, entry: Option<&Session>) -> bool {
        entry.is_some_and(|entry| entry.fingerprint() == self.renewal.old.fingerprint())
    }

    /// Takes the entry that the store holds now.
    ///
    /// # Errors
    /// As for [`Load::loaded`](super::Load::loaded), if the entry has changed.
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
            // A third refresh token is not tried: the next caller sees whether this one is valid.
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

/// Waits until a failure is remembered.
#[derive(Debug)]
#[must_use]
pub struct RecordFailure {
    pub(super) renewal: RefreshInProgress,
    pub(super) kind: RefreshFailureKind,
    /// The pause that the server asked for.
    pub(super) pause: Option<Box<ServerPause>>,
    pub(super) error: TokenError,
    /// The token to return in spite of the failure.
    pub(super) issued: Option<IssuedToken>,
}

impl RecordFailure {
    /// The failure to remember beside the entry's lock. `now` is when the response or the deadline came: a caller that asked
    /// before has waited for it and shares it.
    pub fn refresh_failure(&self, now: impl Into<Moment>) -> RefreshFailure {
        let refresh_failure =
            RefreshFailure::new(self.renewal.old.fingerprint(), now, self.kind.clone());
        self.pause
            .iter()
            .map(|pause| pause.length)
            .fold(refresh_failure, RefreshFailure::with_pause)
    }

    /// The pause to remember for other logins at the same token endpoint, if the server's request to wait applies to them.
    /// `known` looks up what is already remembered of a [door](super::RefreshingToken::doors).
    pub fn for_others(
        &self,
        now: impl Into<Moment>,
        known: impl FnOnce(&Fingerprint) -> Option<RefreshFailure>,
    ) -> Option<RefreshFailure> {
        let pause = self.pause.as_ref()?;
        let before = known(pause.door.as_ref()?);
        pause.for_others(before.as_ref(), &self.refresh_failure(now))
    }

    /// How long the server asked the client to wait, as far as it is remembered.
    pub fn pause(&self) -> Option<Lifetime> {
        self.refresh_failure(Timestamp::from_unix(0)).pause
    }

    /// Why the returned token cannot be refreshed, if that is what is remembered.
    pub fn warning(&self) -> Option<&Sanitized> {
        match &self.kind {
            RefreshFailureKind::Spent(why) if self.issued.is_some() => Some(why),
            _ => None,
        }
    }

    /// Ends the flow, whether the failure could be remembered or not.
    ///
    /// # Errors
    /// Fails with the failure, unless the old token is still valid and the refresh was not forced.
    pub fn noted(self, now: Timestamp) -> Result<TokenStep, TokenError> {
        match self.issued {
            Some(issued) => Ok(TokenStep::Done(issued)),
            None => self.renewal.give_up(self.error, now),
        }
    }
}
