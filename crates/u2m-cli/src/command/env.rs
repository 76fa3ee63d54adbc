//! `u2m env`.

use crate::args::Args;
use crate::failure::{Class, Failure};

pub(crate) fn run(_: &Args, _: &str) -> Result<(), Failure> {
    Err(Failure::new(Class::Other, "env: comes with the next commits"))
}
