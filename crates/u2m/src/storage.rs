//! Which store a user's logins are in: by name in the environment or the profile file, else by what this machine has.

mod parts;

use std::path::{Path, PathBuf};
use std::time::Duration;
use u2m_cache::{AutoStore, FileStore, Mirror, NamedStore, Snapshot, StorageMode, StoreError};
use u2m_config::ConfigFile;
use u2m_core::{CacheKey, Host, Sanitized};

use crate::choose::Environment;

/// The variable that names a store for every program that shares logins with Databricks' command line.
const VARIABLE: &str = "DATABRICKS_AUTH_STORAGE";

/// The service that Databricks' own programs keep their items under.
const SERVICE: &str = "databricks-cli";

/// The encrypted file, beside the one that other programs share.
const SEALED: &str = "token-cache.sealed.json";

/// How long one call of the keyring is waited for: 3 seconds, as the reference does. While somebody signs in there is a person
/// who may have to type the keyring's password first.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_OF_PEOPLE: Duration = Duration::from_secs(30);

/// The setting of the same meaning, in `[__settings__]` or in a profile.
const SETTING: &str = "auth_storage";

/// The setting of a profile about the copy of its login under its host's key in the file, for programs that know no profiles:
/// Databricks' CLI before 0.290 and its Go SDK before 0.104. Without it the host's first login has the copy, as Databricks' CLI
/// makes one; `true` takes it over from another profile at the next login, `false` makes none. In other stores it means nothing.
const MIRROR: &str = "mirror_host_key";

/// Where the wish for a store comes from; the first that says something counts.
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
    /// Nobody said anything.
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

/// Which store was asked for, and by whom.
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
    /// Looks at `named`, the program's own argument; the environment; the profile called `profile`; the settings.
    ///
    /// # Errors
    /// One of them names a store that there is not; those after it are not looked at.
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

    /// The kind of store; for a choice that nobody made, the one that is tried first.
    pub fn mode(&self) -> StorageMode {
        self.mode
    }

    /// Who made the choice.
    pub fn source(&self) -> StorageSource {
        self.source
    }

    /// Whether somebody made it: then a new login goes to no other store in its place.
    pub fn is_explicit(&self) -> bool {
        self.source != StorageSource::Default
    }

    /// How much it says of the logins that are there already. What is named for one command is used alone; a setting stays
    /// when a login is moved, and until it follows the record of the move goes before it.
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

/// A user's stores, by the user's choice.
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
    /// Chooses as [`StorageChoice::of`] does. Nothing is read, created or asked yet.
    ///
    /// # Errors
    /// A store is named that there is not, or the home folder is not known.
    pub fn open(
        named: Option<&str>,
        around: &Environment<'_>,
        profile: Option<&str>,
    ) -> Result<Self, StorageError> {
        Self::open_for(PATIENCE, named, around, profile)
    }

    /// As [`Storage::open`], for a command with a person before it: a prompt of the keyring is waited for.
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

    /// The stores of the user whose process this is, for a login of `profile`. A profile file that cannot be read has no say
    /// here: whoever needs it reports it.
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

    /// The same, for a login at an issuer that is not Databricks': no copy is made under its host's key.
    ///
    /// ```no_run
    /// let storage = u2m::store::Storage::for_user(Some("idp"))?.for_issuer();
    /// # Ok::<(), u2m::store::StorageError>(())
    /// ```
    #[must_use]
    pub fn for_issuer(self) -> Self {
        Self { store: self.store.without_mirrors(), rivals: Vec::new(), ..self }
    }

    /// Who chose what.
    pub fn choice(&self) -> StorageChoice {
        self.choice
    }

    /// All of the stores in one.
    pub fn store(&self) -> &AutoStore {
        &self.store
    }

    /// The file that other programs share; the locks of all logins stand beside it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The other profiles of this host that ask for the copy under its key as well (`mirror_host_key = true`), where this
    /// storage's profile does. There is one copy, and a login of any of them moves it.
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

    /// What `auth_storage` in `[__settings__]` is to say after a new login of `key`, so that every program looks for it where it
    /// is from now on. `None` if somebody made a choice: that one stays as it is, and one for a single command stays one.
    pub fn to_pin(&self, key: &CacheKey) -> Option<StorageMode> {
        self.store.landing(key).filter(|_| !self.choice.is_explicit())
    }

    /// Where a kind of store keeps its logins, in words; `path` shows a path.
    pub fn location(&self, mode: StorageMode, path: &dyn Fn(&Path) -> String) -> String {
        match mode {
            StorageMode::Plaintext => path(&self.file),
            StorageMode::Secure => format!("OS keyring (service: {SERVICE})"),
            StorageMode::Encrypted => path(&self.file.with_file_name(SEALED)),
        }
    }

    /// Where a login is recorded to be, whatever was chosen.
    pub fn home(&self, key: &CacheKey) -> Option<StorageMode> {
        self.store.home(key)
    }

    /// The store that a login is used from by `choice`, which may be another one's than that of this storage. `None`: nobody
    /// chose, and nobody knows of such a login.
    pub fn place(&self, key: &CacheKey, choice: StorageChoice) -> Option<StorageMode> {
        match choice.naming() == self.store.naming() {
            true => self.store.place(key),
            false => self.store.clone().with_naming(choice.naming()).place(key),
        }
    }

    /// Looks at many logins together, to tell what is stored and where: files are read once for all of them.
    pub fn snapshot(&self, keys: impl IntoIterator<Item = CacheKey>) -> Snapshot {
        self.store.snapshot(keys)
    }
}

/// The file, with a copy of the profile's login under its host's key, unless the profile does not wish it. No program looks for
/// a login at another issuer there.
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

/// The other profiles of the host of `profile` that ask for its copy, where that one does.
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

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The words are the reference's.
    #[error("{place}: unknown storage mode \"{text}\" (want plaintext, secure or encrypted)")]
    UnknownMode {
        /// Which variable or setting names it.
        place: &'static str,
        /// The name.
        text: Sanitized,
    },
    /// The store itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}
