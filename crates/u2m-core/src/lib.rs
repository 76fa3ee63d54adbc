//! The protocol core of u2m.

mod time;
pub use time::{Lifetime, Timestamp};
