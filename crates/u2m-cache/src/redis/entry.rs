//! Reads, replaces, removes and lists entries on the server.

use super::fault::same;
use super::pool::Pool;
use super::record::{RedisRecord, RefreshStarted, Revision, parse_verdict};
use super::reply::RespReply;
use super::script::{Part, ScriptCall};
use super::sealer::{EntryKeys, EntrySealer, SealPurpose};
use super::settings::{RedisSettings, millis};
use super::wire::CommandWords;
use crate::error::StoreError;
use crate::store::Notice;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use u2m_core::{CacheKey, Lifetime, RefreshFailure, Session, Timestamp};

/// The state that all clones of a store share.
pub(super) struct RedisStoreInner {
    pub(super) pool: Arc<Pool>,
    pub(super) vault: EntrySealer,
    pub(super) settings: RedisSettings,
    pub(super) notices: Mutex<Vec<Notice>>,
    pub(super) saved: SaveReply,
    /// Releases that failed because the server was unreachable. They are sent before the next lease is taken.
    pub(super) debts: Mutex<Vec<ScriptCall>>,
}

/// What this process last saved in each entry, sealed, in case the server loses it.
pub(super) type SaveReply = Mutex<HashMap<String, (Revision, String)>>;

/// An entry as it was at one moment.
pub(super) struct Read {
    pub(super) revision: Revision,
    /// `Err` if the entry exists but cannot be decrypted.
    pub(super) session: Result<Option<Session>, StoreError>,
    pub(super) refresh_failure: Option<RefreshFailure>,
    /// When a refresh with this refresh token began whose outcome is unknown.
    pub(super) began: Option<Timestamp>,
    /// The length of the sealed login.
    pub(super) room: usize,
}

impl Read {
    /// Copies it for another thread that read it at the same moment.
    fn copy(&self) -> Self {
        Self {
            revision: self.revision.clone(),
            session: self.session.as_ref().map(Clone::clone).map_err(same),
            refresh_failure: self.refresh_failure.clone(),
            began: self.began,
            room: self.room,
        }
    }
}

/// How often another writer may come first before a login gives up.
const ROUNDS: u32 = 16;

/// Clocks that differ by at most this many seconds count as equal, since an answer may take a while.
const SAME: i64 = 5;

/// How many names are scanned, and how many logins are read, at a time.
const BATCH: usize = 500;

/// The maximum length of a sealed login. What could not be read again is not written.
const LONGEST: usize = 8 << 20;

/// The number of entries for which the last save is kept.
const SAVED: usize = 256;

impl RedisStoreInner {
    /// Runs a part of the script.
    pub(super) fn run(&self, call: ScriptCall) -> Result<Vec<String>, StoreError> {
        let mut answers = self.pool.run(&[call])?;
        answers.pop().unwrap_or_else(|| Err(self.unavailable("it gave no answer")))
    }

    /// Returns a call for an entry.
    pub(super) fn call(part: Part, place: &EntryKeys) -> ScriptCall {
        ScriptCall::new(part, &[&place.record, &place.lease])
    }

    /// Parses an entry from the script's answer: see `reading` in `common.lua`.
    pub(super) fn entry(&self, key: &CacheKey, place: &EntryKeys, fields: &[String]) -> Read {
        let field = |at: usize| fields.get(at).map_or("", String::as_str);
        let revision =
            Revision { generation: field(0).parse().unwrap_or(0), grant: field(1).to_owned() };
        let mut session = match field(2) {
            "" => Ok(None),
            sealed => self.opened(key, place, &revision, sealed).map(Some),
        };
        let refresh_failure = self.vault.open(SealPurpose::Verdict, &place.record, field(3)).ok();
        let started = self.vault.open(SealPurpose::Started, &place.record, field(4)).ok();
        let started = started.and_then(|text| RefreshStarted::parse(&text));
        let began = match (started, &session) {
            (Some(started), Ok(Some(session))) => started.of(session),
            _ => None,
        };
        if let (Ok(Some(session)), Ok(theirs), Ok(server)) =
            (&mut session, field(5).parse::<i64>(), field(6).parse::<i64>())
        {
            set_clock(session, theirs - (micros() - server));
        }
        let refresh_failure = refresh_failure.and_then(|text| parse_verdict(&text));
        Read { session, refresh_failure, began, room: field(2).len(), revision }
    }

