//! Logins against chance: kills, suspensions, time limits, names, neighbours and moves, at random moments, with the built
//! program. Each story runs a few rounds here; `cargo xtask soak` runs as many as it is told to, from a seed that it prints.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod chance;
#[allow(dead_code, reason = "each story uses its part")]
#[path = "../keyring/desk.rs"]
mod desk;
mod echoes;
mod intruders;
mod kills;
mod moves;
mod neighbours;
mod outages;
mod paths;
mod processes;
#[path = "../../../u2m-cache/tests/common/secret_service.rs"]
mod secret_service;
