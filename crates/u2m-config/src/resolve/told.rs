//! Completes a configuration with the metadata of its host, as Databricks' programs do.

use super::{Resolved, Value, ValueSource, place};
use crate::{Attribute, Cloud};
use u2m_core::{AccountId, HostMetadata, derive_host_from_issuer};

/// The placeholder for the account in the base URL of a host's OpenID endpoints.
const ACCOUNT: &str = "{account_id}";

/// The path of the metadata document below that URL.
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

impl Resolved {
    /// Adds values that nobody configured but that the metadata of the host provides: account,
    /// workspace, discovery URL and audience. Also adds the cloud, judged by the host name if the
    /// metadata does not name it.
    ///
    /// The source of each added value is [`ValueSource::Derived`]. Use the result to display a
    /// configuration or to pass it to another program. To sign in or to call an API, use the
    /// configuration without these values.
    ///
    /// No workspace is added if `workspace_id = none` was configured, and no discovery URL that is
    /// on another host (HOST-5).
    ///
    /// ```
    /// use u2m_config::{ConfigFile, SelectionArgs, resolve};
    /// use u2m_core::HostMetadata;
    /// let file = ConfigFile::parse("host = https://a.example\n")?;
    /// let mut said = HostMetadata::default();
    /// said.workspace_id = Some("7".to_owned());
    /// said.oidc_endpoint = Some("https://a.example/oidc".to_owned());
    /// let found = resolve(&SelectionArgs::default(), &|_| None, &file, "cfg".as_ref())?.told_by(Some(&said));
    /// assert_eq!(found.get("workspace_id"), Some("7"));
    /// assert_eq!(
    ///     found.get("discovery_url"),
    ///     Some("https://a.example/oidc/.well-known/oauth-authorization-server")
    /// );
    /// assert_eq!(found.get("cloud"), Some("AWS"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn told_by(mut self, said: Option<&HostMetadata>) -> Self {
        if let Some(said) = said.filter(|_| self.host.is_some()) {
            self.hear("account_id", said.account_id.as_deref());
            if !self.is_without_workspace {
                self.hear("workspace_id", said.workspace_id.as_deref());
            }
            let url = self.discovery_url(said);
            self.hear("discovery_url", url.as_deref());
            let audience = self.audience(said).map(str::to_owned);
            self.hear("audience", audience.as_deref());
        }
        let cloud = self.cloud_as_written(said).map(str::to_owned);
        self.hear("cloud", cloud.as_deref());
        let by_name = self.cloud(None).map(Cloud::name);
        self.add("cloud", by_name);
        self
    }

    /// Sets a value that follows from something other than configuration, such as how a program was
    /// started. Replaces a configured value.
    ///
    /// ```
    /// use u2m_config::{ConfigFile, SelectionArgs, ValueSource, resolve};
    /// let file = ConfigFile::parse("host = a.example\n")?;
    /// let found = resolve(&SelectionArgs::default(), &|_| None, &file, "cfg".as_ref())?;
    /// let found = found.with_derived("databricks_cli_path", "/usr/bin/databricks");
    /// assert_eq!(found.value("databricks_cli_path").map(|path| path.source()), Some(&ValueSource::Derived));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_derived(mut self, key: &str, text: &str) -> Self {
        self.values.retain(|value| value.attribute().key() != key);
        self.add(key, Some(text));
        self
    }

    /// Adds a value from the metadata. Text with blanks, control characters or quotes is not a
    /// valid id, cloud or URL, and could not be passed on in every form, so it is ignored.
    fn hear(&mut self, key: &str, text: Option<&str>) {
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"'`$\\".contains(c);
        self.add(key, text.filter(|text| text.chars().all(is_plain)));
    }

    /// Adds a value at its position in the table, unless it is empty or the key already has one.
    fn add(&mut self, key: &str, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let Some(attribute) = Attribute::named(key).filter(|_| self.value(key).is_none()) else {
            return;
        };
        let is_behind = |value: &Value| place(value.attribute().key()) > place(key);
        let at = self.values.iter().position(is_behind).unwrap_or(self.values.len());
        self.values.insert(at, Value::new(attribute, text, ValueSource::Derived));
    }

    fn discovery_url(&self, said: &HostMetadata) -> Option<String> {
        let root = said.oidc_endpoint.as_deref().filter(|root| !root.is_empty())?;
        // Some hosts omit the scheme.
        let mut root = match root.contains("://") {
            true => root.to_owned(),
            false => format!("https://{root}"),
        };
        if root.contains(ACCOUNT) {
            let account = AccountId::parse(self.get("account_id")?).ok()?;
            root = root.replace(ACCOUNT, account.as_str());
        }
        let root = root.trim_end_matches('/');
        let is_own = derive_host_from_issuer(root).ok().as_ref() == self.host();
        is_own.then(|| format!("{root}{WELL_KNOWN}"))
    }

    /// Returns the audience of tokens: the first one of the host, else the account if the host is
    /// not a workspace.
    fn audience<'a>(&'a self, said: &'a HostMetadata) -> Option<&'a str> {
        let account = || self.get("account_id").filter(|_| said.workspace_id.is_none());
        said.audiences.first().map(String::as_str).or_else(account)
    }

    /// Returns the cloud. If the metadata names an unknown one, that name is kept as it is.
    fn cloud_as_written<'a>(&'a self, said: Option<&'a HostMetadata>) -> Option<&'a str> {
        let cloud = self.cloud(said)?;
        let is_of_resource = self.get("azure_workspace_resource_id").is_some();
        let word = said.and_then(|said| said.cloud.as_deref()).filter(|_| !is_of_resource);
        let unknown = word.filter(|word| !word.is_empty() && Cloud::named(word).is_none());
        Some(unknown.unwrap_or(cloud.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigFile, SelectionArgs, resolve};

    fn resolved(text: &str) -> Resolved {
        let file = ConfigFile::parse(text).unwrap();
        resolve(&SelectionArgs::default(), &|_| None, &file, "cfg".as_ref()).unwrap()
    }

    fn said(endpoint: &str) -> HostMetadata {
        let mut said = HostMetadata::default();
        said.oidc_endpoint = Some(endpoint.to_owned());
        said
    }

    fn values(found: &Resolved) -> Vec<String> {
        let line = |value: &Value| format!("{}={}", value.attribute().key(), value.expose());
        found.values().iter().map(line).collect()
    }

    #[test]
    fn what_the_host_says_fills_gaps_at_their_places_and_replaces_nothing() {
        let mut said = said("https://a.example/oidc/accounts/{account_id}/");
        said.account_id = Some("of-host".to_owned());
        said.workspace_id = Some("7".to_owned());
        said.cloud = Some("azure".to_owned());
        let url = "https://a.example/oidc/accounts/{}/.well-known/oauth-authorization-server";
        let own = resolved("host = https://a.example\ntoken = t\nrate_limit = 5\n");
        let full = [
            "host=https://a.example",
            "account_id=of-host",
            "workspace_id=7",
            "token=t",
            "profile=DEFAULT",
            "rate_limit=5",
            "cloud=Azure",
            &format!("discovery_url={}", url.replace("{}", "of-host")),
        ];
        assert_eq!(values(&own.told_by(Some(&said))), full);
        let mine = "account_id = mine\nworkspace_id = 8\ncloud = gcp\ndiscovery_url = x\n";
        let own = resolved(&format!("host = https://a.example\n{mine}")).told_by(Some(&said));
        for (key, text) in [
            ("account_id", "mine"),
            ("workspace_id", "8"),
            ("cloud", "gcp"),
            ("discovery_url", "x"),
        ] {
            assert_eq!(own.get(key), Some(text));
            assert!(matches!(own.value(key).unwrap().source(), ValueSource::File(_)), "{key}");
        }
        let own = resolved("host = https://a.example\naccount_id = mine\n").told_by(Some(&said));
        assert_eq!(own.get("discovery_url"), Some(url.replace("{}", "mine").as_str()));
        assert_eq!(own.value("workspace_id").unwrap().source(), &ValueSource::Derived);
    }

    #[test]
    fn a_host_that_says_nothing_leaves_the_cloud_that_its_name_tells() {
        let found = resolved("host = https://a.gcp.databricks.com\n").told_by(None);
        assert_eq!(found.get("cloud"), Some("GCP"));
        assert_eq!(values(&found).len(), 3, "{found:?}");
        assert!(values(&resolved("").told_by(Some(&said("https://a.example")))).is_empty());
        let resource = resolved("azure_workspace_resource_id = /x\nhost = a.example\n");
        let mut moon = HostMetadata::default();
        moon.cloud = Some("moon".to_owned());
        assert_eq!(resource.told_by(Some(&moon)).get("cloud"), Some("Azure"));
        assert_eq!(resolved("host = a.example\n").told_by(Some(&moon)).get("cloud"), Some("moon"));
    }

    #[test]
    fn t9_what_a_host_says_and_is_no_plain_word_is_not_taken_over() {
        for odd in ["a b", "7\n", "\u{1b}[2J", "$(id)", "a'b", "\\", "\u{202e}"] {
            let mut said = said(&format!("https://a.example/{odd}"));
            said.workspace_id = Some(odd.to_owned());
            said.cloud = Some(odd.to_owned());
            let found = resolved("host = https://a.example\n").told_by(Some(&said));
            let own = ["host=https://a.example", "profile=DEFAULT", "cloud=AWS"];
            assert_eq!(values(&found), own, "{odd:?}");
        }
    }

    #[test]
    fn an_account_without_a_workspace_is_not_given_one() {
        let mut said = said("https://a.example/oidc/accounts/{account_id}");
        said.workspace_id = Some("7".to_owned());
        let none = "host = https://a.example\naccount_id = 1\nworkspace_id = none\n";
        assert_eq!(resolved(none).told_by(Some(&said)).get("workspace_id"), None);
    }

    #[test]
    fn host_5_a_discovery_url_is_on_the_very_host() {
        let url = |endpoint: &str| {
            let found = resolved("host = https://a.example\n").told_by(Some(&said(endpoint)));
            found.get("discovery_url").map(str::to_owned)
        };
        let own = "https://a.example/oidc/.well-known/oauth-authorization-server";
        for good in ["https://a.example/oidc", "https://A.example/oidc//", "a.example/oidc"] {
            let found = url(good).unwrap();
            assert_eq!(found.to_ascii_lowercase(), own, "{good}");
        }
        for bad in [
            "",
            "https://evil.example/oidc",
            "http://a.example/oidc",
            "https://a.example:444/oidc",
            "https://a.example@evil.example/oidc",
            "https://a.example/oidc?x=",
            "https://a.example/oidc/accounts/{account_id}",
            "javascript:alert(1)",
        ] {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_audience_is_the_hosts_first_else_its_account() {
        let mut said = said("https://a.example/oidc");
        said.account_id = Some("acc".to_owned());
        let audience = |said: &HostMetadata| {
            let found = resolved("host = https://a.example\n").told_by(Some(said));
            found.get("audience").map(str::to_owned)
        };
        assert_eq!(audience(&said).as_deref(), Some("acc"));
        said.workspace_id = Some("7".to_owned());
        assert_eq!(audience(&said), None);
        said.audiences = vec!["first".to_owned(), "second".to_owned()];
        assert_eq!(audience(&said).as_deref(), Some("first"));
    }
}