    fn opened(
        &self,
        key: &CacheKey,
        place: &EntryKeys,
        revision: &Revision,
        sealed: &str,
    ) -> Result<Session, StoreError> {
        let bad = |why| StoreError::BadEntry { key: key.clone(), why };
        let text = self.vault.open(SealPurpose::Session, &place.record, sealed);
        let text = text.map_err(|_| bad("another key sealed it, or it was changed"))?;
        let record = RedisRecord::parse(&text).ok_or_else(|| bad("another version wrote it"))?;
        if record.key != *key || record.revision != *revision {
            return Err(bad("its parts do not belong together"));
        }
        Ok(record.session)
    }

    /// Reads an entry, together with all threads that read it at this moment.
    pub(super) fn read(&self, key: &CacheKey, place: &EntryKeys) -> Result<Read, StoreError> {
        let read = self.read_once(key, place)?;
        if self.put_back(key, place, &read) { self.read_once(key, place) } else { Ok(read) }
    }

    fn read_once(&self, key: &CacheKey, place: &EntryKeys) -> Result<Read, StoreError> {
        let ask = || Ok(self.entry(key, place, &self.run(Self::call(Part::Read, place))?));
        let read = self.pool.room.read(&place.record, self.pool.longest(), ask)?;
        Ok(Arc::try_unwrap(read).unwrap_or_else(|shared| shared.copy()))
    }

    /// If the server has come back with an older state of the same login, writes again what this process saved. Returns
    /// whether it did.
    fn put_back(&self, key: &CacheKey, place: &EntryKeys, read: &Read) -> bool {
        let mut saved = self.saved();
        let Some((revision, sealed)) = saved.get(&place.record) else { return false };
        match read.revision.compared_to(revision) {
            // Someone has saved something newer, or has logged in or out.
            None | Some(Ordering::Greater) => {
                saved.remove(&place.record);
                return false;
            }
            Some(Ordering::Equal) => return false,
            Some(Ordering::Less) => {}
        }
        let call = Self::call(Part::Restore, place).arg(revision.generation).arg(&revision.grant);
        let call = call.arg(sealed).arg(millis(self.settings.keep));
        drop(saved);
        let is_back = self.run(call).is_ok_and(|answer| is_ok(&answer));
        if is_back {
            self.notice(format!(
                "{} came back with an older state of the login '{key}', as after a failure before its newest writes were \
                 kept; the newer state was put back",
                self.pool.server()
            ));
        }
        is_back
    }

    /// Remembers what was saved, for [`RedisStoreInner::put_back`].
    pub(super) fn remember(&self, place: &EntryKeys, revision: &Revision, sealed: &str) {
        let mut saved = self.saved();
        if saved.len() >= SAVED {
            saved.clear();
        }
        saved.insert(place.record.clone(), (revision.clone(), sealed.to_owned()));
    }

    fn saved(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Revision, String)>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seal(
        &self,
        purpose: SealPurpose,
        place: &str,
        text: &[u8],
    ) -> Result<String, StoreError> {
        let sealed = self.vault.seal(purpose, place, text).map_err(|_| no_entropy(&self.pool))?;
        if sealed.len() > LONGEST {
            let server = self.pool.server().to_owned();
            return Err(StoreError::Refused { server, why: "the login is larger than 6 MiB" });
        }
        Ok(sealed)
    }

    /// Replaces any existing login by a new one. A running refresh loses.
    pub(super) fn sign_in(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        let place = self.vault.place(key);
        let grant = random(&self.pool)?;
        for round in 0..ROUNDS {
            let read = self.read(key, &place)?;
            // An entry that cannot be read is replaced: that is the purpose of the login.
            if let Ok(Some(old)) = &read.session {
                check_kept(key, old, read.refresh_failure.as_ref(), session)?;
            }
            let old = read.revision;
            let new = Revision { generation: old.generation + 1, grant: grant.clone() };
            let text = RedisRecord::text(key, &new, session);
            let sealed = self.seal(SealPurpose::Session, &place.record, &text)?;
            let login = Self::call(Part::Login, &place).arg(old.generation).arg(&old.grant);
            let login = login.arg(new.generation).arg(&new.grant).arg(&sealed);
            let login = login.arg(millis(self.settings.keep)).arg(micros());
            let answers = self.pool.run(&[login, self.hold(&place, session)])?;
            if is_ok(&first(answers)?) {
                self.remember(&place, &new, &sealed);
                return Ok(());
            }
            std::thread::sleep(pause(round));
        }
        Err(self.unavailable("others keep changing the login"))
    }

