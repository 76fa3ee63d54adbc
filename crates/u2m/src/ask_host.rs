//! Asks a host what kind it is.

use crate::runtime::OwnRuntime;
use std::time::Duration;
use u2m_core::{Host, HostMetadata};
use u2m_http::{RetryPolicy, Transport, drive};

/// Asks `host` about itself: once, for at most 5 seconds, without credentials. One that does not say, or does not answer,
/// has nothing to add to what the caller knows. Runs within a tokio runtime.
///
/// ```no_run
/// # async fn example() {
/// let host = u2m::Host::parse("https://my-company.databricks.com").unwrap();
/// let metadata = u2m::databricks::ask_host(&u2m::transport::ReqwestTransport::new(), &host).await;
/// println!("{}", metadata.serves_accounts());
/// # }
/// ```
pub async fn ask_host(transport: &dyn Transport, host: &Host) -> HostMetadata {
    let patience = RetryPolicy::default().with_budget(Duration::from_secs(5)).with_repeats(0);
    drive(transport, HostMetadata::lookup(host), &patience).await.unwrap_or_default()
}

/// The same for plain code. Not to be called within an async runtime.
///
/// ```no_run
/// let host = u2m::Host::parse("https://my-company.databricks.com").unwrap();
/// let metadata = u2m::blocking::ask_host(&u2m::transport::ReqwestTransport::new(), &host);
/// println!("{}", metadata.serves_accounts());
/// ```
pub fn ask_host_blocking(transport: &dyn Transport, host: &Host) -> HostMetadata {
    OwnRuntime::default().block_on(ask_host(transport, host)).unwrap_or_default()
}
