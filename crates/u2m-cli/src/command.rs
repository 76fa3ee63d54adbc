//! The commands, one a file.

pub(crate) mod completion;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod import;
pub(crate) mod login;
pub(crate) mod login_device;
pub(crate) mod login_issuer;
pub(crate) mod logout;
pub(crate) mod man;
pub(crate) mod profiles;
pub(crate) mod storage;
pub(crate) mod switch;
pub(crate) mod token;
pub(crate) mod version;
