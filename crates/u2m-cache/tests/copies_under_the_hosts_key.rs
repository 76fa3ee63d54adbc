//! Copies under the host's key, for programs that know no profiles: the same tokens in both entries or in neither.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, Place, access, bare, bound, go_reads, key, session};
use std::fs;
use std::path::Path;
use u2m_cache::{AutoStore, Claim, FileStore, Mirror, StoreAddress, StoreError, TokenStore};
use u2m_core::{AccessToken, Binding, Host, Lifetime, RefreshToken, Session, Timestamp};

const HOST: &str = "https://ws-1.cloud.databricks.com";

/// The file of a dual-writing version, before its second login.
const ONE_PROFILE: &str = r#"{
  "version": 1,
  "tokens": {
    "dev": {
      "access_token": "at-dev-1",
      "token_type": "Bearer",
      "refresh_token": "rt-dev-1",
      "expiry": "2026-03-10T22:33:09.12+01:00",
      "expires_in": 3600
    },
    "https://ws-1.cloud.databricks.com": {
      "access_token": "at-dev-1",
      "token_type": "Bearer",
      "refresh_token": "rt-dev-1",
      "expiry": "2026-03-10T22:33:09.12+01:00",
      "expires_in": 3600
    }
  }
}"#;

fn mirrored(path: impl AsRef<Path>, name: &str, mirror: Mirror) -> FileStore {
    FileStore::at(path.as_ref()).with_mirror(key(name), mirror).unwrap()
}

fn to_host() -> Mirror {
    Mirror::to(key(HOST))
}

/// A login of `name` to `host`, and to an account where it has one.
fn login(name: &str, host: &str, account: Option<&str>) -> Session {
    let root = account.map_or("/oidc".to_owned(), |id| format!("/oidc/accounts/{id}"));
    let endpoint = url::Url::parse(&format!("{host}{root}/v1/token")).unwrap();
    let issuer = format!("{host}{root}");
    let binding = Binding::new(issuer, endpoint, "databricks-cli", Host::parse(host).unwrap());
    session(name).with_binding(binding.with_account_id(account.map(str::to_owned)))
}

/// An older program logs in: it knows no profiles and none of our locks.
fn old_program_logs_in(place: &Place) {
    let mut value: serde_json::Value = serde_json::from_str(&place.text()).unwrap();
    value["tokens"][HOST]["access_token"] = "at-by-old".into();
    value["tokens"][HOST]["refresh_token"] = "rt-by-old".into();
    common::put(&place.file(), value.to_string());
}

fn keys(store: &FileStore) -> Vec<String> {
    store.keys().unwrap().iter().map(|key| key.as_str().to_owned()).collect()
}

#[test]
fn worker() {
    common::work(|job, store| {
        let store = mirrored(store.path(), "prod", to_host());
        for round in 0..200 {
            store.save(&key("prod"), &session(&format!("{job}-{round}"))).unwrap();
        }
    });
}

#[test]
fn the_copy_is_gos_byte_for_byte_and_everything_else_keeps_its_bytes() {
    let place = Place::with(ONE_PROFILE);
    let store = mirrored(place.file(), "prod", to_host());
    // An end that nobody knows is the same text in every zone.
    let prod = Session::new(AccessToken::new("at-prod-1"))
        .with_refresh_token(RefreshToken::new("rt-prod-1"))
        .with_lifetime(Lifetime::from_seconds(3600));
    store.save(&key("prod"), &prod).unwrap();
    let wanted = r#"{
  "version": 1,
  "tokens": {
    "dev": {
      "access_token": "at-dev-1",
      "token_type": "Bearer",
      "refresh_token": "rt-dev-1",
      "expiry": "2026-03-10T22:33:09.12+01:00",
      "expires_in": 3600
    },
    "https://ws-1.cloud.databricks.com": {
      "access_token": "at-prod-1",
      "token_type": "Bearer",
      "refresh_token": "rt-prod-1",
      "expiry": "0001-01-01T00:00:00Z",
      "expires_in": 3600
    },
    "prod": {
      "access_token": "at-prod-1",
      "token_type": "Bearer",
      "refresh_token": "rt-prod-1",
      "expiry": "0001-01-01T00:00:00Z",
      "expires_in": 3600
    }
  }
}"#;
    assert_eq!(place.text(), wanted);
    let timed = prod.with_expiry(Timestamp::from_unix(common::LATER));
    store.save(&key("prod"), &timed).unwrap();
    let found = go_reads(&place.text());
    assert_eq!((found[HOST].2, &found[HOST]), (common::LATER, &found["prod"]));
}

