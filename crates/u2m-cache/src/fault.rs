//! Test hooks under every file operation: tests make each of them fail, or end the process at it. A normal build contains
//! nothing of this: each operation is called through a function that only calls it.

/// A file system operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "tests alone tell reads from writes, and some of it is Unix's")
)]
pub(crate) enum FileOperation {
    /// Opening a file that exists or may exist.
    Open,
    /// Creating a new file.
    Create,
    Read,
    Write,
    SetLen,
    Sync,
    SyncFolder,
    Rename,
    Link,
    Remove,
    Chmod,
    MakeFolder,
    ReadFolder,
    /// Reading the metadata of a path or an open file.
    Stat,
    Lock,
}

#[cfg(not(all(test, unix)))]
mod none {
    use super::FileOperation;
    use std::fs::File;
    use std::io;

    #[inline(always)]
    pub(crate) fn at<T>(_: FileOperation, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        work()
    }

    #[inline(always)]
    pub(crate) fn opening<T>(
        _: &std::path::Path,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        work()
    }

    /// Syncs a file by calling `work`.
    #[inline(always)]
    pub(crate) fn sync(file: &File, work: fn(&File) -> io::Result<()>) -> io::Result<()> {
        work(file)
    }

    /// Returns the file, to be read or written.
    #[inline(always)]
    pub(crate) fn through(file: &mut File) -> &mut File {
        file
    }

    /// Checks whether a file can be replaced, if a test says otherwise.
    #[inline(always)]
    pub(crate) fn check_mount(_: &std::path::Path) -> io::Result<()> {
        Ok(())
    }

    /// Wraps the work of a thread that acts for this one.
    #[inline(always)]
    pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        work
    }
}

#[cfg(all(test, unix))]
mod plan;
#[cfg(all(test, unix))]
mod tests;

#[cfg(not(all(test, unix)))]
pub(crate) use none::{at, carried, check_mount, opening, sync, through};
#[cfg(all(test, unix))]
pub(crate) use plan::{
    FaultPlan, InjectedFault, MOUNT, at, carried, check_mount, opened_under, opening,
    runtime_folder, sync, through, under,
};
