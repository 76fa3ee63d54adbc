//! Tests whether a keyring really stores items: writes one, reads it back through a new connection, and removes it (KEY-4).

use super::api::Keyring;
use super::error::KeyringError;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;
use zeroize::Zeroizing;

/// Test items of killed processes are removed when they are older than any running test.
const LEFT: Duration = Duration::from_secs(60);

const PREFIX: &str = "__probe_";
const BEFORE: &str = r#"{"token":{"access_token":"probe"#;
const AFTER: &str = r#"","expiry":"0001-01-01T00:00:00Z"}}"#;

/// Checks whether the keyring answers. Reading an absent item opens no prompt, so a silent keyring is detected in seconds,
/// while a write may wait for the user to type a password.
pub(super) fn is_alive(keyring: &dyn Keyring) -> Result<(), KeyringError> {
    keyring.get(&account()).map(drop)
}

/// Tests with a secret of `len` bytes, at least as long as that of the test in Databricks' CLI.
pub(super) fn run(keyring: &dyn Keyring, len: usize) -> Result<(), KeyringError> {
    let padding = "-".repeat(len.saturating_sub(BEFORE.len() + AFTER.len()));
    let secret = Zeroizing::new(format!("{BEFORE}{padding}{AFTER}").into_bytes());
    let account = account();
    // Replaces another item, as saving a login does: some keyrings ask the user only for that.
    let written = keyring
        .set(&account, [BEFORE, AFTER].concat().as_bytes())
        .and_then(|()| keyring.set(&account, &secret));
    let kept = written.and_then(|()| keyring.get(&account));
    // Removed whatever was found, and before anything is reported.
    let removed = keyring.delete(&account);
    if kept?.is_none_or(|kept| *kept != *secret) {
        return Err(KeyringError::NotKept);
    }
    removed
}

/// Writes an item again unchanged, if the keyring may ask the user about single items. This shows that it may be replaced
/// before a refresh token is used.
pub(super) fn overwrite(keyring: &dyn Keyring, account: &str) -> Result<(), KeyringError> {
    if !keyring.guards_items() {
        return Ok(());
    }
    match keyring.get(account)? {
        Some(secret) => keyring.set(account, &secret),
        None => Ok(()),
    }
}

/// Removes the test items of killed processes (KEY-5) if their age is known. Nothing depends on it.
pub(super) fn sweep(keyring: &dyn Keyring) {
    let all = keyring.accounts().ok().flatten().unwrap_or_default();
    for account in all.iter().filter(|account| is_probe(account)) {
        if keyring.age(account).is_ok_and(|age| age > Some(LEFT)) {
            let _ = keyring.delete(account);
        }
    }
}

/// Returns whether this is the account of a test item of Databricks' CLI or u2m, and not of a login.
pub(super) fn is_probe(account: &str) -> bool {
    let Some(id) = account.strip_prefix(PREFIX) else { return false };
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns a random name in the form of a version 4 UUID, so that tests can run side by side and no profile has that name.
fn account() -> String {
    let random = || RandomState::new().build_hasher().finish();
    let (high, low) = (random(), random());
    let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{PREFIX}{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_probes_account_is_told_from_a_profile_of_a_similar_name() {
        let (one, other) = (account(), account());
        assert_ne!(one, other);
        assert!(is_probe(&one) && is_probe(&other), "{one} {other}");
        for profile in
            ["__probe_", "__probe_dev", "dev", "__probe_00000000-0000-1000-8000-000000000000"]
        {
            assert!(!is_probe(profile), "{profile}");
        }
    }

    /// Has a probe of this age, and of an unknown one, beside a login.
    #[derive(Debug)]
    struct Aged(Duration, Mutex<Vec<String>>);

    const PROBES: [&str; 2] = [
        "__probe_00000000-0000-4000-8000-000000000000",
        "__probe_00000000-0000-4000-8000-000000000001",
    ];

    impl Keyring for Aged {
        fn service(&self) -> &str {
            "u2m"
        }
        fn describe(&self) -> &'static str {
            "keyring that knows how old its items are"
        }
        fn get(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
            Ok(None)
        }
        fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringError> {
            Ok(())
        }
        fn delete(&self, account: &str) -> Result<(), KeyringError> {
            self.1.lock().unwrap().push(account.to_owned());
            Ok(())
        }
        fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
            Ok(Some([PROBES[0], "dev", PROBES[1]].map(str::to_owned).into()))
        }
        fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
            Ok((account != PROBES[1]).then_some(self.0))
        }
    }

    #[test]
    fn key_5_probes_that_are_surely_left_over_are_swept_and_nothing_else() {
        let second = Duration::from_secs(1);
        for (age, swept) in
            [(LEFT - second, &PROBES[..0]), (LEFT, &PROBES[..0]), (LEFT + second, &PROBES[..1])]
        {
            let keyring = Aged(age, Mutex::default());
            sweep(&keyring);
            assert_eq!(*keyring.1.lock().unwrap(), swept, "{age:?}");
        }
    }

    #[test]
    fn a_probes_secret_is_that_of_the_cli() {
        let whole = format!("{BEFORE}{AFTER}");
        assert_eq!(whole, r#"{"token":{"access_token":"probe","expiry":"0001-01-01T00:00:00Z"}}"#);
    }
}
