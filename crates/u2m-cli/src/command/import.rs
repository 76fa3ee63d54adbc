//! `u2m import`: brings in logins that other programs have made.

use crate::args::Args;
use crate::failure::{Class, Failure};

pub(crate) fn run(_: &Args, _: &str) -> Result<(), Failure> {
    Err(Failure::new(Class::Usage, "import follows"))
}
