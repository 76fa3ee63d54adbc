//! Clocks that are off: what is said of them, and what becomes of tokens whose ends were counted by them.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/login.rs"]
mod sign_in;

use common::{World, printed_token, world_of_dev};
use sign_in::sign_in_by;
use u2m_testkit::Lifetime;

#[test]
fn a_login_says_by_how_much_this_machines_clock_is_off_and_nothing_where_it_is_not() {
    for (ahead, words) in [(7_200, Some("behind")), (-7_200, Some("ahead of")), (60, None)] {
        let world = World::new();
        world.server.advance(Lifetime::from_seconds(ahead));
        let (_, ran) = sign_in_by(&world, world.command("login --host {URL} --profile dev"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let told = ran.stderr.lines().find(|line| line.contains("clock"));
        let Some(words) = words else {
            assert_eq!(told, None, "{}", ran.stderr);
            continue;
        };
        let told = told.unwrap_or_else(|| panic!("{}", ran.stderr));
        // A few seconds of a busy machine may have gone by.
        let (amount, way) = told.split_once(" seconds ").unwrap();
        let amount: i64 = amount.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((7_100..=7_300).contains(&amount), "{told}");
        assert!(way.starts_with(&format!("{words} the server's")), "{told}");
    }
}

#[test]
fn a_token_of_a_clock_that_was_ahead_is_renewed_once_it_is_put_right_and_doctor_says_why() {
    let world = world_of_dev();
    let old = world.seed("dev", 90_000);
    // A seed says what it was granted: it is a day more than that.
    let path = ".databricks/token-cache.json";
    let text = world.read(path);
    let cut = text.find("\"expires_in\": ").map(|at| at + "\"expires_in\": ".len());
    let text = match cut {
        Some(at) => {
            let rest = text[at..].trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{}3600{rest}", &text[..at])
        }
        None => text.replacen("\"token_type\"", "\"expires_in\": 3600,\n      \"token_type\"", 1),
    };
    world.write(path, &text);
    let doctor = world.run("doctor dev");
    assert!(doctor.stdout.contains("was issued in the future"), "{}", doctor.stdout);
    for _ in 0..2 {
        let ran = world.run("token dev");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_ne!(printed_token(&ran.stdout), old.access_token());
        assert_eq!(world.server.counts().refreshes, 1, "once");
    }
    world.assert_alive("dev");
}
