//! What the processes share: one entry, its lock, and what is remembered beside the lock.

use u2m_core::{RefreshFailure, Session};

#[derive(Default)]
pub(crate) struct RecordStore {
    entry: Option<Session>,
    /// Grows with every write.
    version: u64,
    holder: Option<usize>,
    memory: Option<RefreshFailure>,
}

impl RecordStore {
    pub(crate) fn read(&self) -> Option<Session> {
        self.entry.clone()
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Writes are whole or not at all: that is the store's promise, kept by its own tests.
    pub(crate) fn write(&mut self, session: Session) {
        self.entry = Some(session);
        self.version += 1;
    }

    pub(crate) fn recall(&self) -> Option<RefreshFailure> {
        self.memory.clone()
    }

    pub(crate) fn remember(&mut self, refresh_failure: RefreshFailure) {
        self.memory = Some(refresh_failure);
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.holder.is_some()
    }

    pub(crate) fn is_held_by(&self, flow: usize) -> bool {
        self.holder == Some(flow)
    }

    pub(crate) fn holder(&self) -> Option<usize> {
        self.holder
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_lock(&mut self, flow: usize) -> bool {
        if self.is_locked() {
            return false;
        }
        self.holder = Some(flow);
        true
    }

    /// Gives the lock back, as the operating system does for a process that dies.
    pub(crate) fn unlock(&mut self, flow: usize) {
        if self.is_held_by(flow) {
            self.holder = None;
        }
    }
}
