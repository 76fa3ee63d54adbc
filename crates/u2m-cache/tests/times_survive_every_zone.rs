//! Times that are written in any zone are the same instant for Go, and for Python's rule.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use chrono::{Local, NaiveDateTime, TimeZone};
use common::{Child, Place, access, go_reads, key, session};
use std::process::Command;
use u2m_cache::TokenStore;
use u2m_core::{AccessToken, Session, Timestamp};

/// Zone, and what it is east of UTC in winter and in summer, in seconds.
const ZONES: [(&str, i64, i64); 8] = [
    ("UTC", 0, 0),
    ("UTC0", 0, 0),
    ("IST-5:30", 19_800, 19_800),
    ("PST8", -28_800, -28_800),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 3_600, 7_200),
    ("PST8PDT,M3.2.0,M11.1.0", -28_800, -25_200),
    ("Asia/Kolkata", 19_800, 19_800),
    ("America/Los_Angeles", -28_800, -25_200),
];

/// In winter, in summer, a moment before and after both switches of 2026 in both zones that have them, and far away.
const TIMES: [i64; 9] = [
    1_767_225_600,
    1_782_864_000,
    1_774_745_999,
    1_774_746_000,
    1_792_976_400,
    1_772_963_999,
    1_772_964_000,
    1_793_527_200,
    common::LATER,
];

fn name(time: i64) -> String {
    format!("t{time}")
}

/// What Python's SDK does: a `Z` goes, what follows the first dot goes, the rest is local wall-clock time.
fn pythons_rule(text: &str) -> i64 {
    let cut = text.trim_end_matches('Z').split('.').next().unwrap();
    let wall = NaiveDateTime::parse_from_str(cut, "%Y-%m-%dT%H:%M:%S").unwrap();
    Local.from_local_datetime(&wall).earliest().unwrap().timestamp()
}

#[test]
fn worker() {
    common::work(|_, store| {
        for time in TIMES {
            let session =
                Session::new(AccessToken::new("a")).with_expiry(Timestamp::from_unix(time));
            store.save(&key(&name(time)), &session).unwrap();
            let found = store.load(&key(&name(time))).unwrap().unwrap();
            assert_eq!(found.expiry, Some(Timestamp::from_unix(time)));
        }
        let text = std::fs::read_to_string(store.path()).unwrap();
        for time in TIMES {
            assert_eq!(pythons_rule(&written(&text, time)), time);
            assert_eq!(pythons_rule(&u2m_cache::format_local(Timestamp::from_unix(time))), time);
        }
    });
}

fn written(text: &str, time: i64) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    value["tokens"][name(time)]["expiry"].as_str().unwrap().to_owned()
}

fn is_here(zone: &str) -> bool {
    !zone.contains('/') || std::path::Path::new("/usr/share/zoneinfo").join(zone).exists()
}

fn write_in(zone: &str, place: &Place) {
    let mut command = common::command("write", &place.file());
    command.env("TZ", zone);
    Child::of(command).done();
}

#[test]
fn file_15_what_is_written_in_any_zone_is_local_time_with_a_fraction_and_the_right_instant() {
    for (zone, winter, summer) in ZONES.into_iter().filter(|(zone, ..)| is_here(zone)) {
        let place = Place::new();
        write_in(zone, &place);
        let text = place.text();
        for time in TIMES {
            assert_eq!(go_reads(&text)[&name(time)].2, time, "{zone}");
            let shown = written(&text, time);
            let (clock, rest) = shown.split_at(19);
            assert!(rest.starts_with(".000001"), "{zone} {shown}");
            assert_eq!(rest == ".000001Z", winter == 0, "{zone} {shown}");
            let wall = NaiveDateTime::parse_from_str(clock, "%Y-%m-%dT%H:%M:%S").unwrap();
            let offset = wall.and_utc().timestamp() - time;
            assert!(offset == winter || offset == summer, "{zone} {shown}");
        }
        assert_eq!(
            NaiveDateTime::parse_from_str(&written(&text, TIMES[1])[..19], "%Y-%m-%dT%H:%M:%S")
                .unwrap()
                .and_utc()
                .timestamp()
                - TIMES[1],
            summer,
            "{zone} in summer"
        );
    }
}

const PYTHON: &str = r#"
import json, sys
from datetime import datetime
for key, entry in json.load(open(sys.argv[1]))["tokens"].items():
    expiry = entry["expiry"].rstrip("Z").split(".")[0]
    found = int(datetime.strptime(expiry, "%Y-%m-%dT%H:%M:%S").timestamp())
    assert found == int(key[1:]), (entry["expiry"], found - int(key[1:]))
"#;

#[test]
fn file_15_python_finds_the_right_instant_in_every_zone() {
    if !common::can(&["python3", "-c", "pass"]) {
        return common::skip("there is no python3 here");
    }
    for (zone, ..) in ZONES.into_iter().filter(|(zone, ..)| is_here(zone)) {
        let place = Place::new();
        write_in(zone, &place);
        let python = Command::new("python3")
            .args(["-c", PYTHON])
            .arg(place.file())
            .env("TZ", zone)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&python.stderr);
        assert!(python.status.success(), "{zone}: {error}");
    }
}

#[test]
fn a_file_by_go_is_the_same_in_every_zone() {
    let place = Place::with(
        r#"{"version":1,"tokens":{"a":{"access_token":"a","expiry":"2026-03-10T22:33:09.12+01:00"},"b":{"access_token":"b","expiry":"2026-03-11T03:03:09+05:30"},"c":{"access_token":"c","expiry":"2026-03-10T13:33:09.5-08:00"},"d":{"access_token":"d","expiry":"2026-03-10T21:33:09Z"},"z":{"access_token":"z","expiry":"0001-01-01T00:00:00Z"}}}"#,
    );
    let store = place.store();
    for name in ["a", "b", "c", "d"] {
        let found = store.load(&key(name)).unwrap().unwrap();
        assert_eq!(found.expiry, Some(Timestamp::from_unix(1_773_178_389)), "{name}");
        store.save(&key(name), &found).unwrap();
        assert_eq!(go_reads(&place.text()).len(), 5);
        assert_eq!(store.load(&key(name)).unwrap().unwrap().expiry, found.expiry);
    }
    assert_eq!(store.load(&key("z")).unwrap().unwrap().expiry, None);
    store.save(&key("new"), &session("new")).unwrap();
    assert_eq!(access(&store, "z").as_deref(), Some("z"));
}
