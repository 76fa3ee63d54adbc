//! A Go program with the structure of Databricks' own reads what u2m writes, and the other way round.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LATER, Place, access, bound, key, session};
use std::path::{Path, PathBuf};
use std::process::Command;
use u2m_cache::TokenStore;
use u2m_core::{AccessToken, RefreshToken, Session, Timestamp};

/// The Go program, built; `None` where there is no Go.
fn program(place: &Place) -> Option<PathBuf> {
    let out = place.folder().join("go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/main.go");
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&out, &source])
        .envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOWORK", "off")])
        .output();
    match built {
        Ok(output) if output.status.success() => Some(out),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => None,
    }
}

fn run(program: &Path, args: &[&str], file: &Path) -> String {
    let (first, rest) = args.split_first().unwrap();
    let output = Command::new(program).arg(first).arg(file).args(rest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn go_reads_what_u2m_writes_and_u2m_reads_what_go_writes() {
    let tools = Place::new();
    let Some(go) = program(&tools) else { return common::skip("there is no Go here") };
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &bound("dev")).unwrap();
    store.save(&key("prod"), &bound("prod")).unwrap();
    let odd = Session::new(AccessToken::new("<&>\u{2028}\"\\é"))
        .with_refresh_token(RefreshToken::new("\u{1}\n"));
    store.save(&key("https://h/é"), &odd).unwrap();
    let far = session("far").with_expiry(Timestamp::from_unix(i64::MAX));
    store.save(&key("far"), &far).unwrap();
    let past = session("past").with_expiry(Timestamp::from_unix(i64::MIN));
    store.save(&key("past"), &past).unwrap();
    let read = run(&go, &["read"], &place.file());
    let lines: Vec<&str> = read.lines().collect();
    assert_eq!(lines.len(), 5, "{read}");
    assert_eq!(lines[0], format!(r#""dev" "at-dev" "Bearer" "rt-dev" {LATER}"#));
    assert!(lines[3].starts_with(r#""past" "at-past" "Bearer" "rt-past" -62"#), "{read}");
    assert_eq!(lines[2], r#""https://h/é" "<&>\u2028\"\\é" "Bearer" "\x01\n" -62135596800"#);

    run(&go, &["write", "dev", "by-go"], &place.file());
    let text = place.text();
    let found = store.load(&key("dev")).unwrap().unwrap();
    assert_eq!(found.refresh_token.unwrap().expose(), "rt-by-go");
    assert_eq!((found.expiry, found.binding), (Some(Timestamp::from_unix(LATER)), None));
    assert!(store.load(&key("prod")).unwrap().unwrap().binding.is_some());

    // Written by Go, a login comes and goes: byte for byte what Go wrote.
    store.save(&key("new"), &session("new")).unwrap();
    run(&go, &["read"], &place.file());
    store.delete(&key("new")).unwrap();
    assert_eq!(place.text(), text);
    assert_eq!(access(&store, "https://h/é").as_deref(), Some("<&>\u{2028}\"\\é"));

    // And what u2m leaves unchanged, Go writes as it stands.
    store.save(&key("dev"), &session("dev")).unwrap();
    let ours = place.text();
    run(&go, &["write", "zz", "x"], &place.file());
    assert!(place.text().starts_with(ours.trim_end_matches("\n  }\n}")));
}