    /// Returns the call that records that an entry holds a refresh token. If another entry holds it too, both know before
    /// either uses it.
    pub(super) fn hold(&self, place: &EntryKeys, session: &Session) -> ScriptCall {
        let token = self.vault.token(&session.fingerprint());
        let call = ScriptCall::new(Part::Hold, &[&token]).arg(&place.record);
        call.arg(millis(self.settings.keep))
    }

    /// Sends the releases that failed before.
    pub(super) fn pay(&self) -> Result<(), StoreError> {
        let debts = std::mem::take(&mut *self.debts());
        if debts.is_empty() {
            return Ok(());
        }
        let outcome = self.pool.run(&debts).map(drop);
        if outcome.is_err() {
            self.debts().extend(debts);
        }
        outcome
    }

    /// Sends releases, or keeps them for later if the server is unreachable.
    pub(super) fn give_back(&self, calls: Vec<ScriptCall>) {
        self.debts().extend(calls);
        let _ = self.pay();
    }

    fn debts(&self) -> std::sync::MutexGuard<'_, Vec<ScriptCall>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        let place = self.vault.place(key);
        self.saved().remove(&place.record);
        let call = Self::call(Part::Delete, &place).arg(millis(self.settings.tombstone));
        self.run(call).map(drop)
    }

    /// Returns the keys of the entries that this application's key can decrypt. There may be others next to them.
    pub(super) fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let (pattern, count) = (self.vault.pattern(), BATCH.to_string());
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let scan: CommandWords = words(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", &count]);
            let (next, records) = match self.pool.plain(&[scan])?.pop() {
                Some(RespReply::List(mut page)) if page.len() == 2 => {
                    (page.remove(0), page.remove(0))
                }
                _ => return Err(self.unavailable("what it answers is not understood")),
            };
            let (RespReply::Text(next), RespReply::List(records)) = (next, records) else {
                return Err(self.unavailable("what it answers is not understood"));
            };
            let records: Vec<String> = records.into_iter().filter_map(RespReply::text).collect();
            for batch in records.chunks(BATCH) {
                let asked: Vec<CommandWords> =
                    batch.iter().map(|record| words(&["HGET", record, "session"])).collect();
                for (record, sealed) in batch.iter().zip(self.pool.plain(&asked)?) {
                    let text = sealed.text().and_then(|sealed| {
                        self.vault.open(SealPurpose::Session, record, &sealed).ok()
                    });
                    let found = text.and_then(|text| RedisRecord::parse(&text));
                    keys.extend(found.map(|record| record.key));
                }
            }
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        keys.sort();
        // SCAN may return a key twice.
        keys.dedup();
        Ok(keys)
    }

    pub(super) fn unavailable(&self, why: &str) -> StoreError {
        StoreError::Unavailable { server: self.pool.server().to_owned(), why: why.to_owned() }
    }

    pub(super) fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice::new(text));
    }
}

/// Returns the first answer, which decides. The others are optional.
pub(super) fn first(answers: Vec<super::pool::PoolAnswer>) -> Result<Vec<String>, StoreError> {
    answers.into_iter().next().unwrap_or_else(|| Ok(Vec::new()))
}

/// If the clock of a login's writer is `ahead` of ours, in microseconds, corrects the login's times, so that no expired token
/// looks valid here. If it is behind, a token only looks older than it is, which costs no more than a refresh.
fn set_clock(session: &mut Session, ahead: i64) {
    let ahead = ahead / 1_000_000;
    if ahead > SAME {
        let by = Lifetime::from_seconds(ahead);
        session.expiry = session.expiry.map(|at| at.minus(by));
        session.issued_at = session.issued_at.map(|at| at.minus(by));
    }
}

/// Returns this machine's clock in microseconds.
pub(super) fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Refuses to replace a login with a refresh token by one without, unless the former is known to have ended.
pub(super) fn check_kept(
    key: &CacheKey,
    old: &Session,
    refresh_failure: Option<&RefreshFailure>,
    new: &Session,
) -> Result<(), StoreError> {
    let is_dead = refresh_failure.is_some_and(|refresh_failure| refresh_failure.is_final_for(old));
    if old.refresh_token.is_some() && new.refresh_token.is_none() && !is_dead {
        return Err(StoreError::WouldLoseRefreshToken { key: key.clone() });
    }
    Ok(())
}

