//! Links the unwinder of the C compiler into the binary where it can be had.
//!
//! A start of `u2m token` is mostly the loading of libraries, and of the two that it would need this one serves a panic alone.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    let native = std::env::var("HOST").ok() == std::env::var("TARGET").ok();
    if !native || target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let asked = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output();
    let found = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    // A compiler that has none repeats the name.
    let found =
        found.map(|path| std::path::PathBuf::from(path.trim())).filter(|path| path.is_absolute());
    if let Some(folder) = found.as_deref().and_then(|path| path.parent()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
