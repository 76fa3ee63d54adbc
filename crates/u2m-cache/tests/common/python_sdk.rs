//! Databricks' own SDK for Python, as pip installs it today, in a virtual environment that is kept from run to run.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The interpreter of an environment with the SDK in it; `None` where it cannot be had.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let made = make();
        if let Err(why) = &made {
            assert!(env::var_os("U2M_REQUIRE_ALL").is_none_or(|all| all != "1"), "{why}");
            eprintln!("skipped: {why}");
        }
        made.ok()
    });
    made.as_deref()
}

fn make() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pythons-sdk");
    let python = folder.join("bin").join("python");
    let version = |python: &Path| {
        let script = "import importlib.metadata as m, databricks.sdk.oauth; print(m.version('databricks-sdk'))";
        run(Command::new(python).args(["-c", script]))
    };
    if version(&python).is_err() {
        let _ = fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            .map_err(|why| format!("python3 makes no virtual environment: {why}"))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "databricks-sdk"]))
            .map_err(|why| format!("pip does not install databricks-sdk: {why}"))?;
    }
    eprintln!("databricks-sdk {}", version(&python)?.trim());
    Ok(python)
}

/// What a program prints, or why it failed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
