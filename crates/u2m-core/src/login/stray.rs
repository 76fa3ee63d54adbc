//! Callbacks without this login's state: they are ignored, but the person is told, who may have caused one.

use super::browse::{Browse, counted};
use crate::oauth::{ErrorResponse, ResponseText};
use crate::secret::CsrfState;
use std::fmt;

/// A callback without the state of this login. It may come from a server that drops the state, from the tab of an earlier
/// sign-in, or from a hostile page. Since its origin is unknown, it decides nothing (T3).
///
/// Its `Display` is one printable line, without a code or a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedCallback {
    refusal: Option<ErrorResponse>,
    has_state: bool,
}

impl UnmatchedCallback {
    /// The error response that it brought; `None` means that it brought a code.
    pub fn refusal(&self) -> Option<&ErrorResponse> {
        self.refusal.as_ref()
    }

    /// Whether it has a state, which is that of another login.
    pub fn has_state(&self) -> bool {
        self.has_state
    }
}

impl fmt::Display for UnmatchedCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            Some(refusal) => {
                write!(f, "the browser came back with \"{}", refusal.code())?;
                if let Some(words) = refusal.description() {
                    write!(f, ": {words}")?;
                }
                write!(f, "\"")?;
            }
            None => write!(f, "the browser came back with a code")?,
        }
        match self.has_state {
            true => write!(f, ", and with the state of another sign-in"),
            false => write!(f, ", and without the state of this sign-in"),
        }
    }
}

impl Browse {
    /// Reads a query that is ignored only because of its state: an error or a code that is not this login's. Returns `None` for
    /// everything else.
    ///
    /// ```
    /// use u2m_core::{AccountId, BeforeCallback, Entropy, Host, LoginRequest, Target};
    /// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
    /// let target = Target::account(host, AccountId::parse("abc").unwrap());
    /// let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64])) else { unreachable!() };
    /// let browse = listen.bound(8020);
    /// let stray = browse.stray("error=access_denied").unwrap();
    /// assert_eq!(
    ///     stray.to_string(),
    ///     "the browser came back with \"access_denied\", and without the state of this sign-in"
    /// );
    /// assert!(browse.stray("x=1").is_none());
    /// ```
    pub fn stray(&self, query: &str) -> Option<UnmatchedCallback> {
        let [state, code, error, _, description] = counted(query)?;
        let has_state = state.is_some();
        if self.is_own(state.map(CsrfState::new).as_ref()) || (code.is_none() && error.is_none()) {
            return None;
        }
        let mut sent = self.sent();
        sent.add(code.as_deref().unwrap_or_default());
        let description = description.map(ResponseText::new);
        let refusal = error.map(|error| {
            ErrorResponse::of(0, &ResponseText::new(error), description.as_ref(), None, &sent)
        });
        Some(UnmatchedCallback { refusal, has_state })
    }
}
