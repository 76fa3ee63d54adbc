//! What another program does to a login while its refresh is under way stays done: a newer login, and a logout.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place, access, bound, go_reads, key, locked, session};
use std::fs;
use u2m_cache::{
    AutoStore, Claim, EntryLock, FileStore, MemoryStore, Mirror, StoreError, TokenStore,
};
use u2m_core::{CacheKey, Fingerprint, Session};

const HOST: &str = "https://ws-1.cloud.databricks.com";

/// A login of this story alone: tokens are one login wherever they are.
fn login(name: &str) -> Session {
    let thread = std::thread::current();
    let story = thread.name().unwrap_or_default();
    session(&format!("{name}-{story}-{}", std::process::id()))
}

/// What a program without our lock does to the file.
fn rewrite(place: &Place, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
    let mut value: serde_json::Value = serde_json::from_str(&place.text()).unwrap();
    change(value["tokens"].as_object_mut().unwrap());
    let temporary = place.folder().join(".token-cache-1.tmp");
    common::put(&temporary, serde_json::to_string_pretty(&value).unwrap());
    fs::rename(temporary, place.file()).unwrap();
}

fn entry(of: &Session) -> serde_json::Value {
    serde_json::json!({
        "access_token": of.access_token.expose(),
        "refresh_token": of.refresh_token.as_ref().unwrap().expose(),
        "expiry": "2099-01-01T00:00:00Z",
    })
}

/// A refresh that has got as far as having something to save.
fn bought(store: &dyn TokenStore, name: &str, of: &Session) -> Box<dyn EntryLock> {
    let mut lock = store.lock(&key(name), LONG).unwrap().unwrap();
    assert_eq!(lock.claim(&of.fingerprint(), LONG).unwrap(), Claim::Taken);
    lock.prove_writable().unwrap();
    lock
}

fn is_superseded(outcome: Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Superseded { .. }))
}

#[test]
fn refr_1_a_newer_login_that_another_program_stored_during_a_refresh_stays() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &login("a")).unwrap();
    let mut lock = bought(&store, "dev", &login("a"));
    rewrite(&place, |tokens| drop(tokens.insert("dev".into(), entry(&login("newer")))));
    let before = place.text();
    assert!(is_superseded(lock.save(&login("bought"))));
    assert_eq!(place.text(), before, "not a byte of it");
    drop(lock);
    // A login by a person replaces whatever is there.
    locked(&store, "dev").save(&login("signed-in")).unwrap();
    assert_eq!(
        store.load(&key("dev")).unwrap().unwrap().fingerprint(),
        login("signed-in").fingerprint()
    );
}

#[test]
fn out_2_a_login_that_another_program_removed_during_a_refresh_stays_removed() {
    for is_whole_file in [false, true] {
        let place = Place::new();
        let store = place.store();
        store.save(&key("dev"), &login("gone")).unwrap();
        store.save(&key("other"), &session("other")).unwrap();
        let mut lock = bought(&store, "dev", &login("gone"));
        match is_whole_file {
            true => fs::remove_file(place.file()).unwrap(),
            false => rewrite(&place, |tokens| drop(tokens.remove("dev"))),
        }
        // Of a file that is not there at all it is not known for a while whether it comes back; made anew it is not.
        let error = lock.save(&login("bought")).unwrap_err();
        assert_eq!(matches!(error, StoreError::Superseded { .. }), !is_whole_file, "{error}");
        assert_eq!(access(&store, "dev"), None);
        assert_eq!(access(&store, "other").is_some(), !is_whole_file);
    }
}

#[test]
fn refr_4_a_file_that_is_damaged_or_empty_has_removed_nothing() {
    for (at, damage) in ["", "{\"version\":1,\"tokens\":{", "garbage"].into_iter().enumerate() {
        let login = |name: &str| login(&format!("{name}-{at}"));
        let place = Place::new();
        let store = place.store();
        store.save(&key("dev"), &login("a")).unwrap();
        let mut lock = bought(&store, "dev", &login("a"));
        common::put(&place.file(), damage);
        lock.save(&login("b")).unwrap();
        assert_eq!(
            store.load(&key("dev")).unwrap().unwrap().fingerprint(),
            login("b").fingerprint()
        );
    }
}

#[test]
fn an_answer_that_is_saved_twice_is_saved() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &login("a")).unwrap();
    let mut lock = bought(&store, "dev", &login("a"));
    for name in ["b", "b", "c"] {
        lock.save(&login(name)).unwrap();
    }
    assert_eq!(store.load(&key("dev")).unwrap().unwrap().fingerprint(), login("c").fingerprint());
}

#[test]
fn under_another_name_a_login_is_renewed_although_a_newer_one_stands_under_the_first() {
    let place = Place::new();
    let store = place.store();
    for name in ["dev", HOST] {
        store.save(&key(name), &login("a")).unwrap();
    }
    let mut lock = bought(&store, "dev", &login("a"));
    rewrite(&place, |tokens| drop(tokens.insert("dev".into(), entry(&login("newer")))));
    assert!(is_superseded(lock.save(&login("bought"))));
    let found = go_reads(&place.text());
    assert_eq!(found["dev"].1, login("newer").refresh_token.unwrap().expose());
    assert_eq!(
        found[HOST].1,
        login("bought").refresh_token.unwrap().expose(),
        "its token was spent"
    );
}

