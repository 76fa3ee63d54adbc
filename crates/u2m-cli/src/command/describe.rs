//! `u2m describe`.

use crate::args::Args;
use crate::failure::{Class, Failure};

pub(crate) fn run(_: &Args, _: &str) -> Result<(), Failure> {
    Err(Failure::new(Class::Other, "describe: comes with the next commits"))
}
