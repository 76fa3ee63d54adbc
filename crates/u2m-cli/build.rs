//! With the feature `lean-start`, makes the binary start faster where the C compiler and the C library of this machine can help.
//! Without it, which is the default, does nothing. A start of `u2m token` is mostly the work of the loader.
//!
//! - The unwinder is linked in: of the two libraries that a start would load, it serves a panic alone.
//! - Relocations are packed (`DT_RELR`): 2 KiB to read instead of 130. Such a binary needs glibc 2.36, and so does one that is
//!   built where this is found to work, as ever with what is linked to a C library.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_LEAN_START").is_none() {
        return;
    }
    println!("cargo:rerun-if-env-changed=CC");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    let native = std::env::var("HOST").ok() == std::env::var("TARGET").ok();
    if !native || target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    if let Some(folder) = unwinder(&compiler) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    let packed = "-Wl,-z,pack-relative-relocs";
    if std::env::var_os("OUT_DIR")
        .is_some_and(|folder| runs_with(&compiler, packed, Path::new(&folder)))
    {
        println!("cargo:rustc-link-arg-bins={packed}");
    }
}

/// The folder with the unwinder as an archive. A compiler that has none repeats the name.
fn unwinder(compiler: &str) -> Option<PathBuf> {
    let asked = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let found = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    found.parent().filter(|_| found.is_absolute()).map(Path::to_owned)
}

/// Whether a program that is linked with `flag` starts here.
fn runs_with(compiler: &str, flag: &str, folder: &Path) -> bool {
    let (source, program) = (folder.join("relocations.c"), folder.join("relocations"));
    let text = "static int one; int *volatile kept = &one; int main(void) { return *kept; }\n";
    if std::fs::write(&source, text).is_err() {
        return false;
    }
    let quiet = |command: &mut Command| {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    quiet(Command::new(compiler).args(["-fPIE", "-pie", flag, "-o"]).args([&program, &source]))
        && quiet(&mut Command::new(&program))
}
