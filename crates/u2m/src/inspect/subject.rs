//! The subject of a check: a configuration, reduced to a host and a way to get a token.

use super::error::CheckError;
use crate::choose::{Environment, TargetArgs, TokenChoice, choose_for_token};
use crate::storage::Storage;
use std::path::PathBuf;
use std::sync::Arc;
use u2m_cache::{Snapshot, StorageMode, TokenStore};
use u2m_config::Resolved;
use u2m_core::{
    AccessToken, CacheKey, ErrorResponse, Host, HostMetadata, RefreshFailureKind, Sanitized,
    Session, StoreFailure, Timestamp, TokenError, UnverifiedClaims,
};

/// The auth type of a login to an issuer that is not Databricks'.
pub(crate) const ISSUER: &str = "u2m-issuer";

/// A configuration that is ready to be checked. It owns all its data and may hold a secret, which it never shows.
#[derive(Clone, Debug)]
pub struct CheckSubject {
    pub(super) host: Option<Host>,
    pub(super) account_id: Option<String>,
    pub(super) workspace_id: Option<String>,
    pub(super) auth_type: Option<String>,
    /// A personal access token.
    pub(super) token: Option<AccessToken>,
    pub(super) login: Option<StoredLogin>,
    /// A file of certificates that its profile trusts besides the system's.
    pub(super) ca_file: Option<PathBuf>,
}

/// Where to find a person's login.
#[derive(Clone, Debug)]
pub(super) struct StoredLogin {
    pub(super) choice: TokenChoice,
    pub(super) storage: Storage,
    /// What was read of it together with other logins.
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

/// What is known of a stored login without contacting a server, except its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginFacts {
    /// The key that it is stored under.
    pub key: CacheKey,
    /// The kind of store that it is in.
    pub storage: StorageMode,
    /// When its access token expires, if known.
    pub expiry: Option<Timestamp>,
    /// The scopes that it was granted or that its token names; empty if neither is known.
    pub scopes: Vec<Sanitized>,
    /// The issuer that the login or its token names.
    pub issuer: Option<Sanitized>,
    /// The subject that its token names; unverified.
    pub subject: Option<Sanitized>,
    /// Whether it can be renewed without signing in again.
    pub is_refreshable: bool,
    /// Whether its server has permanently refused to renew it, as far as that was recorded.
    pub is_ended: bool,
    /// When its access token was issued, if u2m recorded that.
    pub issued_at: Option<Timestamp>,
}

impl CheckSubject {
    /// Reads a configuration; `around` says where logins are kept. Sends no request and opens no store yet.
    ///
    /// ```
    /// use u2m::check::CheckSubject;
    /// use u2m::config::{ConfigFile, Environment, SelectionArgs, resolve};
    /// # let folder = tempfile::tempdir()?;
    /// # let home = folder.path().as_os_str().to_owned();
    /// let config = ConfigFile::parse("[dev]\nhost = https://a.example\ntoken = secret\n")?;
    /// let env = |name: &str| (name == "HOME" || name == "USERPROFILE").then(|| home.clone());
    /// let given = SelectionArgs { profile: Some("dev"), ..SelectionArgs::default() };
    /// let resolved = resolve(&given, &|_| None, &config, "cfg".as_ref())?;
    /// let subject = CheckSubject::of(&resolved, &Environment { env: &env, config: &config })?;
    /// assert_eq!(subject.auth_type(), Some("pat"));
    /// assert!(!format!("{subject:?}").contains("secret"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Fails if the configuration means a login and it is ambiguous which one, or where it is kept.
    pub fn of(resolved: &Resolved, around: &Environment<'_>) -> Result<Self, CheckError> {
        let text = |key: &str| resolved.get(key).map(str::to_owned);
        // If other credentials are configured, a stored login does not count: programs use the credentials.
        let auth_type = resolved.auth_type(false).map(str::to_owned);
        let mut subject = Self {
            host: resolved.host().cloned(),
            account_id: text("account_id"),
            workspace_id: text("workspace_id"),
            token: resolved
                .get("token")
                .filter(|_| auth_type.as_deref() == Some("pat"))
                .map(AccessToken::new),
            auth_type,
            login: None,
            ca_file: None,
        };
        let profile = resolved.profile().and_then(|named| around.config.profile(named.name()));
        subject.ca_file = profile.as_ref().and_then(|profile| profile.ca_file()).map(PathBuf::from);
        if profile.is_some_and(|profile| profile.issuer().is_some()) {
            // It needs no host, and a token in the environment is not its own.
            subject.token = None;
            subject.auth_type = Some(ISSUER.to_owned());
        }
        if subject.has_login() {
            subject.login = Some(login(&subject, resolved, around)?);
        }
        Ok(subject)
    }

    /// Whether it means a person's login, rather than a credential of its own.
    pub(super) fn has_login(&self) -> bool {
        matches!(self.auth_type(), Some("databricks-cli" | ISSUER))
    }

    /// Whether it is for an issuer that is not Databricks', so that there is no API to ask.
    pub(super) fn is_for_issuer(&self) -> bool {
        self.auth_type() == Some(ISSUER)
    }

    /// The auth type, if there is one.
    pub fn auth_type(&self) -> Option<&str> {
        self.auth_type.as_deref()
    }

