//! How the fake server behaves when nothing goes wrong.

use http::StatusCode;
use serde_json::Value;
use u2m_core::Lifetime;

use crate::{
    client::Client,
    device::Device,
    host::{HostMetadata, WellKnown},
};

/// The settings of a fake server. By default it is a workspace host with short-lived tokens and strict rotation.
///
/// ```
/// use u2m_testkit::{Lifetime, Rotation, Settings};
/// let settings = Settings::new()
///     .with_lifetime(Lifetime::from_seconds(60))
///     .with_rotation(Rotation::Off);
/// # let _ = settings;
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) access_token_form: AccessTokenForm,
    pub(crate) account_id: String,
    pub(crate) allowed_scopes: Option<Vec<String>>,
    pub(crate) claims: Vec<(String, Option<Value>)>,
    pub(crate) clients: Vec<Client>,
    pub(crate) clusters: Vec<Value>,
    pub(crate) consent: Consent,
    pub(crate) device: Option<Device>,
    pub(crate) expires_in: ExpiresIn,
    pub(crate) host: HostMetadata,
    pub(crate) iss: Iss,
    pub(crate) lifetime: Lifetime,
    pub(crate) login_destination: Option<String>,
    pub(crate) me_refusal: Option<StatusCode>,
    pub(crate) metadata: Vec<(String, Option<Value>)>,
    pub(crate) personal_tokens: Vec<String>,
    pub(crate) refresh_lifetime: Option<Lifetime>,
    pub(crate) refresh_refusal: (StatusCode, String),
    pub(crate) revocation: bool,
    pub(crate) retry_grace: Lifetime,
    pub(crate) rotate_on: RotateOn,
    pub(crate) rotation: Rotation,
    pub(crate) seed: u64,
    pub(crate) token_mark: String,
    pub(crate) token_type: String,
    pub(crate) tokens_on: Option<String>,
    pub(crate) well_known: WellKnown,
    pub(crate) workspace_id: Option<u64>,
    pub(crate) workspaces: Vec<Value>,
    pub(crate) workspaces_refusal: Option<StatusCode>,
}

/// The form of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokenForm {
    /// In the form of a signed JWT of about 1 kB, with `exp` and `scope` among its claims.
    Jwt,
    /// 1024 characters without meaning.
    Opaque,
}

/// What the person at the browser does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Agrees at once.
    Allow,
    /// Gets a page with two buttons, for a real person.
    Ask,
    /// Refuses at once; the callback gets this `error` and `error_description`.
    Deny {
        /// The error code, such as `access_denied`.
        error: String,
        /// A sentence for people.
        description: String,
    },
}

/// How token responses state the lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// They do not.
    Absent,
    /// `"expires_in":3600`.
    Number,
    /// This text, unchanged, after `"expires_in":`. It may make the document invalid.
    Raw(String),
    /// `"expires_in":"3600"`.
    Text,
}

/// Whether authorization responses name their issuer (RFC 9207).
///
/// Responses of the discovery login always carry `iss`, because they are useless without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Iss {
    /// They do not, and the metadata does not announce it.
    Absent,
    /// They name this issuer instead, in every flow, as a mixed-up or hostile server would.
    Forged(String),
    /// They do, and the metadata announces it.
    Present,
}

/// When a delayed request takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotateOn {
    /// At the end of the delay, and only if the client still waits then.
    Answer,
    /// When it is received, before the delay: a client that is killed while it waits has spent its refresh token.
    Receipt,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing: responses carry no refresh token, and the old one stays valid.
    Off,
    /// Spends it: responses carry a successor, and using a spent one again revokes the login.
    On,
    /// Spends it: responses carry a successor, and using a spent one again is refused without other consequences.
    OnWithoutRevocation,
}

impl Settings {
    /// Creates the defaults: tokens for one hour, rotation on, consent without asking, client `databricks-cli`.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings};
    /// let server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
    /// # let _ = server;
    /// ```
    pub fn new() -> Self {
        Self {
            access_token_form: AccessTokenForm::Jwt,
            account_id: "5f1e0a52-0000-4000-8000-00000000acc1".to_owned(),
            allowed_scopes: None,
            claims: Vec::new(),
            clients: vec![Client::public("databricks-cli")],
            clusters: Vec::new(),
            consent: Consent::Allow,
            device: None,
            expires_in: ExpiresIn::Number,
            host: HostMetadata::workspace("900800700600"),
            iss: Iss::Absent,
            lifetime: Lifetime::from_seconds(3600),
            login_destination: None,
            me_refusal: None,
            metadata: Vec::new(),
            personal_tokens: Vec::new(),
            refresh_lifetime: None,
            refresh_refusal: (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()),
            revocation: false,
            retry_grace: Lifetime::ZERO,
            rotate_on: RotateOn::Receipt,
            rotation: Rotation::On,
            seed: 0,
            token_mark: String::new(),
            token_type: "Bearer".to_owned(),
            tokens_on: None,
            well_known: WellKnown::Databricks,
            workspace_id: Some(900_800_700_600),
            workspaces: Vec::new(),
            workspaces_refusal: None,
        }
    }

    /// Sets the form of access tokens.
    #[must_use]
    pub const fn with_access_token_form(mut self, form: AccessTokenForm) -> Self {
        self.access_token_form = form;
        self
    }

