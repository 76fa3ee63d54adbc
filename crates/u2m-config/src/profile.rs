//! A profile: one section of the file, with the values that matter for signing in.

use crate::rules::CREDENTIAL_KEYS;

/// The profile key that holds the issuer URL of an authorization server other than Databricks'. No
/// other program reads it.
pub const ISSUER_KEY: &str = "u2m_issuer";

/// The profile key that holds the client id registered at that issuer. It is not `client_id`,
/// because SDKs take that to mean that a service signs in.
pub const ISSUER_CLIENT_KEY: &str = "u2m_client_id";

/// The profile key that holds the path of a PEM file with CA certificates. They are trusted for
/// this profile in addition to the system's. No other program reads it.
pub const CA_FILE_KEY: &str = "u2m_ca_file";

/// What one section of the file says about signing in. Borrows from its [`ConfigFile`].
///
/// An empty value reads as absent. Credentials are not kept, only which of them are set.
///
/// ```
/// use u2m_config::ConfigFile;
/// let file = ConfigFile::parse("[dev]\nhost = https://a.example\nworkspace_id = none\n")?;
/// let dev = file.profile("dev").expect("it is there");
/// assert_eq!((dev.name(), dev.host(), dev.workspace_id()), ("dev", Some("https://a.example"), None));
/// # Ok::<(), u2m_config::SyntaxError>(())
/// ```
///
/// [`ConfigFile`]: crate::ConfigFile
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile<'a> {
    name: &'a str,
    host: Option<&'a str>,
    account_id: Option<&'a str>,
    workspace_id: Option<&'a str>,
    scopes: Option<&'a str>,
    auth_type: Option<&'a str>,
    issuer: Option<&'a str>,
    issuer_client: Option<&'a str>,
    ca_file: Option<&'a str>,
    /// One bit for each key of `CREDENTIAL_KEYS` that has a value.
    credentials: u32,
}

impl<'a> Profile<'a> {
    pub(crate) fn named(name: &'a str) -> Self {
        Self {
            name,
            host: None,
            account_id: None,
            workspace_id: None,
            scopes: None,
            auth_type: None,
            issuer: None,
            issuer_client: None,
            ca_file: None,
            credentials: 0,
        }
    }

    /// Adds one key of the section. A later value replaces an earlier one.
    pub(crate) fn absorb(&mut self, key: &str, value: &'a str) {
        let given = Some(value).filter(|value| !value.is_empty());
        match key {
            "host" => self.host = given,
            "account_id" => self.account_id = given,
            // Databricks' CLI writes `none` for an account without a workspace.
            "workspace_id" => self.workspace_id = given.filter(|&id| id != "none"),
            "scopes" => self.scopes = given,
            "auth_type" => self.auth_type = given,
            ISSUER_KEY => self.issuer = given,
            ISSUER_CLIENT_KEY => self.issuer_client = given,
            CA_FILE_KEY => self.ca_file = given,
            _ => {
                let bit = credential(key);
                self.credentials =
                    if given.is_some() { self.credentials | bit } else { self.credentials & !bit };
            }
        }
    }

    /// Returns the name of the section, exactly as written between the brackets.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the host as the file spells it, neither parsed nor normalized.
    pub fn host(&self) -> Option<&'a str> {
        self.host
    }

    /// Returns the id of the Databricks account.
    pub fn account_id(&self) -> Option<&'a str> {
        self.account_id
    }

    /// Returns the id of the workspace. `none`, a placeholder of Databricks' CLI, reads as absent.
    pub fn workspace_id(&self) -> Option<&'a str> {
        self.workspace_id
    }

    /// Returns the scopes in the order of the file, split at commas and white space. Empty if none are set.
    pub fn scopes(&self) -> Vec<&'a str> {
        let separators = |char: char| char == ',' || char.is_whitespace();
        let listed = self.scopes.unwrap_or_default().split(separators);
        listed.filter(|scope| !scope.is_empty()).collect()
    }

    /// Returns the authentication method that the profile requires, for example `databricks-cli`.
    pub fn auth_type(&self) -> Option<&'a str> {
        self.auth_type
    }

    /// Returns the issuer and the client id for a login to an authorization server other than
    /// Databricks': the values of [`ISSUER_KEY`] and [`ISSUER_CLIENT_KEY`]. Returns `None` unless
    /// both are set and the profile has no host, because other programs would use the host.
    pub fn issuer(&self) -> Option<(&'a str, &'a str)> {
        self.issuer.zip(self.issuer_client).filter(|_| self.host.is_none())
    }

    /// Returns whether the profile says where to sign in: it has a host, or an issuer and its client id.
    ///
    /// ```
    /// use u2m_config::ConfigFile;
    /// let file = ConfigFile::parse("[a]\nhost = a.example\n[b]\naccount_id = 1\n")?;
    /// let leads = |name| file.profile(name).is_some_and(|profile| profile.leads_somewhere());
    /// assert!(leads("a") && !leads("b"));
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn leads_somewhere(&self) -> bool {
        self.host.is_some() || self.issuer().is_some()
    }

    /// Returns the path of the file of additional CA certificates, from [`CA_FILE_KEY`].
    pub fn ca_file(&self) -> Option<&'a str> {
        self.ca_file
    }

    /// Returns whether both `client_id` and `client_secret` are set, so that a service can sign in.
    pub fn has_client_credentials(&self) -> bool {
        ["client_id", "client_secret"].iter().all(|key| self.credentials & credential(key) != 0)
    }

    /// Returns whether the profile is for signed-in users: its `auth_type` is absent or
    /// `databricks-cli`, and no credential of another method is set.
    pub fn is_for_users(&self) -> bool {
        self.credentials == 0 && matches!(self.auth_type, None | Some("databricks-cli"))
    }
}

