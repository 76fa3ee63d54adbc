//! No block of memory is given back with a token in it, by any code of ours: what a process has freed is read by whatever it
//! loads later, and by whoever gets a copy of its memory.
//!
//! An object that is compiled here and preloaded (`freed/freed.c`) looks into each block at that moment. What the HTTP and TLS
//! libraries give back is told by the call site, see [`LIBRARIES`]; everything else is ours.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;
#[path = "freed/measure.rs"]
mod measure;
#[path = "common/tls.rs"]
mod tls;

use common::{Ran, Running, World, eventually, free_port, printed_token, ran, workers};
use measure::{FoundLogin, Measure, Owner, owner};
use std::process::Command;
use u2m_testkit::{Settings, follow_login};

/// What tokens of the test's server are known by. It is in lower case, so that forms without the difference are found too.
const MARK: &str = "canarymark7q2x9w4";

/// With it stand signs in each token that are escaped in forms, and are what base64 has besides letters and digits.
const SIGNS: &str = "+/~";

/// The two stores that are files.
const STORES: [&str; 2] = ["plaintext", "encrypted"];

/// How every access token of the server begins.
const JWT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6I";

/// The mark as it is, backwards, and in base64 at each of the places that it may begin at, without the digits that depend on
/// its neighbours.
fn traces() -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let coded = (0..3).map(|before| {
        let text = STANDARD_NO_PAD.encode(" ".repeat(before) + MARK);
        let (from, to) = ((before * 8).div_ceil(6), (before + MARK.len()) * 8 / 6);
        text[from..to].to_owned()
    });
    let plain = [MARK.to_owned(), MARK.chars().rev().collect(), JWT.to_owned()];
    plain.into_iter().chain(coded).collect()
}

fn settings() -> Settings {
    Settings::new().with_token_mark(format!("{MARK}{SIGNS}"))
}

/// A world whose tokens are known by their mark, with a login in a store, and the object that looks.
struct Story {
    world: World,
    store: &'static str,
    measure: Measure,
}

impl Story {
    /// `None` where there is no compiler.
    fn new(store: &'static str) -> Option<Self> {
        Self::of(World::with(settings()), store)
    }

    fn of(world: World, store: &'static str) -> Option<Self> {
        let measure = Measure::new(&traces())?;
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        world.write("key", &"5e".repeat(32));
        Some(Self { world, store, measure })
    }

    /// The same with a login that has so many seconds left.
    fn with_login(self, left: i64) -> Self {
        let tokens = self.world.sign_in();
        assert!(tokens.access_token().starts_with(JWT) && tokens.access_token().contains(MARK));
        match self.store {
            "plaintext" => self.world.keep("dev", left, &tokens),
            _ => self.world.seal("dev", left, &tokens),
        }
        self
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.world.command(line);
        command.env("DATABRICKS_AUTH_STORAGE", self.store);
        command.env("U2M_STORAGE_KEY_FILE", self.world.path("key"));
        self.measure.watch(&mut command);
        command
    }

    /// A token is printed.
    fn token(&self, line: &str) -> Ran {
        let ran = ran(self.command(line));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains(MARK), "{ran:?}");
        ran
    }

    /// What was given back, once nobody is left who could.
    fn assert_clean(&self, what: &str) {
        eventually("the small process ends", || workers(self.world.home()).is_empty());
        let found = self.measure.found();
        let ours: Vec<&FoundLogin> = found.iter().filter(|one| one.owner() == Owner::Us).collect();
        let told = |one: &&FoundLogin| format!("{one}\n");
        assert!(
            ours.is_empty(),
            "{what}, {}: {} blocks with a token were given back\n{}",
            self.store,
            ours.len(),
            ours.iter().map(told).collect::<String>()
        );
        let mut theirs: Vec<_> = found.iter().map(FoundLogin::owner).collect();
        theirs.sort_unstable();
        eprintln!("{what}, {}: 0 blocks of ours; of libraries: {theirs:?}", self.store);
    }
}

#[test]
fn t14_a_fresh_token_leaves_no_token_in_freed_memory() {
    for store in STORES {
        let Some(story) = Story::new(store).map(|story| story.with_login(3000)) else { return };
        story.token("token dev");
        story.token("token dev -o text");
        story.assert_clean("a hit");
        assert_eq!(story.world.server.counts().requests, 0);
    }
}

