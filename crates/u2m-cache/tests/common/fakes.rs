//! Keyrings that do what real ones do on bad days.
#![allow(dead_code, reason = "each story uses its part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use u2m_cache::{Keyring, KeyringError};
use zeroize::Zeroizing;

/// What a keyring does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    /// Says that it stored and stores nothing: the stand-ins of containers.
    Forgets,
    /// Answers every read with something that is no login.
    Garbage,
    /// Answers every read with another account's secret.
    Confuses,
    Locked,
    Denied,
    /// Asks somebody before it replaces anything, and is told no.
    Asks,
    Absent,
    /// Breaks off.
    Dies,
}

/// A keyring in memory, which its test keeps another handle of.
#[derive(Clone, Debug)]
pub(crate) struct Fake(Arc<State>);

/// Something that happens once.
type Event = Box<dyn FnOnce() + Send>;

struct Events(Mutex<BTreeMap<String, Event>>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

#[derive(Debug)]
struct State {
    items: Mutex<BTreeMap<String, (Vec<u8>, Duration)>>,
    mood: Mutex<Mood>,
    /// Whether calls of each kind wait at the gate.
    held: Mutex<(bool, bool)>,
    moved: Condvar,
    /// How many writes until it dies.
    lives: Mutex<Option<usize>>,
    /// What was asked, in order.
    calls: Mutex<Vec<String>>,
    /// What happens when an account's secret has been stored.
    events: Events,
    limit: Option<usize>,
    lists: bool,
    /// The item that has a guard of its own.
    guarded: Mutex<Option<String>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::with(None, true)
    }

    pub(crate) fn limited(limit: usize) -> Self {
        Self::with(Some(limit), true)
    }

    pub(crate) fn with(limit: Option<usize>, lists: bool) -> Self {
        Self(Arc::new(State {
            items: Mutex::default(),
            mood: Mutex::new(Mood::Good),
            held: Mutex::default(),
            moved: Condvar::new(),
            lives: Mutex::default(),
            calls: Mutex::default(),
            events: Events(Mutex::default()),
            limit,
            lists,
            guarded: Mutex::default(),
        }))
    }

    pub(crate) fn arc(&self) -> Arc<dyn Keyring> {
        Arc::new(self.clone())
    }

    pub(crate) fn be(&self, mood: Mood) -> &Self {
        *self.0.mood.lock().unwrap() = mood;
        self
    }

    /// Lets `writes` more writes through, then dies at each.
    pub(crate) fn die_after(&self, writes: usize) {
        *self.0.lives.lock().unwrap() = Some(writes);
    }

    /// Dies no more.
    pub(crate) fn live(&self) {
        *self.0.lives.lock().unwrap() = None;
    }

    /// Lets `event` happen once, when the secret of `account` has been stored and nobody was told yet.
    pub(crate) fn on_set(&self, account: &str, event: impl FnOnce() + Send + 'static) {
        self.0.events.0.lock().unwrap().insert(account.to_owned(), Box::new(event));
    }

    /// Lets nobody replace this one item.
    pub(crate) fn guard(&self, account: &str) {
        *self.0.guarded.lock().unwrap() = Some(account.to_owned());
    }

    /// As another program removes a secret.
    pub(crate) fn delete_behind(&self, account: &str) {
        self.0.items.lock().unwrap().remove(account);
    }

    /// Holds reads, and writes, at a gate, as a locked keyring holds them behind its prompt.
    pub(crate) fn hold(&self, reads: bool, writes: bool) {
        *self.0.held.lock().unwrap() = (reads, writes);
        self.0.moved.notify_all();
    }

    pub(crate) fn put(&self, account: &str, secret: impl AsRef<[u8]>) {
        self.put_old(account, secret, Duration::ZERO);
    }

    pub(crate) fn put_old(&self, account: &str, secret: impl AsRef<[u8]>, age: Duration) {
        let item = (secret.as_ref().to_vec(), age);
        self.0.items.lock().unwrap().insert(account.to_owned(), item);
    }

    pub(crate) fn raw(&self, account: &str) -> Option<String> {
        let items = self.0.items.lock().unwrap();
        items.get(account).map(|(secret, _)| String::from_utf8(secret.clone()).unwrap())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.items.lock().unwrap().keys().cloned().collect()
    }

    /// The calls since the last time, each as `get dev`.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.calls.lock().unwrap())
    }

    fn enter(&self, operation: &str, account: &str) -> Result<Mood, KeyringError> {
        self.0.calls.lock().unwrap().push(format!("{operation} {account}"));
        let is_write = matches!(operation, "set" | "delete");
        let mut held = self.0.held.lock().unwrap();
        while if is_write { held.1 } else { held.0 } {
            held = self.0.moved.wait(held).unwrap();
        }
        if is_write && let Some(lives) = &mut *self.0.lives.lock().unwrap() {
            match lives.checked_sub(1) {
                Some(left) => *lives = left,
                None => return Err(broken()),
            }
        }
        match *self.0.mood.lock().unwrap() {
            Mood::Locked => Err(KeyringError::Locked),
            Mood::Denied => Err(KeyringError::Denied),
            Mood::Absent => Err(KeyringError::NoService),
            Mood::Dies => Err(broken()),
            mood => Ok(mood),
        }
    }
}

fn broken() -> KeyringError {
    KeyringError::Broken(u2m_core::Sanitized::new("the bus hung up"))
}

impl Keyring for Fake {
    fn service(&self) -> &str {
        "databricks-cli"
    }

    fn describe(&self) -> &'static str {
        "fake keyring"
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let mood = self.enter("get", account)?;
        let items = self.0.items.lock().unwrap();
        let found = match mood {
            Mood::Garbage => Some(b"\x00\xff not json".to_vec()),
            Mood::Confuses => {
                items.iter().find(|(name, _)| *name != account).map(|(_, item)| item.0.clone())
            }
            _ => items.get(account).map(|item| item.0.clone()),
        };
        Ok(found.map(Zeroizing::new))
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        let mood = self.enter("set", account)?;
        let is_there = self.0.items.lock().unwrap().contains_key(account);
        let is_guarded = self.0.guarded.lock().unwrap().as_deref() == Some(account);
        if is_there && (mood == Mood::Asks || is_guarded) {
            return Err(KeyringError::Denied);
        }
        if let Some(limit) = self.0.limit.filter(|limit| secret.len() > *limit) {
            return Err(KeyringError::TooBig { len: secret.len(), limit });
        }
        if mood != Mood::Forgets {
            self.put(account, secret);
        }
        let event = self.0.events.0.lock().unwrap().remove(account);
        event.into_iter().for_each(|event| event());
        Ok(())
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        self.enter("delete", account)?;
        self.0.items.lock().unwrap().remove(account);
        Ok(())
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        self.enter("list", "")?;
        Ok(self.0.lists.then(|| self.names()))
    }

    fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        self.enter("age", account)?;
        Ok(self.0.items.lock().unwrap().get(account).map(|(_, age)| *age))
    }

    fn limit(&self) -> Option<usize> {
        self.0.limit
    }

    fn guards_items(&self) -> bool {
        self.0.guarded.lock().unwrap().is_some()
    }
}
