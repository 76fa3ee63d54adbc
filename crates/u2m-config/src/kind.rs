//! Whether a profile is for a workspace or for an account.

use u2m_core::{Host, HostMetadata};

use crate::Profile;

/// What a profile is for, judging by the file alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileClass {
    /// One workspace: the profile names a workspace, or does not name an account.
    Workspace,
    /// An account: the profile has a host and an account, and no workspace.
    Account,
    /// Not usable as it is: the profile names an account, but neither a host nor a workspace.
    Incomplete,
}

/// What a profile is for, after asking its host for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileKind {
    /// One workspace.
    Workspace,
    /// An account.
    Account,
    /// The host serves both, and the profile does not say which one. Requests cannot be routed.
    Undecided,
}

impl Profile<'_> {
    /// Returns what the profile is for, judging by the file alone.
    ///
    /// ```
    /// use u2m_config::{ConfigFile, ProfileClass};
    /// let file = ConfigFile::parse("[a]\nhost = accounts.example\naccount_id = 1\nworkspace_id = none\n")?;
    /// assert_eq!(file.profile("a").map(|a| a.class()), Some(ProfileClass::Account));
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn class(&self) -> ProfileClass {
        match (self.host(), self.account_id(), self.workspace_id()) {
            (_, None, _) | (_, _, Some(_)) => ProfileClass::Workspace,
            (Some(_), Some(_), None) => ProfileClass::Account,
            (None, Some(_), None) => ProfileClass::Incomplete,
        }
    }

    /// Returns what the profile is for on `host`, according to the metadata of the host. Pass
    /// `HostMetadata::default()` if the host was not asked.
    ///
    /// ```
    /// use u2m_config::{ConfigFile, ProfileKind};
    /// use u2m_core::{Host, HostMetadata};
    /// let file = ConfigFile::parse("[a]\nhost = https://a.example\naccount_id = 1\n")?;
    /// let host = Host::parse("https://a.example")?;
    /// let kind = file.profile("a").map(|a| a.kind_on(&host, &HostMetadata::default()));
    /// assert_eq!(kind, Some(ProfileKind::Workspace));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kind_on(&self, host: &Host, metadata: &HostMetadata) -> ProfileKind {
        ProfileKind::of(host, self.account_id(), self.workspace_id(), metadata)
    }
}

impl ProfileKind {
    /// Returns what the given ids refer to on `host`, according to the metadata of the host.
    ///
    /// ```
    /// use u2m_config::ProfileKind;
    /// use u2m_core::{Host, HostMetadata};
    /// let console = Host::parse("https://accounts.cloud.databricks.com")?;
    /// let kind = ProfileKind::of(&console, Some("1"), None, &HostMetadata::default());
    /// assert_eq!(kind, ProfileKind::Account);
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn of(
        host: &Host,
        account_id: Option<&str>,
        workspace_id: Option<&str>,
        metadata: &HostMetadata,
    ) -> Self {
        let told = metadata.host_type.as_deref().map(str::to_ascii_lowercase);
        let by_type = match told.as_deref() {
            Some("account") => Self::Account,
            Some("workspace") => Self::Workspace,
            Some("unified") => Self::Undecided,
            _ if host.is_account_console() => Self::Account,
            _ => Self::Workspace,
        };
        let is_routed = account_id.is_some() && metadata.serves_accounts();
        match workspace_id {
            _ if by_type == Self::Account => Self::Account,
            Some(_) if is_routed => Self::Workspace,
            None if is_routed => Self::Account,
            _ => by_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigFile;

    fn metadata(host_type: &str, endpoint: &str) -> HostMetadata {
        let mut metadata = HostMetadata::default();
        metadata.host_type = Some(host_type.to_owned());
        metadata.oidc_endpoint = Some(endpoint.to_owned());
        metadata
    }

    fn kind(keys: &str, host_type: &str, endpoint: &str) -> ProfileKind {
        let file = ConfigFile::parse(format!("[p]\nhost = https://p.example\n{keys}")).unwrap();
        let profile = file.profile("p").unwrap();
        let host = Host::parse("https://p.example").unwrap();
        profile.kind_on(&host, &metadata(host_type, endpoint))
    }

    fn class(keys: &str) -> ProfileClass {
        ConfigFile::parse(format!("[p]\n{keys}")).unwrap().profile("p").unwrap().class()
    }

    const OF_ACCOUNTS: &str = "https://p.example/oidc/accounts/1";
    const OF_ONE: &str = "https://p.example/oidc";

    #[test]
    fn the_file_alone_tells_workspaces_from_accounts() {
        assert_eq!(class("host = h\n"), ProfileClass::Workspace);
        assert_eq!(class("host = h\naccount_id = 1\nworkspace_id = 2\n"), ProfileClass::Workspace);
        assert_eq!(class("host = h\naccount_id = 1\n"), ProfileClass::Account);
        assert_eq!(class("host = h\naccount_id = 1\nworkspace_id = none\n"), ProfileClass::Account);
        assert_eq!(class("account_id = 1\n"), ProfileClass::Incomplete);
    }

    #[test]
    fn a_host_that_is_an_account_is_one_whatever_the_profile_names() {
        let ids = "account_id = 1\nworkspace_id = 2\n";
        assert_eq!(kind(ids, "Account", OF_ACCOUNTS), ProfileKind::Account);
        let file = ConfigFile::parse(format!("[p]\nhost = x\n{ids}")).unwrap();
        let console = Host::parse("https://accounts-dod.cloud.databricks.us").unwrap();
        let profile = file.profile("p").unwrap();
        assert_eq!(profile.kind_on(&console, &HostMetadata::default()), ProfileKind::Account);
    }

    #[test]
    fn on_a_host_of_accounts_the_ids_decide() {
        for host_type in ["unified", "workspace", "new"] {
            let of = |keys| kind(keys, host_type, OF_ACCOUNTS);
            assert_eq!(of("account_id = 1\nworkspace_id = 2\n"), ProfileKind::Workspace);
            assert_eq!(of("account_id = 1\nworkspace_id = none\n"), ProfileKind::Account);
            assert_eq!(of("account_id = 1\n"), ProfileKind::Account);
        }
    }

    #[test]
    fn a_workspace_with_a_stray_account_id_stays_one() {
        assert_eq!(kind("account_id = 1\n", "workspace", OF_ONE), ProfileKind::Workspace);
        assert_eq!(kind("", "WORKSPACE", OF_ACCOUNTS), ProfileKind::Workspace);
    }

    #[test]
    fn a_unified_host_without_ids_is_undecided() {
        assert_eq!(kind("", "unified", OF_ACCOUNTS), ProfileKind::Undecided);
        assert_eq!(kind("account_id = 1\n", "Unified", OF_ONE), ProfileKind::Undecided);
    }

    #[test]
    fn a_host_that_says_that_it_is_a_workspace_is_one_whatever_it_is_called() {
        let console = Host::parse("https://accounts.cloud.databricks.com").unwrap();
        let of = |host_type| ProfileKind::of(&console, None, None, &metadata(host_type, OF_ONE));
        assert_eq!(of("workspace"), ProfileKind::Workspace);
        assert_eq!(of("new"), ProfileKind::Account);
    }
}
