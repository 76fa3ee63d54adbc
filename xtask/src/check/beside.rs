//! Programs with TLS of their own, beside which u2m runs.

use super::CheckResult;
use crate::run;
use std::process::Stdio;

/// Builds a program with `rustls` and `reqwest` at their defaults, and runs its tests.
///
/// It needs what their cryptography needs: a C compiler.
pub(super) fn beside() -> CheckResult {
    let manifest = run::root().join("beside/Cargo.toml");
    let mut tests = run::cargo(&["test", "--locked", "--manifest-path"]);
    tests.arg(manifest).arg("--target-dir").arg(run::target().join("beside"));
    run::must(tests.stdin(Stdio::null()))?;
    Ok("a program with rustls and reqwest at their defaults has both and u2m".into())
}
