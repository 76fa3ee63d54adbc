//! What was bought is saved, stays saved, and takes the place of nothing newer; where it is lost, that is said.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Running, World, eventually, printed_token, slow, without_room, workers, world_of_dev as world,
};
use std::fs;
use std::time::Duration;
use u2m::oauth::RefreshToken;
use u2m::source::Lifetime;
use u2m::store::{Binding, CacheKey, Session, TokenStore};
use u2m::{AccessToken, Host};
use u2m_testkit::{Endpoint, Fault, Rotation, Settings, Times, http::StatusCode};

#[test]
fn refr_4_what_cannot_be_saved_now_is_saved_when_there_is_room_again() {
    let world = world();
    world.seed("dev", -5);
    let command = || world.run("token dev");
    let ran = without_room(&world, command, || std::thread::sleep(Duration::from_secs(5)));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr, "", "nothing went wrong in the end");
    assert_eq!(printed_token(&ran.stdout), world.stored("dev").access_token.expose());
    assert_eq!(world.server.counts().refreshes, 1);
    world.assert_alive("dev");
}

#[test]
fn refr_4_what_could_not_be_saved_in_the_end_is_said_by_the_exit_code_and_by_the_words() {
    let world = world();
    world.seed("dev", -5);
    let ended = std::sync::Mutex::new(false);
    let command = || {
        let ran = Running::start(world.command("token dev")).end(Duration::from_secs(170)).1;
        *ended.lock().unwrap() = true;
        ran
    };
    let ran = without_room(&world, command, || {
        while !*ended.lock().unwrap() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    let token = printed_token(&ran.stdout);
    assert!(world.server.is_active(&token), "it is good all the same");
    assert!(ran.stderr.contains("could not be saved"), "{}", ran.stderr);
    assert!(ran.stderr.contains("sign in again"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(&token), "{}", ran.stderr);
}

#[test]
fn an_old_copy_that_another_program_puts_back_is_replaced_again() {
    let world = world();
    world.seed("dev", -5);
    let before = fs::read(world.cache()).unwrap();
    let ran = world.run("token dev");
    let token = printed_token(&ran.stdout);
    for wait in [0, 100] {
        std::thread::sleep(Duration::from_millis(wait));
        // As Go's SDK writes the file: whole, and by renaming.
        fs::write(world.path("copy"), &before).unwrap();
        fs::rename(world.path("copy"), world.cache()).unwrap();
        eventually("it is put back", || world.stored("dev").access_token.expose() == token);
    }
    world.assert_alive("dev");
    // Whoever finds the old copy waits for that.
    fs::write(world.path("copy"), &before).unwrap();
    fs::rename(world.path("copy"), world.cache()).unwrap();
    let ran = world.run("token dev");
    assert_eq!(printed_token(&ran.stdout), token, "{}", ran.stderr);
    let counts = world.server.counts();
    assert_eq!((counts.refreshes, counts.rejected), (1, 0), "{counts:?}");
}

#[test]
fn a_newer_login_and_a_logout_stay_as_they_are() {
    for is_logout in [true, false] {
        let world = world();
        world.seed("dev", -5);
        let ran = world.run("token dev");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let newer = match is_logout {
            true => world.store().delete(&CacheKey::new("dev")).map(|()| None).unwrap(),
            false => Some(world.seed("dev", 1800)),
        };
        eventually("nobody looks any more", || workers(world.home()).is_empty());
        let stored = world.store().load(&CacheKey::new("dev")).unwrap();
        let stored = stored.map(|session| session.access_token.expose().to_owned());
        assert_eq!(stored, newer.map(|tokens| tokens.access_token().to_owned()));
    }
}

#[test]
fn a_newer_login_or_a_logout_of_another_program_during_a_refresh_is_not_undone() {
    for is_logout in [true, false] {
        let world = World::with(Settings::new().with_revocation());
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        world.seed("dev", -5);
        slow(&world, Duration::from_millis(600));
        let running = Running::start(world.command("token dev"));
        eventually("the refresh is sent", || world.server.counts().refreshes == 1);
        let newer = match is_logout {
            true => world.store().delete(&CacheKey::new("dev")).map(|()| None).unwrap(),
            false => Some(world.seed("dev", 1800)),
        };
        let ran = running.done();
        let stored = world.store().load(&CacheKey::new("dev")).unwrap();
        match newer {
            None => {
                assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
                assert!(stored.is_none());
                assert_eq!(world.server.counts().revocations, 1, "nobody has what was bought");
            }
            Some(newer) => {
                assert_eq!(printed_token(&ran.stdout), newer.access_token(), "{}", ran.stderr);
                assert_eq!(stored.unwrap().access_token.expose(), newer.access_token());
                assert_eq!(world.server.counts().revocations, 0);
            }
        }
    }
}

#[test]
fn what_another_name_still_holds_is_not_revoked_with_a_login_that_was_removed() {
    // A server that does not rotate gives the same refresh token out again.
    let settings = Settings::new().with_rotation(Rotation::Off).with_revocation();
    let world = World::with(settings);
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let tokens = world.seed("dev", -5);
    world.keep("other", -5, &tokens);
    slow(&world, Duration::from_millis(600));
    let running = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    world.store().delete(&CacheKey::new("dev")).unwrap();
    assert_eq!(running.done().code, Some(3));
    assert_eq!(world.server.counts().revocations, 0);
    world.assert_alive("other");
}

#[test]
fn a_success_that_cannot_be_read_is_not_asked_for_twice_in_silence() {
    let world = world();
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Once, Fault::junk("what is this"));
    for _ in 0..2 {
        let ran = world.run("token dev");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("was spent"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--force-refresh"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("login is kept"), "{}", ran.stderr);
        assert_eq!(world.server.counts().refreshes, 1);
    }
    // The server had not looked at it: whoever says so has it sent again.
    let ran = world.run("token dev --force-refresh");
    assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
    world.assert_alive("dev");
}

#[test]
fn the_tokens_of_an_answer_are_saved_whatever_status_a_gateway_has_put_on_it() {
    for status in [400, 403, 404, 500, 502, 503, 504] {
        let world = world();
        world.seed("dev", -5);
        let status = StatusCode::from_u16(status).unwrap();
        world.server.inject(Endpoint::Token, Times::Once, Fault::under(status));
        let ran = world.run("token dev");
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{status}");
        assert_eq!(printed_token(&ran.stdout), world.stored("dev").access_token.expose());
        let counts = world.server.counts();
        assert_eq!((counts.refreshes, counts.reuse_detections), (1, 0), "{status}: {counts:?}");
        world.assert_alive("dev");
    }
}

#[test]
fn a_refresh_token_that_nobody_can_read_is_not_replaced_by_the_old_one_in_silence() {
    for odd in [r#"{"value":"RT"}"#, "true", r#"["RT","RT2"]"#] {
        let world = world();
        world.seed("dev", -5);
        let body = format!(r#"{{"access_token":"AT","refresh_token":{odd},"expires_in":1}}"#);
        world.server.inject(Endpoint::Token, Times::Once, Fault::junk(body).once_processed());
        let ran = world.run("token dev");
        assert_eq!(ran.code, Some(0), "{odd}: {}", ran.stderr);
        assert!(ran.stderr.contains("cannot be renewed by itself"), "{odd}: {}", ran.stderr);
        assert_eq!(printed_token(&ran.stdout), "AT");
        assert_eq!(world.stored("dev").access_token.expose(), "AT");
        std::thread::sleep(Duration::from_secs(2));
        let ran = world.run("token dev");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{odd}: {}", ran.stderr);
        assert!(ran.stderr.contains("a refresh token that cannot be read"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--force-refresh"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("login is kept"), "{}", ran.stderr);
        let counts = world.server.counts();
        assert_eq!((counts.refreshes, counts.reuse_detections), (1, 0), "{odd}: {counts:?}");
    }
}

#[test]
fn a_login_is_said_to_be_kept_only_where_its_refresh_token_was_certainly_not_used() {
    let unknown =
        "It is not known whether the server has used the refresh token up; the next call tries it";
    let text = |status, body: &str| Fault::status(status, "text/html", body);
    for (fault, is_kept) in [
        (Fault::drop_connection(), false),
        (Fault::drop_connection().once_processed(), false),
        (text(StatusCode::BAD_GATEWAY, "<h1>502</h1>"), false),
        (text(StatusCode::GATEWAY_TIMEOUT, ""), false),
        (text(StatusCode::INTERNAL_SERVER_ERROR, ""), false),
        (text(StatusCode::REQUEST_TIMEOUT, ""), false),
        (text(StatusCode::TOO_MANY_REQUESTS, ""), true),
        // A gateway says `error` in words of its own.
        (text(StatusCode::SERVICE_UNAVAILABLE, r#"{"error":"Service Unavailable"}"#), false),
        (text(StatusCode::TOO_MANY_REQUESTS, r#"{"error":"rate_limited"}"#), true),
    ] {
        let world = world();
        world.seed("dev", -5);
        world.server.inject(Endpoint::Token, Times::Always, fault.clone());
        let ran = world.run("token dev");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{fault:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains("The login is kept"), is_kept, "{fault:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains(unknown), !is_kept, "{fault:?}: {}", ran.stderr);
    }
    // Nobody is there.
    let world = world();
    let address = format!("http://127.0.0.1:{}", common::free_port());
    world.write(".databrickscfg", &format!("[dev]\nhost = {address}\n"));
    let host = Host::parse(&address).unwrap();
    let endpoint = format!("{address}/oidc/v1/token").parse().unwrap();
    let binding = Binding::new(format!("{address}/oidc"), endpoint, "databricks-cli", host);
    let session = Session::new(AccessToken::new("old"))
        .with_refresh_token(RefreshToken::new("the-refresh-token"))
        .with_expiry(common::now().minus(Lifetime::from_seconds(5)))
        .with_binding(binding);
    world.store().save(&CacheKey::new("dev"), &session).unwrap();
    let ran = world.run("token dev");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("The login is kept; try again later"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("cannot reach {address}: nothing answers")),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("the-refresh-token"), "{}", ran.stderr);
}