#[test]
fn dual_1_every_save_of_the_primary_is_copied_refreshes_too_and_whom_it_belongs_to() {
    let place = Place::new();
    let store = mirrored(place.file(), "prod", to_host());
    store.save(&key("prod"), &bound("one")).unwrap();
    assert_eq!(store.load(&key(HOST)).unwrap(), Some(bound("one")));
    let mut lock = store.lock(&key("prod"), common::LONG).unwrap().unwrap();
    lock.prove_writable().unwrap();
    lock.save(&bound("two")).unwrap();
    assert_eq!(store.load(&key(HOST)).unwrap(), Some(bound("two")));
    // A store that was not told of the copy renews it too: what it holds would be spent.
    place.store().save(&key("prod"), &bound("three")).unwrap();
    assert_eq!(store.load(&key(HOST)).unwrap(), Some(bound("three")));
    // And where an old program has logged in meanwhile, the next save copies again.
    old_program_logs_in(&place);
    store.save(&key("prod"), &bound("four")).unwrap();
    assert_eq!(store.load(&key(HOST)).unwrap(), Some(bound("four")));
    assert!(store.take_notices().is_empty());
}

#[test]
fn copies_are_off_unless_asked_for_and_of_the_primary_alone() {
    let place = Place::new();
    place.store().save(&key("prod"), &login("x", HOST, None)).unwrap();
    assert_eq!(keys(&place.store()), ["prod"]);
    let store = mirrored(place.file(), "prod", to_host());
    store.save(&key("dev"), &login("y", HOST, None)).unwrap();
    assert_eq!(keys(&store), ["dev", "prod"]);
}

#[test]
fn without_a_hosts_key_or_with_an_equal_one_there_is_no_copy() {
    let place = Place::new();
    let store = mirrored(place.file(), "prod", Mirror::to_host_of_login());
    store.save(&key("prod"), &session("prod")).unwrap();
    assert_eq!(keys(&store), ["prod"]);
    let store = mirrored(place.file(), HOST, to_host());
    store.save(&key(HOST), &login("host", HOST, None)).unwrap();
    store.save(&key(HOST), &login("again", HOST, None)).unwrap();
    let equal = mirrored(place.file(), HOST, Mirror::to_host_of_login());
    equal.save(&key(HOST), &login("third", HOST, None)).unwrap();
    assert_eq!(keys(&store), [HOST, "prod"]);
    assert_eq!(place.text().matches(HOST).count(), 1, "{}", place.text());
    store.delete(&key(HOST)).unwrap();
    assert_eq!(keys(&store), ["prod"]);
}

#[test]
fn dual_3_the_key_of_a_discovered_host_is_that_of_its_account_where_it_has_one() {
    let place = Place::new();
    let store = mirrored(place.file(), "prod", Mirror::to_host_of_login());
    store.save(&key("prod"), &login("ws", HOST, None)).unwrap();
    assert_eq!(keys(&store), [HOST, "prod"]);
    let accounts = "https://accounts.cloud.databricks.com";
    let account = format!("{accounts}/oidc/accounts/1111-2222");
    store.save(&key("prod"), &login("acc", accounts, Some("1111-2222"))).unwrap();
    // The copy for the host that was left went with it.
    assert_eq!(keys(&store), [account.as_str(), "prod"]);
    assert_eq!(access(&store, &account).as_deref(), Some("at-acc"));
    // A refresh keeps to it, in a store that was not told of the copy as well.
    place.store().save(&key("prod"), &login("new", accounts, Some("1111-2222"))).unwrap();
    assert_eq!(access(&store, &account).as_deref(), Some("at-new"));
}

#[test]
fn t20_a_login_that_moved_to_another_host_leaves_what_others_stored_for_the_old_one() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("prod"), &login("one", HOST, None)).unwrap();
    // An older program's copy, which is none of ours.
    store.save(&key(HOST), &login("one", HOST, None)).unwrap();
    store.save(&key("prod"), &login("two", "https://evil.example", None)).unwrap();
    assert_eq!(access(&store, HOST).as_deref(), Some("at-one"));
}