#[test]
fn dual_2_what_another_program_stored_in_the_place_of_our_copy_stays() {
    let place = Place::new();
    let store = FileStore::at(place.file()).with_mirror(key("dev"), Mirror::to(key(HOST))).unwrap();
    let a = login("a").with_binding(bound("a").binding.unwrap());
    store.save(&key("dev"), &a).unwrap();
    let mut lock = bought(&store, "dev", &a);
    rewrite(&place, |tokens| drop(tokens.insert(HOST.into(), entry(&login("theirs")))));
    let b = login("b").with_binding(bound("b").binding.unwrap());
    lock.save(&b).unwrap();
    let found = go_reads(&place.text());
    assert_eq!(
        (found["dev"].1.as_str(), &*found[HOST].1),
        (
            b.refresh_token.as_ref().unwrap().expose(),
            login("theirs").refresh_token.unwrap().expose()
        )
    );
}

fn put_back(store: &dyn TokenStore, session: &Session, spent: &[Fingerprint]) -> bool {
    store.put_back(&CacheKey::new("dev"), session, spent).unwrap()
}

#[test]
fn a_login_is_put_back_where_an_old_copy_of_it_stands_and_nowhere_else() {
    let place = Place::new();
    let memory = MemoryStore::new();
    let auto = AutoStore::new(FileStore::at(place.folder().join("auto.json")));
    for store in [&place.store() as &dyn TokenStore, &memory, &auto] {
        let (old, new) = (login("old"), login("new"));
        let spent = [login("older").fingerprint(), old.fingerprint()];
        assert!(!put_back(store, &new, &spent), "a login that is gone stays gone");
        store.save(&key("dev"), &old).unwrap();
        // It waits for nobody who refreshes.
        let _lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
        assert!(put_back(store, &new, &spent));
        assert_eq!(store.load(&key("dev")).unwrap().unwrap().fingerprint(), new.fingerprint());
        assert!(!put_back(store, &new, &spent), "it is there already");
        store.save(&key("dev"), &login("newest")).unwrap();
        assert!(!put_back(store, &new, &spent), "a newer login stays");
        assert_eq!(
            store.load(&key("dev")).unwrap().unwrap().fingerprint(),
            login("newest").fingerprint()
        );
    }
}

#[test]
fn a_file_that_is_away_for_a_moment_has_lost_nobodys_login() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &login("a")).unwrap();
    let mut lock = bought(&store, "dev", &login("a"));
    let (folder, aside) = (place.folder(), place.folder().with_extension("aside"));
    let away = [(place.file(), folder.join("aside.json")), (folder.to_owned(), aside)];
    for (what, aside) in away {
        fs::rename(&what, &aside).unwrap();
        let error = lock.save(&login("bought")).unwrap_err();
        assert!(
            matches!(error, StoreError::Io { .. }),
            "{error}: no logout, and to be tried again"
        );
        assert!(!what.exists(), "nothing is made in its place");
        fs::rename(&aside, &what).unwrap();
    }
    lock.save(&login("bought")).unwrap();
    let stored = store.load(&key("dev")).unwrap().unwrap();
    assert_eq!(stored.fingerprint(), login("bought").fingerprint());
}

#[test]
fn a_program_that_empties_the_file_and_writes_it_again_is_waited_for() {
    let place = Place::new();
    let store = place.store();
    for name in ["dev", "other"] {
        store.save(&key(name), &login(name)).unwrap();
    }
    let whole = place.text();
    for half in [0, 30, whole.len() - 5] {
        let mut lock = bought(&store, "dev", &store.load(&key("dev")).unwrap().unwrap());
        let whole = place.text();
        let file = fs::File::options().write(true).open(place.file()).unwrap();
        file.set_len(half as u64).unwrap();
        let bought = login(&format!("bought-{half}"));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| place.store().load(&key("other")).unwrap().is_some());
            let saved = scope.spawn(move || lock.save(&bought));
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::os::unix::fs::FileExt::write_all_at(&file, whole.as_bytes(), 0).unwrap();
            assert!(reader.join().unwrap(), "{half}: the other login is there");
            saved.join().unwrap().unwrap();
        });
        assert_eq!(
            place.text().matches("access_token").count(),
            2,
            "{half}: nobody else's login is lost"
        );
        let left = fs::read_dir(place.folder()).unwrap().flatten();
        let aside = left.filter(|entry| entry.file_name().to_string_lossy().contains(".corrupt-"));
        assert_eq!(aside.count(), 0, "{half}: nothing was set aside");
    }
}

#[test]
fn a_program_that_removes_the_file_and_writes_a_new_one_is_waited_for() {
    let place = Place::new();
    let store = AutoStore::new(place.store()).with_mode(u2m_cache::StorageMode::Plaintext);
    store.save(&key("dev"), &bound("removed")).unwrap();
    let whole = place.text();
    let file = place.store();
    for store in [&store as &dyn TokenStore, &file] {
        fs::remove_file(place.file()).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| store.load(&key("dev")).unwrap().is_some());
            std::thread::sleep(std::time::Duration::from_millis(100));
            let temporary = place.folder().join("new");
            common::put(&temporary, &whole);
            fs::rename(temporary, place.file()).unwrap();
            assert!(reader.join().unwrap(), "no moment shows a login that is gone");
        });
    }
    fs::remove_file(place.file()).unwrap();
    assert!(store.load(&key("dev")).unwrap().is_none(), "what stays away is gone");
}
