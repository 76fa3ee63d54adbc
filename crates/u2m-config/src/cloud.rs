//! The cloud provider that a host runs on.

use std::fmt;

use u2m_core::{Host, HostMetadata};

use crate::Resolved;

/// The cloud provider that a host runs on. It determines which cloud credentials can be used.
///
/// ```
/// use u2m_config::Cloud;
/// let host = u2m_core::Host::parse("https://adb-1.azuredatabricks.net")?;
/// assert_eq!(Cloud::of(&host, None).as_str(), "azure");
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cloud {
    /// Amazon Web Services; also the answer for unknown hosts.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud Platform.
    Gcp,
}

/// The end of host names on Google's cloud, including those of test systems.
const GCP: &str = ".gcp.databricks.com";

impl Cloud {
    /// Returns the cloud that the metadata of the host names, else the one that the host name indicates.
    ///
    /// ```
    /// use u2m_config::Cloud;
    /// use u2m_core::{Host, HostMetadata};
    /// let host = Host::parse("https://a.example")?;
    /// let mut metadata = HostMetadata::default();
    /// metadata.cloud = Some("GCP".to_owned());
    /// assert_eq!(Cloud::of(&host, Some(&metadata)), Cloud::Gcp);
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn of(host: &Host, metadata: Option<&HostMetadata>) -> Self {
        let said = metadata.and_then(|metadata| metadata.cloud.as_deref()).and_then(Self::named);
        let told = || match host.is_on_azure() {
            true => Self::Azure,
            false if host.name().ends_with(GCP) => Self::Gcp,
            false => Self::Aws,
        };
        said.unwrap_or_else(told)
    }

    /// Returns the cloud with that name, in any case.
    ///
    /// ```
    /// assert_eq!(u2m_config::Cloud::named("GCP"), u2m_config::Cloud::named("gcp"));
    /// ```
    pub fn named(text: &str) -> Option<Self> {
        [Self::Aws, Self::Azure, Self::Gcp]
            .into_iter()
            .find(|cloud| cloud.as_str().eq_ignore_ascii_case(text))
    }

    /// Returns the name as Databricks' programs write it in a configuration.
    ///
    /// ```
    /// assert_eq!(u2m_config::Cloud::Azure.name(), "Azure");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Gcp => "GCP",
        }
    }

    /// Returns the name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Resolved {
    /// Returns the cloud: the configured one, else the one that the host's metadata names, else the
    /// one that the host name indicates. Returns `None` if there is no host, unless a cloud or an
    /// Azure resource is configured.
    ///
    /// ```
    /// use u2m_config::{Cloud, ConfigFile, SelectionArgs, resolve};
    /// let file = ConfigFile::parse("host = https://a.gcp.databricks.com\n")?;
    /// let found = resolve(&SelectionArgs::default(), &|_| None, &file, "cfg".as_ref())?;
    /// assert_eq!(found.cloud(None), Some(Cloud::Gcp));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cloud(&self, metadata: Option<&HostMetadata>) -> Option<Cloud> {
        let of_resource = self.get("azure_workspace_resource_id").map(|_| Cloud::Azure);
        let configured = self.get("cloud").and_then(Cloud::named).or(of_resource);
        configured.or_else(|| self.host().map(|host| Cloud::of(host, metadata)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigFile, SelectionArgs, resolve};

    fn of(name: &str) -> Cloud {
        Cloud::of(&Host::typed(name).unwrap().0, None)
    }

    fn resolved(text: &str, of_host: Option<&str>) -> Option<Cloud> {
        let file = ConfigFile::parse(text).unwrap();
        let mut metadata = HostMetadata::default();
        metadata.cloud = of_host.map(str::to_owned);
        let found = resolve(&SelectionArgs::default(), &|_| None, &file, "cfg".as_ref()).unwrap();
        found.cloud(Some(&metadata))
    }

    #[test]
    fn the_end_of_a_name_tells_the_cloud() {
        for azure in [
            "adb-1.2.azuredatabricks.net",
            "adb-1.dev.azuredatabricks.net",
            "x.staging.azuredatabricks.net",
            "x.databricks.azure.us",
            "x.databricks.azure.cn",
            "ADB-1.AZUREDATABRICKS.NET:443",
        ] {
            assert_eq!(of(azure), Cloud::Azure, "{azure}");
        }
        for gcp in
            ["1.gcp.databricks.com", "1.dev.gcp.databricks.com", "1.staging.gcp.databricks.com"]
        {
            assert_eq!(of(gcp), Cloud::Gcp, "{gcp}");
        }
        for other in [
            "a.cloud.databricks.com",
            "localhost:8080",
            "evilazuredatabricks.net",
            "azuredatabricks.net.example",
        ] {
            assert_eq!(of(other), Cloud::Aws, "{other}");
        }
    }

    #[test]
    fn a_cloud_is_shown_as_it_is_read() {
        for cloud in [Cloud::Aws, Cloud::Azure, Cloud::Gcp] {
            assert_eq!(Cloud::named(&cloud.to_string()), Some(cloud));
        }
    }

    #[test]
    fn what_is_configured_beats_what_the_host_says_and_that_its_name() {
        let azure = "host = https://a.azuredatabricks.net\n";
        assert_eq!(resolved(azure, None), Some(Cloud::Azure));
        assert_eq!(resolved(azure, Some("gcp")), Some(Cloud::Gcp));
        assert_eq!(resolved(azure, Some("moon")), Some(Cloud::Azure));
        assert_eq!(resolved(&format!("{azure}cloud = aws\n"), Some("gcp")), Some(Cloud::Aws));
        let resource = "host = a.example\nazure_workspace_resource_id = /x\n";
        assert_eq!(resolved(resource, Some("AWS")), Some(Cloud::Azure));
        assert_eq!(resolved("", Some("AWS")), None);
    }
}
