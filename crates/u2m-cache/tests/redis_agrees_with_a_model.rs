//! Random doings of three machines, each step held against a model: a number for each lock and each login, and who is
//! late writes nothing.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{key, session};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis_server::RedisServer;
use std::time::Duration;
use u2m_cache::{EntryLock, RedisStore, SealKey, StoreError, TokenStore};

#[derive(Clone, Debug)]
enum Doing {
    Lock(usize),
    Prove(usize),
    Save(usize),
    Release(usize),
    /// The holder's lease runs out, and it does not know.
    Lapse,
    SignIn,
    SignOut,
    /// The server forgets everything.
    Forget,
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        4 => (0..3usize).prop_map(Doing::Lock),
        3 => (0..3usize).prop_map(Doing::Prove),
        4 => (0..3usize).prop_map(Doing::Save),
        2 => (0..3usize).prop_map(Doing::Release),
        3 => Just(Doing::Lapse),
        1 => Just(Doing::SignIn),
        1 => Just(Doing::SignOut),
        1 => Just(Doing::Forget),
    ]
}

/// What the server should know.
#[derive(Default)]
struct Model {
    /// The number of the newest lock, login or logout.
    newest: usize,
    /// `None` after everything was forgotten, or before anything was known.
    fence: Option<usize>,
    leased_to: Option<usize>,
    session: Option<String>,
}

struct Machine {
    store: RedisStore,
    lock: Option<(Box<dyn EntryLock>, usize, bool)>,
}

fn is_superseded(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Superseded { .. }))
}

impl Model {
    fn next(&mut self) -> usize {
        self.newest += 1;
        self.fence = Some(self.newest);
        self.newest
    }
}

fn play(server: &RedisServer, doings: &[Doing]) -> Result<(), TestCaseError> {
    server.ask(&["FLUSHALL"]);
    let dev = key("dev");
    // Of one server, by names that differ: they do not stand in line with each other.
    let urls = ["127.0.0.1", "localhost", "127.0.0.2"];
    let mut machines = urls.map(|name| Machine {
        store: RedisStore::open(
            &server.url().replace("127.0.0.1", name),
            &SealKey::from_bytes([7; 32]),
        )
        .unwrap(),
        lock: None,
    });
    let mut model = Model::default();
    for (at, doing) in doings.iter().enumerate() {
        let name = format!("{at}");
        match *doing {
            Doing::Lock(who) if machines[who].lock.is_none() => {
                let lock = machines[who].store.lock(&dev, Duration::ZERO).unwrap();
                prop_assert_eq!(lock.is_some(), model.leased_to.is_none(), "lock at {}", at);
                if let Some(lock) = lock {
                    machines[who].lock = Some((lock, model.next(), model.session.is_some()));
                    model.leased_to = Some(who);
                }
            }
            Doing::Prove(who) => {
                let Some((lock, fence, has_login)) = &mut machines[who].lock else { continue };
                let may = *has_login && model.leased_to == Some(who) && model.fence == Some(*fence);
                let outcome = lock.prove_writable();
                prop_assert_eq!(outcome.is_ok(), may, "prove at {}: {:?}", at, outcome);
                prop_assert!(may || is_superseded(&outcome));
            }
            Doing::Save(who) => {
                let Some((lock, fence, has_login)) = &mut machines[who].lock else { continue };
                // Where everything was forgotten there is nobody to be late for; if an older one has saved since, either
                // may stand there in the end.
                let must = model.fence.is_none_or(|newest| newest == *fence);
                let may = model.fence.is_none_or(|newest| newest <= *fence);
                let outcome = lock.save(&session(&name));
                prop_assert!(!must || outcome.is_ok(), "save at {}: {:?}", at, outcome);
                prop_assert!(may || outcome.is_err(), "save at {}: {:?}", at, outcome);
                if outcome.is_ok() {
                    *has_login = true;
                    model.fence = Some(*fence);
                    model.session = Some(name);
                } else {
                    prop_assert!(is_superseded(&outcome));
                }
            }
            Doing::Release(who) => {
                if machines[who].lock.take().is_some() && model.leased_to == Some(who) {
                    model.leased_to = None;
                }
            }
            Doing::Lapse => {
                let lease = server.ask(&["KEYS", "*:lease"]);
                if !lease.trim().is_empty() {
                    server.ask(&["DEL", lease.trim()]);
                }
                model.leased_to = None;
            }
            Doing::SignIn => {
                machines[0].store.save(&dev, &session(&name)).unwrap();
                model.next();
                model.session = Some(name);
            }
            Doing::SignOut => {
                machines[0].store.delete(&dev).unwrap();
                model.next();
                model.session = None;
            }
            Doing::Forget => {
                server.ask(&["FLUSHALL"]);
                (model.fence, model.leased_to, model.session) = (None, None, None);
            }
            Doing::Lock(_) => {}
        }
        let stored = machines[1].store.load(&dev).unwrap();
        let stored = stored.map(|session| session.access_token.expose().to_owned());
        prop_assert_eq!(stored, model.session.as_ref().map(|name| format!("at-{name}")), "{}", at);
    }
    Ok(())
}

#[test]
fn a23_whatever_three_machines_do_no_late_one_overwrites_anything() {
    let Some(server) = RedisServer::start(&["--bind", "127.0.0.1", "127.0.0.2"]) else { return };
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(config);
    let doings = prop::collection::vec(doing(), 1..40);
    runner.run(&doings, |doings| play(&server, &doings)).unwrap();
}
