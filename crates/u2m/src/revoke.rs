//! Revoking logins at their servers (RFC 7009).

use crate::prover::ClientProver;
use crate::runtime::OwnRuntime;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use u2m_core::{
    ClientAuth, Host, Revocation, RevokeError, RevokeStep, Session, TransportFailure,
    TransportFailureKind,
};
use u2m_http::{Clock, RetryPolicy, Transport, drive};

/// Extra time for a transport that ignores its limit, so that the two deadlines do not fall together.
const GUARD: Duration = Duration::from_millis(500);

/// The outcome of revoking one login.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Revoked {
    /// The host of the login; `None` for a login that another program wrote, for which no request was sent.
    pub host: Option<Host>,
    /// What the server answered, or why it could not be asked.
    pub outcome: Result<Revocation, RevokeError>,
}

/// Revokes `logins` at their servers (RFC 7009), all at once and within `limit` overall. Each is revoked only at the issuer that
/// it is bound to, and a token that several of them hold is sent once. A login that records neither issuer nor client is left
/// alone. This is best effort: a token that is not revoked expires by itself.
///
/// Must be called within a tokio runtime.
///
/// ```no_run
/// # async fn example(logins: Vec<u2m::store::Session>) {
/// use std::{sync::Arc, time::Duration};
/// let transport = Arc::new(u2m::transport::ReqwestTransport::new());
/// for one in u2m::oauth::revoke(transport, logins, Duration::from_secs(5)).await {
///     println!("{:?}: {:?}", one.host, one.outcome);
/// }
/// # }
/// ```
pub async fn revoke(
    transport: Arc<dyn Transport>,
    logins: Vec<Session>,
    limit: Duration,
) -> Vec<Revoked> {
    revoke_by(&ClientProver::default(), transport, logins, limit).await
}

/// As [`revoke`], for logins of a client that authenticates ([`Builder::with_client_auth`](crate::Builder::with_client_auth)).
///
/// ```no_run
/// # async fn example(logins: Vec<u2m::store::Session>, secret: u2m::oauth::ClientSecret) {
/// use std::{sync::Arc, time::Duration};
/// let transport = Arc::new(u2m::transport::ReqwestTransport::new());
/// let auth = u2m::oauth::ClientAuth::Basic(secret);
/// for one in u2m::oauth::revoke_as(auth, transport, logins, Duration::from_secs(5)).await {
///     println!("{:?}: {:?}", one.host, one.outcome);
/// }
/// # }
/// ```
pub async fn revoke_as(
    auth: ClientAuth,
    transport: Arc<dyn Transport>,
    logins: Vec<Session>,
    limit: Duration,
) -> Vec<Revoked> {
    revoke_by(&ClientProver::new(auth), transport, logins, limit).await
}

async fn revoke_by(
    prover: &ClientProver,
    transport: Arc<dyn Transport>,
    logins: Vec<Session>,
    limit: Duration,
) -> Vec<Revoked> {
    let mut seen = HashSet::new();
    let mut asked = JoinSet::new();
    for login in logins {
        let issuer = login.binding.as_ref().map(|binding| binding.issuer.clone());
        if !seen.insert((issuer, login.fingerprint())) {
            continue;
        }
        let (transport, prover) = (Arc::clone(&transport), prover.clone());
        asked.spawn(async move {
            let late = |_| {
                let failure = TransportFailure::new(TransportFailureKind::TimedOut);
                Err(RevokeError::Unreachable(failure))
            };
            let outcome = revoke_one(&prover, transport.as_ref(), &login, limit);
            let outcome = timeout(limit.saturating_add(GUARD), outcome).await;
            let host = login.binding.map(|binding| binding.host);
            Revoked { host, outcome: outcome.unwrap_or_else(late) }
        });
    }
    let mut all = asked.join_all().await;
    all.sort_by_key(|one| one.host.as_ref().map(ToString::to_string));
    all
}

async fn revoke_one(
    prover: &ClientProver,
    transport: &dyn Transport,
    login: &Session,
    limit: Duration,
) -> Result<Revocation, RevokeError> {
    let begun = Instant::now();
    let mut step = login.revoke_as(&prover.auth)?;
    loop {
        // The remaining time is the request's own limit, so that the error says which request took too long.
        let left = limit.saturating_sub(begun.elapsed());
        let patience = RetryPolicy::default().with_budget(left).with_repeats(1);
        step = match step {
            RevokeStep::Discover(call) => drive(transport, call, &patience).await?,
            RevokeStep::Revoke(call) => {
                prover.drive(&Clock::system(), transport, call, &patience).await?
            }
            RevokeStep::Done(outcome) => return Ok(outcome),
        };
    }
}

/// Revokes logins from blocking code; see [`revoke`]. Must not be called within an async runtime.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// let transport = Arc::new(u2m::transport::ReqwestTransport::new());
/// assert!(u2m::blocking::revoke(transport, Vec::new(), Duration::from_secs(5)).is_empty());
/// ```
pub fn revoke_blocking(
    transport: Arc<dyn Transport>,
    logins: Vec<Session>,
    limit: Duration,
) -> Vec<Revoked> {
    revoke_for(&ClientProver::default(), transport, logins, limit)
}

/// The blocking form for a client that authenticates.
pub(crate) fn revoke_for(
    prover: &ClientProver,
    transport: Arc<dyn Transport>,
    logins: Vec<Session>,
    limit: Duration,
) -> Vec<Revoked> {
    if logins.is_empty() {
        return Vec::new();
    }
    let revoking = revoke_by(prover, transport, logins, limit);
    OwnRuntime::default().block_on(revoking).unwrap_or_default()
}
