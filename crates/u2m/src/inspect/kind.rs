//! Which question to ask a host.

use u2m_config::ProfileKind;
use u2m_core::{Host, HostMetadata};

/// Which question shows that a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckKind {
    /// List the account's workspaces.
    Account,
    /// Ask for the current user.
    Workspace,
}

/// Decides what a configuration is for: by the host's metadata, or else by its name; on a host that serves accounts, by whether
/// a workspace was named. The account may be the host's own if none was named.
pub(super) fn kind(
    host: &Host,
    account: Option<&str>,
    workspace: Option<&str>,
    metadata: Option<&HostMetadata>,
) -> CheckKind {
    let told = metadata.map_or_else(HostMetadata::default, Clone::clone);
    match ProfileKind::of(host, account, workspace, &told) {
        ProfileKind::Account => CheckKind::Account,
        // A host that serves both, without a named workspace or account, answers for the workspace of the token, or says so.
        _ => CheckKind::Workspace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    fn said(host_type: &str, endpoint: &str) -> HostMetadata {
        let mut metadata = HostMetadata::default();
        metadata.host_type = Some(host_type.to_owned()).filter(|text| !text.is_empty());
        metadata.oidc_endpoint = Some(endpoint.to_owned());
        metadata
    }

    #[test]
    fn host_2_account_workspace_none_and_classic_profiles_each_go_to_the_right_endpoint() {
        let here = host("https://a.example");
        let unified = said("unified", "https://a.example/oidc/accounts/{account_id}");
        let unnamed = said("", "https://a.example/oidc/accounts/acc");
        let classic = said("workspace", "https://a.example/oidc");
        let of = |account, workspace, metadata| kind(&here, account, workspace, metadata);
        for metadata in [&unified, &unnamed] {
            assert_eq!(of(Some("acc"), None, Some(metadata)), CheckKind::Account, "account only");
            assert_eq!(of(Some("acc"), Some("7"), Some(metadata)), CheckKind::Workspace);
            assert_eq!(of(None, None, Some(metadata)), CheckKind::Workspace);
        }
        assert_eq!(
            of(Some("acc"), None, Some(&classic)),
            CheckKind::Workspace,
            "a stale account id"
        );
        assert_eq!(of(Some("acc"), None, None), CheckKind::Workspace, "a host that says nothing");
        assert_eq!(of(None, None, Some(&said("ACCOUNT", ""))), CheckKind::Account);
        let console = host("https://accounts.cloud.databricks.com");
        assert_eq!(kind(&console, Some("acc"), Some("7"), None), CheckKind::Account);
    }
}
