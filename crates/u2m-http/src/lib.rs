//! Transports, drivers, loopback listener and browser launcher for u2m.

mod browser;
mod listener;
mod page;
mod paste;
