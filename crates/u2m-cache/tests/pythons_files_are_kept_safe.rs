//! Python's login files as u2m writes and reads them: private, whole at every moment, nobody else's, and never poorer.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LATER, Place, bound, session};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use u2m_cache::{PythonCache, PythonLogin, StoreError};
use u2m_core::{AccessToken, Session, Timestamp};

const HOST: &str = "https://a.example";

fn login() -> PythonLogin {
    PythonLogin::new(HOST).with_profile("dev")
}

fn cache(place: &Place) -> PythonCache {
    PythonCache::at(place.folder().join("python").join("oauth"))
}

/// A cache with `text` in the file of [`login`].
fn with(place: &Place, text: &str) -> (PythonCache, PathBuf) {
    let cache = cache(place);
    fs::create_dir_all(cache.folder()).unwrap();
    let path = cache.path(&login()).unwrap();
    common::put(&path, text);
    (cache, path)
}

#[test]
fn int_1_what_is_written_is_found_and_read_again_with_its_binding() {
    let place = Place::new();
    let cache = cache(&place);
    assert_eq!(cache.read(&login()).unwrap(), None);
    let path = cache.write(&login(), &bound("dev")).unwrap();
    assert_eq!(cache.find(&login()), Some(path.clone()));
    let mut found = cache.read(&login()).unwrap().unwrap();
    let lifetime = found.lifetime.take();
    assert_eq!(found, bound("dev"));
    assert_eq!(lifetime.unwrap().seconds(), LATER - 7);
    assert_eq!(cache.list().unwrap(), std::slice::from_ref(&path));
    assert_eq!(cache.read(&PythonLogin::new(HOST)).unwrap(), None, "another profile");
    // Nothing of ours stays but the lock.
    let mut names = common::names(cache.folder());
    names.retain(|name| !path.ends_with(name));
    assert_eq!(names, ["u2m.lock"]);
}

#[test]
fn t20_tokens_of_another_host_or_client_are_not_written() {
    let place = Place::new();
    let cache = cache(&place);
    for other in [PythonLogin::new("https://b.example"), login().with_client_id("other")] {
        let error = cache.write(&other, &bound("dev")).unwrap_err();
        assert!(error.to_string().contains("another host or client"), "{error}");
    }
    let error = cache.write(&PythonLogin::new("https://a:b"), &session("dev")).unwrap_err();
    assert!(matches!(error, StoreError::BadForeign { .. }), "{error}");
    assert!(!cache.folder().exists());
}

#[test]
fn a_login_that_can_be_renewed_is_not_replaced_by_one_that_cannot() {
    let place = Place::new();
    let cache = cache(&place);
    cache.write(&login(), &session("one")).unwrap();
    let error = cache.write(&login(), &common::bare("two")).unwrap_err();
    assert!(matches!(error, StoreError::WouldLoseRefreshToken { .. }), "{error}");
    cache.write(&login(), &session("three")).unwrap();
    let found = cache.read(&login()).unwrap().unwrap();
    assert_eq!(found.access_token.expose(), "at-three");
}

