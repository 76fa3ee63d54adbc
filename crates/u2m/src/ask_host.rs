//! Asks a host for its metadata.

use crate::runtime::OwnRuntime;
use std::time::Duration;
use u2m_core::{Host, HostMetadata};
use u2m_http::{RetryPolicy, Transport, drive};

/// Asks `host` for its metadata: one request of at most 5 seconds, without credentials. If the host publishes none or does not
/// answer, the result is empty. Must be called within a tokio runtime.
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

/// Asks a host for its metadata from blocking code. Must not be called within an async runtime.
///
/// ```no_run
/// let host = u2m::Host::parse("https://my-company.databricks.com").unwrap();
/// let metadata = u2m::blocking::ask_host(&u2m::transport::ReqwestTransport::new(), &host);
/// println!("{}", metadata.serves_accounts());
/// ```
pub fn ask_host_blocking(transport: &dyn Transport, host: &Host) -> HostMetadata {
    OwnRuntime::default().block_on(ask_host(transport, host)).unwrap_or_default()
}