#[test]
fn t14_a_refresh_leaves_no_token_in_freed_memory() {
    for store in STORES {
        let Some(story) = Story::new(store).map(|story| story.with_login(-5)) else { return };
        let new = printed_token(&story.token("token dev").stdout);
        assert!(story.world.server.is_active(&new));
        assert_eq!(story.world.server.counts().refreshes, 1);
        story.assert_clean("a refresh");
    }
}

/// What is sent and comes over TLS goes through more hands.
#[test]
fn t14_a_refresh_over_tls_leaves_no_token_in_freed_memory() {
    let front = tls::Front::new();
    let world = World::behind(&front.url(), settings());
    front.before(world.server.port());
    world.write("corp.pem", &tls::root());
    let Some(story) = Story::of(world, "plaintext").map(|story| story.with_login(-5)) else {
        return;
    };
    story.token("token dev --ca-file corp.pem");
    assert_eq!(story.world.server.counts().refreshes, 1);
    story.assert_clean("a refresh over TLS");
}

#[test]
fn t14_a_login_leaves_no_token_in_freed_memory() {
    for store in STORES {
        let Some(story) = Story::new(store) else { return };
        let mut command = story.command("login --host {URL} --profile dev --no-browser");
        command.args(["--port", &free_port().to_string()]);
        let mut running = Running::start(command);
        follow_login(&running.url()).unwrap();
        let ran = running.done();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(story.world.server.is_login_alive());
        story.assert_clean("a login");
        // What was saved is used.
        story.token("token dev");
        story.assert_clean("a hit after a login");
    }
}

/// What every run has in its memory and clears nowhere: the profile's name.
#[test]
fn what_the_program_gives_back_uncleared_is_found_and_is_ours() {
    const NAME: &str = "profile-that-is-no-secret";
    let Some(measure) = Measure::new(&[NAME.to_owned()]) else { return };
    let world = World::with(Settings::new());
    world.write(".databrickscfg", &format!("[{NAME}]\nhost = {}\n", world.url()));
    world.seed(NAME, 3000);
    let mut command = world.command(&format!("token {NAME}"));
    measure.watch(&mut command);
    assert_eq!(ran(command).code, Some(0));
    let found = measure.found();
    assert!(found.iter().any(|one| one.owner() == Owner::Us), "{found:?}");
}

#[test]
fn a_block_that_is_given_back_or_outgrown_with_a_secret_in_it_is_found() {
    let Some(measure) = Measure::new(&traces()) else { return };
    let program = measure.control();
    let mut command = Command::new(&program);
    measure.watch(command.arg(format!("before-{MARK}-behind")));
    assert!(command.status().unwrap().success());
    let found = measure.found_in(&program);
    let told: Vec<_> =
        found.iter().map(|one| (one.what.as_str(), one.frames[0].as_str())).collect();
    assert_eq!(told, [("free", "leaves_it"), ("realloc", "outgrows_it")]);
}

#[test]
fn whose_a_block_is_follows_from_the_innermost_frame_that_names_a_crate() {
    let inner =
        ["free", "__rdl_dealloc", "<alloc::vec::Vec<u8> as core::ops::drop::Drop>::drop", "main"];
    for (frame, whose) in [
        ("core::ptr::drop_in_place<bytes::bytes_mut::BytesMut>", Owner::Library("bytes")),
        ("<hyper::proto::h1::io::Buffered<T,B> as core::ops::Drop>::drop", Owner::Library("hyper")),
        ("rustls::msgs::deframer::DeframerBuffer::discard", Owner::Library("rustls")),
        ("core::ptr::drop_in_place<u2m_cache::entry::Entry>", Owner::Us),
        ("hyper::Body<u2m_http::Answer>::poll", Owner::Us),
        ("serde_json::ser::to_string", Owner::Us),
        ("url::form_urlencoded::serialize", Owner::Us),
    ] {
        for outer in ["u2m::main", "hyper::client::conn"] {
            let frames: Vec<_> =
                inner.iter().chain([&frame, &outer]).map(|it| it.to_string()).collect();
            assert_eq!(owner(&frames), whose, "{frame} in {outer}");
        }
    }
    // Nobody is excused who does not say who he is.
    assert_eq!(owner(&inner.map(str::to_owned)), Owner::Us);
}
