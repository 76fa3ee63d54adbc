//! Decides which store a user's logins are in: the one that the environment or the profile file names, or else what this machine
//! has.

mod parts;

use std::path::{Path, PathBuf};
use std::time::Duration;
use u2m_cache::{AutoStore, FileStore, Mirror, NamedStore, Snapshot, StorageMode, StoreError};
use u2m_config::ConfigFile;
use u2m_core::{CacheKey, Host, Sanitized};

use crate::choose::Environment;

/// The variable that names a store for every program that shares logins with Databricks' CLI.
const VARIABLE: &str = "DATABRICKS_AUTH_STORAGE";

/// The keyring service under which Databricks' own programs keep their items.
const SERVICE: &str = "databricks-cli";

/// The encrypted file, beside the file that other programs share.
const SEALED: &str = "token-cache.sealed.json";

/// How long to wait for one keyring call: 3 seconds, as Databricks' CLI does. During a sign-in the wait is longer, because the
/// person may have to type the keyring's password first.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_OF_PEOPLE: Duration = Duration::from_secs(30);

/// The setting with the same meaning, in `[__settings__]` or in a profile.
const SETTING: &str = "auth_storage";

/// A profile's setting for the copy of its login under its host's key in the file, which serves programs without profiles:
/// Databricks' CLI before 0.290 and its Go SDK before 0.104. By default the host's first login has the copy, as in Databricks'
/// CLI. `true` takes it over from another profile at the next login; `false` makes no copy. Other stores ignore the setting.
const MIRROR: &str = "mirror_host_key";

/// Where the choice of a store comes from. The first source that names one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageSource {
    /// The program's own argument.
    Override,
    /// `DATABRICKS_AUTH_STORAGE`.
    Environment,
    /// `auth_storage` in the profile.
    Profile,
    /// `auth_storage` in `[__settings__]`.
    Settings,
    /// No source named a store.
    Default,
}

impl StorageSource {
    /// The source in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Override => "command-line override",
            Self::Environment => "DATABRICKS_AUTH_STORAGE environment variable",
            Self::Profile => "auth_storage of the profile in the config file",
            Self::Settings => "auth_storage in [__settings__] section of config file",
            Self::Default => "default",
        }
    }
}

/// Which store was chosen, and by which source.
///
/// ```
/// use u2m::config::{ConfigFile, Environment};
/// use u2m::store::{StorageChoice, StorageMode, StorageSource};
/// let config = ConfigFile::parse("[__settings__]\nauth_storage = plaintext\n")?;
/// let around = Environment { env: &|_| None, config: &config };
/// let choice = StorageChoice::of(None, &around, None)?;
/// assert_eq!((choice.mode(), choice.source()), (StorageMode::Plaintext, StorageSource::Settings));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageChoice {
    mode: StorageMode,
    source: StorageSource,
}

impl StorageChoice {
    /// Chooses a store. Checks in this order: `named`, the program's own argument; the environment; the profile called
    /// `profile`; the settings.
    ///
    /// # Errors
    /// Fails if the first of them that is set names an unknown store. The later ones are not checked.
    pub fn of(
        named: Option<&str>,
        around: &Environment<'_>,
        profile: Option<&str>,
    ) -> Result<Self, StorageError> {
        let variable = u2m_config::variable(around.env, VARIABLE);
        let variable = variable.map(|value| value.to_string_lossy().into_owned());
        let own = || {
            profile
                .and_then(|name| around.config.get(name, SETTING))
                .filter(|text| !text.is_empty())
        };
        let (text, source) = match (named, variable) {
            (Some(text), _) => (text.to_owned(), StorageSource::Override),
            (None, Some(text)) => (text, StorageSource::Environment),
            (None, None) => match (own(), around.config.setting(SETTING)) {
                (Some(text), _) => (text.to_owned(), StorageSource::Profile),
                (None, Some(text)) => (text.to_owned(), StorageSource::Settings),
                (None, None) => {
                    return Ok(Self { mode: StorageMode::Secure, source: StorageSource::Default });
                }
            },
        };
        match StorageMode::parse(&text) {
            Some(mode) => Ok(Self { mode, source }),
            None => {
                let place = if source == StorageSource::Environment { VARIABLE } else { SETTING };
                Err(StorageError::UnknownMode { place, text: Sanitized::new(&text) })
            }
        }
    }

    /// The kind of store. If no source named one, this is the kind that is tried first.
    pub fn mode(&self) -> StorageMode {
        self.mode
    }

    /// The source that made the choice.
    pub fn source(&self) -> StorageSource {
        self.source
    }

    /// Whether a source named the store. If so, a new login never goes to another store instead.
    pub fn is_explicit(&self) -> bool {
        self.source != StorageSource::Default
    }

