//! Finds, reads and edits `.databrickscfg`, the profile file that u2m shares with Databricks' CLI and SDKs.
//!
//! The programs that share this file read it with two different INI parsers. So the crate reads
//! liberally and writes strictly:
//!
//! - [`ConfigFile`] reads the whole dialect of the Go INI library, which Databricks' CLI and the Go
//!   SDK use: inline comments, quotes, values over several lines, merged sections.
//! - [`Editor`] changes single values and keeps every other byte. It writes only what the Go parser
//!   and Python's `configparser` read identically, and refuses everything else.
//! - [`select`] determines which profile and which host to use. Every command follows the same rule.
//! - [`resolve`] merges flags, environment variables and a profile into one configuration, and
//!   records where each value comes from. [`Attribute`] is the table of all configurable values.
//!
//! Sections are flat. In the Go library, section `a.b` inherits from `a`, and a write through that
//! inheritance ends up in the wrong profile. Here a dot has no special meaning.
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
//! 2. `<file>.lock` is locked, with a timeout. The file itself is never locked, because it is replaced.
//! 3. The file is read and changed in memory. If nothing changed, the edit ends here.
//! 4. The old bytes are written to `<file>.bak`, without the credentials that the edit removed.
//! 5. The new bytes are written to `<file>.tmp` (created with mode 0600) and flushed.
//! 6. If the file has not changed since step 3, the new one is renamed over it. Otherwise the edit
//!    starts again at step 3.
//!
//! A file that is a mount of its own, as containers mount single files, cannot be replaced. It is
//! overwritten in place, with the old and the new text kept in `<file>.undo` until the write is
//! complete. After a crash, the next reader or editor restores the old text from there.
//!
//! A crash leaves either the old file or the new one, never a mix. Programs that do not take the
//! lock, Databricks' CLI among them, can still overwrite an edit. Their own changes are not
//! overwritten, and they never see half of an edit.

// Compiles the example of the README.
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