#[test]
fn a_file_that_python_could_not_read_either_is_an_error_and_is_replaced() {
    let place = Place::new();
    let (cache, path) = with(&place, "garbage");
    let error = cache.read(&login()).unwrap_err();
    assert!(error.to_string().contains("not a usable login"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "garbage", "a reader changes nothing");
    cache.write(&login(), &session("dev")).unwrap();
    assert!(cache.read(&login()).unwrap().is_some());
}

#[test]
fn a_huge_file_and_a_file_that_is_no_text_are_refused() {
    let place = Place::new();
    let (cache, path) = with(&place, &" ".repeat((1 << 20) + 1));
    assert!(cache.read(&login()).unwrap_err().to_string().contains("1 MiB"));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(cache.read(&login()).unwrap_err().to_string().contains("not text"));
}

#[test]
fn files_of_older_versions_are_found_after_todays() {
    let place = Place::new();
    let cache = cache(&place);
    fs::create_dir_all(cache.folder()).unwrap();
    let text = |name: &str| {
        format!(
            r#"{{"token": {{"access_token": "{name}", "token_type": "Bearer", "expiry": "2099-01-01T00:00:00"}}}}"#
        )
    };
    let names = login().legacy_file_names();
    for (at, name) in names.iter().enumerate().rev() {
        common::put(&cache.folder().join(name), text(&at.to_string()));
        assert_eq!(cache.read(&login()).unwrap().unwrap().access_token.expose(), at.to_string());
    }
    common::put(&cache.path(&login()).unwrap(), text("today"));
    assert_eq!(cache.read(&login()).unwrap().unwrap().access_token.expose(), "today");
    assert_eq!(cache.list().unwrap().len(), names.len() + 1);
}

#[test]
fn a_listing_says_whose_a_file_is_only_for_logins_that_are_guessed() {
    let place = Place::new();
    let cache = cache(&place);
    assert!(cache.list().unwrap().is_empty() && cache.matches(&[login()]).unwrap().is_empty());
    let (dev, none, other) =
        (login(), PythonLogin::new(HOST), PythonLogin::new("https://c.example"));
    let mine = cache.write(&dev, &session("dev")).unwrap();
    let unknown = cache.write(&other, &session("other")).unwrap();
    fs::write(cache.folder().join("README"), "").unwrap();
    let logins = [none, dev.clone()];
    let found = cache.matches(&logins).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&(mine, Some(&dev))) && found.contains(&(unknown, None)));
}

#[test]
fn a_reader_never_sees_half_a_file() {
    let place = Place::fast();
    let cache = cache(&place);
    let (short, long) = (session("a"), session(&"b".repeat(100_000)));
    let path = cache.write(&login(), &short).unwrap();
    let over = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !over.load(Ordering::Relaxed) || reads == 0 {
                // As Python reads: no lock.
                let value: serde_json::Value =
                    serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
                assert!(value["token"]["refresh_token"].as_str().unwrap().starts_with("rt-"));
                reads += 1;
            }
            reads
        });
        let writer = |session: &Session| cache.write(&login(), session).unwrap();
        for _ in 0..20 {
            std::thread::scope(|both| {
                both.spawn(|| writer(&short));
                both.spawn(|| writer(&long));
            });
        }
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 0);
    assert_eq!(common::names(cache.folder()).len(), 2, "no temporary file is left");
}