    /// How far the choice applies to logins that exist already. A store that is named for one command is used alone. A setting
    /// yields to the record of where a login was moved, until the setting is updated.
    ///
    /// ```
    /// use u2m::config::{ConfigFile, Environment};
    /// use u2m::store::{NamedStore, StorageChoice, StorageMode};
    /// let config = ConfigFile::parse("[__settings__]\nauth_storage = plaintext\n")?;
    /// let around = Environment { env: &|_| None, config: &config };
    /// let naming = |word| StorageChoice::of(word, &around, None).map(|choice| choice.naming());
    /// assert_eq!(naming(None)?, NamedStore::First(StorageMode::Plaintext));
    /// assert_eq!(naming(Some("secure"))?, NamedStore::Alone(StorageMode::Secure));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn naming(&self) -> NamedStore {
        match self.source {
            StorageSource::Override | StorageSource::Environment => NamedStore::Alone(self.mode),
            StorageSource::Profile | StorageSource::Settings => NamedStore::First(self.mode),
            StorageSource::Default => NamedStore::Nothing,
        }
    }
}

/// A user's stores, combined by the user's choice.
///
/// ```
/// use u2m::config::{ConfigFile, Environment};
/// use u2m::store::{Storage, TokenStore};
/// # let folder = tempfile::tempdir()?;
/// let home = folder.path().as_os_str().to_owned();
/// let env = |name: &str| (name == "HOME" || name == "USERPROFILE").then(|| home.clone());
/// let config = ConfigFile::parse("[__settings__]\nauth_storage = plaintext\n")?;
/// let storage = Storage::open(None, &Environment { env: &env, config: &config }, None)?;
/// assert!(storage.store().keys()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Storage {
    choice: StorageChoice,
    store: AutoStore,
    file: PathBuf,
    rivals: Vec<String>,
}

impl Storage {
    /// Opens the stores by the choice of [`StorageChoice::of`]. Reads, creates and asks nothing yet.
    ///
    /// # Errors
    /// Fails if an unknown store is named, or if the home folder is not known.
    pub fn open(
        named: Option<&str>,
        around: &Environment<'_>,
        profile: Option<&str>,
    ) -> Result<Self, StorageError> {
        Self::open_for(PATIENCE, named, around, profile)
    }

    /// As [`Storage::open`], for a command with a person at the terminal: it waits while the keyring prompts.
    ///
    /// # Errors
    /// As there.
    pub fn open_with_person(
        named: Option<&str>,
        around: &Environment<'_>,
        profile: Option<&str>,
    ) -> Result<Self, StorageError> {
        Self::open_for(PATIENCE_OF_PEOPLE, named, around, profile)
    }

    fn open_for(
        patience: Duration,
        named: Option<&str>,
        around: &Environment<'_>,
        profile: Option<&str>,
    ) -> Result<Self, StorageError> {
        let choice = StorageChoice::of(named, around, profile)?;
        let file = mirrored(FileStore::from_env(around.env)?, around, profile)?;
        let path = file.path().to_owned();
        let store = parts::all(file, around, patience);
        let rivals = rivals(around.config, profile);
        Ok(Self { choice, store: store.with_naming(choice.naming()), file: path, rivals })
    }

    /// Opens the stores of the user who runs this process, for a login of `profile`. A profile file that cannot be read is
    /// ignored here; the code that needs it reports the error.
    ///
    /// # Errors
    /// As [`Storage::open`].
    ///
    /// ```no_run
    /// let storage = u2m::store::Storage::for_user(None)?;
    /// println!("{}", storage.choice().mode());
    /// # Ok::<(), u2m::store::StorageError>(())
    /// ```
    pub fn for_user(profile: Option<&str>) -> Result<Self, StorageError> {
        let env = |name: &str| std::env::var_os(name);
        let config = u2m_config::locate(&env).and_then(ConfigFile::read);
        let config = config.or_else(|_| ConfigFile::parse("").map_err(|_| StoreError::NoHome))?;
        Self::open(None, &Environment { env: &env, config: &config }, profile)
    }

    /// The same stores for a login at an issuer that is not Databricks': no copy is made under a host's key.
    ///
    /// ```no_run
    /// let storage = u2m::store::Storage::for_user(Some("idp"))?.for_issuer();
    /// # Ok::<(), u2m::store::StorageError>(())
    /// ```
    #[must_use]
    pub fn for_issuer(self) -> Self {
        Self { store: self.store.without_mirrors(), rivals: Vec::new(), ..self }
    }

    /// The choice, and who made it.
    pub fn choice(&self) -> StorageChoice {
        self.choice
    }

