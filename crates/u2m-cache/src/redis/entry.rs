//! One entry in the server: read, replaced, removed, listed.

use super::pool::Pool;
use super::record::{Record, Revision, parse_verdict};
use super::scripts::scripts;
use super::settings::{RedisSettings, millis};
use super::vault::{Place, Purpose, Vault};
use crate::error::StoreError;
use crate::store::Notice;
use redis::{Script, ScriptInvocation};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use u2m_core::{CacheKey, Session, Verdict};

/// What all clones of a store share.
pub(super) struct Inner {
    pub(super) pool: Pool,
    pub(super) vault: Vault,
    pub(super) settings: RedisSettings,
    pub(super) notices: Mutex<Vec<Notice>>,
}

/// An entry as it was at one moment.
pub(super) struct Read {
    pub(super) revision: Revision,
    /// `Err` for one that is there and cannot be opened.
    pub(super) session: Result<Option<Session>, StoreError>,
    pub(super) verdict: Option<Verdict>,
}

/// How often somebody else may come first before a login gives up.
const ROUNDS: u32 = 16;

impl Inner {
    /// Runs a script on an entry. Every answer is a list of texts.
    pub(super) fn run(
        &self,
        script: &Script,
        place: &Place,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<Vec<String>, StoreError> {
        let mut invocation = script.prepare_invoke();
        invocation.key(&place.record).key(&place.lease);
        arguments(&mut invocation);
        self.pool.ask(|connection| invocation.invoke(connection))
    }

    /// Reads an entry from the fields that a script answers with: generation, grant, session, verdict.
    pub(super) fn entry(&self, key: &CacheKey, place: &Place, fields: &[String]) -> Read {
        let field = |at: usize| fields.get(at).map_or("", String::as_str);
        let revision =
            Revision { generation: field(0).parse().unwrap_or(0), grant: field(1).to_owned() };
        let session = match field(2) {
            "" => Ok(None),
            sealed => self.opened(key, place, &revision, sealed).map(Some),
        };
        let verdict = self.vault.open(Purpose::Verdict, &place.record, field(3)).ok();
        Read { session, verdict: verdict.and_then(|text| parse_verdict(&text)), revision }
    }

    fn opened(
        &self,
        key: &CacheKey,
        place: &Place,
        revision: &Revision,
        sealed: &str,
    ) -> Result<Session, StoreError> {
        let bad = |why| StoreError::BadEntry { key: key.clone(), why };
        let text = self.vault.open(Purpose::Session, &place.record, sealed);
        let text = text.map_err(|_| bad("another key sealed it, or it was changed"))?;
        let record = Record::parse(&text).ok_or_else(|| bad("another version wrote it"))?;
        if record.key != *key || record.revision != *revision {
            return Err(bad("its parts do not belong together"));
        }
        Ok(record.session)
    }

    pub(super) fn read(&self, key: &CacheKey, place: &Place) -> Result<Read, StoreError> {
        let fields = self.run(&scripts().read, place, |_| {})?;
        Ok(self.entry(key, place, &fields))
    }

    pub(super) fn seal(
        &self,
        purpose: Purpose,
        place: &Place,
        text: &[u8],
    ) -> Result<String, StoreError> {
        self.vault.seal(purpose, &place.record, text).map_err(|_| no_entropy(&self.pool))
    }

    /// Replaces whatever login there is by a new one; a refresh that is under way loses.
    pub(super) fn sign_in(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        let place = self.vault.place(key);
        let grant = random(&self.pool)?;
        for round in 0..ROUNDS {
            let read = self.read(key, &place)?;
            // One that cannot be read is replaced: that is what the login is for.
            if let Ok(Some(old)) = &read.session {
                check_kept(key, old, read.verdict.as_ref(), session)?;
            }
            let old = read.revision;
            let new = Revision { generation: old.generation + 1, grant: grant.clone() };
            let sealed = self.seal(Purpose::Session, &place, &Record::text(key, &new, session))?;
            let answer = self.run(&scripts().login, &place, |call| {
                call.arg(old.generation).arg(&old.grant);
                call.arg(new.generation).arg(&new.grant).arg(&sealed);
                call.arg(millis(self.settings.keep));
            })?;
            if is_ok(&answer) {
                return Ok(());
            }
            std::thread::sleep(pause(round));
        }
        Err(self.unavailable("others keep changing the login"))
    }

    pub(super) fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        let tombstone = millis(self.settings.tombstone);
        self.run(&scripts().delete, &self.vault.place(key), |call| {
            call.arg(tombstone);
        })?;
        Ok(())
    }

    /// The keys of the entries that this application's key opens. Others may stand beside them.
    pub(super) fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            let (next, names): (u64, Vec<String>) = self.pool.ask(|connection| {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(self.vault.pattern()).arg("COUNT").arg(1000);
                scan.query(connection)
            })?;
            for record in names {
                let sealed: Option<String> = self.pool.ask(|connection| {
                    redis::cmd("HGET").arg(&record).arg("session").query(connection)
                })?;
                let text = sealed
                    .and_then(|sealed| self.vault.open(Purpose::Session, &record, &sealed).ok());
                keys.extend(text.and_then(|text| Record::parse(&text)).map(|record| record.key));
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        keys.sort();
        // SCAN may name a key twice.
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

/// A login that can be renewed is not replaced by one that cannot, unless it is known to have ended.
pub(super) fn check_kept(
    key: &CacheKey,
    old: &Session,
    verdict: Option<&Verdict>,
    new: &Session,
) -> Result<(), StoreError> {
    let is_dead = verdict.is_some_and(|verdict| verdict.is_final_for(old));
    if old.refresh_token.is_some() && new.refresh_token.is_none() && !is_dead {
        return Err(StoreError::WouldLoseRefreshToken { key: key.clone() });
    }
    Ok(())
}

pub(super) fn is_ok(answer: &[String]) -> bool {
    answer.first().is_some_and(|word| word == "ok")
}

/// 32 hexadecimal digits that nobody else has.
pub(super) fn random(pool: &Pool) -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| no_entropy(pool))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn no_entropy(pool: &Pool) -> StoreError {
    let why = "this system has no random bytes to give".to_owned();
    StoreError::Unavailable { server: pool.server().to_owned(), why }
}

/// Asks again after 10 to 240 milliseconds, not at the same moments as others.
pub(super) fn pause(round: u32) -> Duration {
    let most = 20 << round.min(3);
    let jitter = getrandom::u32().unwrap_or(0) % most;
    Duration::from_millis(u64::from(most / 2 + jitter))
}
