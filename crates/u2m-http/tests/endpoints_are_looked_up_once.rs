//! Where endpoints come from, and for how long they are believed (ENDP-2). The clock is simulated.
#![allow(clippy::unwrap_used)]

mod transport_support;

use std::sync::Arc;
use std::time::Duration;
use transport_support::{Scripted, ok, status};
use u2m_core::{AccountId, Host, MetadataError};
use u2m_http::{BasicEndpoints, EndpointSupplier};
use url::Url;

const BASE: &str = "https://a.example";

fn host() -> Host {
    Host::parse(BASE).unwrap()
}

fn account() -> AccountId {
    AccountId::parse("acc-1").unwrap()
}

/// A document of the issuer at `path`.
fn document(path: &str) -> String {
    format!(
        r#"{{"issuer":"{BASE}{path}","authorization_endpoint":"{BASE}/a","token_endpoint":"{BASE}/t"}}"#
    )
}

fn endpoints(
    script: impl IntoIterator<Item = (u64, transport_support::Outcome)>,
) -> (Arc<Scripted>, BasicEndpoints) {
    let transport = Arc::new(Scripted::new(script));
    (Arc::clone(&transport), BasicEndpoints::new(transport))
}

#[tokio::test(start_paused = true)]
async fn a_workspace_is_asked_once_an_hour() {
    let document = || (0, ok(&document("/oidc")));
    let (transport, endpoints) = endpoints([document(), document()]);
    let first = endpoints.workspace(&host()).await.unwrap();
    assert_eq!(first.token_endpoint.as_str(), format!("{BASE}/t"));
    tokio::time::advance(Duration::from_secs(3_599)).await;
    assert_eq!(endpoints.workspace(&host()).await.unwrap(), first);
    assert_eq!(transport.sent().len(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(endpoints.workspace(&host()).await.unwrap(), first);
    let expected = format!("{BASE}/oidc/.well-known/oauth-authorization-server");
    assert_eq!(transport.urls(), [expected.as_str(), &expected]);
}

#[tokio::test(start_paused = true)]
async fn what_is_an_hour_old_is_asked_for_again() {
    let document = || (0, ok(&document("/oidc")));
    let (transport, endpoints) = endpoints([document(), document()]);
    endpoints.workspace(&host()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    endpoints.workspace(&host()).await.unwrap();
    assert_eq!(transport.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_account_needs_no_question() {
    let (transport, endpoints) = endpoints([]);
    let server = endpoints.account(&host(), &account()).await.unwrap();
    assert_eq!(server.issuer, format!("{BASE}/oidc/accounts/acc-1"));
    assert!(transport.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_account_on_a_host_that_serves_workspaces_too_is_asked_for_by_its_name() {
    let (transport, endpoints) = endpoints([(0, ok(&document("/oidc/accounts/acc-1")))]);
    let server = endpoints.unified(&host(), &account()).await.unwrap();
    assert_eq!(server.issuer, format!("{BASE}/oidc/accounts/acc-1"));
    let expected = format!("{BASE}/oidc/accounts/acc-1/.well-known/oauth-authorization-server");
    assert_eq!(transport.urls(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_named_is_taken_as_it_is_and_kept_apart() {
    let (transport, endpoints) =
        endpoints([(0, ok(&document("/elsewhere"))), (0, ok(&document("/oidc")))]);
    let url = Url::parse(&format!("{BASE}/my/document")).unwrap();
    let server = endpoints.at_url(&url).await.unwrap();
    assert_eq!(server.issuer, format!("{BASE}/elsewhere"));
    assert_ne!(endpoints.workspace(&host()).await.unwrap(), server);
    assert_eq!(endpoints.at_url(&url).await.unwrap(), server);
    assert_eq!(transport.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_kept() {
    let (transport, endpoints) = endpoints([(0, status(403)), (0, ok(&document("/oidc")))]);
    let error = endpoints.workspace(&host()).await.unwrap_err();
    assert!(matches!(error, MetadataError::Status(403)), "{error:?}");
    endpoints.workspace(&host()).await.unwrap();
    assert_eq!(transport.sent().len(), 2);
}
