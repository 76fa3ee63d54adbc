//! `u2m storage`: where the logins are, and moving them.

mod migrate;
mod show;

pub(crate) use migrate::migrate;
pub(crate) use show::show;
