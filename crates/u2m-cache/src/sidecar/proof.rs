//! Checks made before the user is asked to sign in, whichever store the tokens go to: that the files next to the cache can be
//! locked, read and written.

use super::lock::KeyLock;
use super::{SidecarFiles, disk};
use crate::error::StoreError;
use std::time::Duration;
use u2m_core::CacheKey;

impl SidecarFiles {
    /// Checks that the entry's lock can be taken and that the owner of the login can be recorded. If the folder does not
    /// exist yet, checks that it can be created, so that an abandoned login leaves no folder behind.
    pub(crate) fn prove_notes(&self, key: &CacheKey) -> Result<(), StoreError> {
        if !self.folder().is_dir() {
            return disk::check_creatable(self.folder());
        }
        // A lock held by another process exists, and is waited for when there is something to save.
        drop(KeyLock::take(self, key, Duration::ZERO)?);
        // A side file that cannot be read cannot be changed either, and it says where other logins are.
        self.sidecar_to_change().map(drop)
    }
}
