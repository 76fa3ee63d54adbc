//! Random doings of three machines, each step held against a model: what was bought is saved unless something newer was, and
//! what may be on its way is not sent again.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis_server.rs"]
mod redis_server;

use common::{key, session};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis_server::RedisServer;
use std::time::Duration;
use u2m_cache::{Claim, EntryLock, RedisStore, SealKey, StoreError, TokenStore};

#[derive(Clone, Debug)]
enum Doing {
    Lock(usize),
    /// Claims what is stored, and sends it.
    Send(usize),
    Save(usize),
    /// Saves a new login under the lock.
    SignInUnderLock(usize),
    Release(usize),
    /// All leases and claims run out, and their holders do not know.
    Lapse,
    /// No answer comes any more to those who lost their claims, as far as the others know.
    TimeIsOver,
    SignIn,
    SignOut,
    /// The server forgets everything.
    Forget,
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        5 => (0..3usize).prop_map(Doing::Lock),
        6 => (0..3usize).prop_map(Doing::Send),
        5 => (0..3usize).prop_map(Doing::Save),
        1 => (0..3usize).prop_map(Doing::SignInUnderLock),
        3 => (0..3usize).prop_map(Doing::Release),
        3 => Just(Doing::Lapse),
        2 => Just(Doing::TimeIsOver),
        1 => Just(Doing::SignIn),
        1 => Just(Doing::SignOut),
        1 => Just(Doing::Forget),
    ]
}

/// A state of the entry.
#[derive(Clone, Debug, PartialEq)]
struct State {
    /// Of its tokens.
    name: String,
    /// Which login it belongs to.
    login: usize,
    generation: u64,
    /// What it was bought from, and by which holder.
    bought: Option<(u64, usize)>,
    /// Whether its own refresh token was sent.
    is_sent: bool,
}

/// A refresh token that was sent, and whose answer was not saved.
#[derive(Clone, Debug)]
struct Flight {
    of: State,
    /// Later holders have larger ones.
    holder: usize,
    has_lapsed: bool,
    is_late: bool,
}

#[derive(Default)]
struct Model {
    /// How many locks, logins and logouts there were.
    count: usize,
    entry: Option<State>,
    generation: u64,
    leased_to: Option<usize>,
    /// Whether a logout is remembered.
    has_tombstone: bool,
}

struct Machine {
    store: RedisStore,
    lock: Option<(Box<dyn EntryLock>, usize)>,
    flight: Option<Flight>,
}

fn is_superseded(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Superseded { .. }))
}

