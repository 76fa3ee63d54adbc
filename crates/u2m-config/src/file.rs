//! Reads the profile file, and answers questions about its sections and profiles.

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

/// The name of the section that holds settings, which is never a profile.
pub const SETTINGS: &str = "__settings__";

/// The maximum size of a profile file, in bytes. Larger files are not read.
pub const SIZE_LIMIT: usize = 1 << 20;

/// How long a reader waits for another process that is writing the file in place.
const MENDING: Duration = Duration::from_secs(10);

/// The section that keys before the first header belong to.
pub(crate) const DEFAULT: &str = "DEFAULT";

/// A profile file, read and parsed.
///
/// Sections with the same name are merged, and the last value of a key wins. Keys before the first
/// header belong to `DEFAULT`. Section names and keys are case-sensitive.
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
    /// The path it was read from.
    path: Option<PathBuf>,
    /// The blocks sorted by name; blocks with the same name keep the order of the file. Computed on
    /// first use, so that a lookup need not search all blocks.
    order: OnceLock<Vec<usize>>,
    /// The position in `order` of the section that was looked up last. Most lookups ask for the
    /// same section again.
    last: AtomicUsize,
}

/// A section header and the pairs below it.
struct SectionBlock {
    /// `None` before the first header.
    name: Option<Range<usize>>,
    pairs: Range<usize>,
}

impl ConfigFile {
    /// Reads the file at `path`, which [`locate`](crate::locate) finds. A file that does not exist
    /// reads as one without profiles.
    ///
    /// This takes three stats, one open, one read and one close. If a write in place was
    /// interrupted, it is undone first, which takes more.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError::Malformed`], with [`ConfigError::TooLarge`] beyond [`SIZE_LIMIT`],
    /// with [`ConfigError::NotAFile`], or with [`ConfigError::Io`].
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

    /// Parses the text of a profile file.
    ///
    /// # Errors
    ///
    /// A single malformed line makes the whole text unusable, as it does for every other reader.
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

    /// Returns the path the file was read from, or `None` if it was parsed from a text.
    ///
    /// ```
    /// assert!(u2m_config::ConfigFile::parse("")?.path().is_none());
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns whether the file did not exist.
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    /// Returns the value of a key in a section, even if the value is empty. No section inherits from another.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.blocks_of(section)
            .rev()
            .flat_map(|block| self.pairs[block.pairs.clone()].iter().rev())
            .find(|pair| &self.text[pair.key.clone()] == key)
            .map(|pair| pair.value.text(&self.text))
    }

    /// Returns a value of `[__settings__]`. An empty value counts as unset.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.get(SETTINGS, key).filter(|value| !value.is_empty())
    }

    /// Returns the profile with exactly this name. Any section with at least one key is a profile,
    /// except `__settings__`.
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

    /// Returns all profiles, in the order of the file.
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

    /// Returns the profiles that sign users in to `host`, in the order of the file.
    ///
    /// Use it to find the profile that belongs to a host. Hosts in the file are parsed before they
    /// are compared, so other spellings match too: capitals, `:443`, a path, a missing scheme.
    /// Profiles that authenticate as a service or with a token are left out.
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

    /// Returns the name of the profile to use when the user names none: the value of
    /// `default_profile` in `[__settings__]`, else `DEFAULT` if that section names a host or an
    /// issuer, else `None`.
    ///
    /// The setting may name a profile that does not exist; check with [`profile`](Self::profile). A
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

    /// Returns the name of the existing profile to use when the user names none: the default
    /// profile if it exists, else `DEFAULT` if that section names a host or an issuer. Like
    /// Databricks' CLI, this ignores a setting that names a missing profile.
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

    /// Returns the only profile with a host, if no default profile is set. An interactive program
    /// may offer it to the user and must say so. A program that runs unattended must not guess.
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

    /// Returns whether any key meant for a secret has a value, in any section.
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

    /// Returns the blocks with this name, in the order of the file.
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
        // Sections are sorted by name, so one that starts at `last` is the first of its name.
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

/// Shows only the number of keys, because any value may be a secret.
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