    /// The host to ask.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Returns what is known of the login without contacting a server. `None` if no login is stored or none is meant. Reads the
    /// store.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn facts(&self) -> Result<Option<LoginFacts>, CheckError> {
        match &self.login {
            Some(login) => login.facts(),
            None => Ok(None),
        }
    }

    /// The stores of the login, if one is meant.
    pub fn storage(&self) -> Option<&Storage> {
        self.login.as_ref().map(|login| &login.storage)
    }
}

fn login(
    subject: &CheckSubject,
    resolved: &Resolved,
    around: &Environment<'_>,
) -> Result<StoredLogin, CheckError> {
    let said = TargetArgs::of(resolved, around.config);
    let storage = Storage::open(None, around, said.profile.as_deref());
    let storage = storage.map_err(|error| CheckError::storage(&error))?;
    if said.host.is_none() && !subject.is_for_issuer() {
        return Err(CheckError::NoHost);
    }
    // The environment was already considered when the configuration was resolved.
    let around = Environment { env: &|_| None, config: around.config };
    let choice = choose_for_token(&said, &around).map_err(CheckError::Choose)?;
    Ok(StoredLogin { choice, storage, snapshot: None })
}

impl StoredLogin {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, CheckError> {
        let failed = |error| CheckError::Token(TokenError::Store(StoreFailure::new(error)));
        let store = self.storage.store();
        match &self.snapshot {
            Some(snapshot) => snapshot.load(key, store.naming()),
            None => store.load(key),
        }
        .map_err(failed)
    }

    /// The keys that the login may be stored under. If an account is named, a host that serves accounts uses another key; the
    /// host's own key is used if the profile has no login.
    pub(super) fn keys(&self) -> impl Iterator<Item = CacheKey> {
        let own = [self.choice.target.cache_key()];
        self.choice.other_key().into_iter().chain(own).chain(self.choice.host_fallback_key())
    }

    /// Returns the login and its key.
    pub(super) fn found(&self) -> Result<Option<(CacheKey, Session)>, CheckError> {
        for key in self.keys() {
            if let Some(session) = self.load(&key)? {
                return Ok(Some((key, session)));
            }
        }
        Ok(None)
    }

    /// Decides the target by what is stored, or else by the host's metadata.
    pub(super) fn settled(
        &self,
        metadata: Option<&HostMetadata>,
    ) -> Result<TokenChoice, CheckError> {
        let choice = self.choice.clone();
        if !choice.is_open() {
            return Ok(choice);
        }
        let Some((key, session)) = self.found()? else { return Ok(choice) };
        let is_unified = Some(key) == choice.other_key()
            || session.binding.as_ref().is_some_and(|binding| binding.account_id.is_some());
        Ok(match (is_unified, session.binding, metadata) {
            (true, ..) => choice.as_unified(),
            (false, None, Some(metadata)) => choice.settled_by(metadata),
            _ => choice,
        })
    }

    /// Whether everything to report is known already, so that no store has to be read.
    pub(super) fn is_at_hand(&self) -> bool {
        let Some(snapshot) = &self.snapshot else { return false };
        self.keys().all(|key| snapshot.is_at_hand(&key, self.storage.store().naming()))
    }

    /// When the access token expires, and the kind of store that the login is in.
    pub(super) fn end_and_place(
        &self,
    ) -> Result<Option<(Option<Timestamp>, StorageMode)>, CheckError> {
        Ok(self.found()?.map(|(key, session)| (session.known_expiry(), self.place(&key))))
    }

    /// The recorded reason why its server has ended it, if any.
    pub(super) fn refusal(&self, key: &CacheKey, session: &Session) -> Option<ErrorResponse> {
        let refresh_failure = self.storage.store().remembered(key)?;
        match &refresh_failure.kind {
            RefreshFailureKind::Rejected(refusal) if refresh_failure.is_final_for(session) => {
                Some(refusal.clone())
            }
            _ => None,
        }
    }

    fn facts(&self) -> Result<Option<LoginFacts>, CheckError> {
        Ok(self.found()?.map(|(key, session)| self.tell(key, &session)))
    }

    fn tell(&self, key: CacheKey, session: &Session) -> LoginFacts {
        let claims = UnverifiedClaims::read(session.access_token.expose()).unwrap_or_default();
        let binding = session.binding.as_ref();
        let issuer = binding.map(|binding| Sanitized::new(&binding.issuer));
        let granted = binding.and_then(|binding| binding.scopes.as_ref());
        let is_ended = self.refusal(&key, session).is_some();
        let scopes = match granted {
            Some(granted) => granted.iter().map(Sanitized::new).collect(),
            None => claims.scopes.iter().map(|scope| Sanitized::new(scope)).collect(),
        };
        LoginFacts {
            storage: self.place(&key),
            key,
            expiry: session.known_expiry(),
            scopes,
            issuer: issuer.or_else(|| claims.shown_issuer()),
            subject: claims.sub.as_deref().map(Sanitized::new),
            is_refreshable: session.refresh_token.is_some() && !is_ended,
            is_ended,
            issued_at: session.issued_at.or(claims.iat),
        }
    }

    /// The kind of store that the login is in.
    fn place(&self, key: &CacheKey) -> StorageMode {
        let choice = self.storage.choice();
        let place = match &self.snapshot {
            Some(snapshot) => snapshot.place(key, choice.naming()),
            None => self.storage.place(key, choice),
        };
        place.unwrap_or(choice.mode())
    }
}
