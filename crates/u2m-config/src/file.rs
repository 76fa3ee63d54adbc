//! The profile file, read once and looked at as often as needed.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use u2m_core::Host;

use crate::rules::is_for_secret;
use crate::syntax::{ItemKind, KeyValue, Scanner};
use crate::{ConfigError, Profile, SyntaxError, disk, in_place};

/// The section that holds settings and can never be a profile.
pub const SETTINGS: &str = "__settings__";

/// The largest file that is read, in bytes.
pub const SIZE_LIMIT: usize = 1 << 20;

/// How long a reader waits for a write in place, which a file that is mounted by itself needs.
const MENDING: Duration = Duration::from_secs(10);

/// The section of keys that stand before any header.
pub(crate) const DEFAULT: &str = "DEFAULT";

/// The content of a profile file.
///
/// Sections of one name count as one and the last value of a key wins. Keys before any header
/// belong to `DEFAULT`. Names and keys are case-sensitive.
///
/// ```
/// let file = u2m_config::ConfigFile::parse("[dev]\nhost = 'https://a.example' # mine\n")?;
/// assert_eq!(file.get("dev", "host"), Some("https://a.example"));
/// # Ok::<(), u2m_config::SyntaxError>(())
/// ```
pub struct ConfigFile {
    text: String,
    blocks: Vec<SectionBlock>,
    pairs: Vec<KeyValue>,
    missing: bool,
    /// Where it was read from.
    path: Option<PathBuf>,
    /// The blocks in the order of their names, and those of one name in the order of the file: once it is known, none is
    /// looked for among all.
    order: OnceLock<Vec<usize>>,
    /// Where in that order the section begins that was looked for last: most often it is looked for again.
    last: AtomicUsize,
}

/// A header and the pairs below it.
struct SectionBlock {
    /// `None` before the first header.
    name: Option<Range<usize>>,
    pairs: Range<usize>,
}