/// Returns the bit of a credential key, or 0 for any other key.
fn credential(key: &str) -> u32 {
    const { assert!(CREDENTIAL_KEYS.len() <= u32::BITS as usize) };
    CREDENTIAL_KEYS.iter().position(|&known| known == key).map_or(0, |index| 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile<'a>(pairs: &[(&str, &'a str)]) -> Profile<'a> {
        let mut profile = Profile::named("p");
        pairs.iter().for_each(|(key, value)| profile.absorb(key, value));
        profile
    }

    #[test]
    fn scopes_split_at_commas_and_blanks() {
        assert_eq!(
            profile(&[("scopes", "jobs, pipelines,,clusters sql")]).scopes(),
            ["jobs", "pipelines", "clusters", "sql"]
        );
        for text in [" all-apis , sql ", "all-apis, ,sql,,"] {
            assert_eq!(profile(&[("scopes", text)]).scopes(), ["all-apis", "sql"], "{text}");
        }
        assert!(profile(&[("scopes", " , ,,")]).scopes().is_empty());
        assert!(profile(&[]).scopes().is_empty());
    }

    #[test]
    fn an_empty_value_takes_an_earlier_one_away() {
        assert_eq!(profile(&[("host", "h"), ("host", "")]).host(), None);
        assert!(profile(&[("token", "t"), ("token", "")]).is_for_users());
    }

    #[test]
    fn client_credentials_need_both_halves() {
        assert!(!profile(&[("client_id", "c")]).has_client_credentials());
        assert!(!profile(&[("client_id", "c"), ("client_secret", "")]).has_client_credentials());
        assert!(profile(&[("client_id", "c"), ("client_secret", "s")]).has_client_credentials());
    }

    #[test]
    fn another_credential_is_no_half_of_these_and_one_that_stands_twice_is_one() {
        assert!(!profile(&[("client_id", "c"), ("token", "t")]).has_client_credentials());
        assert!(!profile(&[("client_secret", "s"), ("token", "t")]).has_client_credentials());
        assert!(!profile(&[("token", "t"), ("token", "u")]).is_for_users());
        let twice = [("client_id", "c"), ("client_id", "d"), ("client_secret", "s")];
        assert!(profile(&twice).has_client_credentials());
    }

    #[test]
    fn an_issuer_counts_with_its_client_and_without_a_host() {
        let both = [("u2m_issuer", "https://id.example"), ("u2m_client_id", "cli")];
        assert_eq!(profile(&both).issuer(), Some(("https://id.example", "cli")));
        assert!(profile(&both).is_for_users());
        assert_eq!(profile(&both[..1]).issuer(), None);
        assert_eq!(profile(&[both[0], both[1], ("host", "https://a.example")]).issuer(), None);
    }

    #[test]
    fn a_file_of_certificates_is_named_by_a_key_of_ours() {
        assert_eq!(profile(&[("u2m_ca_file", "/corp.pem")]).ca_file(), Some("/corp.pem"));
        assert_eq!(profile(&[("ca_file", "/corp.pem")]).ca_file(), None);
    }

    #[test]
    fn users_sign_in_to_profiles_without_another_method() {
        assert!(profile(&[("host", "h")]).is_for_users());
        assert!(profile(&[("auth_type", "databricks-cli")]).is_for_users());
        assert!(!profile(&[("auth_type", "pat")]).is_for_users());
        for key in CREDENTIAL_KEYS {
            assert!(!profile(&[(key, "x")]).is_for_users(), "{key}");
        }
    }

    #[test]
    fn credentials_stay_out_of_debug() {
        let shown =
            format!("{:?}", profile(&[("token", "dapi-secret"), ("client_secret", "s3cret")]));
        assert!(!shown.contains("dapi-secret") && !shown.contains("s3cret"));
    }
}
