//! Token revocation (RFC 7009): the request of a public client, and the meaning of the responses.

use super::error_response::{ErrorResponse, may_pass};
use super::metadata::MetadataError;
use super::token_response::refused;
use crate::call::TransportFailure;
use crate::reply::Reply;
use crate::session::Session;
use std::time::Duration;
use zeroize::Zeroizing;

/// The form that revokes a login's refresh token, which also ends its access tokens (RFC 7009 section 2.1). Without a refresh
/// token, it revokes the access token.
pub(crate) fn revocation_form(client_id: &str, login: &Session) -> Zeroizing<String> {
    let (hint, token) = match &login.refresh_token {
        Some(token) => ("refresh_token", token.expose()),
        None => ("access_token", login.access_token.expose()),
    };
    super::token_request::form(&[
        ("client_id", client_id),
        ("token", token),
        ("token_type_hint", hint),
    ])
}

/// Reads a response (RFC 7009 section 2.2). Success means that the token is no longer valid, whether the server knew it or not.
pub(crate) fn parse_revocation(
    outcome: Result<Reply, TransportFailure>,
) -> Result<(), RevokeError> {
    let answer = outcome.map_err(RevokeError::Unreachable)?;
    if answer.is_success() {
        return Ok(());
    }
    let status = answer.status();
    let refused = (status < 500).then(|| refused(&answer)).flatten();
    Err(match refused {
        Some(refusal) => RevokeError::Refused(refusal),
        None => RevokeError::Status { status, retry_after: answer.retry_after() },
    })
}

/// Why it is not certain that a token was revoked. The token may still be valid.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// It could not be determined whether the server revokes tokens, or where.
    #[error("fetching OAuth endpoints")]
    Endpoints(#[source] MetadataError),
    /// The server refused, usually with `unsupported_token_type` or `invalid_client`.
    #[error("the server did not revoke the token")]
    Refused(#[source] ErrorResponse),
    /// The response is neither success nor an OAuth error. 503 means that the token is still valid.
    #[error("the revocation endpoint answered http {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long the server asked the client to wait.
        retry_after: Option<Duration>,
    },
    /// No response arrived.
    #[error("the revocation endpoint could not be asked")]
    Unreachable(#[source] TransportFailure),
}

impl RevokeError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Endpoints(error) => error.is_transient(),
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Status { status, .. } => may_pass(*status),
            Self::Unreachable(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::HttpResponse;
    use crate::secret::{AccessToken, RefreshToken};

    fn read(status: u16, body: &str) -> Result<(), RevokeError> {
        parse_revocation(Ok(Reply::bare(HttpResponse::new(status, body.into()))))
    }

    #[test]
    fn a40_the_refresh_token_is_named_and_an_access_token_only_where_there_is_no_other() {
        let bare = Session::new(AccessToken::new("a+b"));
        assert_eq!(
            revocation_form("my-cli", &bare).as_str(),
            "client_id=my-cli&token=a%2Bb&token_type_hint=access_token"
        );
        let whole = bare.with_refresh_token(RefreshToken::new("r"));
        assert_eq!(
            revocation_form("my-cli", &whole).as_str(),
            "client_id=my-cli&token=r&token_type_hint=refresh_token"
        );
    }

    #[test]
    fn a39_success_is_done_and_a_503_says_that_the_token_is_still_good() {
        assert!(read(200, "").is_ok());
        assert!(read(200, "<html>whatever</html>").is_ok());
        let busy = parse_revocation(Ok(Reply::bare(
            HttpResponse::new(503, Vec::new()).with_retry_after(Duration::from_secs(7)),
        )));
        let Err(RevokeError::Status { status: 503, retry_after }) = busy else {
            panic!("{busy:?}")
        };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
        assert!(read(503, "").unwrap_err().is_transient());
        let refused = read(400, r#"{"error":"unsupported_token_type"}"#).unwrap_err();
        assert!(
            matches!(&refused, RevokeError::Refused(no) if no.to_string() == "unsupported_token_type")
        );
        assert!(!refused.is_transient());
        let client = read(401, r#"{"error":"invalid_client","error_description":"who?"}"#);
        assert!(matches!(client, Err(RevokeError::Refused(no)) if no.status() == 401));
    }

    #[test]
    fn t8_a_redirect_is_no_success() {
        for status in [301, 302, 307, 308, 404] {
            assert!(matches!(read(status, ""), Err(RevokeError::Status { .. })), "{status}");
        }
    }
}
