//! Locks on files next to the cache. The operating system releases them when their holder dies; the mere existence of a lock
//! file means nothing. A thread that waits is woken by the kernel and does not poll.

use super::{disk, runtime_lock};
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use crate::named_mutex::{NamedGuard, NamedMutexes, end_of};
use fd_lock::RwLock;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

/// A held lock. Dropping it releases it.
pub(crate) struct HeldLock {
    /// Closed first, which releases the file's lock. Then the next thread of this process is let in.
    file: File,
    /// The file that should have been locked, if the file system has no locks and another file was locked instead.
    instead_of: Option<File>,
    /// Whether the lock was passed to another process, on a copy of the open file.
    is_given_away: bool,
    /// `None` for a lock that another process took and handed over.
    _pass: Option<NamedGuard<PathBuf>>,
}

/// Closing the file would be enough, but a child process that is just being started may hold a copy of it for a moment.
impl Drop for HeldLock {
    fn drop(&mut self) {
        #[cfg(unix)]
        if !self.is_given_away {
            let _ = rustix::fs::flock(&self.file, rustix::fs::FlockOperation::Unlock);
        }
    }
}

impl HeldLock {
    /// Returns the file at the lock's path, to store notes in.
    pub(crate) fn notes(&mut self) -> &mut File {
        self.instead_of.as_mut().unwrap_or(&mut self.file)
    }

    /// Returns the open file at the lock's path, so that the lock can be taken again ([`take_on`]): opening it costs more
    /// than locking it. Returns `None` if the lock ends only when its file is closed.
    pub(crate) fn keep(&self) -> Option<File> {
        let is_kept = cfg!(unix) && self.instead_of.is_none();
        is_kept.then(|| self.file.try_clone().ok()).flatten()
    }

    /// Returns whether the lock is in the user's runtime folder because the intended place has no locks.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.instead_of.is_some()
    }
}

/// Takes the lock at `path`, waiting for at most `patience`. Returns `None` if another holder still has it.
pub(crate) fn take(path: &Path, patience: Duration) -> Result<Option<HeldLock>, StoreError> {
    take_on(path, None, patience)
}

/// Like [`take`], on a file that was opened at this path before, if it is still the same file.
pub(crate) fn take_on(
    path: &Path,
    mut open: Option<File>,
    patience: Duration,
) -> Result<Option<HeldLock>, StoreError> {
    let end = end_of(patience);
    let Some(pass) = gates().pass(path.to_owned(), patience) else { return Ok(None) };
    let (mut at, mut instead_of) = (path.to_owned(), None);
    loop {
        let file = open.take().map_or_else(|| disk::open_private(&at), Ok)?;
        let mut lock = RwLock::new(file);
        // A forgotten lock stays on the open file, which goes to its owner with the lock on it.
        let tried = fault::at(FileOperation::Lock, || lock.try_write().map(std::mem::forget));
        match tried {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let left = end.saturating_duration_since(Instant::now());
                let held = move |file| HeldLock {
                    file,
                    instead_of,
                    is_given_away: false,
                    _pass: Some(pass),
                };
                return if left.is_zero() { Ok(None) } else { wait(&at, lock, held, left) };
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error)
                if instead_of.is_none() && runtime_lock::says_that_there_are_none(&error) =>
            {
                (at, instead_of) = (runtime_lock::lock_for(path)?, Some(lock.into_inner()));
                continue;
            }
            Err(error) => return Err(StoreError::io("lock", &at, error)),
        }
        let file = lock.into_inner();
        if disk::is_still(&at, &file)? {
            return Ok(Some(HeldLock {
                file,
                instead_of,
                is_given_away: false,
                _pass: Some(pass),
            }));
        }
    }
}

/// Takes over a lock that another process took. The lock is on the open file, which both processes have.
pub(crate) fn adopt(path: &Path, file: File) -> Result<HeldLock, StoreError> {
    if disk::is_still(path, &file)? {
        return Ok(HeldLock { file, instead_of: None, is_given_away: false, _pass: None });
    }
    let there = runtime_lock::lock_for(path);
    if there.is_ok_and(|there| disk::is_still(&there, &file).unwrap_or(false)) {
        let instead_of = Some(disk::open_private(path)?);
        Ok(HeldLock { file, instead_of, is_given_away: false, _pass: None })
    } else {
        let why =
            std::io::Error::new(ErrorKind::InvalidInput, "it is not the file that was locked");
        Err(StoreError::io("take over the lock on", path, why))
    }
}

/// Returns the open file that carries the lock, if a lock can be passed to another process that way: on Unix.
pub(crate) fn hand_over(mut held: HeldLock) -> Option<File> {
    let copy = if cfg!(unix) { held.file.try_clone().ok() } else { None };
    held.is_given_away = copy.is_some();
    copy
}

