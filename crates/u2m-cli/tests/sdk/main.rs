//! The program as Databricks' SDKs call it. Python's is the real one, as pip installs it today, against a fake server whose
//! API refuses tokens that have run out; Go's rules are written down anew where they are stricter.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod aside;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod life;
mod program;
#[path = "../../../u2m-cache/tests/common/python_sdk.rs"]
mod python_sdk;
mod version;
