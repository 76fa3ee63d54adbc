//! A program that lives longer than its tokens, in zones on both sides of Greenwich.

use crate::common::{U2M, World, now};
use crate::program::{Program, with_u2m};
use std::time::Duration;
use u2m_testkit::{Lifetime, Settings};

/// Python's SDK takes a token for expired 40 seconds before its time: this one after six.
const SHORT: i64 = 46;

/// Until Python's SDK asks again, which is also longer than u2m hands the same token to those who want a newer one.
const PAUSE: Duration = Duration::from_millis(6_600);

fn short_lived() -> World {
    World::with(Settings::new().with_lifetime(Lifetime::from_seconds(SHORT)))
}

/// Works through a login that has expired, then through the end of the next token.
fn outlives_its_tokens(zone: &str, client: &str, is_by_host: bool) {
    let world = short_lived();
    if is_by_host {
        world.seed(world.url(), -5);
    } else {
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        world.seed("dev", -5);
    }
    let mut env = with_u2m();
    env.push(("TZ", zone.to_owned()));
    let Some(mut program) = Program::start(&world, &env) else { return };
    program.ready();
    assert_eq!(
        program.ask(&format!("client {client}").replace("{URL}", world.url())).unwrap(),
        "databricks-cli"
    );
    program.calls(5);
    let said = program.ask("expiry").unwrap();
    assert_eq!(said[0], false, "{zone}: a new token is taken for expired");
    let left = said[1].as_i64().unwrap() - now().unix();
    assert!((SHORT - 40..=SHORT).contains(&left), "{zone}: {left} seconds left of {SHORT}");
    // One refresh for the start and for all calls: what is read as expired would be asked for again each time.
    assert_eq!(world.server.counts().refreshes, 1, "{zone}");

    std::thread::sleep(PAUSE);
    // From here on the API refuses the token that the program has.
    world.server.advance(Lifetime::from_seconds(SHORT + 20));
    program.calls(5);
    let counts = world.server.counts();
    assert_eq!((counts.refreshes, counts.rejected, counts.reuse_detections), (2, 0, 0), "{zone}");
    assert_eq!(counts.api, 10, "{zone}: a call was refused and tried again");
    let token = match is_by_host {
        true => format!("auth token --host {} --force-refresh", world.url()),
        false => "auth token --profile dev --force-refresh".to_owned(),
    };
    assert_eq!(program.called(), ["version --output json", &token, &token]);
}

/// The zones side by side: most of the time goes by waiting.
fn in_every_zone(client: &str, is_by_host: bool) {
    std::thread::scope(|scope| {
        for zone in ["UTC", "Asia/Kolkata", "America/Los_Angeles"] {
            scope.spawn(move || outlives_its_tokens(zone, client, is_by_host));
        }
    });
}

#[test]
fn by_profile_no_expired_token_is_used_and_none_is_asked_for_without_end_in_any_zone() {
    in_every_zone(r#"{"profile": "dev"}"#, false);
}

#[test]
fn by_host_no_expired_token_is_used_and_none_is_asked_for_without_end_in_any_zone() {
    in_every_zone(r#"{"host": "{URL}"}"#, true);
}

#[test]
fn a_link_named_databricks_on_the_path_is_found_without_any_variable() {
    let world = World::new();
    world.seed(world.url(), 1800);
    std::fs::create_dir(world.path("bin")).unwrap();
    std::os::unix::fs::symlink(U2M, world.path("bin/databricks")).unwrap();
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let Some(mut program) = Program::start(&world, &[("PATH", path)]) else { return };
    program.ready();
    let client = format!(r#"client {{"host": "{}"}}"#, world.url());
    assert_eq!(program.ask(&client).unwrap(), "databricks-cli", "the default chain comes to it");
    program.calls(1);
    assert_eq!(program.called().len(), 2);
}
