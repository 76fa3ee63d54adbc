//! The host that a profile belongs to.

use super::ChooseError;
use crate::Profile;
use u2m_core::{Host, HostHints, Sanitized, Target};

impl Profile<'_> {
    /// Returns the host of the profile, and the ids in its URL.
    ///
    /// # Errors
    /// Fails if the host in the file is invalid.
    ///
    /// ```
    /// use u2m_config::ConfigFile;
    /// let file = ConfigFile::parse("[a]\nhost = A.example/?o=7\n[b]\nhost = a b\n")?;
    /// let (host, ids) = file.profile("a").expect("it is there").parsed_host()?.expect("it has one");
    /// assert_eq!((host.as_str(), ids.workspace_id.as_deref()), ("https://a.example", Some("7")));
    /// assert!(file.profile("b").expect("it is there").parsed_host().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parsed_host(&self) -> Result<Option<(Host, HostHints)>, ChooseError> {
        let wrong = |error| ChooseError::ProfileHost(Sanitized::new(self.name()), error);
        self.host().map(|text| Host::typed(text).map_err(wrong)).transpose()
    }

    /// Checks that the profile may be used for the host `named`: its credentials and logins are for
    /// its own host, or for the host of its issuer, and for no other.
    ///
    /// # Errors
    /// Fails if `named` is another host, or if the profile's own host is invalid.
    ///
    /// ```
    /// use u2m_config::ConfigFile;
    /// use u2m_core::Host;
    /// let file = ConfigFile::parse("[a]\nhost = a.example\n")?;
    /// let a = file.profile("a").expect("it is there");
    /// assert!(a.check_is_on(&Host::parse("https://a.example")?).is_ok());
    /// assert!(a.check_is_on(&Host::parse("https://b.example")?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_is_on(&self, named: &Host) -> Result<(), ChooseError> {
        let of_issuer = || {
            let (issuer, _) = self.issuer()?;
            Target::issuer(issuer).ok()?.host().cloned()
        };
        match self.parsed_host()?.map(|(host, _)| host).or_else(of_issuer) {
            Some(own) if own != *named => Err(ChooseError::Conflict {
                profile: Sanitized::new(self.name()),
                own,
                wanted: named.clone(),
            }),
            _ => Ok(()),
        }
    }
}
