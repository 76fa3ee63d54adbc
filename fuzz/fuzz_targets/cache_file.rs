//! `token-cache.json` and the file beside it: reading any text, and changing one entry of it (FILE-2, FILE-3, FILE-4,
//! FILE-7). The first line of an input is the key of the entry, the rest both files' text.
//!
//! - The text after a change is whole, is of version 1, and is JSON for a strict reader too.
//! - Every other entry keeps its bytes, bad ones and those before a damage included; only copies of the refresh token that
//!   is replaced change with it. Members that are not known keep their bytes, in the file and in the entry.
//! - The new entry is read back as the login that was written. Writing it again changes nothing. Removing it leaves the
//!   others.
//! - A side file comes out as it went in once it has been written; it changes no token; what it adds sends tokens to no
//!   other host than the login's own (T20); what is recorded is found again.
#![no_main]

use u2m_cache::fuzzing::{Cache, completed, entry, recorded, side_file};
use u2m_core::{AccessToken, Binding, CacheKey, Host, Lifetime, RefreshToken, Session, Timestamp};
use u2m_fuzz::first_line;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((key, text)) = first_line(input) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let key = CacheKey::new(key);
    change(text, &key, input.len() as i32);
    beside(text, key.as_str());
});

fn change(text: &str, key: &CacheKey, size: i32) {
    let before = Cache::parse(text);
    let twins = before.twins(key);
    let session = Session::new(AccessToken::new("new \"<access>\" \u{2028}"))
        .with_refresh_token(RefreshToken::new("new-refresh"))
        .with_expiry(Timestamp::from_unix(4_000_000_000))
        .with_lifetime(Lifetime::from_seconds(3600));
    // Zones in steps of a quarter of an hour, east and west.
    let offset = (size % 113 - 56) * 900;

    let written = before.updated(key, Some(&session), offset);
    let after = Cache::parse(&written);
    assert!(!after.is_broken() && after.version() == Some("1"), "{written}");
    assert_eq!(after.others(), before.others());
    for name in before.keys().into_iter().filter(|name| *name != key.as_str()) {
        if twins.contains(&name) {
            assert_eq!(read(&after, name).0, Some(session.clone()));
        } else {
            assert_eq!(after.entry(name), before.entry(name), "{name}");
        }
    }
    let (found, others) = read(&after, key.as_str());
    assert_eq!(found, Some(session.clone()));
    let old = before.entry(key.as_str()).and_then(|raw| entry(raw).ok()).unwrap_or_default();
    assert_eq!(others, old.1);
    assert_eq!(after.updated(key, Some(&session), offset), written);
    strictly(&written);

    // A login that was read is written as it was, as far as its times can be.
    if let Some(old) = old
        .0
        .filter(|old| old.expiry.is_none_or(|time| (0..200_000_000_000).contains(&time.unix())))
    {
        let again = before.updated(key, Some(&old), offset);
        let again = Cache::parse(&again);
        let (mut found, _) = read(&again, key.as_str());
        if let Some(found) = &mut found {
            // Where it was not known, the token's own hint is written.
            found.expiry = found.expiry.filter(|_| old.expiry.is_some());
        }
        assert_eq!(found, Some(old));
    }

    let removed = before.updated(key, None, offset);
    let without = Cache::parse(&removed);
    assert!(!without.is_broken() && without.entry(key.as_str()).is_none());
    let kept: Vec<_> = before.keys().into_iter().filter(|name| *name != key.as_str()).collect();
    assert_eq!(without.keys(), kept);
    assert!(kept.iter().all(|name| without.entry(name) == before.entry(name)));
    assert_eq!(without.others(), before.others());
}

fn read(cache: &Cache<'_>, key: &str) -> (Option<Session>, Vec<(String, String)>) {
    let raw = cache.entry(key).unwrap_or_else(|| panic!("{key} is gone"));
    entry(raw).unwrap_or_else(|why| panic!("{why}: {raw}"))
}

/// What is deeper than a strict reader follows, or holds numbers or strings that it cannot keep, is the file's own.
fn strictly(text: &str) {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let said = error.to_string();
        let own = ["recursion limit", "number out of range", "surrogate", "hex escape"];
        assert!(own.iter().any(|own| said.contains(own)), "{said}: {text}");
    }
}

fn beside(text: &str, key: &str) {
    let once = side_file(text);
    assert_eq!(side_file(&once), once);

    let login = Session::new(AccessToken::new("at-dev-1"))
        .with_refresh_token(RefreshToken::new("rt-dev-1"));
    let found = completed(text, key, login.clone());
    assert_eq!(found.access_token, login.access_token);
    assert_eq!(found.refresh_token, login.refresh_token);
    if let Some(binding) = &found.binding {
        assert!(binding.allows(&binding.token_endpoint));
        let noted = recorded(text, key, &found, None);
        assert_eq!(completed(&noted, key, login.clone()), found);
    }

    let host = Host::parse("https://a.example").expect("a host");
    let endpoint = url::Url::parse("https://a.example/oidc/v1/token").expect("a URL");
    let bound =
        login.clone().with_binding(Binding::new("https://a.example/oidc", endpoint, key, host));
    let noted = recorded(text, key, &bound, None);
    assert_eq!(completed(&noted, key, login.clone()), bound);
    // An escape in the key can make up the end of the word.
    let plain = !key.contains(char::is_control) && !key.contains("rt-dev-1");
    assert!(!plain || !noted.contains("rt-dev-1") || once.contains("rt-dev-1"));
    let forgotten = recorded(&noted, key, &login, None);
    let after = completed(&forgotten, key, login.clone());
    assert_eq!(after.binding, None);
    assert!(after.ties.iter().all(|tie| tie.host.as_str() == "https://a.example"));
}
