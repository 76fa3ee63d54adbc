//! Completes the write of a process that died before it could put its file in place. Once its temporary file is complete and
//! synced, a writer records in the writers' lock file what it is going to change (the commitment). The next process that
//! takes that lock, or the lock of an entry, finds it there. The text contains no secret: entries are named by hashes.
//!
//! If the cache is itself a mount point and must be written in place, this also repairs a crash during the write: the
//! committed text is synced before the first byte is changed.

use super::FileStoreInner;
use super::document::{self, CacheDocument, parse};
use super::update::TRIES;
use crate::error::{DisplayPath, StoreError};
use crate::fault::{self, FileOperation};
use crate::sidecar::disk;
use crate::sidecar::in_place::{self, WriteOutcome};
use crate::sidecar::locks::HeldLock;
use crate::sidecar::temp_file::TempFile;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use u2m_core::Fingerprint;

/// The maximum size of a commitment in bytes.
const LIMIT: u64 = 1 << 20;

/// The usual size of a commitment in bytes.
const USUAL: usize = 1 << 10;

/// What is going to be put in place.
#[derive(Serialize, Deserialize)]
struct Commitment {
    /// The name of the temporary file.
    temporary: String,
    changes: Vec<CommittedChange>,
}

/// An entry that is replaced, added or removed: hashes of its name and of its texts. A withdrawn commitment may stay in the
/// file for long, and a logout must leave no name behind.
#[derive(Serialize, Deserialize)]
struct CommittedChange {
    key: String,
    old: Option<String>,
    new: Option<String>,
}

/// A commitment recorded in the writers' lock file. Dropping it withdraws it.
pub(super) struct Committed<'w>(Option<&'w mut File>);

impl Drop for Committed<'_> {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|file| withdraw(file));
    }
}

impl Committed<'_> {
    /// Syncs it to disk, and also the existence of the file that it names.
    fn make_last(&self, lock: &Path, temporary: &Path) -> Result<(), StoreError> {
        let missing = || io::Error::other("what is about to be written could not be noted in it");
        let file = self.0.as_ref().ok_or_else(missing);
        let synced = file.and_then(|file| fault::sync(file, File::sync_all));
        synced.map_err(|error| StoreError::io("write", lock, error))?;
        disk::sync_folder(temporary.parent().unwrap_or(Path::new(".")));
        Ok(())
    }

    /// Leaves it for the next process.
    pub(super) fn leave(mut self) {
        self.0 = None;
    }
}

fn hash(entry: &str) -> String {
    Fingerprint::of_text(entry).as_str().to_owned()
}

/// Withdraws a commitment by writing one byte, which nobody can read half of, and which keeps the file's space: the disk may
/// be full when it is needed again.
fn withdraw(file: &mut File) {
    let _ = file.rewind().and_then(|()| fault::through(file).write_all(b"\n"));
}

fn read(path: &Path) -> Option<Commitment> {
    read_in(&mut disk::open_to_lock(path).ok()?)
}

fn read_in(file: &mut File) -> Option<Commitment> {
    let mut text = String::with_capacity(USUAL);
    file.rewind().ok()?;
    fault::through(file).take(LIMIT).read_to_string(&mut text).ok()?;
    parsed(&text)
}

fn parsed(text: &str) -> Option<Commitment> {
    // The end of a longer, older commitment may follow.
    serde_json::Deserializer::from_str(text.strip_prefix('{').map(|_| text)?)
        .into_iter()
        .next()?
        .ok()
}

