//! Which failures may pass by themselves, and which only a new login ends: what programs decide by.
#![allow(clippy::unwrap_used)]

use u2m_core::{
    ErrorResponse, LoginError, MetadataError, ReportedError, ReportedStep, RevokeError, Sanitized,
    StoreFailure, TokenEndpointError, TokenError, TransportFailure, TransportFailureKind,
};

fn unreachable() -> TransportFailure {
    TransportFailure::new(TransportFailureKind::NotSent)
}

fn refused(code: &str) -> ErrorResponse {
    ErrorResponse::new(400, code, None)
}

fn io() -> std::io::Error {
    std::io::Error::other("disk full")
}

/// Failures of the token endpoint, and whether they may pass.
fn at_the_endpoint() -> [(TokenEndpointError, bool); 4] {
    [
        (TokenEndpointError::Unreachable(unreachable()), true),
        (TokenEndpointError::Refused(refused("temporarily_unavailable")), true),
        (TokenEndpointError::Refused(refused("server_error")), true),
        (TokenEndpointError::Refused(refused("invalid_client")), false),
    ]
}

/// Failures to find the endpoints, and whether they may pass.
fn of_the_metadata() -> [(MetadataError, bool); 11] {
    [
        (MetadataError::Unreachable(unreachable()), true),
        (MetadataError::Html, true),
        (MetadataError::Status(500), true),
        (MetadataError::Status(503), true),
        (MetadataError::Status(429), true),
        (MetadataError::Status(499), false),
        (MetadataError::Refused(403, Sanitized::new("from where you are")), true),
        (MetadataError::Refused(500, Sanitized::new("x")), true),
        (MetadataError::Refused(400, Sanitized::new("x")), false),
        (MetadataError::NotSupported, false),
        (MetadataError::WrongIssuer(Sanitized::new("x")), false),
    ]
}

#[test]
fn a_login_fails_for_good_unless_its_cause_may_pass() {
    for (error, may_pass) in at_the_endpoint() {
        assert_eq!(error.is_transient(), may_pass, "{error}");
        assert_eq!(LoginError::Device(error.clone()).is_transient(), may_pass, "{error}");
        assert_eq!(LoginError::Exchange(error).is_transient(), may_pass);
    }
    for (error, may_pass) in of_the_metadata() {
        assert_eq!(error.is_transient(), may_pass, "{error}");
        assert_eq!(LoginError::Endpoints(error).is_transient(), may_pass);
    }
    assert!(LoginError::CodeExpired.is_transient());
    let denied = LoginError::Denied(refused("access_denied"));
    for error in [denied, LoginError::NoIssuer, LoginError::WrongIssuer, LoginError::NoDeviceLogin]
    {
        assert!(!error.is_transient(), "{error}");
    }
}

#[test]
fn a_token_that_was_not_had_may_be_had_later_or_by_a_login_or_never() {
    let text = || Sanitized::new("x");
    for (error, may_pass, needs_login) in [
        (TokenError::LockTimeout, true, false),
        (TokenError::TriedJustNow(text()), true, false),
        (TokenError::Unfinished, true, false),
        (TokenError::OutOfTime, true, false),
        (TokenError::Panicked, false, false),
        (TokenError::Store(StoreFailure::transient(io())), true, false),
        (TokenError::Store(StoreFailure::new(io())), false, false),
        (TokenError::Reported(ReportedError::new(ReportedStep::Refresh, "x", true)), true, false),
        (TokenError::Reported(ReportedError::new(ReportedStep::Refresh, "x", false)), false, false),
        (TokenError::SameTokenAgain, false, false),
        (TokenError::MissingRefreshToken, false, true),
        (TokenError::NotFound, false, true),
        (TokenError::NoHost, false, true),
        (TokenError::Rejected(refused("invalid_grant")), false, true),
        (TokenError::Mismatch { what: "host", stored: text(), wanted: text() }, false, true),
    ] {
        let told = (error.is_transient(), error.needs_login());
        assert_eq!(told, (may_pass, needs_login), "{error}");
    }
    for (error, may_pass) in at_the_endpoint() {
        assert_eq!(TokenError::Refresh(error).is_transient(), may_pass);
    }
    for (error, may_pass) in of_the_metadata() {
        assert_eq!(TokenError::Endpoints(error).is_transient(), may_pass);
    }
}

#[test]
fn a_revocation_may_be_tried_again_where_nothing_was_decided() {
    for (status, may_pass) in [
        (500, true),
        (503, true),
        (408, true),
        (425, true),
        (429, true),
        (499, false),
        (404, false),
    ] {
        let error = RevokeError::Status { status, retry_after: None };
        assert_eq!(error.is_transient(), may_pass, "{status}");
    }
    assert!(RevokeError::Unreachable(unreachable()).is_transient());
    assert!(!RevokeError::Refused(refused("invalid_client")).is_transient());
    assert!(RevokeError::Refused(refused("server_error")).is_transient());
    assert!(RevokeError::Endpoints(MetadataError::Status(500)).is_transient());
    assert!(!RevokeError::Endpoints(MetadataError::NotJson).is_transient());
}

#[test]
fn a_stores_own_error_can_be_had_back() {
    let failure = StoreFailure::new(io());
    assert!(failure.downcast_ref::<std::io::Error>().is_some());
    assert!(failure.downcast_ref::<std::fmt::Error>().is_none());
    assert_eq!(failure.to_string(), "disk full");
    assert!(format!("{failure:?}").contains("disk full"));
}
