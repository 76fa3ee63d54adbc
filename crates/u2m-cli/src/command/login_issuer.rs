//! `u2m login --device` and `u2m login --issuer URL --client-id ID`.

use crate::args::Args;
use crate::failure::{Class, Failure};

pub(crate) fn run(_: &Args, _: &str) -> Result<(), Failure> {
    Err(Failure::new(Class::Other, "login_issuer: comes with the next commits"))
}
