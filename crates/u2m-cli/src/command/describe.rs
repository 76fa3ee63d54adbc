//! `u2m describe`.

use crate::args::Args;
use crate::failure::{Class, Failure};
use serde::Serialize;

/// What is wrong, for programs and for people.
#[derive(Serialize)]
pub(crate) struct Problem {
    pub(crate) category: &'static str,
    pub(crate) message: String,
}

pub(crate) fn run(_: &Args, _: &str) -> Result<(), Failure> {
    Err(Failure::new(Class::Other, "describe: comes with the next commits"))
}
