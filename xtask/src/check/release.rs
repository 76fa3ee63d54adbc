//! The release binary.

use super::CheckResult;
use crate::run::{self, Failure};
use std::path::PathBuf;
use std::process::Stdio;

/// The SDKs take a smaller `databricks` program for the old one in Python, and refuse to call it.
const SMALLEST: u64 = 1024 * 1024;

pub(super) fn binary() -> CheckResult {
    let path = build()?;
    let size = std::fs::metadata(&path)?.len();
    if size < SMALLEST {
        return Err(format!("{} has {size} bytes, less than {SMALLEST}", path.display()).into());
    }
    Ok(format!("{size} bytes"))
}

/// Builds the release binary and returns where it is.
pub(super) fn build() -> Result<PathBuf, Failure> {
    run::must(
        run::cargo(&["build", "--release", "--package", "u2m-cli", "--locked"])
            .stdin(Stdio::null()),
    )?;
    Ok(run::target().join("release").join(format!("u2m{}", std::env::consts::EXE_SUFFIX)))
}
