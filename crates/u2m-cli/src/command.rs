//! The commands, one a file.

pub(crate) mod import;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod storage;
pub(crate) mod token;
pub(crate) mod version;