    /// Adds or replaces a claim of JWT access tokens.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), Some(value.into())));
        self
    }

    /// Removes a claim from JWT access tokens.
    #[must_use]
    pub fn without_claim(mut self, name: impl Into<String>) -> Self {
        self.claims.push((name.into(), None));
        self
    }

    /// Adds or replaces a member of the metadata of every issuer.
    ///
    /// ```
    /// use u2m_testkit::Settings;
    /// let settings = Settings::new().with_metadata_member("scopes_supported", vec!["all-apis"]);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_metadata_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Removes a member from the metadata of every issuer, such as `issuer`, which Databricks' own test servers leave out.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().without_metadata_member("issuer");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn without_metadata_member(mut self, name: &str) -> Self {
        self.metadata.push((name.to_owned(), None));
        self
    }

    /// Registers another client, or replaces the one with the same id.
    ///
    /// ```
    /// use u2m_testkit::{Client, Settings};
    /// let settings = Settings::new().with_client(
    ///     Client::confidential("web", "s3cret").with_redirect_uri("https://app.example.com/back"),
    /// );
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.clients.retain(|known| known.id() != client.id());
        self.clients.push(client);
        self
    }

    /// Sets what the person at the browser does.
    ///
    /// ```
    /// use u2m_testkit::{Consent, Settings};
    /// let (error, description) = ("access_denied".into(), "not today".into());
    /// let settings = Settings::new().with_consent(Consent::Deny { error, description });
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// Sets how token responses state the lifetime.
    ///
    /// ```
    /// use u2m_testkit::{ExpiresIn, Settings};
    /// let settings = Settings::new().with_expires_in(ExpiresIn::Raw("3600.5".into()));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: ExpiresIn) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets the host metadata at `/.well-known/databricks-config`.
    #[must_use]
    pub fn with_host_metadata(mut self, host: HostMetadata) -> Self {
        self.host = host;
        self
    }

    /// Sets whether authorization responses name their issuer.
    #[must_use]
    pub fn with_iss(mut self, iss: Iss) -> Self {
        self.iss = iss;
        self
    }

    /// Sets the lifetime of access tokens.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sends discovery logins to the server at `base_url`, as the real login page sends people to the workspace that they pick.
    /// By default, the fake server sends them to itself.
    #[must_use]
    pub fn with_login_destination(mut self, base_url: impl Into<String>) -> Self {
        self.login_destination = Some(base_url.into());
        self
    }

    /// Publishes the token, revocation and device authorization endpoints below `base_url`, as issuers do that have them on
    /// another host. Use another name of the same server, for example. The authorization endpoint stays where it is.
    ///
    /// ```
    /// use u2m_testkit::{RunningServer, Settings};
    /// let server = RunningServer::start()?;
    /// let elsewhere = server.base_url().replace("127.0.0.1", "localhost");
    /// server.reconfigure(|settings| settings.with_tokens_on(elsewhere));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_tokens_on(mut self, base_url: impl Into<String>) -> Self {
        self.tokens_on = Some(base_url.into());
        self
    }

    /// Sets the account and workspace that introspection returns; tokens of an account get no workspace. `target=ACCOUNT` on the
    /// login page leads to this account, too.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().with_principal_in("test-account", Some(12345));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_principal_in(mut self, account: impl Into<String>, workspace: Option<u64>) -> Self {
        self.account_id = account.into();
        self.workspace_id = workspace;
        self
    }

    /// Lets each refresh token expire this long after it was issued.
    #[must_use]
    pub const fn with_refresh_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.refresh_lifetime = Some(lifetime);
        self
    }

    /// Sets the status and `error` of the response to an invalid refresh token. The description is always
    /// `Refresh token is invalid`. Real servers send `invalid_grant` or `invalid_request` with 400 or 401.
    ///
    /// ```
    /// use u2m_testkit::{Settings, http::StatusCode};
    /// let settings =
    ///     Settings::new().with_refresh_refusal(StatusCode::UNAUTHORIZED, "invalid_request");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_refresh_refusal(mut self, status: StatusCode, error: impl Into<String>) -> Self {
        self.refresh_refusal = (status, error.into());
        self
    }

    /// Lets the previous refresh token be used once more for this long after it was spent. By default it cannot be.
    #[must_use]
    pub const fn with_retry_grace(mut self, grace: Lifetime) -> Self {
        self.retry_grace = grace;
        self
    }

    /// Sets when a delayed request takes effect. By default that is when it is received.
    #[must_use]
    pub const fn with_rotate_on(mut self, rotate_on: RotateOn) -> Self {
        self.rotate_on = rotate_on;
        self
    }

    /// Sets what a refresh does to the refresh token.
    #[must_use]
    pub const fn with_rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Grants at most these scopes, whatever is requested, and all of them if none are requested. Include `offline_access` if
    /// refresh tokens should be issued.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().with_scopes_limited_to(["offline_access", "jobs"]);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_scopes_limited_to<S: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.allowed_scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the start value for codes and tokens. Two servers with the same address and seed issue the same ones. Takes effect
    /// when a server is created.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds a text to every refresh token, near its beginning and at its end, and to the end of every access token. A test can
    /// then recognize a token anywhere, even one that it has not seen.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings, Timestamp};
    /// let settings = Settings::new().with_token_mark("canary");
    /// let mut server = FakeServer::new("http://127.0.0.1:8080", settings);
    /// let now = Timestamp::from_unix(1_800_000_000);
    /// let tokens = server.sign_in("databricks-cli", "offline_access all-apis", now);
    /// assert!(tokens.access_token().ends_with("canary"));
    /// assert!(tokens.refresh_token().is_some_and(|token| token.ends_with("canary")));
    /// ```
    #[must_use]
    pub fn with_token_mark(mut self, mark: impl Into<String>) -> Self {
        self.token_mark = mark.into();
        self
    }

    /// Sets the `token_type` of token responses.
    #[must_use]
    pub fn with_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = token_type.into();
        self
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id() == id)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