#[test]
fn dual_2_there_is_one_copied_login_for_each_host_and_taking_over_is_explicit() {
    let place = Place::new();
    let store = mirrored(place.file(), "prod", to_host());
    let error = store.clone().with_mirror(key("dev"), to_host()).unwrap_err();
    assert!(matches!(&error, StoreError::MirrorTaken { by, .. } if *by == key("prod")), "{error}");
    // Of another host another login is copied.
    let elsewhere = Mirror::to(key("https://b.example"));
    store.clone().with_mirror(key("dev"), elsewhere).unwrap();
    // To name the same login again is no second one.
    let store = store.with_mirror(key("prod"), to_host()).unwrap();
    store.save(&key("prod"), &session("prod")).unwrap();
    // Another process designates another login.
    let other = mirrored(place.file(), "dev", to_host());
    for round in ["one", "two"] {
        other.save(&key("dev"), &session(round)).unwrap();
    }
    assert_eq!(access(&other, HOST).as_deref(), Some("at-prod"));
    assert_eq!(access(&other, "dev").as_deref(), Some("at-two"), "the primary is kept");
    let notices = other.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].text.contains("'prod'") && notices[0].text.contains("without a copy"));
    let taking = mirrored(place.file(), "dev", to_host().taking_over());
    taking.save(&key("dev"), &session("three")).unwrap();
    assert_eq!(access(&taking, HOST).as_deref(), Some("at-three"));
    // From then on it is the other one that has none.
    store.save(&key("prod"), &session("late")).unwrap();
    assert_eq!(access(&taking, HOST).as_deref(), Some("at-three"));
    assert_eq!(store.take_notices().len(), 1);
    // When the owner is gone the place is free.
    taking.delete(&key("dev")).unwrap();
    assert_eq!(keys(&store), ["prod"]);
    store.save(&key("prod"), &session("last")).unwrap();
    assert_eq!(access(&store, HOST).as_deref(), Some("at-last"));
}

#[test]
fn dual_2_a_copy_that_nobody_asked_for_goes_where_the_place_is_free_and_is_silent_elsewhere() {
    let place = Place::new();
    let of_host = || Mirror::to_host_of_login().where_free();
    let first = mirrored(place.file(), "prod", of_host());
    first.save(&key("prod"), &login("prod", HOST, None)).unwrap();
    assert_eq!(access(&first, HOST).as_deref(), Some("at-prod"));
    let second = mirrored(place.file(), "dev", of_host());
    second.save(&key("dev"), &login("dev", HOST, None)).unwrap();
    assert_eq!(access(&first, HOST).as_deref(), Some("at-prod"));
    assert!(second.take_notices().is_empty());
    // The logout of the other one leaves it, and that of its own login takes it along.
    second.delete(&key("dev")).unwrap();
    assert_eq!(keys(&first), [HOST, "prod"]);
    second.save(&key("dev"), &login("dev", HOST, None)).unwrap();
    first.delete(&key("prod")).unwrap();
    assert_eq!(keys(&first), ["dev"]);
    // From then on the place is free.
    second.save(&key("dev"), &login("later", HOST, None)).unwrap();
    assert_eq!(access(&second, HOST).as_deref(), Some("at-later"));
}

#[test]
fn dual_2_a_refresh_leaves_a_login_of_its_own_that_an_older_program_keeps_for_the_host() {
    let place = Place::new();
    place.store().save(&key(HOST), &session("theirs")).unwrap();
    place.store().save(&key("prod"), &login("one", HOST, None)).unwrap();
    let store = mirrored(place.file(), "prod", Mirror::to_host_of_login().where_free());
    let old = store.load(&key("prod")).unwrap().unwrap();
    let mut lock = store.lock(&key("prod"), common::LONG).unwrap().unwrap();
    assert!(matches!(lock.claim(&old.fingerprint(), common::LONG).unwrap(), Claim::Taken));
    lock.save(&login("two", HOST, None)).unwrap();
    drop(lock);
    assert_eq!(access(&store, HOST).as_deref(), Some("at-theirs"));
    // A new login takes the place, as it does with Databricks' CLI.
    store.save(&key("prod"), &login("three", HOST, None)).unwrap();
    assert_eq!(access(&store, HOST).as_deref(), Some("at-three"));
}

