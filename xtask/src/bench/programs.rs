//! Builds the programs that measure and the one that is measured, and runs them.

use crate::run::{Failure, cargo, must, output, root, target};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the built programs are.
pub(super) struct Programs {
    peers: PathBuf,
    product: PathBuf,
    lean: PathBuf,
    static_floor: Option<PathBuf>,
}

impl Programs {
    /// Builds the product, also with its feature `lean-start`, the peers, and the floor in both ways.
    pub(super) fn build() -> Result<Self, Failure> {
        let (product, lean) = (target().join("release/u2m"), target().join("release/u2m-lean"));
        must(&mut cargo(&[&PRODUCT[..], &["--features", "lean-start"]].concat()))?;
        std::fs::copy(&product, &lean)?;
        // Last, so that it is what is left behind: the build that everybody gets who asks for no feature.
        must(&mut cargo(&PRODUCT))?;
        let peers = root().join("bench/target");
        must(bench_cargo(&peers).args(["--release", "--workspace"]))?;
        must(bench_cargo(&peers).args(FLOOR))?;
        Ok(Self { product, lean, static_floor: build_static_floor(&peers), peers })
    }

    /// `u2m` as `cargo install` builds it: in release, with the default features.
    pub(super) fn product(&self) -> &Path {
        &self.product
    }

    /// The same with the feature `lean-start`.
    pub(super) fn lean(&self) -> &Path {
        &self.lean
    }

    /// A program of `bench/`, ready to get its arguments.
    pub(super) fn peer(&self, name: &str) -> Command {
        Command::new(self.peers.join("release").join(name))
    }

    /// The floor, as the product is built.
    pub(super) fn floor(&self) -> PathBuf {
        self.peers.join("shipped/floor")
    }

    /// The floor with the C library linked in, where the machine can build it.
    pub(super) fn static_floor(&self) -> Option<&Path> {
        self.static_floor.as_deref()
    }
}

const PRODUCT: [&str; 4] = ["build", "--release", "--package", "u2m-cli"];
const FLOOR: [&str; 4] = ["--profile", "shipped", "--package", "floor"];

fn bench_cargo(target: &Path) -> Command {
    let mut command = cargo(&["build", "--manifest-path", "bench/Cargo.toml"]);
    command.arg("--target-dir").arg(target);
    command
}

/// Naming the target keeps the flag away from build scripts and macros.
fn build_static_floor(target: &Path) -> Option<PathBuf> {
    let host = host()?;
    let flags = "-C target-feature=+crt-static";
    let built =
        must(bench_cargo(target).args(FLOOR).args(["--target", &host]).env("RUSTFLAGS", flags));
    built.is_ok().then(|| target.join(host).join("shipped/floor"))
}

/// The target that this machine's compiler builds for.
fn host() -> Option<String> {
    let text = output(Command::new("rustc").arg("-vV")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}