impl Model {
    fn next(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn sign_in(&mut self, name: String) {
        let login = self.next();
        self.generation += 1;
        let generation = self.generation;
        self.entry = Some(State { name, login, generation, bought: None, is_sent: false });
        self.has_tombstone = false;
    }

    /// Whether what `flight` bought is to be saved.
    fn takes(&self, flight: &Flight) -> bool {
        let Some(entry) = &self.entry else { return !self.has_tombstone };
        if entry.login != flight.of.login {
            return false;
        }
        entry.generation <= flight.of.generation
            || (!entry.is_sent
                && entry
                    .bought
                    .is_some_and(|(of, by)| of == flight.of.generation && by < flight.holder))
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
        flight: None,
    });
    // One that saves nothing, and so knows of nothing that was lost.
    let reader = RedisStore::open(&server.url(), &SealKey::from_bytes([7; 32])).unwrap();
    let mut model = Model::default();
    for (at, doing) in doings.iter().enumerate() {
        let name = format!("{at}");
        match *doing {
            Doing::Lock(who) if machines[who].lock.is_none() => {
                let lock = machines[who].store.lock(&dev, Duration::ZERO).unwrap();
                prop_assert_eq!(lock.is_some(), model.leased_to.is_none(), "lock at {}", at);
                if let Some(lock) = lock {
                    machines[who].lock = Some((lock, model.next()));
                    model.leased_to = Some(who);
                }
            }
            Doing::Send(who) if machines[who].flight.is_none() => {
                let Some(of) = model.entry.clone() else { continue };
                let flights: Vec<Flight> =
                    machines.iter().filter_map(|machine| machine.flight.clone()).collect();
                let others: Vec<&Flight> =
                    flights.iter().filter(|flight| flight.of.name == of.name).collect();
                let Some((lock, holder)) = &mut machines[who].lock else { continue };
                // A light or an outdated lock has to look, and to be asked again.
                let mut claim = Claim::Waited;
                for _ in 0..3 {
                    if claim == Claim::Waited {
                        claim =
                            lock.claim(&session(&of.name).fingerprint(), Duration::ZERO).unwrap();
                    }
                }
                if claim != Claim::Taken {
                    let is_held = model.leased_to.is_some_and(|holder| holder != who);
                    prop_assert!(is_held || !others.is_empty(), "{:?} at {}", claim, at);
                    if !is_held {
                        model.leased_to = Some(who);
                    }
                    continue;
                }
                lock.prove_writable().unwrap();
                let is_done = |flight: &&Flight| flight.has_lapsed && flight.is_late;
                prop_assert!(others.iter().all(is_done), "sent twice at {}: {:?}", at, others);
                *holder = model.next();
                model.leased_to = Some(who);
                model.entry.iter_mut().for_each(|entry| entry.is_sent = true);
                let (holder, has_lapsed, is_late) = (*holder, false, false);
                machines[who].flight = Some(Flight { of, holder, has_lapsed, is_late });
            }
            Doing::Save(who) => {
                let Some(flight) = machines[who].flight.take() else { continue };
                let Some((lock, _)) = &mut machines[who].lock else { continue };
                let outcome = lock.save(&session(&name));
                prop_assert_eq!(outcome.is_ok(), model.takes(&flight), "{:?} at {}", outcome, at);
                prop_assert!(outcome.is_ok() || is_superseded(&outcome));
                if outcome.is_ok() {
                    let entry = model.entry.as_ref().map_or(0, |entry| entry.generation);
                    let generation = flight.of.generation.max(entry) + 1;
                    model.generation = generation;
                    let bought = Some((flight.of.generation, flight.holder));
                    let login = flight.of.login;
                    model.entry = Some(State { name, login, generation, bought, is_sent: false });
                }
                // Each step begins with a lock of its own.
                machines[who].lock = None;
                model.leased_to = model.leased_to.filter(|holder| *holder != who);
            }
            Doing::SignInUnderLock(who) if machines[who].flight.is_none() => {
                let Some((lock, _)) = &mut machines[who].lock else { continue };
                lock.save(&session(&name)).unwrap();
                model.sign_in(name);
                machines[who].lock = None;
                model.leased_to = model.leased_to.filter(|holder| *holder != who);
            }
            Doing::Release(who) => {
                // Whoever gives back what it holds waits for no answer any more.
                machines[who].flight = None;
                if machines[who].lock.take().is_some() && model.leased_to == Some(who) {
                    model.leased_to = None;
                }
            }
            Doing::Lapse => {
                server.lapse();
                machines
                    .iter_mut()
                    .filter_map(|machine| machine.flight.as_mut())
                    .for_each(|flight| flight.has_lapsed = true);
                model.leased_to = None;
            }
            Doing::TimeIsOver => {
                server.time_is_over();
                machines
                    .iter_mut()
                    .filter_map(|machine| machine.flight.as_mut())
                    .for_each(|flight| flight.is_late = true);
            }
            Doing::SignIn => {
                machines[0].store.save(&dev, &session(&name)).unwrap();
                model.sign_in(name);
            }
            Doing::SignOut => {
                machines[0].store.delete(&dev).unwrap();
                model.next();
                model.generation += 1;
                (model.entry, model.has_tombstone) = (None, true);
            }
            Doing::Forget => {
                server.ask(&["FLUSHALL"]);
                machines
                    .iter_mut()
                    .filter_map(|machine| machine.flight.as_mut())
                    .for_each(|flight| (flight.has_lapsed, flight.is_late) = (true, true));
                (model.entry, model.leased_to, model.has_tombstone) = (None, None, false);
                model.generation = 0;
            }
            Doing::Lock(_) | Doing::Send(_) | Doing::SignInUnderLock(_) => {}
        }
        let stored = reader.load(&dev).unwrap();
        let stored = stored.map(|session| session.access_token.expose().to_owned());
        let expected = model.entry.as_ref().map(|entry| format!("at-{}", entry.name));
        prop_assert_eq!(stored, expected, "{}", at);
    }
    Ok(())
}

#[test]
fn a23_redis_1_whatever_three_machines_do_what_was_bought_is_saved_and_nothing_newer_overwritten() {
    let Some(server) = RedisServer::start(&["--bind", "127.0.0.1", "127.0.0.2"]) else { return };
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(config);
    let doings = prop::collection::vec(doing(), 1..40);
    runner.run(&doings, |doings| play(&server, &doings)).unwrap();
}
