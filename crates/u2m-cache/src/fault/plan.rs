//! A fault plan for one thread: which operation fails, and how.
#![allow(clippy::unwrap_used)]

use super::FileOperation;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InjectedFault {
    /// The operation fails with this error number.
    Error(i32),
    /// The operation is done, but this error is reported, as when the answer of a file server was lost.
    DoneAndError(i32),
    /// Half of the data is read or written, and that length is reported.
    Short,
    /// Half of the data is written, and then this error is reported.
    Torn(i32),
    /// Another process acts before the operation: the action given to [`meanwhile`].
    Meanwhile,
    /// The process is killed before the operation.
    KillBefore,
    /// The process is killed after the operation.
    KillAfter,
}

/// One fault: at the operation with this number, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultPlan {
    pub(crate) at: usize,
    pub(crate) fault: InjectedFault,
    /// Also at each later operation of that kind.
    pub(crate) lasts: bool,
}

#[derive(Debug, Default)]
struct FaultState {
    plan: Option<FaultPlan>,
    kind: Option<FileOperation>,
    steps: Vec<FileOperation>,
    opened: Vec<PathBuf>,
    /// Files with data that was written but not synced since.
    loose: BTreeSet<FileId>,
    runtime: Option<PathBuf>,
}

/// A file, whatever its name: its device and inode number.
pub(crate) type FileId = (u64, u64);

pub(crate) fn id(meta: &Metadata) -> FileId {
    (meta.dev(), meta.ino())
}

type SharedFaults = Arc<Mutex<FaultState>>;

type Work = Box<dyn FnOnce()>;

thread_local! {
    static CURRENT: RefCell<Option<SharedFaults>> = const { RefCell::new(None) };
    static MEANWHILE: RefCell<Option<Work>> = const { RefCell::new(None) };
}

/// What another process does at a [`InjectedFault::Meanwhile`].
pub(crate) fn meanwhile(work: impl FnOnce() + 'static) {
    MEANWHILE.set(Some(Box::new(work)));
}

fn current() -> Option<SharedFaults> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `work` under `plan`. Returns its result and the operations that it performed. `runtime` replaces the user's runtime
/// folder.
pub(crate) fn under<T>(
    plan: Option<FaultPlan>,
    runtime: Option<PathBuf>,
    work: impl FnOnce() -> T,
) -> (T, Vec<FileOperation>) {
    let shared =
        SharedFaults::new(Mutex::new(FaultState { plan, runtime, ..FaultState::default() }));
    let before = CURRENT.replace(Some(Arc::clone(&shared)));
    let out = work();
    CURRENT.set(before);
    let steps = std::mem::take(&mut shared.lock().unwrap().steps);
    (out, steps)
}

/// Runs `work`. Returns its result and the files that it opened, each as often as it did.
pub(crate) fn opened_under<T>(
    runtime: Option<PathBuf>,
    work: impl FnOnce() -> T,
) -> (T, Vec<PathBuf>) {
    let shared = SharedFaults::new(Mutex::new(FaultState { runtime, ..FaultState::default() }));
    let before = CURRENT.replace(Some(Arc::clone(&shared)));
    let out = work();
    CURRENT.set(before);
    let opened = std::mem::take(&mut shared.lock().unwrap().opened);
    (out, opened)
}

pub(crate) fn runtime_folder() -> Option<PathBuf> {
    current().and_then(|shared| shared.lock().unwrap().runtime.clone())
}

pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let shared = current();
    move || {
        CURRENT.set(shared);
        work()
    }
}

/// Returns the fault that is planned for this operation.
fn planned(op: FileOperation) -> Option<InjectedFault> {
    let shared = current()?;
    let mut state = shared.lock().unwrap();
    let number = state.steps.len();
    state.steps.push(op);
    let plan = state.plan?;
    if number == plan.at {
        state.kind = Some(op);
        return Some(plan.fault);
    }
    (plan.lasts && state.kind == Some(op)).then_some(plan.fault)
}

