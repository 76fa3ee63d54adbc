//! A caller's limit is the caller's: it ends the wait, and never the login.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, printed_token, slow, workers, world_of_dev as world};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Times};

/// What a caller with a limit is told: the token, or that it comes.
fn assert_told_the_truth(world: &World, line: &str, ran: &common::Ran) {
    match ran.code {
        Some(0) => assert!(!ran.stdout.is_empty(), "{line}"),
        code => {
            assert_eq!((code, ran.stdout.as_str()), (Some(6), ""), "{line}: {}", ran.stderr);
            let text = &ran.stderr;
            match text.contains("the time limit was over before the token could be refreshed") {
                true => assert!(!text.contains("in the background"), "{text}"),
                false => {
                    assert!(text.contains("still waiting for the new token"), "{text}");
                    assert!(text.contains("goes on in the background"), "{text}");
                }
            }
        }
    }
    eventually("what was sent is saved", || {
        let refresh = world.stored("dev").refresh_token.unwrap();
        world.server.is_refreshable(refresh.expose()) && workers(world.home()).is_empty()
    });
}

#[test]
fn a_callers_limit_ends_its_wait_and_not_the_login() {
    let lanes = [
        "token dev --force-refresh --timeout",
        "token dev --timeout",
        "exec --profile dev --timeout {} -- true",
        "env --profile dev --with-token --timeout",
    ];
    let story = |line: &'static str| {
        let world = world();
        slow(&world, Duration::from_millis(500));
        for limit in ["10ms", "100ms", "300ms", "1s", "2s"] {
            let old = world.seed("dev", -5);
            let line = match line.contains("{}") {
                true => line.replace("{}", limit),
                false => format!("{line} {limit}"),
            };
            let ran = world.run(&line);
            if !line.starts_with("exec") || ran.code != Some(0) {
                assert_told_the_truth(&world, &line, &ran);
            }
            // A limit of 10 ms may be over before anything is sent.
            let next = world.run("token dev");
            assert!(world.server.is_active(&printed_token(&next.stdout)), "{}", next.stderr);
            assert_ne!(world.stored("dev").access_token.expose(), old.access_token());
            world.assert_alive("dev");
        }
        let counts = world.server.counts();
        assert_eq!((counts.rejected, counts.reuse_detections, counts.refreshes), (0, 0, 5));
    };
    std::thread::scope(|scope| {
        let started = lanes.map(|line| scope.spawn(move || story(line)));
        started.into_iter().for_each(|lane| lane.join().unwrap());
    });
}

#[test]
fn without_a_limit_a_slow_server_is_waited_for_by_everybody() {
    let world = world();
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(16)));
    let first = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let second = Running::start(world.command("token dev"));
    let hasty = world.run("token dev --timeout 300ms");
    assert_eq!((hasty.code, hasty.stdout.as_str()), (Some(6), ""), "{}", hasty.stderr);
    assert!(hasty.stderr.contains("goes on in the background"), "{}", hasty.stderr);
    let (first, second) = (first.done(), second.done());
    assert_eq!(first.stdout, second.stdout, "{}{}", first.stderr, second.stderr);
    assert!(world.server.is_active(&printed_token(&first.stdout)), "{}", first.stderr);
    assert_eq!(world.server.counts().refreshes, 1);
    world.assert_alive("dev");
}

#[test]
fn a_limit_that_leaves_no_time_is_not_said_to_leave_anything_going_on() {
    for line in [
        "token dev --timeout 0",
        "token dev --timeout 0 --force-refresh",
        "exec --profile dev --timeout 0 -- true",
    ] {
        // A refresh that nobody waits for may begin all the same, and would renew the next line's login.
        let world = world();
        world.seed("dev", -5);
        let ran = world.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{line}: {}", ran.stderr);
        let text = "the time limit was over before the token could be refreshed. Allow more time with --timeout";
        assert!(ran.stderr.contains(text), "{line}: {}", ran.stderr);
        for word in ["background", "still waiting", "login is kept"] {
            assert!(!ran.stderr.contains(word), "{line}: {}", ran.stderr);
        }
        let ran = world.run("token dev");
        assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
        world.assert_alive("dev");
    }
}

#[test]
fn an_old_token_that_is_still_good_is_what_a_caller_gets_whose_time_is_over() {
    let world = world();
    let old = world.seed("dev", 200);
    slow(&world, Duration::from_secs(1));
    let ran = world.run("token dev --timeout 100ms");
    assert_eq!(printed_token(&ran.stdout), old.access_token(), "{}", ran.stderr);
    eventually("the new one is saved", || {
        world.stored("dev").access_token.expose() != old.access_token()
    });
    world.assert_alive("dev");
}

#[test]
fn a_suspension_of_the_caller_and_of_the_process_that_refreshes_loses_nothing() {
    for (caller, worker) in [(true, false), (false, true), (true, true)] {
        let world = world();
        world.seed("dev", -5);
        slow(&world, Duration::from_millis(500));
        let running = Running::start(world.command("token dev --timeout 2s"));
        eventually("the refresh is sent", || world.server.counts().refreshes == 1);
        let mut stopped = Vec::new();
        if caller {
            stopped.push(running.child.id().to_string());
        }
        if worker {
            let names = workers(world.home());
            let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            stopped.extend(names.iter().map(name));
        }
        let all = |signal: &str| {
            assert!(Command::new("kill").arg(signal).args(&stopped).status().unwrap().success());
        };
        all("-STOP");
        std::thread::sleep(Duration::from_secs(4));
        all("-CONT");
        let ran = running.done();
        // A caller that ran all the while has waited for as long as it would.
        match (caller, worker) {
            (false, true) => assert_told_the_truth(&world, "token dev", &ran),
            _ => assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr),
        }
        eventually("it is saved", || {
            let refresh = world.stored("dev").refresh_token.unwrap();
            world.server.is_refreshable(refresh.expose())
        });
        assert_eq!(world.server.counts().refreshes, 1);
    }
}
