//! What a host is asked for, and whose cloud it runs on.

use u2m_core::{Host, HostMetadata};

/// Which question shows that a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Which workspaces there are.
    Account,
    /// Who one is.
    Workspace,
}

/// What a configuration leads to: by the host's own word, else by its name; on a host that serves accounts, by whether a
/// workspace was named. The account may be the host's own, if none was named.
pub(super) fn kind(
    host: &Host,
    account: Option<&str>,
    workspace: Option<&str>,
    metadata: Option<&HostMetadata>,
) -> Kind {
    let said = metadata.and_then(|said| said.host_type.as_deref()).map(str::to_ascii_lowercase);
    let is_account = match said.as_deref() {
        Some("account") => true,
        Some("workspace" | "unified") => false,
        _ => host.is_account_console(),
    };
    let serves_accounts = metadata.is_some_and(HostMetadata::serves_accounts);
    if is_account || (account.is_some() && serves_accounts && workspace.is_none()) {
        Kind::Account
    } else {
        Kind::Workspace
    }
}

/// A cloud.
///
/// ```
/// assert_eq!(u2m::Cloud::Azure.as_str(), "azure");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cloud {
    /// Amazon's, and whatever is not known.
    Aws,
    /// Microsoft's.
    Azure,
    /// Google's.
    Gcp,
}

const AZURE: &[&str] = &[".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn"];
const GCP: &[&str] = &[".gcp.databricks.com"];

impl Cloud {
    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// Reads `AWS`, `Azure` or `GCP`, in any case.
    pub(super) fn named(text: &str) -> Option<Self> {
        let all = [Self::Aws, Self::Azure, Self::Gcp];
        all.into_iter().find(|cloud| cloud.as_str().eq_ignore_ascii_case(text))
    }

    /// By the host's own word, else by its name.
    pub(super) fn of(host: &Host, metadata: Option<&HostMetadata>) -> Self {
        let said = metadata.and_then(|said| said.cloud.as_deref()).and_then(Self::named);
        let ends = |all: &[&str]| all.iter().any(|end| host.name().ends_with(end));
        said.unwrap_or_else(|| match host.name() {
            _ if ends(AZURE) => Self::Azure,
            _ if ends(GCP) => Self::Gcp,
            _ => Self::Aws,
        })
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
            assert_eq!(of(Some("acc"), None, Some(metadata)), Kind::Account, "account only");
            assert_eq!(of(Some("acc"), Some("7"), Some(metadata)), Kind::Workspace);
            assert_eq!(of(None, None, Some(metadata)), Kind::Workspace);
        }
        assert_eq!(of(Some("acc"), None, Some(&classic)), Kind::Workspace, "a stale account id");
        assert_eq!(of(Some("acc"), None, None), Kind::Workspace, "a host that says nothing");
        assert_eq!(of(None, None, Some(&said("ACCOUNT", ""))), Kind::Account);
        let console = host("https://accounts.cloud.databricks.com");
        assert_eq!(kind(&console, Some("acc"), Some("7"), None), Kind::Account);
    }

    #[test]
    fn the_cloud_is_what_the_host_says_else_what_its_name_says() {
        for (name, cloud) in [
            ("https://adb-1.2.azuredatabricks.net", Cloud::Azure),
            ("https://adb-1.2.dev.azuredatabricks.net", Cloud::Azure),
            ("https://a.databricks.azure.us", Cloud::Azure),
            ("https://1.2.gcp.databricks.com", Cloud::Gcp),
            ("https://a.staging.gcp.databricks.com", Cloud::Gcp),
            ("https://a.cloud.databricks.com", Cloud::Aws),
            ("https://a.example", Cloud::Aws),
        ] {
            assert_eq!(Cloud::of(&host(name), None), cloud, "{name}");
        }
        let mut metadata = HostMetadata::default();
        metadata.cloud = Some("GCP".to_owned());
        assert_eq!(Cloud::of(&host("https://a.example"), Some(&metadata)), Cloud::Gcp);
        metadata.cloud = Some("moon".to_owned());
        assert_eq!(Cloud::of(&host("https://a.example"), Some(&metadata)), Cloud::Aws);
    }
}
