//! Not written yet.

use crate::Outcome;

pub(crate) fn run(_args: &[String]) -> Outcome {
    Err("not written yet".into())
}
