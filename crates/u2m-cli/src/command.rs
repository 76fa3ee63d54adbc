//! The commands, one a file.

pub(crate) mod login;
pub(crate) mod token;
pub(crate) mod version;
