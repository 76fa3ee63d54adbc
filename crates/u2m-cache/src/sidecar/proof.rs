//! What is shown before a person is asked to sign in, whichever store the tokens go to: that what stands beside them can be taken,
//! read and written.

use super::lock::KeyLock;
use super::{SidecarFiles, disk};
use crate::error::StoreError;
use std::time::Duration;
use u2m_core::CacheKey;

impl SidecarFiles {
    /// Shows that the entry's lock can be had, and that it can be noted whom the login belongs to. Where there is no folder yet,
    /// that one can be made: a login that comes to nothing leaves none behind.
    pub(crate) fn prove_notes(&self, key: &CacheKey) -> Result<(), StoreError> {
        if !self.folder().is_dir() {
            return disk::check_creatable(self.folder());
        }
        // One that somebody else has is there, and is waited for when there is something to save.
        drop(KeyLock::take(self, key, Duration::ZERO)?);
        // What cannot be read can neither be changed, and says of other logins where they are.
        self.sidecar_to_change().map(drop)
    }
}