impl Commitment {
    fn of(
        temporary: &Path,
        document: &CacheDocument<'_>,
        changes: &[document::MemberChange<'_>],
    ) -> Self {
        let changes = changes.iter().map(|(key, new)| CommittedChange {
            key: hash(key),
            old: document.entry(key).map(hash),
            new: new.as_ref().map(|entry| hash(entry)),
        });
        let name = temporary.file_name().unwrap_or_default().to_string_lossy();
        Self { temporary: name.into_owned(), changes: changes.collect() }
    }

    /// Returns the path of the temporary file next to the cache, or `None` if the name is not that of a temporary file.
    fn temporary(&self, path: &Path, prefix: &str) -> Option<PathBuf> {
        let rest = self.temporary.strip_prefix(prefix)?.strip_suffix(".tmp")?;
        let is_name = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_name.then(|| path.with_file_name(&self.temporary))
    }

    /// Returns whether the temporary file is what was committed.
    fn is_in(&self, whole: &CacheDocument<'_>) -> bool {
        let names = names([whole]);
        let entry = |key| names.get(key).and_then(|name| whole.entry(name)).map(hash);
        self.changes.iter().all(|change| entry(&change.key) == change.new)
    }

    /// Returns the changes still to be made, without entries that someone else has changed meanwhile.
    fn due<'d>(
        &self,
        now: &'d CacheDocument<'_>,
        whole: &'d CacheDocument<'_>,
    ) -> Vec<document::MemberChange<'d>> {
        let names = names([now, whole]);
        let due = self.changes.iter().filter_map(|change| {
            let name = *names.get(&change.key)?;
            let is_due = change.old != change.new && now.entry(name).map(hash) == change.old;
            is_due.then(|| (name, whole.entry(name).map(|entry| entry.to_owned().into())))
        });
        due.collect()
    }
}

/// Returns the names of the entries by their hashes.
fn names<'d, const N: usize>(documents: [&'d CacheDocument<'_>; N]) -> HashMap<String, &'d str> {
    let keys = documents.into_iter().flat_map(CacheDocument::keys);
    keys.map(|name| (hash(name), name)).collect()
}

