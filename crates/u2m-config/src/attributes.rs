//! The table of all values that Databricks' programs are configured with: keys, environment
//! variables and meaning.

use std::fmt;

/// The type of a configurable value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// Any text.
    Text,
    /// `1 t T TRUE true True` or `0 f F FALSE false False`, and nothing else.
    Bool,
    /// A whole number in decimal.
    Integer,
    /// A list of words, separated by commas.
    List,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// The error for a text that does not fit the type of its value. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongValue {
    expected: ValueKind,
}

impl WrongValue {
    /// Returns the type that was expected.
    pub fn expected(self) -> ValueKind {
        self.expected
    }
}

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            ValueKind::Bool => f.write_str("it must be true or false"),
            ValueKind::Integer => f.write_str("it must be a whole number"),
            ValueKind::Text | ValueKind::List => f.write_str("it cannot be read"),
            ValueKind::OneOf(words) => write!(f, "it must be one of {}", words.join(", ")),
        }
    }
}

impl std::error::Error for WrongValue {}

/// A value that can be configured, such as `host` or `token`.
///
/// [`Attribute::ALL`] is in the order in which values are written to a profile and shown to users.
///
/// ```
/// use u2m_config::Attribute;
/// let token = Attribute::named("token").expect("it is one of them");
/// assert_eq!(token.variables(), ["DATABRICKS_TOKEN"]);
/// assert!(token.is_secret() && token.is_for("pat") && !token.is_for("basic"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    key: &'static str,
    aliases: &'static [&'static str],
    variables: &'static [&'static str],
    kind: ValueKind,
    method: Option<&'static str>,
    auth_types: &'static [&'static str],
    is_secret: bool,
    is_internal: bool,
    is_stored: bool,
}