fn kill() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("it is dead")
}

fn refused<T>(errno: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(errno))
}

pub(crate) fn at<T>(op: FileOperation, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match planned(op) {
        None | Some(InjectedFault::Short) => work(),
        Some(InjectedFault::Meanwhile) => {
            let theirs = MEANWHILE.take();
            theirs.into_iter().for_each(|theirs| theirs());
            work()
        }
        Some(InjectedFault::Error(errno) | InjectedFault::Torn(errno)) => refused(errno),
        Some(InjectedFault::DoneAndError(errno)) => work().and(refused(errno)),
        Some(InjectedFault::KillBefore) => kill(),
        Some(InjectedFault::KillAfter) => {
            let _ = work();
            kill()
        }
    }
}

/// Like [`at`], for syncing a file.
pub(crate) fn sync(file: &File, work: fn(&File) -> io::Result<()>) -> io::Result<()> {
    at(FileOperation::Sync, || {
        work(file)?;
        note_loose(file, |files, id| files.remove(&id));
        Ok(())
    })
}

/// Updates the set of files that may lose written data.
fn note_loose(file: &File, note: impl FnOnce(&mut BTreeSet<FileId>, FileId) -> bool) {
    if let Some(shared) = current() {
        let _ = note(&mut shared.lock().unwrap().loose, id(&file.metadata().unwrap()));
    }
}

/// Returns whether a power failure would lose data written to this file.
pub(crate) fn is_loose(meta: &Metadata) -> bool {
    current().is_some_and(|shared| shared.lock().unwrap().loose.contains(&id(meta)))
}

/// Like [`at`], for opening the file at `path`.
pub(crate) fn opening<T>(path: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if let Some(shared) = current() {
        shared.lock().unwrap().opened.push(path.to_owned());
    }
    at(FileOperation::Open, work)
}

/// A file with this extension next to another marks that one as a mount point.
pub(crate) const MOUNT: &str = "mount";

/// Returns for a file marked as a mount point the error that the system would return.
pub(crate) fn check_mount(path: &Path) -> io::Result<()> {
    match path.with_extension(MOUNT).exists() {
        true => refused(rustix::io::Errno::BUSY.raw_os_error()),
        false => Ok(()),
    }
}

pub(crate) fn through(file: &mut File) -> FaultyFile<'_> {
    FaultyFile(file)
}

/// A file whose reads and writes count as operations.
pub(crate) struct FaultyFile<'a>(&'a mut File);

impl Read for FaultyFile<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match planned(FileOperation::Read) {
            None | Some(InjectedFault::Meanwhile) => self.0.read(into),
            Some(InjectedFault::Short | InjectedFault::Torn(_)) => {
                let half = into.len().div_ceil(2).min(7);
                self.0.read(&mut into[..half])
            }
            Some(InjectedFault::Error(errno) | InjectedFault::DoneAndError(errno)) => {
                refused(errno)
            }
            Some(InjectedFault::KillBefore | InjectedFault::KillAfter) => kill(),
        }
    }
}

impl Write for FaultyFile<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        note_loose(self.0, |files, id| files.insert(id));
        let half = &from[..from.len().div_ceil(2)];
        match planned(FileOperation::Write) {
            None | Some(InjectedFault::Meanwhile) => self.0.write(from),
            Some(InjectedFault::Short) => self.0.write(half),
            Some(InjectedFault::Torn(errno)) => self.0.write_all(half).and(refused(errno)),
            Some(InjectedFault::Error(errno)) => refused(errno),
            Some(InjectedFault::DoneAndError(errno)) => self.0.write_all(from).and(refused(errno)),
            Some(InjectedFault::KillBefore) => {
                let _ = self.0.write_all(half);
                kill()
            }
            Some(InjectedFault::KillAfter) => {
                let _ = self.0.write_all(from);
                kill()
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