/// Renews a login as a refresh does.
fn refresh(store: &FileStore, name: &str, to: &str) {
    let old = store.load(&key(name)).unwrap().unwrap();
    let mut lock = store.lock(&key(name), common::LONG).unwrap().unwrap();
    assert!(matches!(lock.claim(&old.fingerprint(), common::LONG).unwrap(), Claim::Taken));
    lock.prove_writable().unwrap();
    lock.save(&login(to, HOST, None)).unwrap();
}

#[test]
fn dual_2_of_two_that_both_want_the_copy_the_last_to_sign_in_keeps_it_whoever_is_refreshed() {
    let place = Place::new();
    let of_host = || Mirror::to_host_of_login().taking_over();
    let (dev, prod) =
        (mirrored(place.file(), "dev", of_host()), mirrored(place.file(), "prod", of_host()));
    // Refresh tokens of its own: that one was spent is remembered for longer than this lives.
    let mine = format!("{}-{:?}", std::process::id(), std::time::SystemTime::now());
    let named = |name: &str| format!("{name}-{mine}");
    let save = |store: &FileStore, name: &str| {
        store.save(&key(name), &login(&named(name), HOST, None)).unwrap();
    };
    let copy = || access(&dev, HOST).unwrap();
    save(&dev, "dev");
    save(&prod, "prod");
    assert_eq!(copy(), named("at-prod"));
    for round in 0..3 {
        refresh(&dev, "dev", &named(&format!("dev-{round}")));
        refresh(&prod, "prod", &named(&format!("prod-{round}")));
        refresh(&dev, "dev", &named(&format!("dev-{round}-again")));
        assert_eq!(copy(), named(&format!("at-prod-{round}")), "it is kept up to date");
    }
    assert!(dev.take_notices().is_empty() && prod.take_notices().is_empty());
    // A login moves it, and a logout frees it.
    save(&dev, "dev");
    refresh(&prod, "prod", &named("prod-late"));
    assert_eq!(copy(), named("at-dev"));
    dev.delete(&key("dev")).unwrap();
    refresh(&prod, "prod", &named("prod-last"));
    assert_eq!(copy(), named("at-prod-last"));
}

#[test]
fn dual_2_a_copy_that_another_program_made_is_that_of_the_login_with_its_tokens() {
    let place = Place::with(ONE_PROFILE);
    let prod = mirrored(place.file(), "prod", Mirror::to_host_of_login().where_free());
    prod.save(&key("prod"), &login("prod", HOST, None)).unwrap();
    assert_eq!(access(&prod, HOST).as_deref(), Some("at-dev-1"));
    // Its own login renews it, and another one takes it where that is wished.
    let dev = mirrored(place.file(), "dev", Mirror::to_host_of_login().where_free());
    dev.save(&key("dev"), &login("dev", HOST, None)).unwrap();
    assert_eq!(access(&dev, HOST).as_deref(), Some("at-dev"));
    let taking = mirrored(place.file(), "prod", Mirror::to_host_of_login().taking_over());
    taking.save(&key("prod"), &login("taken", HOST, None)).unwrap();
    assert_eq!(access(&dev, HOST).as_deref(), Some("at-taken"));
}

#[test]
fn dual_1_a_copy_that_is_not_wished_any_more_goes_with_the_next_save() {
    let place = Place::new();
    let wishing = mirrored(place.file(), "prod", Mirror::to_host_of_login().where_free());
    wishing.save(&key("prod"), &login("one", HOST, None)).unwrap();
    assert_eq!(keys(&wishing), [HOST, "prod"]);
    let store = mirrored(place.file(), "prod", Mirror::none());
    store.save(&key("prod"), &login("two", HOST, None)).unwrap();
    assert_eq!(keys(&store), ["prod"]);
    // What an older program has stored there meanwhile is its own.
    wishing.save(&key("prod"), &login("three", HOST, None)).unwrap();
    old_program_logs_in(&place);
    store.save(&key("prod"), &login("four", HOST, None)).unwrap();
    assert_eq!(access(&store, HOST).as_deref(), Some("at-by-old"));
}