#[test]
fn t14_no_token_is_in_an_error_or_in_debug() {
    let place = Place::new();
    let (cache, _) = with(&place, r#"{"token": {"access_token": "canary", "expiry": "canary"}}"#);
    let error = cache.read(&login()).unwrap_err();
    assert!(!format!("{error} {error:?} {cache:?}").contains("canary"));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn t12_files_and_folders_are_private_whatever_python_left() {
        let place = Place::new();
        let cache = cache(&place);
        let path = cache.write(&login(), &session("dev")).unwrap();
        assert_eq!((common::mode(&path), common::mode(cache.folder())), (0o600, 0o700));
        assert!(cache.take_notices().is_empty());
        // As Python leaves them when it is killed between writing and chmod.
        common::chmod(&path, 0o644);
        common::chmod(cache.folder(), 0o755);
        assert!(cache.read(&login()).unwrap().is_some());
        assert_eq!(common::mode(&path), 0o600);
        let notices = cache.take_notices();
        assert!(notices.len() == 1 && notices[0].text.contains("could be read"), "{notices:?}");
        cache.write(&login(), &session("dev")).unwrap();
        assert_eq!(common::mode(cache.folder()), 0o700);
        let notices = cache.take_notices();
        assert!(notices.len() == 1 && notices[0].text.contains("was open"), "{notices:?}");
    }

    #[test]
    fn t12_a_folder_that_all_may_write_is_refused() {
        let place = Place::new();
        let (cache, path) = with(&place, "garbage");
        common::chmod(cache.folder(), 0o777);
        let error = cache.write(&login(), &session("dev")).unwrap_err();
        assert!(matches!(error, StoreError::OpenFolder { .. }), "{error}");
        assert_eq!(fs::read_to_string(path).unwrap(), "garbage");
    }

    #[test]
    fn t23_links_pipes_and_folders_are_neither_read_nor_replaced() {
        let place = Place::new();
        let (cache, path) = with(&place, "");
        let victim = place.folder().join("victim");
        common::put(&victim, r#"{"token": {"access_token": "a", "refresh_token": "r"}}"#);
        let before = fs::read(&victim).unwrap();
        let refused = |what: &str| {
            let there = cache.clone();
            let (read, written) = common::promptly(move || {
                (there.read(&login()), there.write(&login(), &session("dev")))
            });
            assert!(matches!(read, Err(StoreError::NotAFile { .. })), "{what}: {read:?}");
            assert!(matches!(written, Err(StoreError::NotAFile { .. })), "{what}: {written:?}");
        };
        fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        refused("a link");
        assert_eq!(fs::read(&victim).unwrap(), before);
        fs::remove_file(&path).unwrap();
        symlink(place.folder().join("absent"), &path).unwrap();
        refused("a link to nothing");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        refused("a folder");
        fs::remove_dir(&path).unwrap();
        if common::can(&["mkfifo", path.to_str().unwrap()]) {
            refused("a pipe");
        }
    }

    #[test]
    fn t23_somebody_elses_file_or_folder_is_neither_read_nor_replaced() {
        if !common::is_root() {
            return common::skip("only root can give a file away");
        }
        let place = Place::new();
        let (cache, path) = with(&place, r#"{"token": {"access_token": "a"}}"#);
        std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
        for error in
            [cache.read(&login()).unwrap_err(), cache.write(&login(), &session("dev")).unwrap_err()]
        {
            assert!(matches!(error, StoreError::ForeignOwner { owner: 1234, .. }), "{error}");
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::chown(cache.folder(), Some(1234), None).unwrap();
        let error = cache.write(&login(), &session("dev")).unwrap_err();
        assert!(matches!(error, StoreError::ForeignOwner { owner: 1234, .. }), "{error}");
    }

    #[test]
    fn a_write_puts_a_new_file_in_place_and_truncates_none() {
        let place = Place::new();
        let cache = cache(&place);
        let path = cache.write(&login(), &session("one")).unwrap();
        let open = fs::File::open(&path).unwrap();
        cache.write(&login(), &session("two")).unwrap();
        let old = open.metadata().unwrap();
        assert_ne!(old.ino(), fs::metadata(&path).unwrap().ino());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut &open, &mut text).unwrap();
        assert!(text.contains("rt-one") && text.ends_with("}}"), "who has it open reads on");
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_by_the_next() {
        let place = Place::new();
        let cache = cache(&place);
        cache.write(&login(), &session("one")).unwrap();
        let left = cache.folder().join(".u2m-u2m-0123456789abcdef.tmp");
        common::put(&left, "rt-secret");
        cache.write(&login(), &session("two")).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn a_time_that_nobody_knows_is_one_that_python_can_read() {
        let place = Place::new();
        let cache = cache(&place);
        let bare = Session::new(AccessToken::new("a"));
        let path = cache.write(&login(), &bare).unwrap();
        assert!(fs::read_to_string(path).unwrap().contains(r#""expiry": "9999-12-"#));
        assert_eq!(cache.read(&login()).unwrap(), Some(bare.clone()));
        let known = bare.with_expiry(Timestamp::from_unix(LATER));
        cache.write(&login(), &known).unwrap();
        assert_eq!(cache.read(&login()).unwrap(), Some(known));
    }
}
