//! Which token may be spent, and what is known of one that was.
#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use u2m_core::RefreshToken;

fn token(name: &str) -> Fingerprint {
    Fingerprint::of_refresh(&RefreshToken::new(format!("{name}-{}", std::process::id())))
}

/// A folder for caches, and one for the user's runtime.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn beside(&self, name: &str) -> SidecarFiles {
        SidecarFiles::new(self.0.path().join(name))
    }

    fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        fault::under(None, Some(self.0.path().to_owned()), work).0
    }
}

fn claims(beside: &SidecarFiles) -> EntryClaim {
    EntryClaim::new("token cache", beside, &CacheKey::new("dev"))
}

/// Claims `of`, where the cache `one` holds what is `seen`, and every other one the token itself.
fn claim(claims: &mut EntryClaim, beside: &SidecarFiles, of: &str, seen: Seen) -> Claim {
    let is_one = |spot: &EntryAddress| spot.path.ends_with("one.json");
    let look =
        |spot: &EntryAddress| if is_one(spot) { seen.clone() } else { Some(Some(token(of))) };
    claims.claim(beside, &token(of), Duration::ZERO, look).unwrap()
}

#[test]
fn one_token_is_one_lock_whichever_file_it_is_in() {
    let home = Home::new();
    home.inside(|| {
        let (one, other) = (home.beside("one.json"), home.beside("other.json"));
        let (mut first, mut second) = (claims(&one), claims(&other));
        assert_eq!(claim(&mut first, &one, "a", None), Claim::Taken);
        assert_eq!(claim(&mut second, &other, "a", None), Claim::Busy);
        assert_eq!(claim(&mut second, &other, "b", None), Claim::Taken, "another login");
        // Claiming another one gives the last one back.
        assert_eq!(claim(&mut first, &one, "c", None), Claim::Taken);
        assert_eq!(claim(&mut second, &other, "a", None), Claim::Taken);
    });
}

#[test]
fn a_spent_token_says_where_its_successor_is() {
    let home = Home::new();
    home.inside(|| {
        let (one, other) = (home.beside("one.json"), home.beside("other.json"));
        let mut first = claims(&one);
        claim(&mut first, &one, "a", None);
        first.saving(&token("b"));
        let told = |seen| claim(&mut claims(&other), &other, "a", seen);
        drop(first);
        assert_eq!(told(Some(Some(token("a")))), Claim::Taken, "it was never saved");
        assert!(matches!(told(Some(Some(token("b")))), Claim::Spent(_)), "it was, by one who died");
        let mut first = claims(&one);
        claim(&mut first, &one, "a", Some(Some(token("a"))));
        first.saved(&one, &token("b"));
        drop(first);
        let Claim::Spent(words) = told(None) else { panic!("it is spent") };
        assert_eq!(
            words,
            format!("it was spent for 'dev' in the token cache ({})", one.path.display())
        );
        assert!(matches!(told(Some(None)), Claim::Spent(_)), "whatever became of it there");
        // In its own place it was replaced since it was read, or put back.
        assert_eq!(claim(&mut claims(&one), &one, "a", Some(Some(token("b")))), Claim::Waited);
        let back = claim(&mut claims(&one), &one, "a", Some(Some(token("a"))));
        assert!(matches!(&back, Claim::Spent(words) if words.contains("put an older state back")));
        assert!(is_spent(&one, &token("a"), true) && !is_spent(&one, &token("b"), false));
    });
}

#[test]
fn a_token_leads_to_all_that_was_bought_after_it_and_to_no_other_login() {
    let home = Home::new();
    home.inside(|| {
        let one = home.beside("one.json");
        let mut first = claims(&one);
        for (of, next) in [("a", "b"), ("b", "c"), ("c", "a2"), ("x", "y"), ("y", "x")] {
            claim(&mut first, &one, of, Some(Some(token(of))));
            first.saving(&token(next));
        }
        drop(first);
        let leads = |of, to| leads_to(&one, &token(of), |it| *it == token(to));
        assert!(leads("a", "b") && leads("a", "a2") && leads("b", "a2"));
        assert!(!leads("b", "a") && !leads("a", "y") && !leads("unknown", "a"));
        assert!(!leads("x", "a"), "it comes to an end though it goes round");
    });
}

#[test]
fn a_token_that_the_server_gave_again_is_not_spent() {
    let home = Home::new();
    home.inside(|| {
        let one = home.beside("one.json");
        let mut first = claims(&one);
        claim(&mut first, &one, "a", None);
        first.saving(&token("a"));
        first.saved(&one, &token("a"));
        assert_eq!(claim(&mut first, &one, "a", None), Claim::Taken);
        assert!(!is_spent(&one, &token("a"), false));
    });
}