impl Attribute {
    /// All attributes.
    pub const ALL: &'static [Self] = &[
        text("host", &["DATABRICKS_HOST"]),
        text("cluster_id", &["DATABRICKS_CLUSTER_ID"]),
        text("warehouse_id", &["DATABRICKS_WAREHOUSE_ID"]),
        text("serverless_compute_id", &["DATABRICKS_SERVERLESS_COMPUTE_ID"]),
        text("metadata_service_url", &["DATABRICKS_METADATA_SERVICE_URL"])
            .of("metadata-service", &["metadata-service"])
            .secret(),
        text("account_id", &["DATABRICKS_ACCOUNT_ID"]),
        text("workspace_id", &["DATABRICKS_WORKSPACE_ID"]),
        text("token", &["DATABRICKS_TOKEN"]).of("pat", &["pat"]).secret(),
        text("username", &["DATABRICKS_USERNAME"]).of("basic", &["basic"]),
        text("password", &["DATABRICKS_PASSWORD"]).of("basic", &["basic"]).secret(),
        text("profile", &["DATABRICKS_CONFIG_PROFILE"]).never_stored(),
        text("config_file", &["DATABRICKS_CONFIG_FILE"]).never_stored(),
        text("oauth_callback_port", &["DATABRICKS_OAUTH_CALLBACK_PORT"])
            .reads(ValueKind::Integer)
            .internal(),
        text("google_service_account", &["DATABRICKS_GOOGLE_SERVICE_ACCOUNT"])
            .of("google", &["google-id"]),
        text("google_credentials", &["GOOGLE_CREDENTIALS"])
            .of("google", &["google-credentials"])
            .secret(),
        text("azure_workspace_resource_id", &["DATABRICKS_AZURE_RESOURCE_ID"])
            .of("azure", &["azure-cli", "azure-msi"]),
        text("azure_use_msi", &["ARM_USE_MSI"]).reads(ValueKind::Bool).of("azure", &["azure-msi"]),
        text("azure_client_secret", &["ARM_CLIENT_SECRET"])
            .of("azure", &["azure-client-secret"])
            .secret(),
        text("azure_client_id", &["ARM_CLIENT_ID"])
            .of("azure", &["azure-client-secret", "azure-msi"]),
        text("azure_tenant_id", &["ARM_TENANT_ID"])
            .of("azure", &["azure-cli", "azure-client-secret"]),
        text("actions_id_token_request_url", &["ACTIONS_ID_TOKEN_REQUEST_URL"]),
        // Other programs show this value, although whoever reads it can request tokens.
        text("actions_id_token_request_token", &["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]).secret(),
        text("azure_environment", &["ARM_ENVIRONMENT"]),
        text("azure_login_app_id", &["DATABRICKS_AZURE_LOGIN_APP_ID"]).of("azure", &["azure"]),
        // Without a secret, it is also the client that an ID token is exchanged for.
        text("client_id", &["DATABRICKS_CLIENT_ID"]).of(
            "oauth",
            &["oauth-m2m", "github-oidc", "azure-devops-oidc", "env-oidc", "file-oidc"],
        ),
        text("client_secret", &["DATABRICKS_CLIENT_SECRET"]).of("oauth", &["oauth-m2m"]).secret(),
        text("scopes", &[]).reads(ValueKind::List).internal(),
        text("disable_oauth_refresh_token", &["DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN"])
            .reads(ValueKind::Bool)
            .internal(),
        text("databricks_cli_path", &["DATABRICKS_CLI_PATH"]).only_for(&["databricks-cli"]),
        text("auth_type", &["DATABRICKS_AUTH_TYPE"]).internal(),
        text(
            "databricks_id_token_filepath",
            &["DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"],
        )
        .also(&["oidc_token_filepath"])
        .of("file-oidc", &["file-oidc"]),
        text("oidc_token_env", &["DATABRICKS_OIDC_TOKEN_ENV"]).of("env-oidc", &["env-oidc"]),
        text("skip_verify", &[]).reads(ValueKind::Bool).internal(),
        text("http_timeout_seconds", &[]).reads(ValueKind::Integer).internal(),
        text("debug_truncate_bytes", &["DATABRICKS_DEBUG_TRUNCATE_BYTES"])
            .reads(ValueKind::Integer)
            .internal(),
        text("debug_headers", &["DATABRICKS_DEBUG_HEADERS"]).reads(ValueKind::Bool).internal(),
        text("rate_limit", &["DATABRICKS_RATE_LIMIT"]).reads(ValueKind::Integer).internal(),
        text("retry_timeout_seconds", &[]).reads(ValueKind::Integer).internal(),
        text("cloud", &["DATABRICKS_CLOUD"]).internal(),
        text("audience", &["DATABRICKS_TOKEN_AUDIENCE"]).also(&["token_audience"]).internal(),
        text("discovery_url", &["DATABRICKS_DISCOVERY_URL"]).internal(),
        // Authorization details are a JSON array (RFC 9396); the other key is a switch of Python's SDK.
        text("authorization_details", &[]).internal(),
        text("disable_async_token_refresh", &["DATABRICKS_DISABLE_ASYNC_TOKEN_REFRESH"])
            .reads(ValueKind::Bool)
            .internal(),
        // How tokens of another issuer are exchanged for Databricks tokens (RFC 8693), and for
        // which client. The second spelling is the one that Databricks' SQL connectors use.
        text("federation_client_id", &[]).also(&["identity_federation_client_id"]),
        text("use_token_federation", &[])
            .reads(ValueKind::OneOf(&["true", "false", "auto"]))
            .internal(),
        text("federation_mode", &[])
            .reads(ValueKind::OneOf(&["auto", "always", "never"]))
            .internal(),
        text("federation_fallback", &[])
            .reads(ValueKind::OneOf(&["never", "on_unsupported", "always"]))
            .internal(),
        text("federation_wire", &[])
            .reads(ValueKind::OneOf(&["sdk", "sql_compat", "jwt_bearer"]))
            .internal(),
        text("federation_compat", &[])
            .reads(ValueKind::OneOf(&["none", "sql_connector"]))
            .internal(),
        text("allowed_issuers", &[]).reads(ValueKind::List).internal(),
        text("extra_target_issuers", &[]).reads(ValueKind::List).internal(),
    ];

    /// Returns the attribute with this key, in the spelling of any SDK.
    ///
    /// ```
    /// use u2m_config::Attribute;
    /// assert_eq!(Attribute::named("token_audience").map(|found| found.key()), Some("audience"));
    /// assert!(Attribute::named("made_up").is_none());
    /// ```
    pub fn named(key: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.keys().any(|own| own == key))
    }

