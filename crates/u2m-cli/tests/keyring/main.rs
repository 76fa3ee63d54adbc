//! Logins in a real GNOME keyring, through the built program: where they are kept, what becomes of them when the keyring is
//! locked, silent or gone, and that nobody else pays for it.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod allowed;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod desk;
mod doctor;
#[path = "../common/elsewhere.rs"]
mod elsewhere;
mod faults;
mod life;
mod migrate;
mod modes;
#[path = "../../../u2m-cache/tests/common/secret_service.rs"]
mod secret_service;
mod swapped;
mod who;
