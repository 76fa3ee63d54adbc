//! Opens a saved profile in one call.

use crate::builder::{BuildError, Builder};
use crate::choose::{Environment, TargetArgs, choose_for_token};
use crate::persistent::PersistentAuth;
use crate::storage::{Storage, StorageError};
use u2m_config::{ChooseError, ConfigError, ConfigFile};

impl PersistentAuth {
    /// Opens the login of a saved profile, as `u2m token --profile` does: with the profile from the user's `.databrickscfg`, its
    /// store, its scopes and its certificate file. No request is sent. Whether there is a login shows when the first token is
    /// requested.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let auth = u2m::PersistentAuth::for_profile("dev")?;
    /// let token = auth.token().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`OpenError`] says which part is at fault.
    pub fn for_profile(name: &str) -> Result<Self, OpenError> {
        let env = |name: &str| std::env::var_os(name);
        let config = u2m_config::locate(&env).and_then(ConfigFile::read)?;
        let builder = Builder::for_profile(name, &Environment { env: &env, config: &config })?;
        Ok(builder.build()?)
    }
}

impl Builder {
    /// Starts from a saved profile, so that more can be set: a limit for callers' waits, a transport, a `Person`.
    ///
    /// ```
    /// use u2m::Builder;
    /// use u2m::config::{ConfigFile, Environment};
    /// # let folder = tempfile::tempdir()?;
    /// # let home = folder.path().as_os_str().to_owned();
    /// # let env = |name: &str| (name == "HOME" || name == "USERPROFILE").then(|| home.clone());
    /// let config = ConfigFile::parse("[dev]\nhost = https://a.example\n")?;
    /// let around = Environment { env: &env, config: &config };
    /// let builder = Builder::for_profile("dev", &around)?.with_wait(std::time::Duration::from_secs(5));
    /// assert_eq!(builder.build()?.cache_key().as_str(), "dev");
    /// assert!(Builder::for_profile("dve", &around).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Fails if there is no such profile, if it is not one that a person signs in with, or if the store that it names cannot be
    /// opened.
    pub fn for_profile(name: &str, around: &Environment<'_>) -> Result<Self, OpenError> {
        // An empty name means no profile; it does not stand for the default one.
        around.config.named(name)?;
        let said = TargetArgs { profile: Some(name.to_owned()), ..TargetArgs::default() };
        let choice = choose_for_token(&said, around)?;
        let storage = Storage::open(None, around, Some(name))?;
        let storage = match choice.target.issuer_id() {
            Some(_) => storage.for_issuer(),
            None => storage,
        };
        let choice = choice.settled_in(storage.store(), |_| None);
        Ok(choice.builder().with_store(storage.store().clone()))
    }
}

/// Why a saved profile cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The profile was read, but does not describe a usable login.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is no such profile, it is ambiguous, or it holds a machine's credentials.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The profile file cannot be found or read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store of the login cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
