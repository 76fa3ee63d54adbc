//! Whether a configuration works, and whose it is: for one, and for every profile of a file.

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

/// How long one check may take, unless a program says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a check found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Whose token it is, where a workspace said so.
    pub user_name: Option<Sanitized>,
    /// The account that answered, where it was asked.
    pub account_id: Option<String>,
    /// When the token ends that was used.
    pub expiry: Option<Timestamp>,
}

/// Checks configurations against their hosts. It never opens a browser, and never spends a refresh token while the access
/// token is good. A refresh that takes longer than its check goes on, in a process of its own if there is one
/// ([`Inspector::with_detached_refresh`]), else in this one: [`settle`](crate::process::wait_for_saves) waits for it. Cheap to clone; clones share everything.
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
    /// Whether a process of its own could send what this transport sends.
    is_usual_transport: bool,
    hosts: HostDirectory,
    ca_file: Option<PathBuf>,
    detached: Option<Detached>,
    timeout: Duration,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Inspector {
    /// Asks over the usual transport, and remembers what kind each host is beside the user's logins
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

    /// Asks over a transport of the caller's own, and remembers nothing.
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

    /// Asks these what kind a host is.
    #[must_use]
    pub fn with_hosts(mut self, hosts: HostDirectory) -> Self {
        self.hosts = hosts;
        self
    }

    /// Trusts the certificates in this file besides the system's, where requests leave by the usual transport, in the place of
    /// what a profile names.
    #[must_use]
    pub fn with_ca_file(mut self, path: PathBuf) -> Self {
        self.ca_file = Some(path);
        self
    }

    /// Lets refreshes run in a process of their own, so that nobody who ends this one loses a login.
    #[must_use]
    pub fn with_detached_refresh(mut self, detached: Detached) -> Self {
        self.detached = Some(detached);
        self
    }

    /// Sets how long one check may take, all in all: 10 seconds unless set.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks the host whose token this is, or, if it is an account's, for its workspaces; and if that is refused, the other of
    /// the two: an account's profile may name a workspace, and listing workspaces takes an administrator. Of an issuer that is
    /// not Databricks' it is only known whether there is a token, or a new one is given. Runs within a tokio runtime.
    ///
    /// # Errors
    /// The first of the two, if none of them works; or what is in the way of asking.
    pub async fn check(&self, subject: &CheckSubject) -> Result<Identity, CheckError> {
        self.within(tokio::time::Instant::now() + self.timeout, self.ask(subject, true)).await
    }

    /// As [`Inspector::check`], for plain code. Not to be called within an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn check_blocking(&self, subject: &CheckSubject) -> Result<Identity, CheckError> {
        let broken = |error| CheckError::Token(TokenError::Store(StoreFailure::new(error)));
        OwnRuntime::default().block_on(self.check(subject)).map_err(broken)?
    }

    /// What would be found wrong without asking a server: no login, one that has ended for good, nothing to sign in with.
    /// Reads the store.
    ///
    /// # Errors
    /// That.
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

    /// Takes the notices that have gathered: a damaged file set aside, a token that could not be saved.
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What comes of it by `end`, which was `timeout` away.
    async fn within<T>(
        &self,
        end: tokio::time::Instant,
        work: impl Future<Output = Result<T, CheckError>>,
    ) -> Result<T, CheckError> {
        let late = || Err(CheckError::TimedOut(self.timeout));
        match timeout_at(end, work).await {
            // Requests end at the same time: which of the two is noticed first is chance.
            Ok(Err(error)) if error.category() == "timeout" => late(),
            Ok(outcome) => outcome,
            Err(_) => late(),
        }
    }

    async fn ask(&self, subject: &CheckSubject, both: bool) -> Result<Identity, CheckError> {
        let end = Instant::now() + self.timeout;
        if subject.is_for_issuer() {
            // There is no API that would say more than a token that can be had.
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

    /// A console is what its name says.
    async fn metadata(&self, host: &Host, transport: &Arc<dyn Transport>) -> Option<HostMetadata> {
        if host.is_account_console() {
            return None;
        }
        self.hosts.ask_over(host, transport).await
    }

    /// What a subject trusts besides the system's authorities.
    fn ca_file<'a>(&'a self, subject: &'a CheckSubject) -> Option<&'a Path> {
        let file = self.ca_file.as_ref().or(subject.ca_file.as_ref());
        file.filter(|_| self.is_usual_transport).map(PathBuf::as_path)
    }

    /// What requests about a subject leave by.
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
        // Stores are files and keyrings: they are not waited for on the thread that all the others share.
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

    /// The login as `token` would use it, but that it is not renewed ahead of time: to look must not change what is looked at.
    fn auth(
        &self,
        login: &StoredLogin,
        metadata: Option<&HostMetadata>,
        ca_file: Option<&Path>,
    ) -> Result<PersistentAuth, CheckError> {
        let choice = login.settled(metadata)?;
        let mut rules = FreshnessRules::default();
        rules.lead = Lifetime::ZERO;
        // A refresh that was sent has all the time that it needs, whoever waits for it: cut short, the login would be lost.
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

/// Does what waits for files and keyrings on a thread that may wait.
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