#[test]
fn where_there_is_no_runtime_folder_the_lock_beside_the_file_is_enough() {
    let home = Home::new();
    fs::write(home.0.path().join("u2m"), "in the way").unwrap();
    home.inside(|| {
        let one = home.beside("one.json");
        let (mut first, mut second) = (claims(&one), claims(&one));
        assert_eq!(claim(&mut first, &one, "a", None), Claim::Taken);
        assert_eq!(claim(&mut second, &one, "a", None), Claim::Busy);
    });
}

#[test]
fn of_many_files_the_old_ones_go_and_those_that_are_held_stay() {
    let home = Home::new();
    home.inside(|| {
        let one = home.beside("one.json");
        let mut first = claims(&one);
        claim(&mut first, &one, "held", None);
        let there = folder(&one);
        let long_ago = SystemTime::now() - Duration::from_secs(31 * 86_400);
        let path = |at: usize| there.join(format!("t-{at:032x}.lock"));
        for at in 0..MOST + 10 {
            let file = disk::open_private(&path(at)).unwrap();
            file.set_modified(if at < 20 { long_ago } else { SystemTime::now() }).unwrap();
        }
        File::open(there.join(name(&token("held")))).unwrap().set_modified(long_ago).unwrap();
        first.saved(&one, &token("next"));
        assert!((0..20).all(|at| !path(at).exists()) && path(MOST).exists());
        assert!(there.join(name(&token("held"))).exists());
        assert_eq!(claim(&mut claims(&one), &one, "held", None), Claim::Busy);
    });
}

#[test]
fn a_name_that_would_make_a_note_too_long_is_told_apart_by_its_hash() {
    let home = Home::new();
    for (length, is_whole) in [(100, true), (20_000, false)] {
        let key = "k".repeat(length);
        let spot =
            EntryAddress { store: "token cache".into(), path: "/cache".into(), key: key.clone() };
        let note = SpentNote { to: "to".into(), at: 7, spot, is_saved: true };
        let path = home.0.path().join("note");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        write(&mut file, &note).unwrap();
        let found = read(&mut file).unwrap();
        let expected =
            if is_whole { key.clone() } else { Fingerprint::of_text(&key).as_str().to_owned() };
        assert_eq!((found.spot.key, found.spot.path), (expected, note.spot.path));
        assert_eq!((found.to.as_str(), found.at, found.is_saved), ("to", 7, true));
    }
}

#[test]
fn what_was_never_saved_is_spent_in_doubt_and_certain_only_where_its_successor_stands() {
    let home = Home::new();
    home.inside(|| {
        let (one, other) = (home.beside("one.json"), home.beside("other.json"));
        let mut first = claims(&one);
        claim(&mut first, &one, "a", None);
        first.saving(&token("b"));
        drop(first);
        assert!(is_spent(&one, &token("a"), false) && !is_spent(&one, &token("a"), true));
        let third = Some(Some(token("another login")));
        assert_eq!(claim(&mut claims(&other), &other, "a", third), Claim::Taken);
    });
}

#[test]
fn of_two_notes_the_one_that_knows_that_it_was_saved_counts() {
    let home = Home::new();
    home.inside(|| {
        let one = home.beside("one.json");
        let mut first = claims(&one);
        claim(&mut first, &one, "a", None);
        let spot = first.spot.clone();
        let note = |is_saved| SpentNote { to: "b".into(), at: now(), spot: spot.clone(), is_saved };
        let held = first.held.as_mut().unwrap();
        for (here, there) in [(false, true), (true, false), (true, true), (false, false)] {
            write(held.here.notes(), &note(here)).unwrap();
            write(held.there.as_mut().unwrap().notes(), &note(there)).unwrap();
            assert_eq!(held.note().unwrap().is_saved, here || there, "{here} {there}");
        }
    });
}

#[test]
fn notes_are_dated_by_the_systems_clock() {
    let system = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    assert!(now().abs_diff(system) < 60, "{} {system}", now());
}

#[test]
fn of_two_notes_the_one_that_knows_more_counts_and_else_the_first() {
    let spot = EntryAddress { store: "cache".into(), path: "x".into(), key: "dev".into() };
    let note = |to: &str, is_saved| {
        Some(SpentNote { to: to.to_owned(), at: 7, spot: spot.clone(), is_saved })
    };
    for (here, there, counts) in [
        (note("here", true), note("there", true), Some("here")),
        (note("here", true), note("there", false), Some("here")),
        (note("here", false), note("there", true), Some("there")),
        (note("here", false), note("there", false), Some("here")),
        (None, note("there", false), Some("there")),
        (note("here", false), None, Some("here")),
        (None, None, None),
    ] {
        let surer = surer(here, there);
        assert_eq!(surer.as_ref().map(|note| note.to.as_str()), counts);
    }
}