impl FileStoreInner {
    /// Records that `temporary`, which is complete and synced, is going to be put in place. The caller holds the writers'
    /// lock. If it cannot be recorded, the write continues.
    pub(super) fn commit<'w>(
        &self,
        writer: &'w mut HeldLock,
        temporary: &Path,
        document: &CacheDocument<'_>,
        changes: &[document::MemberChange<'_>],
    ) -> Committed<'w> {
        let text = serde_json::to_string(&Commitment::of(temporary, document, changes));
        let text = text.ok().filter(|text| (text.len() as u64) < LIMIT);
        let Some(text) = text else { return Committed(None) };
        let file = writer.notes();
        let written = file.rewind().and_then(|()| fault::through(file).write_all(text.as_bytes()));
        Committed(written.is_ok().then_some(file))
    }

    /// Writes the committed text over the old one, for a cache that cannot be replaced. If the write is interrupted and
    /// cannot be undone, it still counts as done: the text is durable where the commitment says, for the next reader or
    /// writer.
    pub(super) fn write_over(
        &self,
        path: &Path,
        temporary: &mut TempFile,
        new: &str,
        committed: Committed<'_>,
    ) -> Result<(), StoreError> {
        committed.make_last(&self.beside.lock_at(".lock"), &temporary.path)?;
        if let WriteOutcome::Half(error) = in_place::write(path, new.as_bytes())? {
            committed.leave();
            temporary.leave();
            self.beside.notice_once(format!(
                "{} could not be written to its end ({error}); what belongs in it stands beside it and is used, and the next \
                 program that can puts it there",
                DisplayPath::from(path)
            ));
        }
        Ok(())
    }

    /// Returns the text of a cache that is only half written: once its writer has ended, or from the temporary file.
    pub(super) fn mended(&self) -> Option<String> {
        // Without a commitment, a file that begins like this is damaged, and there is nothing to lock for.
        read(&self.beside.lock_at(".lock")).filter(|commitment| self.is_due(commitment))?;
        let mended = self.beside.writer().and_then(|mut writer| self.finish(&mut writer));
        // If nothing can be written, the intended text is still known.
        mended.is_err().then(|| self.committed_text()).flatten()
    }

    fn committed_text(&self) -> Option<String> {
        // It may be in a read-only folder.
        let found = disk::read(&self.beside.lock_at(".lock")).ok()??;
        let commitment = parsed(std::str::from_utf8(&found.bytes).ok()?)?;
        let path = disk::resolve(&self.beside.path).ok()?;
        let temporary = commitment.temporary(&path, &self.beside.prefix())?;
        let (found, _) = disk::read_unlinked(&temporary).ok()??;
        let mut whole = found.text()?;
        let is_it = {
            let parsed = parse(&whole);
            parsed.broken.is_none() && commitment.is_in(&parsed.document)
        };
        is_it.then(|| std::mem::take(&mut *whole))
    }

    /// Completes what a dead writer committed, before an entry is read under its own lock. Returns whether there was
    /// anything, and the open writers' lock file for a later write.
    pub(super) fn finish_for_the_dead(&self) -> Result<(bool, Option<File>), StoreError> {
        let Ok(mut file) = disk::open_to_write(&self.beside.lock_at(".lock")) else {
            return Ok((false, None));
        };
        if !read_in(&mut file).is_some_and(|commitment| self.is_due(&commitment)) {
            return Ok((false, Some(file)));
        }
        match self.beside.writer_on(Some(file)) {
            Ok(mut writer) => self.finish(&mut writer).map(|()| (true, writer.keep())),
            // Its writer is still running.
            Err(StoreError::LockTimeout { .. }) => Ok((true, None)),
            Err(error) => Err(error),
        }
    }

    /// Completes what a dead writer committed. The caller holds the writers' lock.
    pub(super) fn finish(&self, writer: &mut HeldLock) -> Result<(), StoreError> {
        let commitment = read_in(writer.notes()).filter(|commitment| self.is_due(commitment));
        let Some(commitment) = commitment else { return Ok(()) };
        for _ in 0..TRIES {
            if self.carry_out(&commitment, writer)? {
                break;
            }
        }
        withdraw(writer.notes());
        Ok(())
    }

    /// Returns whether the committed file may still have to be put in place: it is where it was written.
    fn is_due(&self, commitment: &Commitment) -> bool {
        let path = match disk::resolve(&self.beside.path) {
            Ok(path) => path,
            Err(StoreError::Io { .. }) => return true,
            // We write nothing where another user's link points.
            Err(_) => self.beside.path.clone(),
        };
        let temporary = commitment.temporary(&path, &self.beside.prefix());
        let is_gone = |path: PathBuf| {
            let found = fault::at(FileOperation::Stat, || fs::symlink_metadata(path));
            found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        temporary.is_some_and(|path| !is_gone(path))
    }

    /// Tries to complete the commitment. Returns whether it is done or there is nothing left to do; `false` if someone else
    /// has changed the file meanwhile.
    fn carry_out(
        &self,
        commitment: &Commitment,
        writer: &mut HeldLock,
    ) -> Result<bool, StoreError> {
        let path = disk::resolve(&self.beside.path)?;
        let temporary = commitment.temporary(&path, &self.beside.prefix());
        let Some(temporary) = temporary else { return Ok(true) };
        let whole = match disk::read_unlinked(&temporary) {
            Ok(Some((found, _))) => found.text().unwrap_or_default(),
            // It was put in place.
            Ok(None) => return Ok(true),
            Err(error) => return Err(error),
        };
        let done = parse(&whole);
        if done.broken.is_some() || !commitment.is_in(&done.document) {
            return Ok(true);
        }
        let look = self.look_held(false)?;
        let text = &look.text;
        if in_place::is_half(text) {
            return match in_place::write(&path, whole.as_bytes())? {
                WriteOutcome::Whole => {
                    let _ = fault::at(FileOperation::Remove, || fs::remove_file(&temporary));
                    Ok(true)
                }
                WriteOutcome::Half(error) => Err(StoreError::io("write", &path, error)),
            };
        }
        let parsed = parse(text);
        if self.check_form(&parsed).is_err() {
            return Ok(true);
        }
        let head = self.codec.head(&done.document, false)?;
        let is_new = parsed.document.entries.is_empty();
        if !is_new && head != self.codec.head(&parsed.document, false)? {
            // It is encrypted with another key by now.
            return Ok(true);
        }
        let changes = commitment.due(&parsed.document, &done.document);
        if changes.is_empty() {
            return Ok(true);
        }
        let new = parsed.document.with(&head, &changes);
        if *new == *whole && !is_written_in_place(&path) {
            self.replace(&path, &parsed, || disk::put(&temporary, &path, true))?;
            return Ok(true);
        }
        let mut merged = TempFile::new(&path, self.beside.prefix(), 0, false)?;
        merged.fill(&new, true)?;
        if !self.is_still(&look)? {
            return Ok(false);
        }
        self.replace(&path, &parsed, || match merged.put(&path, true) {
            Err(error) if in_place::is_needed(&error) => {
                let committed = self.commit(writer, &merged.path, &parsed.document, &changes);
                self.write_over(&path, &mut merged, &new, committed)
            }
            put => put,
        })
        .map(|()| true)
    }
}

