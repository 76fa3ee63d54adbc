//! Python keeps the end of a token as local time. Read in real zones around the days on which clocks are changed, no token
//! looks alive when it is dead.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Local, NaiveDateTime, TimeDelta, TimeZone};
use common::{Child, Place};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use u2m_cache::{PythonCache, PythonLogin};
use u2m_core::{AccessToken, Session, Timestamp};

const HOUR: i64 = 3_600;

/// Zone, and the instants of 2026 at which its clocks are changed.
const ZONES: [(&str, [i64; 2]); 4] = [
    ("America/New_York", [1_772_953_200, 1_793_512_800]),
    ("Europe/Berlin", [1_774_746_000, 1_792_890_000]),
    ("Asia/Kolkata", [1_772_953_200, 1_793_512_800]),
    ("UTC", [1_772_953_200, 1_793_512_800]),
];

fn login() -> PythonLogin {
    PythonLogin::new("https://a.example")
}

fn local(unix: i64) -> NaiveDateTime {
    DateTime::from_timestamp(unix, 0).unwrap().with_timezone(&Local).naive_local()
}

/// Leaves a file as Python does for a token that was issued at `issued`, saved two seconds later.
fn python_saves(path: &Path, token: &str, issued: i64) {
    let expiry = local(issued) + TimeDelta::seconds(HOUR);
    let expiry = expiry.format("%Y-%m-%dT%H:%M:%S.250000");
    common::put(
        path,
        format!(
            r#"{{"token": {{"access_token": "{token}", "token_type": "Bearer", "expiry": "{expiry}"}}}}"#
        ),
    );
    let saved = UNIX_EPOCH + Duration::from_secs(u64::try_from(issued + 2).unwrap());
    File::options().write(true).open(path).unwrap().set_modified(saved).unwrap();
}

/// Seconds of lateness of what u2m reads, and of what a plain reading as local time gives.
fn lateness(cache: &PythonCache, path: &Path, token: &str, issued: i64) -> (i64, i64) {
    python_saves(path, token, issued);
    let read = cache.read(&login()).unwrap().unwrap().expiry.unwrap().unix();
    let plain = local(issued) + TimeDelta::seconds(HOUR);
    let plain = Local.from_local_datetime(&plain).latest().map(|time| time.timestamp());
    (read - issued - HOUR, plain.unwrap_or(issued + HOUR) - issued - HOUR)
}

/// A token that tells when it ends.
fn jwt(exp: i64) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)))
}

#[test]
fn worker() {
    common::work(|job, store| {
        let switch: i64 = job.parse().unwrap();
        let cache = PythonCache::at(store.path().parent().unwrap().join("oauth"));
        fs::create_dir(cache.folder()).unwrap();
        let path = cache.path(&login()).unwrap();
        let (mut late, mut early, mut plain_late) = (i64::MIN, i64::MAX, i64::MIN);
        for minutes in -240..=240 {
            let issued = switch + 60 * minutes;
            let (opaque, plain) = lateness(&cache, &path, "opaque", issued);
            let (told, _) = lateness(&cache, &path, &jwt(issued + HOUR), issued);
            (late, early) = (late.max(opaque).max(told), early.min(opaque).min(told));
            plain_late = plain_late.max(plain);
            // What u2m writes is exact for u2m, whatever the clocks do.
            fs::remove_file(&path).unwrap();
            let end = issued + HOUR;
            let session =
                Session::new(AccessToken::new("a")).with_expiry(Timestamp::from_unix(end));
            cache.write(&login(), &session).unwrap();
            assert_eq!(cache.read(&login()).unwrap(), Some(session));
            let text = fs::read_to_string(&path).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let expiry = value["token"]["expiry"].as_str().unwrap();
            let naive = NaiveDateTime::parse_from_str(expiry, "%Y-%m-%dT%H:%M:%S").unwrap();
            assert_eq!(naive, local(end), "local time, for Python");
        }
        // In summer, far from any switch, every reading is exact.
        let (summer, _) = lateness(&cache, &path, "opaque", 1_782_864_000);
        common::say(&format!("{late} {early} {plain_late} {summer}"));
    });
}

fn figures(zone: &str, switch: i64) -> Vec<i64> {
    let place = Place::fast();
    let mut command = common::command(&switch.to_string(), &place.file());
    command.env("TZ", zone);
    let said = Child::of(command).done();
    said[0].split(' ').map(|figure| figure.parse().unwrap()).collect()
}

#[test]
fn no_token_of_python_is_read_as_alive_when_it_is_dead() {
    for (zone, switches) in ZONES {
        if !Path::new("/usr/share/zoneinfo").join(zone).exists() {
            common::skip(&format!("the zone {zone} is not known here"));
            continue;
        }
        let changes_clocks = zone.contains("New_York") || zone.contains("Berlin");
        for (at, switch) in switches.into_iter().enumerate() {
            let figures = figures(zone, switch);
            let [late, early, plain_late, summer] = figures[..] else { panic!("{figures:?}") };
            assert_eq!((late, summer), (0, 0), "{zone} {switch}");
            // What was issued in the hour that comes twice is renewed early; in spring nothing is lost.
            let in_autumn = if changes_clocks && at == 1 { HOUR } else { 0 };
            assert_eq!(early, -in_autumn, "{zone} {switch}");
            // The fault that is avoided is there: in autumn a plain reading is an hour late.
            assert_eq!(plain_late, in_autumn, "{zone} {switch}");
        }
    }
}
