//! Logins in a SQLite database, whichever threads and processes use it.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior::Immediate};
use std::path::PathBuf;
use u2m::store::{CacheKey, CustomStore, EntryLocks, RecordStore, ReplaceCheck as Check};
use u2m::store::{Session, SessionRecord, StoreError};

/// The database at a path, for its owner alone; made when it is first used.
#[derive(Clone, Debug)]
pub struct Sqlite(EntryLocks);

/// The store in the database at `path`, with its locks beside it.
pub fn sqlite_store(path: impl Into<PathBuf>) -> CustomStore<Sqlite> {
    let locks = EntryLocks::beside("SQLite database", path);
    CustomStore::new(Sqlite(locks.clone()), locks)
}

const TABLE: &str = "PRAGMA secure_delete = ON;
    CREATE TABLE IF NOT EXISTS logins (name TEXT PRIMARY KEY, login TEXT NOT NULL) STRICT";

fn open(Sqlite(locks): &Sqlite) -> Result<Connection, StoreError> {
    let db = Connection::open(locks.private_file()?).map_err(failed)?;
    db.execute_batch(TABLE).map_err(failed).map(|()| db)
}

fn failed(error: rusqlite::Error) -> StoreError {
    let is_busy = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
    if is_busy { StoreError::transient(error) } else { StoreError::other(error) }
}

fn read(db: &Connection, key: &CacheKey) -> Result<Option<Session>, StoreError> {
    let login = |row: &Row<'_>| Ok(SessionRecord::parse(row.get_ref(0)?.as_bytes()?));
    let found = db.query_row("SELECT login FROM logins WHERE name = ?1", [key.as_str()], login);
    let found = found.optional().map_err(failed)?.map(|it| it.map(|it| it.session()));
    found.transpose().map_err(|why| StoreError::unreadable(key, why))
}

impl RecordStore for Sqlite {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        read(&open(self)?, key)
    }
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let db = open(self)?;
        let mut all = db.prepare("SELECT name FROM logins ORDER BY name").map_err(failed)?;
        let names = all.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        names.map(|name| name.map(CacheKey::new).map_err(failed)).collect()
    }
    fn replace(&self, at: &CacheKey, new: Option<&Session>, ok: Check) -> Result<(), StoreError> {
        let mut db = open(self)?;
        let step = db.transaction_with_behavior(Immediate).map_err(failed)?;
        ok(read(&step, at))?;
        let name = at.as_str();
        match new.map(|new| SessionRecord::of(new).text()) {
            Some(it) => step.execute("REPLACE INTO logins VALUES (?, ?)", [name, it.expose()]),
            None => step.execute("DELETE FROM logins WHERE name = ?", [name]),
        }
        .and_then(|_| step.commit())
        .map_err(failed)
    }
}