impl ConfigFile {
    /// Reads the file at `path`, which [`locate`](crate::locate) finds. A file that does not exist
    /// reads as one without profiles. It takes three stats, one open, one read and one close; more where a write in place was
    /// cut off, which is undone.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Malformed`], [`ConfigError::TooLarge`] beyond [`SIZE_LIMIT`], or
    /// [`ConfigError::Io`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// let file = u2m_config::ConfigFile::read(folder.path().join("nothing-here"))?;
    /// assert!(file.is_missing() && file.profiles().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        in_place::mend(path, MENDING);
        match disk::read(path)? {
            None => Ok(Self {
                text: String::new(),
                blocks: Vec::new(),
                pairs: Vec::new(),
                missing: true,
                path: Some(path.to_owned()),
                order: OnceLock::new(),
                last: AtomicUsize::new(0),
            }),
            Some(found) => {
                let file = Self::of_bytes(found.bytes, path)?;
                Ok(Self { path: Some(path.to_owned()), ..file })
            }
        }
    }

    pub(crate) fn of_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, ConfigError> {
        String::from_utf8(bytes)
            .map_err(|error| {
                SyntaxError::not_utf8(error.as_bytes(), error.utf8_error().valid_up_to())
            })
            .and_then(Self::parse)
            .map_err(|source| ConfigError::Malformed { path: path.to_owned(), source })
    }

    /// Takes the text of a profile file.
    ///
    /// # Errors
    ///
    /// One malformed line makes the whole text unusable, as it does for every other reader.
    ///
    /// ```
    /// let error = u2m_config::ConfigFile::parse("[dev]\nnonsense\n").unwrap_err();
    /// assert_eq!(error.to_string(), "line 2: there is no = between key and value");
    /// ```
    pub fn parse(text: impl Into<String>) -> Result<Self, SyntaxError> {
        let text = text.into();
        let mut blocks = vec![SectionBlock { name: None, pairs: 0..0 }];
        let mut pairs = Vec::new();
        for item in Scanner::new(&text) {
            match item?.kind {
                ItemKind::Blank | ItemKind::Comment => {}
                ItemKind::Header { name } => {
                    blocks.push(SectionBlock { name: Some(name), pairs: pairs.len()..pairs.len() })
                }
                ItemKind::Pair(pair) => {
                    pairs.push(pair);
                    if let Some(block) = blocks.last_mut() {
                        block.pairs.end = pairs.len();
                    }
                }
            }
        }
        let (order, last) = (OnceLock::new(), AtomicUsize::new(0));
        Ok(Self { text, blocks, pairs, missing: false, path: None, order, last })
    }

    /// Where it was read from; `None` of a text.
    ///
    /// ```
    /// assert!(u2m_config::ConfigFile::parse("")?.path().is_none());
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether there was no file to read.
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// The value of a key in a section, empty ones included. No section inherits from another.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.blocks_of(section)
            .rev()
            .flat_map(|block| self.pairs[block.pairs.clone()].iter().rev())
            .find(|pair| &self.text[pair.key.clone()] == key)
            .map(|pair| pair.value.text(&self.text))
    }

    /// A value of `[__settings__]`; an empty one counts as unset.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.get(SETTINGS, key).filter(|value| !value.is_empty())
    }

    /// The profile of that exact name: any section with at least one key, except `__settings__`.
    ///
    /// ```
    /// let file = u2m_config::ConfigFile::parse("[__settings__]\nhost = x\n[a]\naccount_id = 1\n")?;
    /// assert!(file.profile("__settings__").is_none());
    /// assert_eq!(file.profile("a").and_then(|a| a.host()), None);
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn profile(&self, name: &str) -> Option<Profile<'_>> {
        let mut found: Option<Profile<'_>> = None;
        for block in self.blocks_of(name).filter(|block| self.is_of_profile(block)) {
            self.absorb(found.get_or_insert_with(|| Profile::named(self.name(block))), block);
        }
        found
    }

    /// All profiles in the order of the file.
    ///
    /// ```
    /// let file = u2m_config::ConfigFile::parse("[a]\nhost = x\n[b]\nhost = y\n[a]\nscopes = sql\n")?;
    /// let names: Vec<_> = file.profiles().iter().map(|profile| profile.name()).collect();
    /// assert_eq!(names, ["a", "b"]);
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn profiles(&self) -> Vec<Profile<'_>> {
        let mut profiles = Vec::new();
        let mut places = HashMap::new();
        for block in self.profile_blocks() {
            let name = self.name(block);
            let place = *places.entry(name).or_insert_with(|| {
                profiles.push(Profile::named(name));
                profiles.len() - 1
            });
            self.absorb(&mut profiles[place], block);
        }
        profiles
    }

    /// The profiles that sign users in to `host`, in the order of the file: candidates for "which
    /// profile is this host". Hosts in the file are parsed, so old spellings match too: capitals,
    /// `:443`, a path, a missing scheme. Profiles of services and tokens do not count.
    ///
    /// ```
    /// use u2m_core::Host;
    /// let file = u2m_config::ConfigFile::parse("[old]\nhost = A.example/?o=1\n[bot]\nhost = a.example\ntoken = t\n")?;
    /// let names: Vec<_> = file.profiles_on(&Host::parse("https://a.example")?).iter().map(|p| p.name()).collect();
    /// assert_eq!(names, ["old"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profiles_on(&self, host: &Host) -> Vec<Profile<'_>> {
        let same = |text: &str| Host::typed(text).is_ok_and(|(parsed, _)| parsed == *host);
        let mut profiles = self.profiles();
        profiles.retain(|profile| profile.is_for_users() && profile.host().is_some_and(same));
        profiles
    }

    /// The name of the profile to use when the user names none: what `default_profile` in
    /// `[__settings__]` says, else `DEFAULT` if that leads somewhere, else none.
    ///
    /// The setting may name a profile that does not exist; [`profile`](Self::profile) tells. A
    /// setting that names `__settings__` counts as unset.
    ///
    /// ```
    /// let file = u2m_config::ConfigFile::parse("host = https://a.example\n")?;
    /// assert_eq!(file.default_profile(), Some("DEFAULT"));
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn default_profile(&self) -> Option<&str> {
        let explicit = self.setting("default_profile").filter(|&name| name != SETTINGS);
        explicit.or_else(|| self.default_section())
    }

    /// The profile that is used where nobody names one: the default one if it is there, else `DEFAULT` if that leads
    /// somewhere. A setting that names no profile is passed over, as Databricks' command line does.
    ///
    /// ```
    /// let file = u2m_config::ConfigFile::parse("host = a.example\n[__settings__]\ndefault_profile = gone\n")?;
    /// assert_eq!((file.default_profile(), file.fallback_profile()), (Some("gone"), Some("DEFAULT")));
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn fallback_profile(&self) -> Option<&str> {
        let is_there = |name: &&str| self.profile(name).is_some();
        self.default_profile().filter(is_there).or_else(|| self.default_section())
    }

    fn default_section(&self) -> Option<&'static str> {
        self.profile(DEFAULT).filter(Profile::leads_somewhere).map(|_| DEFAULT)
    }

    /// The only profile with a host, where no default is set. A program that asks people may offer it, and says so; one that
    /// nobody watches must not guess.
    ///
    /// ```
    /// let file = u2m_config::ConfigFile::parse("[dev]\nhost = https://a.example\n[ids]\naccount_id = 1\n")?;
    /// assert_eq!((file.default_profile(), file.only_profile()), (None, Some("dev")));
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn only_profile(&self) -> Option<&str> {
        let mut hosts = self.profiles().into_iter().filter(|profile| profile.host().is_some());
        let only = hosts.next().filter(|_| hosts.next().is_none());
        only.filter(|_| self.default_profile().is_none()).map(|profile| profile.name())
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether any key that is for a secret has a value, in whatever section.
    ///
    /// ```
    /// use u2m_config::ConfigFile;
    /// assert!(ConfigFile::parse("[dev]\nhost = a\ntoken = t\n")?.holds_secret());
    /// assert!(!ConfigFile::parse("[dev]\nhost = a\ntoken =\n")?.holds_secret());
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn holds_secret(&self) -> bool {
        let is_secret = |pair: &KeyValue| {
            is_for_secret(&self.text[pair.key.clone()]) && !pair.value.text(&self.text).is_empty()
        };
        self.pairs.iter().any(is_secret)
    }

    fn name(&self, block: &SectionBlock) -> &str {
        block.name.clone().map_or(DEFAULT, |name| &self.text[name])
    }

    fn profile_blocks(&self) -> impl Iterator<Item = &SectionBlock> {
        self.blocks.iter().filter(|block| self.is_of_profile(block))
    }

    fn is_of_profile(&self, block: &SectionBlock) -> bool {
        !block.pairs.is_empty() && self.name(block) != SETTINGS
    }

    /// The blocks of this name, in the order of the file.
    fn blocks_of(&self, name: &str) -> impl DoubleEndedIterator<Item = &SectionBlock> {
        let order = self.order.get_or_init(|| {
            let mut order: Vec<usize> = (0..self.blocks.len()).collect();
            order.sort_by(|one, other| {
                self.name(&self.blocks[*one]).cmp(self.name(&self.blocks[*other]))
            });
            order
        });
        let named = |at: &usize| self.name(&self.blocks[*at]);
        let last = self.last.load(Ordering::Relaxed);
        // A section of some name begins there, so that none of this name comes before.
        let is_there = order.get(last).is_some_and(|at| named(at) == name);
        let start = match is_there {
            true => last,
            false => order.partition_point(|at| named(at) < name),
        };
        self.last.store(start, Ordering::Relaxed);
        let length = order[start..].iter().take_while(|at| named(at) == name).count();
        order[start..start + length].iter().map(|at| &self.blocks[*at])
    }

    fn absorb<'a>(&'a self, profile: &mut Profile<'a>, block: &SectionBlock) {
        for pair in &self.pairs[block.pairs.clone()] {
            profile.absorb(&self.text[pair.key.clone()], pair.value.text(&self.text));
        }
    }
}

/// Shows only how much there is, because any value may be a secret.
impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile")
            .field("missing", &self.missing)
            .field("keys", &self.pairs.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;
