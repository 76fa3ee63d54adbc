//! The processes of one home: callers, and the small ones that refresh for them.

use crate::common::World;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The numbers of the processes that refresh for callers of this home.
pub(crate) fn workers(home: &Path) -> Vec<i32> {
    let home = format!("HOME={}\0", home.display());
    let is_one = |id: &i32| {
        let read = |name: &str| fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&read("cmdline")).contains("__u2m-refresh")
            && String::from_utf8_lossy(&read("environ")).contains(&home)
    };
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).filter(is_one).collect()
}

/// Sends a signal; a process that is gone by now has no use for it.
pub(crate) fn signal(id: i32, signal: Signal) {
    if let Some(id) = Pid::from_raw(id) {
        let _ = kill_process(id, signal);
    }
}

/// Waits until nobody refreshes for this home any more; whether that came within `limit`.
pub(crate) fn quiet(world: &World, limit: Duration) -> bool {
    let start = Instant::now();
    while !workers(world.home()).is_empty() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Whether the stored login can still be renewed.
pub(crate) fn is_alive(world: &World, key: &str) -> bool {
    use u2m::store::{CacheKey, TokenStore};
    let stored = world.store().load(&CacheKey::new(key)).ok().flatten();
    let refresh = stored.and_then(|session| session.refresh_token);
    refresh.is_some_and(|token| world.server.is_refreshable(token.expose()))
}
