//! The fake server seen from outside, one group of behaviours a file.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod faults;
mod login;
mod loopback;
mod others;
mod refresh;
mod secrets;
mod world;
