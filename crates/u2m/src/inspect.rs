//! Checks whether a configuration works and whose it is: for one configuration, or for every profile in a file.

mod error;
mod kind;
mod subject;
mod survey;

pub use error::CheckError;
pub(crate) use subject::ISSUER as ISSUER_LOGIN;
pub use subject::{CheckSubject, LoginFacts};
pub use survey::{ProfileReport, Validity};

use crate::api::Api;
use crate::builder::{Builder, usual_transport};
use crate::detached::Detached;
use crate::host_directory::HostDirectory;
use crate::persistent::PersistentAuth;
use crate::runtime::OwnRuntime;
use kind::{CheckKind, kind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subject::StoredLogin;
use tokio::time::timeout_at;
use u2m_cache::Notice;
use u2m_core::{
    AccessToken, AccountId, ApiAccess, ApiError, FreshnessRules, Host, HostMetadata, Lifetime,
    Sanitized, StoreFailure, Timestamp, TokenError,
};
use u2m_http::Transport;

/// How long one check may take by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a check found out: whose token it is, where, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The user of the token, if a workspace said so.
    pub user_name: Option<Sanitized>,
    /// The account that answered, if one was asked.
    pub account_id: Option<String>,
    /// When the token that was used expires.
    pub expiry: Option<Timestamp>,
}

