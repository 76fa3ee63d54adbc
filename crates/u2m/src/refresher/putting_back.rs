//! Checks an entry for a while after its refresh. A program without u2m's lock that loads the whole file, changes something else
//! and writes it back may have put the spent refresh token in place of its successor.

use super::Refresher;
use std::time::Duration;
use u2m_core::{Fingerprint, Session};

/// The pauses before each check. Such a program holds what it has read for a moment, or for as long as it waits for a server.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

impl Refresher {
    /// Puts `saved` back if the entry holds the refresh token that it was bought with, or an earlier one; never over a newer
    /// login, and never where the login was removed. It holds nobody up, because it waits without a lock.
    pub(crate) fn restore_if_overwritten(&self, saved: &Session) {
        self.look_after_each(&LOOKS, saved);
    }

    fn look_after_each(&self, pauses: &[Duration], saved: &Session) {
        for pause in pauses {
            std::thread::sleep(*pause);
            // What cannot be read or written now is tried again at the next check.
            let _ = self.store.put_back(&self.key, saved, &self.spent());
        }
    }

    fn spent(&self) -> Vec<Fingerprint> {
        self.spent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use u2m_cache::{MemoryStore, TokenStore};
    use u2m_core::{AccessToken, Host, RefreshToken, Target};

    fn session(name: &str) -> Session {
        Session::new(AccessToken::new(name)).with_refresh_token(RefreshToken::new(name))
    }

    #[test]
    fn a_copy_of_what_was_spent_is_replaced_and_a_newer_login_or_none_is_not() {
        for (there, remains) in
            [(Some("old"), Some("new")), (Some("newer"), Some("newer")), (None, None)]
        {
            let (target, store) =
                (Target::workspace(Host::parse("https://a.example").unwrap()), MemoryStore::new());
            let key = target.cache_key();
            if let Some(there) = there {
                store.save(&key, &session(there)).unwrap();
            }
            let auth = Builder::new(target).with_store(store.clone()).build().unwrap();
            auth.keeper().spent.lock().unwrap().push(session("old").fingerprint());
            auth.keeper().look_after_each(&[Duration::ZERO], &session("new"));
            assert_eq!(store.load(&key).unwrap(), remains.map(session), "{there:?}");
        }
    }
}
