//! A saved profile, opened in one call.

use crate::builder::{BuildError, Builder};
use crate::choose::{Environment, TargetArgs, choose_for_token};
use crate::persistent::PersistentAuth;
use crate::storage::{Storage, StorageError};
use u2m_config::{ChooseError, ConfigError, ConfigFile};

impl PersistentAuth {
    /// Opens the login of a saved profile, as `u2m token --profile` does: the profile of the user's `.databrickscfg`, the store that
    /// it is kept in, its scopes, its file of certificates. Nothing is asked or connected, and whether there is a login shows with the
    /// first token.
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
    /// [`OpenError`], by what is at fault.
    pub fn for_profile(name: &str) -> Result<Self, OpenError> {
        let env = |name: &str| std::env::var_os(name);
        let config = u2m_config::locate(&env).and_then(ConfigFile::read)?;
        let builder = Builder::for_profile(name, &Environment { env: &env, config: &config })?;
        Ok(builder.build()?)
    }
}

impl Builder {
    /// Begins with a saved profile, to say more: a caller's wait, a transport, a person.
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
    /// There is no such profile, or it is not one that a person signs in with; or the store that it names cannot be had.
    pub fn for_profile(name: &str, around: &Environment<'_>) -> Result<Self, OpenError> {
        // An empty name is nobody's, and no word for the default.
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
    /// The profile is described, and not as one of a login.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is no such profile, or it is not clear what it means, or a machine signs in with it.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The profile file cannot be found or read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store of its login cannot be had.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
