//! One refresh token is spent once, by whatever name, path, store or mount it is reached.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, LONG, Place, access, key, session};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;
use u2m_cache::{Claim, FileStore, Mirror, TokenStore};
use u2m_core::{CacheKey, Fingerprint, RefreshToken, Session};

const HOST: &str = "https://ws-1.cloud.databricks.com";

/// As often as two processes may meet at one token, on each path.
const ROUNDS: usize = 25;

/// A login of this story alone: a token is one login wherever it is.
fn login(name: &str) -> Session {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    session(&format!("{name}-{}-{number}-{}", std::process::id(), nanos()))
}

fn nanos() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
}

/// A server that rotates on receipt: each token is good once.
#[derive(Default)]
struct Server(Mutex<Vec<String>>);

impl Server {
    fn spend(&self, token: &RefreshToken) -> Session {
        let mut sent = self.0.lock().unwrap();
        assert!(
            !sent.iter().any(|sent| sent == token.expose()),
            "sent twice, after {}",
            sent.len()
        );
        sent.push(token.expose().to_owned());
        login("bought")
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// How one caller's refresh ended.
#[derive(Debug, PartialEq)]
enum Ended {
    Sent,
    /// Somebody else's new token is there.
    Found,
    /// It is spent, and the new one is elsewhere.
    Spent(String),
}

/// What a caller does that needs a token other than that of `old`: the flow's steps, without a network.
fn refresh(store: &dyn TokenStore, name: &CacheKey, old: &Fingerprint, server: &Server) -> Ended {
    let mut lock = store.lock(name, LONG).unwrap().unwrap();
    loop {
        let there = store.load(name).unwrap().unwrap();
        if there.fingerprint() != *old {
            return Ended::Found;
        }
        match lock.claim(old, LONG).unwrap() {
            Claim::Taken => {}
            Claim::Waited => continue,
            Claim::Spent(words) => return Ended::Spent(words),
            other => panic!("{other:?}"),
        }
        lock.prove_writable().unwrap();
        let bought = server.spend(&there.refresh_token.unwrap());
        // The request takes its time.
        std::thread::sleep(Duration::from_micros(300));
        lock.save(&bought).unwrap();
        return Ended::Sent;
    }
}

/// Two callers at once, by two ways to one login; how they ended.
fn race(ways: [(&dyn TokenStore, &CacheKey); 2], server: &Server) -> Vec<Ended> {
    let old = ways[0].0.load(ways[0].1).unwrap().unwrap().fingerprint();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let callers = ways.map(|(store, name)| {
            let (barrier, old) = (&barrier, &old);
            scope.spawn(move || {
                barrier.wait();
                refresh(store, name, old, server)
            })
        });
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

/// Rounds of a race in which both find what one has bought.
fn both_have_it(ways: [(&dyn TokenStore, &CacheKey); 2]) {
    let server = Server::default();
    for round in 1..=ROUNDS {
        let ended = race(ways, &server);
        assert!(ended.contains(&Ended::Sent) && ended.contains(&Ended::Found), "{ended:?}");
        assert_eq!(server.count(), round);
        let [one, other] = ways.map(|(store, name)| store.load(name).unwrap().unwrap());
        assert_eq!(one.refresh_token, other.refresh_token, "round {round}");
    }
}

#[test]
fn refr_1_two_names_in_one_file_are_one_login() {
    let place = Place::new();
    let (store, mirrored) = (place.store(), place.store());
    let mirrored = mirrored.with_mirror(key("dev"), Mirror::to(key(HOST))).unwrap();
    let first = login("first");
    store.save(&key("dev"), &first).unwrap();
    store.save(&key(HOST), &first).unwrap();
    both_have_it([(&mirrored, &key("dev")), (&store, &key(HOST))]);
}

#[test]
fn file_6_links_of_the_file_and_of_its_folder_are_one_login() {
    let place = Place::new();
    let (homes, real) =
        (["a", "b"].map(|name| place.folder().join(name)), place.folder().join("real"));
    for folder in homes.iter().chain([&real]) {
        fs::create_dir(folder).unwrap();
    }
    let target = real.join("cache.json");
    let store = FileStore::at(&target);
    store.save(&key("dev"), &login("first")).unwrap();
    let by_file = homes[0].join("token-cache.json");
    symlink(&target, &by_file).unwrap();
    symlink(&real, homes[1].join(".databricks")).unwrap();
    let by_folder = homes[1].join(".databricks/cache.json");
    let (by_file, by_folder) = (FileStore::at(by_file), FileStore::at(by_folder));
    let dev = key("dev");
    both_have_it([(&by_file, &dev), (&store, &dev)]);
    both_have_it([(&by_folder, &dev), (&by_file, &dev)]);
    // Their writers do not come between each other either: all names stay.
    std::thread::scope(|scope| {
        for (at, store) in [&store, &by_file, &by_folder].into_iter().enumerate() {
            scope.spawn(move || {
                for number in 0..20 {
                    store.save(&key(&format!("{at}-{number}")), &session("x")).unwrap();
                }
            });
        }
    });
    assert_eq!(store.keys().unwrap().len(), 61);
}

/// Rounds of a race by two files that each hold a copy of one token.
fn one_has_it_and_the_other_is_told(prepare: impl Fn(&Path, &Session) -> [PathBuf; 2]) {
    let server = Server::default();
    for round in 1..=ROUNDS {
        let place = Place::fast();
        let files = prepare(place.folder(), &login("first"));
        let stores = files.each_ref().map(FileStore::at);
        let (one, other, dev) = (&stores[0], &stores[1], key("dev"));
        let ended = race([(one, &dev), (other, &dev)], &server);
        assert_eq!(server.count(), round, "{ended:?}");
        let winner = ended.iter().position(|ended| *ended == Ended::Sent).unwrap();
        let Ended::Spent(words) = &ended[1 - winner] else { panic!("{ended:?}") };
        let there = files[winner].display().to_string();
        assert_eq!(*words, format!("it was spent for 'dev' in the token cache ({there})"));
        // Afterwards too, and whoever has it goes on.
        let spent = stores[1 - winner].load(&dev).unwrap().unwrap().fingerprint();
        let late = refresh(&stores[1 - winner], &dev, &spent, &server);
        assert!(matches!(late, Ended::Spent(_)), "{late:?}");
        assert_eq!(server.count(), round);
    }
}

#[test]
fn file_6_a_hard_link_that_cannot_see_the_new_token_spends_nothing_and_says_where_it_went() {
    one_has_it_and_the_other_is_told(|folder, first| {
        let files = ["a", "b"].map(|name| folder.join(name).join("token-cache.json"));
        fs::create_dir(folder.join("b")).unwrap();
        FileStore::at(&files[0]).save(&key("dev"), first).unwrap();
        fs::hard_link(&files[0], &files[1]).unwrap();
        files
    });
}

#[test]
fn a_login_that_was_copied_to_another_cache_is_spent_once() {
    one_has_it_and_the_other_is_told(|folder, first| {
        let files = ["a.json", "b.json"].map(|name| folder.join(name));
        files.iter().for_each(|file| FileStore::at(file).save(&key("dev"), first).unwrap());
        files
    });
}

#[test]
fn a_new_login_by_a_person_is_free_wherever_the_last_one_was_spent() {
    let place = Place::new();
    let server = Server::default();
    let stores = ["a.json", "b.json"].map(|name| FileStore::at(place.folder().join(name)));
    let (first, dev) = (login("first"), key("dev"));
    stores.iter().for_each(|store| store.save(&dev, &first).unwrap());
    assert_eq!(refresh(&stores[0], &dev, &first.fingerprint(), &server), Ended::Sent);
    let again = login("again");
    stores[1].save(&dev, &again).unwrap();
    assert_eq!(refresh(&stores[1], &dev, &again.fingerprint(), &server), Ended::Sent);
}

#[test]
fn an_old_copy_that_another_program_put_back_is_not_spent_again_and_a_login_is_put_over_it() {
    let place = Place::new();
    let server = Server::default();
    let (store, dev, first) = (place.store(), key("dev"), login("first"));
    store.save(&dev, &first).unwrap();
    let old = fs::read(place.file()).unwrap();
    assert_eq!(refresh(&store, &dev, &first.fingerprint(), &server), Ended::Sent);
    let bought = store.load(&dev).unwrap().unwrap();
    common::put(&place.file(), &old);
    let told = refresh(&store, &dev, &first.fingerprint(), &server);
    assert!(matches!(told, Ended::Spent(_)), "{told:?}");
    // Whoever has the newer one puts it back, and needs no list of what is spent.
    assert!(store.put_back(&dev, &bought, &[]).unwrap());
    assert_eq!(refresh(&store, &dev, &bought.fingerprint(), &server), Ended::Sent);
    // And an even older one is nobody's newer login: a refresh that is under way is saved over it.
    let newest = store.load(&dev).unwrap().unwrap();
    let mut lock = store.lock(&dev, LONG).unwrap().unwrap();
    assert_eq!(lock.claim(&newest.fingerprint(), LONG).unwrap(), Claim::Taken);
    common::put(&place.file(), &old);
    lock.save(&login("last")).unwrap();
    drop(lock);
    assert!(access(&store, "dev").unwrap().starts_with("at-last"));
    assert!(!store.put_back(&dev, &bought, &[]).unwrap(), "nor is what it had replaced put back");
}

#[test]
fn who_waits_for_a_token_does_so_no_longer_than_told() {
    let place = Place::new();
    let (store, first) = (place.store(), login("first"));
    store.save(&key("dev"), &first).unwrap();
    store.save(&key("copy"), &first).unwrap();
    let mut one = store.lock(&key("dev"), LONG).unwrap().unwrap();
    let mut other = store.lock(&key("copy"), LONG).unwrap().unwrap();
    assert_eq!(one.claim(&first.fingerprint(), LONG).unwrap(), Claim::Taken);
    for patience in [Duration::ZERO, Duration::from_millis(30)] {
        assert_eq!(other.claim(&first.fingerprint(), patience).unwrap(), Claim::Busy);
    }
    drop(one);
    assert_eq!(other.claim(&first.fingerprint(), LONG).unwrap(), Claim::Taken);
}

#[test]
fn a_lock_that_is_handed_over_takes_no_claim_along() {
    let place = Place::new();
    let (store, first) = (place.store(), login("first"));
    store.save(&key("dev"), &first).unwrap();
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    assert_eq!(lock.claim(&first.fingerprint(), LONG).unwrap(), Claim::Taken);
    let file = lock.hand_over().unwrap();
    let mut lock = store.adopt(&key("dev"), file).unwrap();
    assert_eq!(lock.claim(&first.fingerprint(), Duration::ZERO).unwrap(), Claim::Taken);
    assert!(store.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
}

/// One refresh of `dev`, when the parent says so.
#[test]
fn worker() {
    common::work(|job, store| {
        let dev = key("dev");
        let old = store.load(&dev).unwrap().unwrap().fingerprint();
        common::say("ready");
        common::hear();
        let mut lock = store.lock(&dev, LONG).unwrap().unwrap();
        let said = loop {
            if store.load(&dev).unwrap().unwrap().fingerprint() != old {
                break "found".to_owned();
            }
            match lock.claim(&old, LONG).unwrap() {
                Claim::Taken => {
                    lock.prove_writable().unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                    lock.save(&session(&format!("{job}-{}", nanos()))).unwrap();
                    break "sent".to_owned();
                }
                Claim::Waited => continue,
                Claim::Spent(_) => break "spent".to_owned(),
                other => break format!("{other:?}"),
            }
        };
        common::say(&said);
    });
}

/// What two processes say that were let go at once.
fn at_once(mut children: [Child; 2]) -> Vec<String> {
    children.iter_mut().for_each(|child| {
        child.until("ready");
    });
    children.iter_mut().for_each(|child| {
        child.go_on();
    });
    let mut said: Vec<String> = children.into_iter().flat_map(Child::done).collect();
    said.sort();
    said
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_is_mounted_elsewhere_in_a_namespace_is_one_login() {
    if !common::can_mount() {
        return common::skip("no mounts in a user namespace here");
    }
    for _ in 0..5 {
        let place = Place::new();
        let mount = place.folder().join("mount");
        fs::create_dir_all(place.folder().join("home")).unwrap();
        fs::create_dir(&mount).unwrap();
        let file = place.folder().join("home/token-cache.json");
        FileStore::at(&file).save(&key("dev"), &login("first")).unwrap();
        let before =
            format!("mount --bind {} {}", file.parent().unwrap().display(), mount.display());
        let mut inside = common::shell(&before, "inside", &mount.join("token-cache.json"));
        let mut wrapped = std::process::Command::new("unshare");
        wrapped.args(["-rm"]).arg(inside.get_program()).args(inside.get_args());
        for (name, value) in inside.get_envs() {
            wrapped.env(name, value.unwrap());
        }
        wrapped.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        inside = wrapped;
        let said = at_once([Child::of(inside), Child::start("outside", &file)]);
        assert_eq!(said, ["found", "sent"]);
    }
}

#[test]
fn processes_with_different_environments_meet_at_one_token() {
    for _ in 0..5 {
        let place = Place::new();
        let files = ["a.json", "b.json"].map(|name| place.folder().join(name));
        let first = login("first");
        files.iter().for_each(|file| FileStore::at(file).save(&key("dev"), &first).unwrap());
        let mut plain = common::command("one", &files[0]);
        let mut odd = common::command("other", &files[1]);
        plain.env_remove("TMPDIR");
        odd.env("TMPDIR", place.folder());
        assert_eq!(at_once([Child::of(plain), Child::of(odd)]), ["sent", "spent"]);
    }
}