/// Checks configurations against their hosts. It never opens a browser, and it never spends a refresh token while the access
/// token is good. A refresh that takes longer than its check goes on: in a process of its own if there is one
/// ([`Inspector::with_detached_refresh`]), or else in this one, where [`wait_for_saves`](crate::process::wait_for_saves) waits
/// for it. Cheap to clone; clones share everything.
///
/// ```no_run
/// use u2m::check::{CheckSubject, Inspector};
/// use u2m::config::{ConfigFile, Environment, SelectionArgs, resolve};
/// let env = |name: &str| std::env::var_os(name);
/// let path = u2m::config::locate(&env)?;
/// let config = ConfigFile::read(&path)?;
/// let around = Environment { env: &env, config: &config };
/// let resolved = resolve(&SelectionArgs { profile: Some("dev"), ..SelectionArgs::default() }, &env, &config, &path)?;
/// let subject = CheckSubject::of(&resolved, &around)?;
/// match Inspector::for_user(&env).check_blocking(&subject) {
///     Ok(identity) => println!("{:?}", identity.user_name),
///     Err(error) => println!("{}: {error}", error.category()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inspector {
    transport: Arc<dyn Transport>,
    /// Whether a separate process could use the same transport.
    is_usual_transport: bool,
    hosts: HostDirectory,
    ca_file: Option<PathBuf>,
    detached: Option<Detached>,
    timeout: Duration,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Inspector {
    /// Creates an inspector with the default transport, which remembers host metadata beside the user's logins
    /// ([`HostDirectory::for_user`]).
    ///
    /// ```
    /// let inspector = u2m::check::Inspector::for_user(&|_| None);
    /// # drop(inspector);
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn for_user(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let transport: Arc<dyn Transport> = Arc::new(u2m_http::ReqwestTransport::new());
        let hosts = HostDirectory::for_user(Arc::clone(&transport), env);
        Self { is_usual_transport: true, ..Self::new(transport).with_hosts(hosts) }
    }

    /// Creates an inspector that uses the given transport and remembers nothing between runs.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let inspector = u2m::check::Inspector::new(Arc::new(u2m::transport::ReqwestTransport::new()));
    /// # drop(inspector);
    /// ```
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            hosts: HostDirectory::new(Arc::clone(&transport)),
            transport,
            is_usual_transport: false,
            ca_file: None,
            detached: None,
            timeout: PATIENCE,
            notices: Arc::default(),
        }
    }

    /// Uses this directory to find out what kind each host is.
    #[must_use]
    pub fn with_hosts(mut self, hosts: HostDirectory) -> Self {
        self.hosts = hosts;
        self
    }

    /// Trusts the certificates in this file besides the system's, instead of the file that a profile names. Only the default
    /// transport uses it.
    #[must_use]
    pub fn with_ca_file(mut self, path: PathBuf) -> Self {
        self.ca_file = Some(path);
        self
    }

    /// Runs refreshes in a process of their own, so that ending this process does not lose a login.
    #[must_use]
    pub fn with_detached_refresh(mut self, detached: Detached) -> Self {
        self.detached = Some(detached);
        self
    }

    /// Sets how long one check may take in total: 10 seconds by default.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Checks whether the configuration works. Asks a workspace whose token it is, or an account for its workspaces. If the host
    /// refuses, asks the other question: an account's profile may name a workspace, and only administrators may list workspaces.
    /// For an issuer that is not Databricks', the check only shows that a token is stored or can be obtained. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// Returns the error of the first question if neither works, or what prevented asking.
    pub async fn check(&self, subject: &CheckSubject) -> Result<Identity, CheckError> {
        self.within(tokio::time::Instant::now() + self.timeout, self.ask(subject, true)).await
    }

    /// As [`Inspector::check`], for blocking code. Must not be called within an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn check_blocking(&self, subject: &CheckSubject) -> Result<Identity, CheckError> {
        let broken = |error| CheckError::Token(TokenError::Store(StoreFailure::new(error)));
        OwnRuntime::default().block_on(self.check(subject)).map_err(broken)?
    }

    /// Checks what can be checked without a server: whether there is a login or a token, and whether the login is known to have
    /// ended. Reads the store.
    ///
    /// # Errors
    /// Fails if there is no login, if it has ended for good, or if there is nothing to sign in with.
    pub fn check_offline(&self, subject: &CheckSubject) -> Result<(), CheckError> {
        match subject.auth_type() {
            _ if subject.has_login() => {}
            Some("pat") if subject.token.is_none() => return Err(no_token("pat")),
            Some("pat") => return Ok(()),
            Some(other) => return Err(CheckError::Unchecked(Sanitized::new(other))),
            None => return Err(CheckError::NoHost),
        }
        let login = subject.login.as_ref().ok_or(CheckError::NoHost)?;
        let (key, session) = login.found()?.ok_or(CheckError::NoLogin)?;
        let now = crate::clock::now();
        if session.known_expiry().is_none_or(|expiry| expiry > now) {
            return Ok(());
        }
        if session.refresh_token.is_none() {
            return Err(CheckError::Token(TokenError::MissingRefreshToken));
        }
        match login.refusal(&key, &session) {
            Some(refusal) => Err(CheckError::Token(TokenError::Rejected(refusal))),
            None => Ok(()),
        }
    }

    /// Takes the notices that have accumulated, such as a damaged file that was set aside or a token that could not be saved.
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The outcome of `work` by `end`, which was `timeout` away.
    async fn within<T>(
        &self,
        end: tokio::time::Instant,
        work: impl Future<Output = Result<T, CheckError>>,
    ) -> Result<T, CheckError> {
        let late = || Err(CheckError::TimedOut(self.timeout));
        match timeout_at(end, work).await {
            // Requests end at the same time, and which timeout is noticed first is chance.
            Ok(Err(error)) if error.category() == "timeout" => late(),
            Ok(outcome) => outcome,
            Err(_) => late(),
        }
    }

    async fn ask(&self, subject: &CheckSubject, both: bool) -> Result<Identity, CheckError> {
        let end = Instant::now() + self.timeout;
        if subject.is_for_issuer() {
            // No API says more than whether a token can be obtained.
            let (_, expiry) = self.token(subject, None).await?;
            return Ok(Identity { expiry, ..Identity::default() });
        }
        let host = subject.host.as_ref().ok_or(CheckError::NoHost)?;
        let transport = self.transport_to(subject);
        let metadata = self.metadata(host, &transport).await;
        let (token, expiry) = self.token(subject, metadata.as_ref()).await?;
        let own = metadata.as_ref().and_then(|said| said.account_id.as_deref());
        let account = subject.account_id.as_deref().or(own);
        let workspace = subject.workspace_id.as_deref();
        let access = ApiAccess::new(host.clone(), token).with_workspace_id(workspace);
        let api = Api::new(transport, access).until(end);
        let kind = kind(host, account, workspace, metadata.as_ref());
        let first = ask(&api, kind, account).await;
        let found = match (&first, kind) {
            (Err(CheckError::Api(ApiError::Refused(refusal))), _)
                if both && !matches!(refusal.status(), 401 | 429 | 500..) =>
            {
                let other = match kind {
                    CheckKind::Account => CheckKind::Workspace,
                    CheckKind::Workspace => CheckKind::Account,
                };
                ask(&api, other, account).await.or(first)
            }
            _ => first,
        };
        found.map(|found| Identity { expiry, ..found })
    }

    /// A console's name says what it is, so it is not asked.
    async fn metadata(&self, host: &Host, transport: &Arc<dyn Transport>) -> Option<HostMetadata> {
        if host.is_account_console() {
            return None;
        }
        self.hosts.ask_through(host, transport).await
    }

    /// The file of certificates that a subject trusts besides the system's.
    fn ca_file<'a>(&'a self, subject: &'a CheckSubject) -> Option<&'a Path> {
        let file = self.ca_file.as_ref().or(subject.ca_file.as_ref());
        file.filter(|_| self.is_usual_transport).map(PathBuf::as_path)
    }

    /// The transport for requests about a subject.
    fn transport_to(&self, subject: &CheckSubject) -> Arc<dyn Transport> {
        let trusting = self.ca_file(subject).and_then(|file| usual_transport(Some(file)));
        trusting.unwrap_or_else(|| Arc::clone(&self.transport))
    }

    async fn token(
        &self,
        subject: &CheckSubject,
        metadata: Option<&HostMetadata>,
    ) -> Result<(AccessToken, Option<Timestamp>), CheckError> {
        if let Some(token) = &subject.token {
            return Ok((token.clone(), None));
        }
        match (&subject.login, subject.auth_type()) {
            (Some(login), _) => self.token_of(login, metadata, self.ca_file(subject)).await,
            (None, Some("pat")) => Err(no_token("pat")),
            (None, Some(other)) => Err(CheckError::Unchecked(Sanitized::new(other))),
            (None, None) => Err(CheckError::NoHost),
        }
    }

    async fn token_of(
        &self,
        login: &StoredLogin,
        metadata: Option<&HostMetadata>,
        ca_file: Option<&Path>,
    ) -> Result<(AccessToken, Option<Timestamp>), CheckError> {
        let (owned, said, ca_file) =
            (login.clone(), metadata.cloned(), ca_file.map(Path::to_owned));
        let inspector = self.clone();
        // Stores are files and keyrings, so do not wait for them on the thread that all checks share.
        let (auth, stored) = blocking(move || {
            let auth = inspector.auth(&owned, said.as_ref(), ca_file.as_deref())?;
            let stored = auth.blocking().stored().map_err(CheckError::token);
            inspector.hear(&auth);
            Ok((auth, stored?))
        })
        .await?;
        let token = match stored {
            Some(token) => Ok(token),
            None => auth.token().await.map_err(CheckError::token),
        };
        self.hear(&auth);
        token.map(|token| (token.access_token().clone(), token.expiry()))
    }

    fn hear(&self, auth: &PersistentAuth) {
        let notices = auth.take_notices();
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).extend(notices);
    }

    /// The login as `token` would use it, except that it is not renewed ahead of time: a check must not change what it checks.
    fn auth(
        &self,
        login: &StoredLogin,
        metadata: Option<&HostMetadata>,
        ca_file: Option<&Path>,
    ) -> Result<PersistentAuth, CheckError> {
        let choice = login.settled(metadata)?;
        let mut rules = FreshnessRules::default();
        rules.lead = Lifetime::ZERO;
        // A refresh that was sent gets all the time that it needs, whoever waits for it: cutting it short would lose the login.
        let mut builder =
            choice.builder().with_store(login.storage.store().clone()).with_rules(rules);
        builder = ca_file.map(Path::to_owned).into_iter().fold(builder, Builder::with_ca_file);
        if !self.is_usual_transport {
            builder = builder.with_transport(Arc::clone(&self.transport));
        }
        if let Some(detached) = &self.detached {
            builder = builder.with_detached_refresh(detached.clone());
        }
        let broken = |error| CheckError::Token(TokenError::Store(StoreFailure::new(error)));
        builder.build().map_err(broken)
    }
}

async fn ask(api: &Api, kind: CheckKind, account: Option<&str>) -> Result<Identity, CheckError> {
    match kind {
        CheckKind::Workspace => {
            let me = api.me().await.map_err(CheckError::Api)?;
            let user_name = Some(Sanitized::new(&me.user_name));
            Ok(Identity { user_name, ..Identity::default() })
        }
        CheckKind::Account => {
            let id =
                account.and_then(|id| AccountId::parse(id).ok()).ok_or(CheckError::NoAccount)?;
            api.account_workspaces(&id).await.map_err(CheckError::Api)?;
            Ok(Identity { account_id: Some(id.as_str().to_owned()), ..Identity::default() })
        }
    }
}

fn no_token(auth_type: &str) -> CheckError {
    CheckError::NoToken(Sanitized::new(auth_type))
}

/// Runs work that waits for files and keyrings on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    let broken = |error: tokio::task::JoinError| match error.is_panic() {
        true => Err(CheckError::Token(TokenError::Panicked)),
        false => Err(CheckError::Token(TokenError::Unfinished)),
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(broken)
}

#[cfg(test)]
mod tests;