/// Waits in line for the lock. If the caller's patience ends first, the thread stays in line with this process's place, so
/// that the process never has two places, and releases the lock as soon as it gets it.
fn wait(
    path: &Path,
    lock: RwLock<File>,
    held: impl FnOnce(File) -> HeldLock + Send + 'static,
    left: Duration,
) -> Result<Option<HeldLock>, StoreError> {
    let (send, receive) = mpsc::sync_channel(1);
    let shown = path.to_owned();
    let body = fault::carried(move || {
        let _ = send.send(stand(&shown, lock).map(held));
    });
    std::thread::Builder::new()
        .name("u2m-lock".into())
        .spawn(body)
        .map_err(|error| StoreError::io("wait for", path, error))?;
    receive.recv_timeout(left).ok().transpose()
}

/// Waits until the lock is granted. If the file was deleted meanwhile, a lock on it protects nothing.
fn stand(path: &Path, mut lock: RwLock<File>) -> Result<File, StoreError> {
    loop {
        match fault::at(FileOperation::Lock, || lock.write().map(std::mem::forget)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(StoreError::io("lock", path, error)),
        }
        let file = lock.into_inner();
        if disk::is_still(path, &file)? {
            return Ok(file);
        }
        lock = RwLock::new(disk::open_private(path)?);
    }
}

/// The queues of this process, for all stores: two stores on one file share them.
fn gates() -> &'static Arc<NamedMutexes<PathBuf>> {
    static GATES: OnceLock<Arc<NamedMutexes<PathBuf>>> = OnceLock::new();
    GATES.get_or_init(|| Arc::new(NamedMutexes::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refr_1_a_lock_is_held_by_one_and_passed_on_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = take(&path, Duration::ZERO).unwrap().unwrap();
        assert!(take(&path, Duration::ZERO).unwrap().is_none());
        let there = path.clone();
        let waiter =
            std::thread::spawn(move || take(&there, Duration::from_secs(60)).unwrap().is_some());
        drop(held);
        assert!(waiter.join().unwrap());
        assert!(
            take(&path, Duration::ZERO).unwrap().is_some(),
            "the waiter's lock is gone with it"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_kept_open_is_locked_again_unless_another_is_there_by_now() {
        use crate::fault::{FileOperation, under};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = take(&path, Duration::ZERO).unwrap().unwrap();
        let [kept, late] = [held.keep(), held.keep()];
        assert!(kept.is_some());
        drop(held);
        let again = |kept| {
            let (held, steps) = under(None, None, || take_on(&path, kept, Duration::ZERO).unwrap());
            (held.unwrap(), steps.into_iter().filter(|step| *step == FileOperation::Open).count())
        };
        let (held, opens) = again(kept);
        assert_eq!(opens, 0);
        assert!(take(&path, Duration::ZERO).unwrap().is_none(), "it is held");
        drop(held);
        std::fs::remove_file(&path).unwrap();
        let (held, opens) = again(late);
        assert_eq!(opens, 1, "the file that is there now");
        assert!(take(&path, Duration::ZERO).unwrap().is_none());
        drop(held);
    }

    #[test]
    fn t23_waiting_ends_although_the_holder_never_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        // A foreign holder: a descriptor that this process's queues do not know.
        let mut foreign = RwLock::new(disk::open_private(&path).unwrap());
        let held = foreign.write().unwrap();
        let start = Instant::now();
        assert!(take(&path, Duration::from_millis(50)).unwrap().is_none());
        assert!(take(&path, Duration::from_millis(50)).unwrap().is_none());
        assert!(start.elapsed() < Duration::from_secs(10));
        drop(held);
        assert!(take(&path, Duration::from_secs(60)).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_signal_does_not_end_the_wait_for_a_lock_and_an_error_does() {
        use crate::fault::{FaultPlan, InjectedFault, under};
        use rustix::io::Errno;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        for (errno, is_there) in [(Errno::INTR, true), (Errno::IO, false)] {
            let lock = RwLock::new(disk::open_private(&path).unwrap());
            let fault = InjectedFault::Error(errno.raw_os_error());
            // Its first operation is to lock.
            let plan = FaultPlan { at: 0, fault, lasts: false };
            let (waited, steps) = under(Some(plan), None, || stand(&path, lock));
            assert_eq!((waited.is_ok(), steps[0]), (is_there, FileOperation::Lock), "{errno}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn t23_a_planted_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "text").unwrap();
        let path = folder.path().join("a.lock");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(take(&path, Duration::ZERO).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "text");
    }
}
