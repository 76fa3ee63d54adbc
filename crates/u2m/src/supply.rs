//! Asks the program's own endpoint supplier for the endpoints of a target.

use u2m_core::{MetadataError, ServerMetadata, Target};
use u2m_http::EndpointSupplier;

pub(crate) async fn ask(
    supplier: &dyn EndpointSupplier,
    target: &Target,
) -> Result<ServerMetadata, MetadataError> {
    if let Some(issuer) = target.issuer_id() {
        return supplier.issuer(issuer).await;
    }
    match (target.host(), target.account_id()) {
        (Some(host), Some(account)) if host.is_account_console() => {
            supplier.account(host, account).await
        }
        (Some(host), Some(account)) => supplier.unified(host, account).await,
        (Some(host), None) => supplier.workspace(host).await,
        // Discovery targets learn their issuer from the callback and have no supplier.
        (None, _) => Err(MetadataError::NotSupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::OwnRuntime;
    use async_trait::async_trait;
    use std::sync::Mutex;
    use u2m_core::{AccountId, Host};
    use url::Url;

    /// Records what it is asked for.
    #[derive(Debug, Default)]
    struct Asked(Mutex<Vec<String>>);

    impl Asked {
        fn by(&self, what: impl Into<String>) -> Result<ServerMetadata, MetadataError> {
            self.0.lock().unwrap().push(what.into());
            Err(MetadataError::NotSupported)
        }
    }

    type Answer = Result<ServerMetadata, MetadataError>;

    #[async_trait]
    impl EndpointSupplier for Asked {
        async fn workspace(&self, host: &Host) -> Answer {
            self.by(format!("workspace {host}"))
        }

        async fn account(&self, host: &Host, account: &AccountId) -> Answer {
            self.by(format!("account {host} {account}"))
        }

        async fn unified(&self, host: &Host, account: &AccountId) -> Answer {
            self.by(format!("unified {host} {account}"))
        }

        async fn at_url(&self, url: &Url) -> Answer {
            self.by(url.as_str())
        }
    }

    #[test]
    fn a_supplier_is_asked_for_every_kind_of_target_by_what_names_it() {
        let host = || Host::parse("https://a.example").unwrap();
        let console = Host::parse("https://accounts.cloud.databricks.com").unwrap();
        let account = AccountId::parse("acc-1").unwrap();
        for (target, asked) in [
            (Target::workspace(host()), vec!["workspace https://a.example"]),
            (Target::unified(host(), account.clone()), vec!["unified https://a.example acc-1"]),
            (
                Target::account(console, account),
                vec!["account https://accounts.cloud.databricks.com acc-1"],
            ),
            (
                Target::issuer("https://id.example/realm").unwrap(),
                vec![
                    "https://id.example/.well-known/oauth-authorization-server/realm",
                    "https://id.example/realm/.well-known/openid-configuration",
                ],
            ),
        ] {
            let supplier = Asked::default();
            let answer = OwnRuntime::default().block_on(ask(&supplier, &target)).unwrap();
            assert!(answer.is_err());
            assert_eq!(*supplier.0.lock().unwrap(), asked);
        }
    }
}
