//! `u2m profiles`.

use crate::args::Args;
use crate::failure::{Class, Failure};

pub(crate) fn run(_: &Args, _: &str) -> Result<(), Failure> {
    Err(Failure::new(Class::Other, "profiles: comes with the next commits"))
}