    /// All of the stores behind one interface.
    pub fn store(&self) -> &AutoStore {
        &self.store
    }

    /// The file that other programs share. The locks of all logins are beside it.
    pub fn shared_file(&self) -> &Path {
        &self.file
    }

    /// The other profiles of this host that also ask for the copy under its key (`mirror_host_key = true`), if this storage's
    /// profile does. There is only one copy, and a login of any of them moves it.
    ///
    /// ```
    /// # use u2m::config::{ConfigFile, Environment};
    /// # use u2m::store::Storage;
    /// let text = "[dev]\nhost = a.example\nmirror_host_key = true\n[prod]\nhost = a.example\nmirror_host_key = true\n";
    /// let (config, env) = (ConfigFile::parse(text)?, |name: &str| (name == "U2M_TOKEN_CACHE").then(|| "/t.json".into()));
    /// let storage = Storage::open(None, &Environment { env: &env, config: &config }, Some("dev"))?;
    /// assert_eq!(storage.mirror_rivals(), ["prod"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mirror_rivals(&self) -> &[String] {
        &self.rivals
    }

    /// The value that `auth_storage` in `[__settings__]` should get after a new login of `key`, so that every program looks for
    /// the login where it now is. `None` if the store was chosen explicitly: that choice is left as it is.
    pub fn to_pin(&self, key: &CacheKey) -> Option<StorageMode> {
        self.store.landing(key).filter(|_| !self.choice.is_explicit())
    }

    /// Describes where a kind of store keeps its logins; `path` formats a path.
    pub fn location(&self, mode: StorageMode, path: &dyn Fn(&Path) -> String) -> String {
        match mode {
            StorageMode::Plaintext => path(&self.file),
            StorageMode::Secure => format!("OS keyring (service: {SERVICE})"),
            StorageMode::Encrypted => path(&self.file.with_file_name(SEALED)),
        }
    }

    /// Returns the store that a login is recorded in, whatever was chosen.
    pub fn home(&self, key: &CacheKey) -> Option<StorageMode> {
        self.store.home(key)
    }

    /// Returns the store that a login is used from under `choice`, which may differ from this storage's own choice. `None` if no
    /// store was chosen and no such login is known.
    pub fn place(&self, key: &CacheKey, choice: StorageChoice) -> Option<StorageMode> {
        match choice.naming() == self.store.naming() {
            true => self.store.place(key),
            false => self.store.clone().with_naming(choice.naming()).place(key),
        }
    }

    /// Reads many logins at once, to report what is stored and where. Each file is read only once.
    pub fn snapshot(&self, keys: impl IntoIterator<Item = CacheKey>) -> Snapshot {
        self.store.snapshot(keys)
    }
}

/// The file, with a copy of the profile's login under its host's key unless the profile turns that off. A login at another
/// issuer gets no copy, because no program would look for it there.
fn mirrored(
    file: FileStore,
    around: &Environment<'_>,
    profile: Option<&str>,
) -> Result<FileStore, StoreError> {
    let Some(name) = profile else { return Ok(file) };
    if around.config.profile(name).is_some_and(|profile| profile.issuer().is_some()) {
        return Ok(file);
    }
    let to_host = Mirror::to_host_of_login();
    let mirror = match mirror_setting(around.config, name).as_deref() {
        Some("true") => to_host.taking_over(),
        Some("false") => Mirror::none(),
        _ => to_host.where_free(),
    };
    file.with_mirror(CacheKey::new(name), mirror)
}

fn mirror_setting(config: &ConfigFile, profile: &str) -> Option<String> {
    config.get(profile, MIRROR).map(str::to_ascii_lowercase)
}

/// The other profiles on the host of `profile` that ask for the copy, if that profile does.
fn rivals(config: &ConfigFile, profile: Option<&str>) -> Vec<String> {
    let asks = |name: &str| mirror_setting(config, name).as_deref() == Some("true");
    let named = profile.and_then(|name| config.profile(name)).filter(|named| asks(named.name()));
    let Some((named, host)) = named.and_then(|named| {
        let (host, _) = named.host().and_then(|host| Host::typed(host).ok())?;
        Some((named, host))
    }) else {
        return Vec::new();
    };
    let others = config.profiles_on(&host).into_iter().filter(|other| {
        other.name() != named.name()
            && other.account_id() == named.account_id()
            && asks(other.name())
    });
    others.map(|other| other.name().to_owned()).collect()
}

/// Why the stores could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A store that does not exist was named. The wording is that of Databricks' CLI.
    #[error("{place}: unknown storage mode \"{text}\" (want plaintext, secure or encrypted)")]
    UnknownMode {
        /// The variable or setting that names it.
        place: &'static str,
        /// The name.
        text: Sanitized,
    },
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
