//! An entry's lock: a lease with a fencing number, which the server takes back when its holder is gone.

use super::entry::{Inner, Read, check_kept, is_ok, pause, random};
use super::record::{Record, Revision, Started, verdict_text};
use super::scripts::scripts;
use super::settings::millis;
use super::vault::{Place, Purpose};
use crate::error::StoreError;
use crate::gate::{Gates, Pass, end_of};
use crate::store::EntryLock;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use u2m_core::{CacheKey, Session, Timestamp, Verdict};

/// A lease that was held when it was last heard of. Dropping it gives it back.
pub(super) struct RedisLock {
    store: Arc<Inner>,
    key: CacheKey,
    place: Place,
    owner: String,
    fence: String,
    revision: Revision,
    session: Option<Session>,
    verdict: Option<Verdict>,
    /// When a refresh of this refresh token began that nothing came of, as far as is known.
    began: Option<Timestamp>,
    room: usize,
    /// Whether a refresh is under way; else what is saved is a new login.
    is_refresh: bool,
    /// What is being saved: the same bytes again when it is tried again, so that the server knows them.
    tried: Option<(Session, Revision, String)>,
    /// Whether something that was bought is not saved: nobody else is let in before the lease has run out.
    is_owing: bool,
    _pass: Pass<String>,
}

enum Tried {
    Taken(Box<RedisLock>),
    /// By somebody else, for at most this long.
    Busy(Pass<String>, Duration),
}

/// Takes the lease of an entry. The threads of this process queue at a gate first.
pub(super) fn lock(
    store: &Arc<Inner>,
    key: &CacheKey,
    patience: Duration,
) -> Result<Option<RedisLock>, StoreError> {
    let (end, place) = (end_of(patience), store.vault.place(key));
    let gate = format!("{} {}", store.pool.server(), place.record);
    let Some(mut pass) = gates().pass(gate, patience) else { return Ok(None) };
    let owner = random(&store.pool)?;
    for round in 0.. {
        let left = match take(store, key, &place, &owner, pass)? {
            Tried::Taken(lock) => return Ok(Some(*lock)),
            Tried::Busy(again, left) => {
                pass = again;
                left
            }
        };
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break;
        }
        std::thread::sleep(pause(round).min(left + Duration::from_millis(1)).min(rest));
    }
    Ok(None)
}

fn take(
    store: &Arc<Inner>,
    key: &CacheKey,
    place: &Place,
    owner: &str,
    pass: Pass<String>,
) -> Result<Tried, StoreError> {
    let settings = &store.settings;
    let answer = store.run(&scripts().lock, place, |call| {
        call.arg(owner).arg(millis(settings.lease)).arg(millis(settings.tombstone));
    })?;
    if !is_ok(&answer) {
        let left = answer.get(1).and_then(|left| left.parse().ok()).unwrap_or(0);
        return Ok(Tried::Busy(pass, Duration::from_millis(left)));
    }
    let field = |at: usize| answer.get(at).map_or("", String::as_str);
    let Read { revision, session, verdict } =
        store.entry(key, place, &answer[2.min(answer.len())..]);
    // One that cannot be read is reported when it is loaded.
    let session = session.unwrap_or_default();
    let started = store.vault.open(Purpose::Started, &place.record, field(6)).ok();
    let started = started.and_then(|text| Started::parse(&text));
    let began = started.zip(session.as_ref()).and_then(|(started, session)| started.of(session));
    Ok(Tried::Taken(Box::new(RedisLock {
        store: Arc::clone(store),
        key: key.clone(),
        place: place.clone(),
        owner: owner.to_owned(),
        fence: field(1).to_owned(),
        room: field(4).len(),
        revision,
        session,
        verdict,
        began,
        is_refresh: false,
        tried: None,
        is_owing: false,
        _pass: pass,
    })))
}

impl RedisLock {
    fn superseded(&self) -> StoreError {
        StoreError::Superseded { key: self.key.clone() }
    }

    /// The server's word: it still counts, or somebody else was here.
    fn settled(&self, answer: &[String]) -> Result<(), StoreError> {
        if is_ok(answer) { Ok(()) } else { Err(self.superseded()) }
    }