pub(super) fn is_ok(answer: &[String]) -> bool {
    answer.first().is_some_and(|word| word == "ok")
}

/// Returns 32 random hexadecimal digits.
pub(super) fn random(pool: &Pool) -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| no_entropy(pool))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn no_entropy(pool: &Pool) -> StoreError {
    let why = "this system has no random bytes to give".to_owned();
    StoreError::Unavailable { server: pool.server().to_owned(), why }
}

/// Returns a random pause of 5 to 120 milliseconds, so that waiters do not retry at the same moments.
pub(super) fn pause(round: u32) -> Duration {
    let most = f64::from(10_u32 << round.min(3));
    Duration::from_secs_f64((most / 2.0 + most * chance()) / 1000.0)
}

/// Returns a random number from 0 to 1.
pub(super) fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::RedisStore;
    use super::*;
    use crate::seal::SealKey;
    use u2m_core::AccessToken;

    fn inner() -> Arc<RedisStoreInner> {
        RedisStore::open("redis://127.0.0.1:1", &SealKey::generate().unwrap()).unwrap().0
    }

    #[test]
    fn a_login_is_read_where_it_was_sealed_by_its_own_name_and_in_its_own_state_alone() {
        let (inner, key) = (inner(), CacheKey::new("dev"));
        let place = inner.vault.place(&key);
        let revision = |generation, grant: &str| Revision { generation, grant: grant.to_owned() };
        let session = Session::new(AccessToken::new("a"));
        let read = |name: &str, state: &Revision, generation: &str, grant: &str| {
            let text = RedisRecord::text(&CacheKey::new(name), state, &session);
            let sealed = inner.seal(SealPurpose::Session, &place.record, &text).unwrap();
            let fields = [generation.to_owned(), grant.to_owned(), sealed];
            inner.entry(&key, &place, &fields).session
        };
        assert_eq!(read("dev", &revision(3, "g"), "3", "g").unwrap(), Some(session.clone()));
        for (name, generation, grant) in [("prod", "3", "g"), ("dev", "4", "g"), ("dev", "3", "h")]
        {
            let read = read(name, &revision(3, "g"), generation, grant);
            assert!(
                matches!(read, Err(StoreError::BadEntry { .. })),
                "{name} {generation} {grant}"
            );
        }
    }

    #[test]
    fn a_writers_clock_counts_by_how_much_it_was_ahead_of_ours() {
        let (inner, key) = (inner(), CacheKey::new("dev"));
        let place = inner.vault.place(&key);
        let state = Revision { generation: 1, grant: "g".to_owned() };
        let end = Timestamp::from_unix(2_000_000_000);
        let session = Session::new(AccessToken::new("a")).with_expiry(end);
        let text = RedisRecord::text(&key, &state, &session);
        let sealed = inner.seal(SealPurpose::Session, &place.record, &text).unwrap();
        // The number of seconds by which the writer's clock was ahead of the server's, and by which our clock is.
        for (theirs, ours, ahead) in [(100, 0, 100), (100, 50, 50), (100, -50, 150), (0, 50, 0)] {
            let numbers =
                [theirs * 1_000_000, micros() - ours * 1_000_000].map(|it| it.to_string());
            let empty = String::new;
            let fields = ["1".into(), "g".into(), sealed.clone(), empty(), empty()];
            let fields: Vec<String> = fields.into_iter().chain(numbers).collect();
            let read = inner.entry(&key, &place, &fields).session.unwrap().unwrap();
            let moved = end.unix() - read.expiry.unwrap().unix();
            // What passes meanwhile is less than some seconds on any machine.
            assert!((ahead - 5..=ahead).contains(&moved), "{theirs} {ours}: {moved}");
        }
    }

    #[test]
    fn who_asks_again_does_so_sooner_at_first_and_never_at_the_same_moments_as_others() {
        for (round, most) in [(0, 10), (1, 20), (2, 40), (3, 80), (4, 80), (u32::MAX, 80)] {
            let (least, longest) =
                (Duration::from_millis(most / 2), Duration::from_millis(most * 3 / 2));
            let pauses: Vec<_> = (0..50).map(|_| pause(round)).collect();
            assert!(pauses.iter().all(|pause| (least..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }
}
