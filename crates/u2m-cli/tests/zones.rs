//! The expiry in the token's JSON, read as SDKs read it: Go by its offset, Python as wall-clock time of the zone that it
//! runs in (vector 12).
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use std::process::Command;

/// The zone, and how many seconds it is ahead of UTC in January and in July.
const ZONES: [(&str, i64, i64); 8] = [
    ("UTC", 0, 0),
    ("UTC0", 0, 0),
    ("IST-5:30", 19_800, 19_800),
    ("PST8", -28_800, -28_800),
    ("CET-1", 3600, 3600),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200),
    ("America/Los_Angeles", -28_800, -25_200),
    ("Asia/Kolkata", 19_800, 19_800),
];

/// Instants far from today: 2099-01-15 12:00:00, 2098-07-15 23:59:59 and midnight of a new year, all UTC.
const INSTANTS: [(&str, i64, bool); 3] = [
    ("2099-01-15T12:00:00Z", 4_072_161_600, false),
    ("2098-07-15T23:59:59.5+00:00", 4_056_307_199, true),
    ("2099-01-01T01:00:00+01:00", 4_070_908_800, false),
];

fn expiry(world: &World, zone: &str) -> String {
    let mut command = world.command("token dev");
    let ran = common::ran({
        command.env("TZ", zone);
        command
    });
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    json["expiry"].as_str().unwrap().to_owned()
}

fn world(expiry: &str) -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.write(
        ".databricks/token-cache.json",
        &format!(r#"{{"version":1,"tokens":{{"dev":{{"access_token":"a","token_type":"Bearer","refresh_token":"r","expiry":"{expiry}"}}}}}}"#),
    );
    world
}

/// `YYYY-MM-DDTHH:MM:SS` as seconds since 1970, were it UTC.
fn naive(text: &str) -> i64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    assert_eq!(
        (&text[4..5], &text[7..8], &text[10..11], &text[13..14], text.len()),
        ("-", "-", "T", ":", 19),
        "{text}"
    );
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    // Days since 0000-03-01 of the proleptic Gregorian calendar.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    days * 86_400 + part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19)
}

/// Python's SDK: without a `Z` at the end, up to the first dot, as local time.
fn read_by_python(text: &str, ahead: i64) -> i64 {
    let text = text.strip_suffix('Z').unwrap_or(text);
    naive(text.split('.').next().unwrap()) - ahead
}

/// Go's: RFC 3339, by its offset.
fn read_by_go(text: &str) -> i64 {
    let rest = &text[19..];
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let ahead = match zone {
        "Z" => 0,
        _ => {
            let seconds =
                zone[1..3].parse::<i64>().unwrap() * 3600 + zone[4..6].parse::<i64>().unwrap() * 60;
            if zone.starts_with('-') { -seconds } else { seconds }
        }
    };
    naive(&text[..19]) - ahead
}

#[test]
fn every_sdk_reads_the_same_instant_in_every_zone() {
    for (stored, instant, is_summer) in INSTANTS {
        let world = world(stored);
        for (zone, winter, summer) in ZONES {
            if zone.contains('/')
                && !std::path::Path::new("/usr/share/zoneinfo").join(zone).exists()
            {
                continue;
            }
            let text = expiry(&world, zone);
            let ahead = if is_summer { summer } else { winter };
            assert!(text.contains('.'), "without a fraction Python cannot read an offset: {text}");
            assert_eq!(read_by_python(&text, ahead), instant, "Python in {zone}: {text}");
            assert_eq!(read_by_go(&text), instant, "Go in {zone}: {text}");
            if let Some(seconds) = read_by_real_python(&text, zone) {
                assert_eq!(seconds, instant, "the real one in {zone}: {text}");
            }
        }
    }
}

/// The same by the interpreter itself, if there is one.
fn read_by_real_python(text: &str, zone: &str) -> Option<i64> {
    let program = "import datetime, sys\n\
                   t = sys.argv[1].rstrip('Z').split('.')[0]\n\
                   print(int(datetime.datetime.strptime(t, '%Y-%m-%dT%H:%M:%S').timestamp()))";
    let output =
        Command::new("python3").args(["-c", program, text]).env("TZ", zone).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
}