    /// Returns the attribute that an environment variable sets.
    ///
    /// ```
    /// use u2m_config::Attribute;
    /// assert_eq!(Attribute::of_variable("ARM_CLIENT_ID").map(|found| found.key()), Some("azure_client_id"));
    /// ```
    pub fn of_variable(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.variables.contains(&name))
    }

    /// Returns its key in a profile.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// Returns its key, followed by the spellings of other SDKs.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.key).chain(self.aliases.iter().copied())
    }

    /// Returns the environment variables that set it. The first one that is set counts.
    pub fn variables(&self) -> &'static [&'static str] {
        self.variables
    }

    /// Returns its type.
    pub fn kind(&self) -> ValueKind {
        self.kind
    }

    /// Returns the authentication method that it is a credential of, if any. Credentials of two methods conflict
    /// unless `auth_type` names one. Every login removes all credentials from its profile.
    pub fn method(&self) -> Option<&'static str> {
        self.method
    }

    /// Returns the values of `auth_type` that use it. Empty means all of them.
    pub fn auth_types(&self) -> &'static [&'static str] {
        self.auth_types
    }

    /// Returns whether authentication with this `auth_type` uses it.
    pub fn is_for(&self, auth_type: &str) -> bool {
        self.auth_types.is_empty() || self.auth_types.contains(&auth_type)
    }

    /// Returns whether the value is a secret and must be hidden.
    pub fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// Returns whether it controls how a program behaves, rather than what it connects to or with
    /// which credentials.
    pub fn is_internal(&self) -> bool {
        self.is_internal
    }

    /// Returns whether it may be stored in a profile. Attributes that select the file or the
    /// profile may not.
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Checks that a text is valid for this attribute.
    ///
    /// # Errors
    ///
    /// Fails if the text does not fit the type of the value.
    ///
    /// ```
    /// use u2m_config::Attribute;
    /// let limit = Attribute::named("rate_limit").expect("it is one of them");
    /// assert!(limit.check("15").is_ok());
    /// assert_eq!(limit.check("many").unwrap_err().to_string(), "it must be a whole number");
    /// ```
    pub fn check(&self, text: &str) -> Result<(), WrongValue> {
        let is_right = match self.kind {
            ValueKind::Text | ValueKind::List => true,
            ValueKind::Bool => truth(text).is_some(),
            ValueKind::Integer => text.parse::<i64>().is_ok(),
            ValueKind::OneOf(words) => words.contains(&text),
        };
        if is_right { Ok(()) } else { Err(WrongValue { expected: self.kind }) }
    }

    const fn reads(mut self, kind: ValueKind) -> Self {
        self.kind = kind;
        self
    }

    const fn of(mut self, method: &'static str, auth_types: &'static [&'static str]) -> Self {
        self.method = Some(method);
        self.auth_types = auth_types;
        self
    }

    const fn only_for(mut self, auth_types: &'static [&'static str]) -> Self {
        self.auth_types = auth_types;
        self
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    const fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    const fn never_stored(mut self) -> Self {
        self.is_stored = false;
        self
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribute({})", self.key)
    }
}

const fn text(key: &'static str, variables: &'static [&'static str]) -> Attribute {
    Attribute {
        key,
        aliases: &[],
        variables,
        kind: ValueKind::Text,
        method: None,
        auth_types: &[],
        is_secret: false,
        is_internal: false,
        is_stored: true,
    }
}

/// Parses a boolean, in the spellings that every reader of the file accepts.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[path = "attributes/tests.rs"]
mod tests;
