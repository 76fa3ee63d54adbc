//! Asks an endpoint supplier of the caller's own for the endpoints of a target.

use u2m_core::{AuthorizationServer, MetadataError, Target};
use u2m_http::EndpointSupplier;

pub(crate) async fn ask(
    supplier: &dyn EndpointSupplier,
    target: &Target,
) -> Result<AuthorizationServer, MetadataError> {
    match (target.host(), target.account_id()) {
        (Some(host), Some(account)) if host.is_account_console() => {
            supplier.account(host, account).await
        }
        (Some(host), Some(account)) => supplier.unified(host, account).await,
        (Some(host), None) => supplier.workspace(host).await,
        // Discovery targets learn their issuer from the callback, and never ask.
        (None, _) => Err(MetadataError::NotSupported),
    }
}
