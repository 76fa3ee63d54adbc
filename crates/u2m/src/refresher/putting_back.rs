//! Looks at an entry again after its refresh: a program without our lock, which loads the whole file, changes something else
//! and writes it back, may have put the spent refresh token where its successor was.

use super::Refresher;
use std::time::Duration;
use u2m_core::{Fingerprint, Session};

/// The pauses before each look. Such a program holds what it has read for a moment, or for as long as it asks a server.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

impl Refresher {
    /// Puts `saved` back wherever a refresh token stands in its place that it was bought with, or one before that: never over a
    /// newer login, and never where there is none any more. It holds up nobody: it waits without any lock.
    pub(crate) fn look_after(&self, saved: &Session) {
        for pause in LOOKS {
            std::thread::sleep(pause);
            // What cannot be read or written now is looked at again.
            let _ = self.store.put_back(&self.key, saved, &self.spent());
        }
    }

    fn spent(&self) -> Vec<Fingerprint> {
        self.spent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