#[test]
fn what_can_be_refreshed_is_never_replaced_by_a_copy_that_cannot() {
    let place = Place::new();
    place.store().save(&key(HOST), &session("old")).unwrap();
    let store = mirrored(place.file(), "prod", to_host());
    store.save(&key("prod"), &bare("prod")).unwrap();
    assert_eq!(access(&store, HOST).as_deref(), Some("at-old"));
    assert_eq!(access(&store, "prod").as_deref(), Some("at-prod"), "the primary is kept");
    let notices = store.take_notices();
    assert!(notices.len() == 1 && notices[0].text.contains("can be refreshed"), "{notices:?}");
}

#[test]
fn a_bad_entry_under_the_hosts_key_is_replaced_and_unknown_members_of_a_good_one_stay() {
    let text = format!(r#"{{"version":1,"tokens":{{"{HOST}":{{"access_token":7}}}}}}"#);
    let place = Place::with(text);
    let store = mirrored(place.file(), "prod", to_host());
    store.save(&key("prod"), &session("prod")).unwrap();
    assert_eq!(access(&store, HOST).as_deref(), Some("at-prod"));
    let text =
        format!(r#"{{"version":1,"tokens":{{"{HOST}":{{"access_token":"a","note":"kept"}}}}}}"#);
    let place = Place::with(text);
    mirrored(place.file(), "prod", to_host()).save(&key("prod"), &session("prod")).unwrap();
    assert!(place.text().contains(r#""note": "kept""#), "{}", place.text());
}

#[test]
fn a_delete_takes_the_copy_along_if_it_still_holds_this_logins_tokens() {
    for told in [true, false] {
        let place = Place::new();
        let mirror = Mirror::to_host_of_login();
        let store = mirrored(place.file(), "prod", mirror);
        store.save(&key("prod"), &login("prod", HOST, None)).unwrap();
        store.save(&key("other"), &session("other")).unwrap();
        // A logout by a store that knows of the copy from the side file alone does the same.
        let last = if told { store.clone() } else { place.store() };
        last.delete(&key("prod")).unwrap();
        assert_eq!(keys(&store), ["other"]);
        // An old program's own login stays.
        store.save(&key("prod"), &login("prod", HOST, None)).unwrap();
        old_program_logs_in(&place);
        last.delete(&key("prod")).unwrap();
        assert_eq!(keys(&store), [HOST, "other"]);
    }
}

#[test]
fn a_copy_that_an_older_program_made_goes_with_its_login_where_copies_are_asked_for() {
    let place = Place::with(ONE_PROFILE);
    mirrored(place.file(), "dev", to_host()).delete(&key("dev")).unwrap();
    assert!(keys(&place.store()).is_empty());
    let place = Place::with(ONE_PROFILE);
    place.store().delete(&key("dev")).unwrap();
    assert_eq!(keys(&place.store()), [HOST]);
}

#[cfg(unix)]
#[test]
fn dual_4_no_reader_ever_sees_the_two_apart() {
    let place = Place::fast();
    let store = mirrored(place.file(), "prod", to_host());
    store.save(&key("prod"), &session("first")).unwrap();
    let writers: Vec<Child> =
        (0..3).map(|at| Child::start(&format!("w{at}"), &place.file())).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    let (reads, states) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut states) = (0, std::collections::BTreeSet::new());
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let found = go_reads(&fs::read_to_string(place.file()).unwrap());
                assert_eq!(found["prod"], found[HOST]);
                states.insert(found["prod"].1.clone());
                reads += 1;
            }
            (reads, states.len())
        });
        writers.into_iter().for_each(|writer| drop(writer.done()));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 10 && states > 3, "only {reads} reads of {states} states");
}

#[test]
fn a_process_that_opens_a_store_by_its_address_is_told_of_its_copies() {
    let place = Place::new();
    let told = |store: FileStore| match store.address() {
        Some(StoreAddress::File { path, mirrors }) if path == place.file() => mirrors,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(place.store()), []);
    let copies = told(mirrored(place.file(), "dev", to_host()));
    assert_eq!(copies, [(key("dev"), to_host())]);
    let auto = AutoStore::new(mirrored(place.file(), "dev", to_host()));
    let Some(StoreAddress::Auto { file, .. }) = auto.address() else { panic!("{auto:?}") };
    assert_eq!(Some(*file), mirrored(place.file(), "dev", to_host()).address());
}
