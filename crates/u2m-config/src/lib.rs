//! Finds, reads and edits `.databrickscfg`, the profile file that u2m shares with the Databricks
//! command line and the Databricks SDKs.
//!
//! Three programs read this file with two different INI parsers, so the crate is generous in what
//! it reads and strict in what it writes:
//!
//! - [`ConfigFile`] reads the whole dialect of the Go INI library that the Databricks CLI and the
//!   Go SDK use: inline comments, quotes, values over several lines, merged sections.
//! - [`Editor`] changes single values and keeps every other byte. It writes only what the Go
//!   parser and Python's `configparser` read identically, and refuses what they would not.
//! - [`select`] says which profile and which host are meant, by one rule for every command.
//! - [`resolve`] puts flags, the environment and a profile together by one rule, and says of each
//!   value where it comes from. [`Attribute`] is the table of what can be configured at all.
//!
//! Sections are flat. The Go library lets section `a.b` inherit from `a`, and a write through
//! that inheritance lands in the wrong profile; here a dot is a character like any other.
//!
//! ```
//! use u2m_config::{ConfigFile, Editor};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join(".databrickscfg");
//! Editor::new(&path).edit(|draft| {
//!     draft.merge_profile("dev", &[("host", "https://a.example"), ("auth_type", "databricks-cli")], &[])
//! })?;
//!
//! let file = ConfigFile::read(&path)?;
//! assert_eq!(file.default_profile(), Some("dev"));
//! let profile = file.profile("dev").expect("it was just written");
//! assert_eq!(profile.host(), Some("https://a.example"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What happens during an edit
//!
//! 1. Symbolic links are resolved, so that a link keeps pointing at the file it names.
//! 2. `<file>.lock` is locked, for a bounded time. The file itself is never locked: it is replaced.
//! 3. The file is read, the change is made in memory, and if nothing changed the edit ends here.
//! 4. The old bytes go to `<file>.bak`, without the credentials the edit cleared.
//! 5. The new bytes go to `<file>.tmp` (mode 0600) and are flushed.
//! 6. If the file is as it was read, they are renamed over it; else the edit begins again at 3.
//!
//! A file that is mounted by itself, as containers do it, cannot be replaced: it is written as it stands, with both texts in
//! `<file>.undo` until that is done, from which the next reader or editor puts the old one back.
//!
//! A crash leaves the old file or the new one, never half of either. Programs that do not take the
//! lock, the Databricks CLI among them, can still overwrite an edit; what they have written is not
//! overwritten, and they can no longer be confused by half of an edit.

// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod attributes;
mod cloud;
mod disk;
mod document;
mod draft;
mod editor;
mod error;
mod file;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod in_place;
mod kind;
mod locate;
mod lock;
mod profile;
mod resolve;
mod rules;
mod select;
mod syntax;
mod variable;

pub use attributes::{Attribute, ValueKind, WrongValue};
pub use cloud::Cloud;
pub use draft::Draft;
pub use editor::{EditOutcome, Editor};
pub use error::ConfigError;
pub use file::{ConfigFile, SETTINGS, SIZE_LIMIT};
pub use kind::{ProfileClass, ProfileKind};
pub use locate::{abbreviate, locate};
pub use profile::{CA_FILE_KEY, ISSUER_CLIENT_KEY, ISSUER_KEY, Profile};
pub use resolve::{AUTH_TYPES, AuthType, ResolveError, Resolved, Value, ValueSource, resolve};
pub use rules::{CREDENTIAL_KEYS, LOGIN_CLEARS, Unwritable, looks_like_host};
pub use select::{
    ChooseError, ChosenBy, ChosenProfile, Purpose, Selection, SelectionArgs, alike, select,
};
pub use syntax::{SyntaxError, SyntaxFault};
pub use variable::variable;
