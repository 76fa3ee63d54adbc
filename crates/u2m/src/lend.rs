//! Passes a login to another program through the environment variables that Databricks' SDKs and tools read.

use std::process::Command;
use u2m_core::{Target, Token};

/// Variables that would sign the program in as somebody else, send it to another host, or make its SDK find two ways to sign in.
/// `ARM_*` and `GOOGLE_*` stay: other tools need them, and SDKs prefer the kind of login that is set here.
const OTHERS: &[&str] = &[
    "DATABRICKS_ACCOUNT_ID",
    "DATABRICKS_AZURE_LOGIN_APP_ID",
    "DATABRICKS_AZURE_RESOURCE_ID",
    "DATABRICKS_CLIENT_ID",
    "DATABRICKS_CLIENT_SECRET",
    "DATABRICKS_CONFIG_PROFILE",
    "DATABRICKS_DISCOVERY_URL",
    "DATABRICKS_GOOGLE_SERVICE_ACCOUNT",
    "DATABRICKS_HOST",
    "DATABRICKS_METADATA_SERVICE_URL",
    "DATABRICKS_OIDC_TOKEN_ENV",
    "DATABRICKS_OIDC_TOKEN_FILE",
    "DATABRICKS_OIDC_TOKEN_FILEPATH",
    "DATABRICKS_PASSWORD",
    "DATABRICKS_SCOPES",
    "DATABRICKS_TOKEN_AUDIENCE",
    "DATABRICKS_USERNAME",
    "DATABRICKS_WORKSPACE_ID",
];

/// Passes a login to `command` for the lifetime of its token. Sets `DATABRICKS_HOST`, `DATABRICKS_TOKEN`,
/// `DATABRICKS_AUTH_TYPE=pat`, which is the SDKs' name for a token that is handed to them, and the ids that are known. For a
/// token of an issuer that is not Databricks', no host is set. Variables of other logins are removed. Nothing goes into the
/// command's arguments, which other users can see. The `Debug` output of a command includes its variables, so do not print it.
///
/// ```
/// use std::process::Command;
/// use u2m::{AccessToken, Host, Target, Token};
/// use u2m::process::lend;
/// let target = Target::workspace(Host::parse("https://my-workspace.cloud.databricks.com")?);
/// let token = Token::new(AccessToken::new("secret"), None);
/// let mut command = Command::new("my-program");
/// lend(&mut command, &target, Some("123"), &token);
/// assert!(command.get_envs().any(|(name, value)| name == "DATABRICKS_TOKEN" && value.is_some()));
/// # Ok::<(), u2m::HostError>(())
/// ```
pub fn lend(command: &mut Command, target: &Target, workspace_id: Option<&str>, token: &Token) {
    for name in OTHERS {
        command.env_remove(name);
    }
    match target.host().filter(|_| target.issuer_id().is_none()) {
        Some(host) => command.env("DATABRICKS_HOST", host.as_str()),
        // An issuer is not an API host, and its token is not meant for any host that the environment names.
        None => command.env_remove("DATABRICKS_HOST"),
    };
    if let Some(account) = target.account_id() {
        command.env("DATABRICKS_ACCOUNT_ID", account.as_str());
    }
    if let Some(id) = workspace_id {
        command.env("DATABRICKS_WORKSPACE_ID", id);
    }
    command.env("DATABRICKS_AUTH_TYPE", "pat");
    command.env("DATABRICKS_TOKEN", token.access_token().expose());
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_config::Attribute;
    use u2m_core::{AccessToken, ProfileName};

    #[test]
    fn all_that_an_sdk_needs_is_set_and_nothing_else() {
        let host = u2m_core::Host::parse("https://a.example").unwrap();
        let account = u2m_core::AccountId::parse("acc-1").unwrap();
        let token = Token::new(AccessToken::new("secret"), None);
        let mut command = Command::new("true");
        lend(&mut command, &Target::account(host, account), Some("7"), &token);
        let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let set: Vec<_> = set.map(|(n, v)| (n.to_str().unwrap(), v.to_str().unwrap())).collect();
        assert_eq!(
            set,
            [
                ("DATABRICKS_ACCOUNT_ID", "acc-1"),
                ("DATABRICKS_AUTH_TYPE", "pat"),
                ("DATABRICKS_HOST", "https://a.example"),
                ("DATABRICKS_TOKEN", "secret"),
                ("DATABRICKS_WORKSPACE_ID", "7"),
            ]
        );
        assert_eq!(command.get_args().count(), 0, "others can see them");
    }

    #[test]
    fn a_token_of_another_issuer_goes_with_no_host() {
        let token = Token::new(AccessToken::new("secret"), None);
        let mut command = Command::new("true");
        lend(&mut command, &Target::issuer("https://id.example").unwrap(), None, &token);
        let host = command.get_envs().find(|(name, _)| *name == "DATABRICKS_HOST");
        assert_eq!(host.map(|(_, value)| value.is_some()), Some(false));
    }

    #[test]
    fn no_host_and_no_credential_of_another_login_is_inherited() {
        let profile = ProfileName::parse("dev").unwrap();
        let token = Token::new(AccessToken::new("t"), None);
        let mut command = Command::new("true");
        lend(&mut command, &Target::discovery(profile), None, &token);
        let is_gone = |wanted: &str| {
            command.get_envs().any(|(name, value)| name == wanted && value.is_none())
        };
        assert!(is_gone("DATABRICKS_HOST"), "the token would go to whatever host is set");
        for attribute in Attribute::ALL.iter().filter(|known| known.method().is_some()) {
            let own =
                |name: &&&str| name.starts_with("DATABRICKS_") && **name != "DATABRICKS_TOKEN";
            for name in attribute.variables().iter().filter(own) {
                assert!(is_gone(name), "{name}");
            }
        }
    }
}
