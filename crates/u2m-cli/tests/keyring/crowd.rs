//! Many processes, and processes that are killed, on one login in the keyring.

use crate::common::{Running, eventually, printed_token};
use crate::desk::Desk;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

#[test]
fn a23_8_processes_with_an_expired_login_of_the_keyring_make_one_refresh() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    for mode in [Some("secure"), None] {
        desk.seed(-5);
        let before = desk.world.server.counts();
        let slow = Fault::delay(Duration::from_millis(400));
        desk.world.server.inject(Endpoint::Token, Times::Always, slow);
        let all: Vec<_> = (0..8).map(|_| Running::start(desk.command("token dev", mode))).collect();
        let tokens: BTreeSet<_> = all
            .into_iter()
            .map(|running| {
                let ran = running.done();
                assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
                printed_token(&ran.stdout)
            })
            .collect();
        let counts = desk.world.server.counts();
        assert_eq!(counts.refreshes - before.refreshes, 1, "{counts:?}");
        assert_eq!((counts.rejected, counts.reuse_detections), (0, 0), "{counts:?}");
        assert_eq!(tokens.len(), 1);
        assert!(tokens.iter().all(|token| desk.world.server.is_active(token)) && desk.is_alive());
        assert_eq!(desk.items(), 1);
    }
}

/// Up to `most`, by chance.
fn some_time(most: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish();
    most.mul_f64((chance % 10_000) as f64 / 10_000.0)
}

#[test]
fn a_caller_killed_at_any_moment_of_a_forced_refresh_leaves_a_living_login_in_the_keyring() {
    let Some(desk) = Desk::new() else { return };
    assert_eq!(desk.login(Some("secure")).code, Some(0));
    let latency = Duration::from_millis(50);
    desk.world.server.inject(Endpoint::Token, Times::Always, Fault::delay(latency));
    let (mut ended, times) = (0, 20);
    for _ in 0..times {
        // A login of an hour ago: a forced refresh has to ask the server.
        desk.seed(5);
        let running = Running::start(desk.command("token dev --force-refresh", Some("secure")));
        std::thread::sleep(some_time(latency * 4));
        running.signal("KILL");
        ended += usize::from(running.end(Duration::from_secs(20)).1.code != Some(0));
        eventually("the refresh has ended", || !is_busy(&desk));
        assert!(desk.is_alive(), "{:?}", desk.world.server.counts());
    }
    let counts = desk.world.server.counts();
    assert_eq!((counts.rejected, counts.reuse_detections), (0, 0), "{counts:?}");
    eprintln!(
        "{times} forced refreshes, {ended} callers killed before their result, {} requests, 0 logins dead",
        counts.refreshes
    );
    assert!(ended > times / 10 && counts.refreshes > 5, "the moments were not random");
    desk.token("token dev --force-refresh", Some("secure"));
    assert!(desk.is_alive());
}

/// Whether a process works in this home: one that refreshes for a caller, or is about to.
fn is_busy(desk: &Desk) -> bool {
    let home = format!("HOME={}\0", desk.world.home().display());
    let of_home = |process: std::path::PathBuf| {
        let environ = std::fs::read(process.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environ).contains(&home)
    };
    let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.any(|entry| of_home(entry.path()))
}