/// Returns whether a cache cannot be replaced because it is a mount point.
pub(super) fn is_written_in_place(path: &Path) -> bool {
    disk::check_replaceable(path).is_err_and(|error| in_place::is_needed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::codec::EntryCodec;
    use crate::sidecar::temp_file::UpdateReserve;
    use crate::store::{Claim, EntryLock};
    use std::time::Duration;
    use u2m_core::{
        AccessToken, CacheKey, RefreshFailure, RefreshFailureKind, RefreshToken, Session,
    };

    fn session(name: &str) -> Session {
        let access = AccessToken::new(format!("at-{name}"));
        Session::new(access).with_refresh_token(RefreshToken::new(format!("rt-{name}")))
    }

    fn key(name: &str) -> CacheKey {
        CacheKey::new(name)
    }

    fn refresh_token(store: &FileStoreInner, name: &str) -> Option<String> {
        let found = store.load(&key(name)).unwrap()?.refresh_token?;
        Some(found.expose().to_owned())
    }

    /// Comes as far as a commitment to `new` in the place of `dev`, and dies.
    fn dies(store: &FileStoreInner, new: &Session) {
        let text = store.look_held(true).unwrap().text;
        let parsed = parse(&text);
        store.codec.prove(&store.beside.path, &parsed.document).unwrap();
        let old = store.read(&parsed.document, "dev").unwrap();
        let changes = [("dev", Some(store.codec.write("dev", &old, new).unwrap()))];
        let head = store.codec.head(&parsed.document, true).unwrap();
        let whole = parsed.document.with(&head, &changes);
        let mut reserve = UpdateReserve::default();
        let mut temporary = reserve.cache(&store.beside.path, store.beside.prefix()).unwrap();
        temporary.fill(&whole, true).unwrap();
        let mut writer = store.beside.writer().unwrap();
        std::mem::forget(store.commit(&mut writer, &temporary.path, &parsed.document, &changes));
        std::mem::forget(temporary);
    }

    /// Stores of each form, opened anew by whoever comes next; the sealed one does not ask for its key to finish.
    fn each_form(story: impl Fn(&dyn Fn() -> std::sync::Arc<FileStoreInner>)) {
        let forms: &[fn() -> EntryCodec] = &[
            || EntryCodec::Plain,
            #[cfg(feature = "encrypted")]
            || {
                let key = crate::SealKey::from_bytes([7; 32]);
                EntryCodec::Sealed(crate::file::sealed::SealedCodec::new(
                    crate::SealKeySource::Bytes(key),
                ))
            },
        ];
        for form in forms {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("cache.json");
            let store = || std::sync::Arc::new(FileStoreInner::new(path.clone(), form()));
            for name in ["dev", "other"] {
                store().save(&key(name), &session(name)).unwrap();
            }
            story(&store);
        }
    }

    #[test]
    fn the_next_one_finishes_it_whether_it_reads_writes_or_removes() {
        each_form(|store| {
            dies(&store(), &session("by-lock"));
            drop(store().lock(&key("dev"), Duration::ZERO).unwrap().unwrap());
            assert_eq!(refresh_token(&store(), "dev").as_deref(), Some("rt-by-lock"));
            dies(&store(), &session("by-save"));
            store().save(&key("other"), &session("again")).unwrap();
            assert_eq!(refresh_token(&store(), "dev").as_deref(), Some("rt-by-save"));
            dies(&store(), &session("by-proof"));
            let mut lock = store().lock(&key("other"), Duration::ZERO).unwrap().unwrap();
            lock.prove_writable().unwrap();
            assert_eq!(refresh_token(&store(), "dev").as_deref(), Some("rt-by-proof"));
            // It is of the login that is being removed.
            dies(&store(), &session("by-logout"));
            store().delete(&key("dev")).unwrap();
            assert_eq!(refresh_token(&store(), "dev"), None);
            assert_eq!(refresh_token(&store(), "other").as_deref(), Some("rt-again"));
        });
    }

    #[test]
    fn refr_4_who_keeps_a_lock_that_was_to_be_handed_on_finishes_it_before_anything_is_spent() {
        each_form(|store| {
            dies(&store(), &session("finished"));
            let store = store();
            let mut lock = store.hold(&key("dev"), Duration::ZERO, false).unwrap().unwrap();
            assert_eq!(refresh_token(&store, "dev").as_deref(), Some("rt-dev"), "it is left");
            let of = session("dev").fingerprint();
            assert_eq!(lock.claim(&of, Duration::ZERO).unwrap(), Claim::Waited);
            assert_eq!(refresh_token(&store, "dev").as_deref(), Some("rt-finished"));
            drop(lock);
            // What is remembered of a refresh is told of the state that is there.
            let moment = u2m_core::Timestamp::from_unix(7);
            let refresh_failure =
                RefreshFailure::new(of, moment, RefreshFailureKind::transient("no answer"));
            store
                .lock(&key("dev"), Duration::ZERO)
                .unwrap()
                .unwrap()
                .note(&refresh_failure)
                .unwrap();
            dies(&store, &session("told"));
            drop(store.hold(&key("dev"), Duration::ZERO, false).unwrap().unwrap());
            assert_eq!(refresh_token(&store, "dev").as_deref(), Some("rt-told"));
        });
    }

    #[test]
    fn a_temporary_file_that_is_not_what_was_committed_to_is_nothing() {
        each_form(|store| {
            let inner = store();
            dies(&inner, &session("torn"));
            let folder = inner.beside.folder().to_owned();
            let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            let left =
                names.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "tmp"));
            fs::write(left.unwrap(), "{\"version\":1,\"tokens\":{}}").unwrap();
            drop(store().lock(&key("dev"), Duration::ZERO).unwrap().unwrap());
            assert_eq!(refresh_token(&store(), "dev").as_deref(), Some("rt-dev"));
            // And it is told once.
            assert!(read(&inner.beside.lock_at(".lock")).is_none());
        });
    }

    #[test]
    fn t14_what_is_committed_to_shows_no_token() {
        each_form(|store| {
            let inner = store();
            dies(&inner, &session("canary"));
            let text = fs::read_to_string(inner.beside.lock_at(".lock")).unwrap();
            assert!(text.starts_with('{') && !text.contains("canary"), "{text}");
            assert!(!text.contains("dev"), "nor the name of a login: {text}");
            assert!(!text.contains(".."), "{text}");
        });
    }

    #[test]
    fn a_commitment_names_a_temporary_file_and_no_other() {
        let of = |name: &str| Commitment { temporary: name.to_owned(), changes: Vec::new() };
        let path = Path::new("/home/token-cache.json");
        let found = |name| of(name).temporary(path, ".token-cache-u2m-");
        assert_eq!(
            found(".token-cache-u2m-00ff.tmp"),
            Some(PathBuf::from("/home/.token-cache-u2m-00ff.tmp"))
        );
        for odd in ["victim", ".token-cache-u2m-../../victim.tmp", ".token-cache-u2m-.x", ""] {
            assert_eq!(found(odd), None, "{odd}");
        }
    }
}
