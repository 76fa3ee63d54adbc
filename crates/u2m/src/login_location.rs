//! Finds the account and workspace of a login whose host was discovered.

use crate::api::Api;
use crate::ask_host::ask_host;
use crate::runtime::OwnRuntime;
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{AccessToken, AccountId, ApiAccess, Host};
use u2m_http::Transport;

/// How long the API may take to say where a token belongs. Short, because the answer is useful but not needed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The account and the workspace that a login belongs to, as far as the host or its API says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginLocation {
    /// The account's id.
    pub account_id: Option<String>,
    /// The workspace's id.
    pub workspace_id: Option<String>,
}

/// Finds out which account and workspace a login belongs to. Asks the host about itself and its API about the token, both at
/// once and for at most 5 seconds. The host's answer takes precedence; the API fills in what it leaves open. If one does not
/// answer, its part stays empty. Must be called within a tokio runtime.
///
/// ```no_run
/// # async fn example(auth: u2m::PersistentAuth) -> Result<(), Box<dyn std::error::Error>> {
/// let signed_in = auth.challenge().await?;
/// if let Some(host) = signed_in.host() {
///     let transport = std::sync::Arc::new(u2m::transport::ReqwestTransport::new());
///     let found = u2m::databricks::login_location(transport, host, signed_in.token().access_token()).await;
///     println!("{:?}", found.workspace_id);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn login_location(
    transport: Arc<dyn Transport>,
    host: &Host,
    token: &AccessToken,
) -> LoginLocation {
    let access = ApiAccess::new(host.clone(), token.clone());
    let api = Api::new(Arc::clone(&transport), access).with_timeout(PATIENCE);
    let (metadata, principal) = tokio::join!(ask_host(transport.as_ref(), host), api.introspect());
    let principal = principal.unwrap_or_default();
    let is_id = |id: &String| AccountId::parse(id).is_ok();
    LoginLocation {
        account_id: metadata.account_id.or(principal.account_id).filter(is_id),
        workspace_id: metadata.workspace_id.or(principal.workspace_id).filter(is_id),
    }
}

/// Finds the same from blocking code. Must not be called within an async runtime.
///
/// ```no_run
/// # fn example(auth: u2m::blocking::PersistentAuth) -> Result<(), Box<dyn std::error::Error>> {
/// let signed_in = auth.challenge()?;
/// if let Some(host) = signed_in.host() {
///     let transport = std::sync::Arc::new(u2m::transport::ReqwestTransport::new());
///     let found = u2m::blocking::login_location(transport, host, signed_in.token().access_token());
///     println!("{:?}", found.workspace_id);
/// }
/// # Ok(())
/// # }
/// ```
pub fn login_location_blocking(
    transport: Arc<dyn Transport>,
    host: &Host,
    token: &AccessToken,
) -> LoginLocation {
    OwnRuntime::default().block_on(login_location(transport, host, token)).unwrap_or_default()
}
