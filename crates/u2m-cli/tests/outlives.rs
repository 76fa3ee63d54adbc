//! A refresh outlives its caller: it runs in a process of its own, which is not killed along.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, printed_token};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

/// How the server of the reference's users behaves at its best, and how long it takes.
const LATENCY: Duration = Duration::from_millis(50);

fn world() -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world
}

fn slow(world: &World, delay: Duration) {
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(delay));
}

/// Up to `most`, by chance.
fn some_time(most: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish();
    most.mul_f64((chance % 10_000) as f64 / 10_000.0)
}

/// Ends callers in the middle of forced refreshes, at random moments, and counts the logins that are dead afterwards.
fn end_callers(what: &str, times: usize, end: fn(&Running)) {
    let lanes = 4;
    let share = |_| {
        std::thread::spawn(move || {
            let world = world();
            slow(&world, LATENCY);
            let mut ended = 0;
            for _ in 0..times / lanes {
                // A login of an hour ago: a forced refresh has to ask the server.
                world.seed("dev", 5);
                let mut command = world.command("token dev --force-refresh");
                command.process_group(0);
                let running = Running::start(command);
                std::thread::sleep(some_time(LATENCY * 2));
                end(&running);
                ended += usize::from(running.end(Duration::from_secs(20)).1.code != Some(0));
                eventually("the login is alive, and the cache can be read", || {
                    let refresh = world.stored("dev").refresh_token.unwrap();
                    world.server.is_refreshable(refresh.expose())
                        && workers(world.home()).is_empty()
                });
            }
            let counts = world.server.counts();
            assert_eq!((counts.rejected, counts.reuse_detections), (0, 0), "{counts:?}");
            let ran = world.run("token dev --force-refresh");
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            (ended, counts.refreshes)
        })
    };
    let lanes: Vec<_> = (0..lanes).map(share).collect();
    let (mut ended, mut refreshes) = (0, 0);
    for lane in lanes {
        let (more, sent) = lane.join().unwrap();
        (ended, refreshes) = (ended + more, refreshes + sent);
    }
    eprintln!(
        "{times} forced refreshes, {ended} ended by {what} before their result, {refreshes} requests, 0 logins dead"
    );
    assert!(ended > times / 10 && refreshes > 20, "the moments were not random");
}

#[test]
fn a_caller_killed_at_any_moment_leaves_a_living_login() {
    end_callers("kill -9", 200, |running| running.signal("KILL"));
}

#[test]
fn an_interrupt_to_the_callers_whole_group_leaves_a_living_login() {
    end_callers("SIGINT to the group", 200, |running| {
        let group = format!("-{}", running.child.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    });
}

/// The processes that refresh for callers of this home.
fn workers(home: &std::path::Path) -> Vec<PathBuf> {
    let home = format!("HOME={}\0", home.display());
    let of_home = |process: &PathBuf| {
        let read = |name| fs::read(process.join(name)).unwrap_or_default();
        let words = read("cmdline");
        String::from_utf8_lossy(&words).contains("__u2m-refresh")
            && String::from_utf8_lossy(&read("environ")).contains(&home)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes.filter(of_home).collect()
}

/// Reads `/proc/<id>/stat` from the field after the name: state, parent, group, session, terminal.
fn stat(process: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(process.join("stat")).unwrap();
    let rest = text.rsplit_once(") ").unwrap().1;
    rest.split(' ').map(str::to_owned).collect()
}

#[test]
fn t16_it_has_a_session_of_its_own_and_no_secret_in_its_arguments_or_environment() {
    let world = world();
    let tokens = world.seed("dev", 1800);
    slow(&world, Duration::from_secs(1));
    let running = Running::start(world.command("token dev --force-refresh"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let found = workers(world.home());
    let [process] = found.as_slice() else { panic!("{found:?}") };
    let (worker, caller) =
        (stat(process), stat(&PathBuf::from(format!("/proc/{}", running.child.id()))));
    let id = process.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!((&worker[2], &worker[3], worker[4].as_str()), (&id, &id, "0"), "leads its session");
    assert_ne!(worker[3], caller[3]);
    for name in ["cmdline", "environ"] {
        let text = String::from_utf8_lossy(&fs::read(process.join(name)).unwrap()).into_owned();
        for secret in [tokens.access_token(), tokens.refresh_token().unwrap()] {
            assert!(!text.contains(secret), "{name}");
        }
    }
    let ran = running.done();
    assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
    eventually("it is gone", || !process.exists());
}

#[test]
fn its_signals_end_nothing_before_the_login_is_saved() {
    let world = world();
    let old = world.seed("dev", -5);
    slow(&world, Duration::from_secs(1));
    let running = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    for process in workers(world.home()) {
        for signal in ["-HUP", "-INT", "-TERM"] {
            let id = process.file_name().unwrap();
            assert!(Command::new("kill").arg(signal).arg(id).status().unwrap().success());
        }
    }
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_ne!(world.stored("dev").access_token.expose(), old.access_token());
    world.assert_alive("dev");
}

#[test]
fn a_caller_of_one_that_is_killed_is_told_to_try_again() {
    let world = world();
    world.seed("dev", -5);
    slow(&world, Duration::from_secs(2));
    let running = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    for process in workers(world.home()) {
        let id = process.file_name().unwrap();
        assert!(Command::new("kill").arg("-KILL").arg(id).status().unwrap().success());
    }
    let ran = running.done();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("did not finish"), "{}", ran.stderr);
}

#[test]
fn a_fresh_token_starts_none() {
    let world = world();
    world.seed("dev", 1800);
    let strace = Command::new("strace")
        .args(["-f", "-e", "trace=execve,clone,clone3,fork,vfork", "-o"])
        .arg(world.path("trace"))
        .arg(common::U2M)
        .args(["token", "dev"])
        .env_clear()
        .envs([("HOME", world.home().to_str().unwrap()), ("DATABRICKS_AUTH_STORAGE", "plaintext")])
        .output();
    let Ok(output) = strace else {
        eprintln!("skipped: there is no strace here");
        return;
    };
    assert!(output.status.success());
    assert_eq!(world.read("trace").matches("execve(").count(), 1, "{}", world.read("trace"));
    assert!(!world.read("trace").contains("clone"), "{}", world.read("trace"));
}