    /// What to save, sealed: the same as at the last try if it is the same.
    fn sealed(&mut self, session: &Session) -> Result<(Revision, String), StoreError> {
        if let Some((_, revision, sealed)) = self.tried.as_ref().filter(|(of, ..)| of == session) {
            return Ok((revision.clone(), sealed.clone()));
        }
        let is_same_login = self.is_refresh && !self.revision.grant.is_empty();
        let grant =
            if is_same_login { self.revision.grant.clone() } else { random(&self.store.pool)? };
        let new = Revision { generation: self.revision.generation + 1, grant };
        let text = Record::text(&self.key, &new, session);
        let sealed = self.store.seal(Purpose::Session, &self.place, &text)?;
        self.tried = Some((session.clone(), new.clone(), sealed.clone()));
        Ok((new, sealed))
    }
}

impl EntryLock for RedisLock {
    fn verdict(&mut self) -> Option<Verdict> {
        self.verdict.clone()
    }

    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        if let Some(began) = self.began.filter(|_| is_final(verdict, self.session.as_ref())) {
            self.store.notice(format!(
                "the refresh token of '{}' was rejected. It had been sent before, at {}, by a program that ended or lost its \
                 connection before it could save the answer: that is probably why",
                self.key,
                crate::format_local(began)
            ));
        }
        let sealed = self.store.seal(Purpose::Verdict, &self.place, &verdict_text(verdict))?;
        let answer = self.store.run(&scripts().note, &self.place, |call| {
            call.arg(&self.fence).arg(&sealed);
        })?;
        self.settled(&answer)?;
        self.verdict = Some(verdict.clone());
        Ok(())
    }

    /// Renews the lease, and writes down which refresh token is about to be sent. A holder that was paused past its lease,
    /// or whose entry was replaced, is told so here, before it sends anything.
    fn prove_writable(&mut self) -> Result<(), StoreError> {
        let Some(session) = &self.session else { return Err(self.superseded()) };
        let at = Timestamp::from(SystemTime::now());
        let marker = Started::text(&session.fingerprint(), at, self.room);
        let marker = self.store.seal(Purpose::Started, &self.place, &marker)?;
        let settings = &self.store.settings;
        // From before the question: the lease is no longer than this says.
        let asked = Instant::now();
        let answer = self.store.run(&scripts().prove, &self.place, |call| {
            call.arg(&self.owner).arg(&self.fence);
            call.arg(self.revision.generation).arg(&self.revision.grant);
            call.arg(millis(settings.lease)).arg(&marker);
        })?;
        self.settled(&answer)?;
        self.is_refresh = true;
        if settings.lease.saturating_sub(asked.elapsed()) < settings.needed() {
            return Err(self
                .store
                .unavailable("too little was left of the lease to refresh within"));
        }
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        if let Some(old) = &self.session {
            check_kept(&self.key, old, self.verdict.as_ref(), session)?;
        }
        self.is_owing = true;
        let (new, sealed) = self.sealed(session)?;
        let settings = &self.store.settings;
        let answer = self.store.run(&scripts().save, &self.place, |call| {
            call.arg(&self.fence).arg(self.revision.generation).arg(&self.revision.grant);
            call.arg(new.generation).arg(&new.grant).arg(&sealed);
            call.arg(millis(settings.keep)).arg(millis(settings.tombstone));
        })?;
        // Who was superseded owes nothing: what it has is worth nothing any more.
        self.is_owing = false;
        self.settled(&answer)?;
        (self.revision, self.session) = (new, Some(session.clone()));
        (self.verdict, self.began, self.tried) = (None, None, None);
        Ok(())
    }
}

impl Drop for RedisLock {
    fn drop(&mut self) {
        if !self.is_owing {
            // What cannot be given back runs out.
            let _ = self.store.run(&scripts().release, &self.place, |call| {
                call.arg(&self.owner);
            });
        }
    }
}

fn is_final(verdict: &Verdict, session: Option<&Session>) -> bool {
    session.is_some_and(|session| verdict.is_final_for(session))
}

/// One waiter a process, even where several stores are open on one server.
fn gates() -> &'static Arc<Gates<String>> {
    static GATES: OnceLock<Arc<Gates<String>>> = OnceLock::new();
    GATES.get_or_init(|| Arc::new(Gates::new()))
}
