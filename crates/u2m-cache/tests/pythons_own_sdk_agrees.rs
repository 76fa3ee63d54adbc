//! Databricks' own SDK for Python, as pip installs it today: it loads what u2m wrote, u2m reads what it saved, and both
//! give a file the same name.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/python_sdk.rs"]
mod python_sdk;

use common::{Child, Place};
use python_sdk::{python, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use u2m_cache::{PythonCache, PythonLogin, python_host, python_scopes};
use u2m_core::{AccessToken, RefreshToken, Session, Timestamp};

const ZONES: [&str; 3] = ["America/New_York", "Asia/Kolkata", "Europe/Berlin"];

/// Every script begins with a cache for each login of a JSON list.
const CACHES: &str = r#"
import json, os, sys
from datetime import datetime, timedelta
from databricks.sdk import oauth
from databricks.sdk._base_client import _fix_host_if_needed
endpoints = oauth.OidcEndpoints("https://a.example/oidc/v1/authorize", "https://a.example/oidc/v1/token")
def cache(login):
    host, client, profile, scopes = login
    return oauth.TokenCache(host=_fix_host_if_needed(host), oidc_endpoints=endpoints, client_id=client,
                            profile=profile, scopes=scopes)
"#;

/// Runs a script with `home` as the home folder in `zone`, with an argument.
fn script(python: &Path, home: &Path, zone: &str, body: &str, argument: &str) -> String {
    let mut command = Command::new(python);
    command.arg("-c").arg(format!("{CACHES}{body}")).arg(argument);
    run(command.env("HOME", home).env("TZ", zone).env("PYTHONIOENCODING", "utf-8")).unwrap()
}

fn json(logins: &[PythonLogin]) -> String {
    let of = |login: &PythonLogin| {
        serde_json::json!([login.host, login.client_id, login.profile, login.scopes])
    };
    serde_json::Value::from(logins.iter().map(of).collect::<Vec<_>>()).to_string()
}

/// A login for each time, so that one process of Python serves them all.
fn login(time: i64) -> PythonLogin {
    PythonLogin::new("https://a.example").with_profile(format!("d\u{e9}v \u{1f600} {time}"))
}

fn all() -> String {
    json(&TIMES.map(login))
}

fn in_home(home: &Path) -> PythonCache {
    PythonCache::from_env(&|_| Some(home.as_os_str().to_owned())).unwrap()
}

/// In winter, in summer, minutes before and after the switches of New York and Berlin, and in 2099.
const TIMES: [i64; 9] = [
    1_767_225_600,
    1_782_864_000,
    1_772_953_100,
    1_772_953_300,
    1_774_746_100,
    1_792_889_900,
    1_793_512_700,
    1_793_516_500,
    common::LATER,
];

#[test]
fn worker() {
    common::work(|job, store| {
        let cache = in_home(store.path().parent().unwrap());
        for time in TIMES {
            if job == "write" {
                let session = Session::new(AccessToken::new("at-\u{e9}\u{1f600}"))
                    .with_refresh_token(RefreshToken::new(format!("rt-{time}")))
                    .with_expiry(Timestamp::from_unix(time));
                cache.write(&login(time), &session).unwrap();
            } else {
                let session = cache.read(&login(time)).unwrap().unwrap();
                assert_eq!(session.access_token.expose(), "at-\u{e9}\u{1f600}");
                assert_eq!(session.refresh_token.unwrap().expose(), format!("rt-{time}"));
                common::say(&session.expiry.unwrap().unix().to_string());
            }
        }
    });
}

/// u2m in a process of its own, in `zone`.
fn u2m(job: &str, place: &Place, zone: &str) -> Vec<String> {
    let mut command = common::command(job, &place.file());
    command.env("TZ", zone);
    Child::of(command).done()
}

fn numbers(text: &str) -> Vec<i64> {
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

#[test]
fn the_sdk_loads_what_u2m_wrote_with_the_right_token_and_instant_in_every_zone() {
    let Some(python) = python() else { return };
    let body = r#"
for login in json.loads(sys.argv[1]):
    token = cache(login).load()._token
    assert token.access_token == "at-\u00e9\U0001f600" and token.token_type == "Bearer", "token"
    assert token.refresh_token == "rt-" + login[2].split()[-1] and token.expiry.tzinfo is None
    # Its own rule, in local time without a zone.
    assert token.expired == (token.expiry - timedelta(seconds=40) < datetime.now())
    print(*[int(token.expiry.replace(fold=fold).timestamp()) for fold in (0, 1)])
"#;
    for zone in ZONES {
        let place = Place::fast();
        u2m("write", &place, zone);
        let said = script(python, place.folder(), zone, body, &all());
        assert_eq!(said.lines().count(), TIMES.len());
        for (time, line) in TIMES.into_iter().zip(said.lines()) {
            // Where clocks show a time twice, it is two instants, of which the true one is one; Python takes the earlier.
            let instants = numbers(line);
            assert!(instants.contains(&time), "{zone} {time} {instants:?}");
            assert!((0..=3600).contains(&(time - instants[0])), "{zone} {time} {instants:?}");
            assert!(instants[0] == instants[1] || zone != "Asia/Kolkata", "{zone} {instants:?}");
        }
    }
}

#[test]
fn u2m_reads_what_the_sdk_saved_with_the_right_token_and_never_a_late_expiry() {
    let Some(python) = python() else { return };
    // What the SDK does when a token comes: an hour is added to local time, and the sum is saved. Only the clock is ours.
    let body = r#"
for login in json.loads(sys.argv[1]):
    time = login[2].split()[-1]
    expiry = datetime.fromtimestamp(int(time)) + timedelta(seconds=3600)
    token = oauth.Token("at-\u00e9\U0001f600", "Bearer", "rt-" + time, expiry)
    credentials = oauth.SessionCredentials(token, endpoints.token_endpoint, "databricks-cli")
    credentials.token = lambda: token
    saved = cache(login)
    saved.save(credentials)
    os.utime(saved.filename, (int(time) + 1, int(time) + 1))
    print(saved.filename)
"#;
    for zone in ZONES {
        let place = Place::fast();
        let said = script(python, place.folder(), zone, body, &all());
        let read = numbers(&u2m("read", &place, zone).join(" "));
        assert_eq!((read.len(), said.lines().count()), (TIMES.len(), TIMES.len()));
        for ((issued, path), read) in TIMES.into_iter().zip(said.lines()).zip(read) {
            let found = in_home(place.folder()).find(&login(issued));
            assert_eq!(found, Some(PathBuf::from(path)));
            let late = read - issued - 3600;
            let is_usual =
                zone == "Asia/Kolkata" || [0, 1, 8].map(|at| TIMES[at]).contains(&issued);
            assert!(late == 0 || late == -3600 && !is_usual, "{zone} {issued} {late}");
        }
    }
}

#[test]
fn int_1_the_sdk_gives_every_login_the_same_name() {
    let Some(python) = python() else { return };
    let mut logins = Vec::new();
    for host in [
        "https://my-workspace.cloud.databricks.com",
        "my-workspace.cloud.databricks.com:443/",
        "HTTPS://My.Host.COM/A/",
        "https://x/?o=123",
        "https://x/login.html?o=1#f",
        "https://user:pw@x:443",
        "https://[::1]:443/",
        "localhost:1234",
        "https://x/a;b/c;",
        " https://x//",
        "https://x:0443",
    ] {
        for profile in
            [None, Some("DEFAULT"), Some("a/b\u{1}\u{8}\u{c}\r\n\t\u{7f}\u{2028}</x>\"\\\u{1f600}")]
        {
            for scopes in
                [python_scopes(None, true), Vec::new(), vec!["a,b".into(), "\u{e9}".into()]]
            {
                let mut login =
                    PythonLogin::new(host).with_client_id("c\u{65e5}").with_scopes(scopes);
                login.profile = profile.map(str::to_owned);
                logins.push(login);
            }
        }
    }
    let body = r#"
for login in json.loads(sys.argv[1]):
    print(os.path.basename(cache(login).filename))
"#;
    let place = Place::new();
    let said = script(python, place.folder(), "UTC", body, &json(&logins));
    let names: Vec<&str> = said.lines().collect();
    assert_eq!(names.len(), logins.len());
    for (login, name) in logins.iter().zip(names) {
        assert_eq!(login.file_name().as_deref(), Some(name), "{login:?}");
    }
}

#[test]
fn the_sdk_makes_the_same_hosts_and_scopes_of_a_configuration() {
    let Some(python) = python() else { return };
    let body = r#"
from databricks.sdk.config import _parse_scopes
def host(text):
    try:
        return _fix_host_if_needed(text)
    except ValueError:
        return None
hosts, scopes = json.loads(sys.argv[1])
print(json.dumps([[host(text) for text in hosts], [_parse_scopes(text) or ["all-apis"] for text in scopes]]))
"#;
    let hosts = [
        "",
        "a",
        "a/",
        "a:443",
        "https://a:",
        "https://a:99999",
        "https://a:b",
        "https://a:+443",
        "https://a:443x",
        "https://[::1",
        "https://a]",
        "https:///p/",
        "http://a:443/;p/;",
        "zz://a:443/;p/",
        "1a://a/",
        "https://a\n/b\t/",
        "https://a?x#",
        "https://a#?/",
        "ftp://a/b;c/",
        "https://u@a:443@b:443/",
        "https://a//b//",
        "wss://",
        "https://",
        "mailto://x;y/",
        "HtTp://A:0443",
        "://a/",
        "https://a/%2F/",
    ];
    let scopes = [
        "",
        "sql, clusters, jobs",
        "a b,a  ,c",
        " , ",
        "b a",
        "\u{e9} z \u{1f600} \u{ffff}",
        "a\tb",
    ];
    let argument = serde_json::json!([hosts, scopes]).to_string();
    let place = Place::new();
    let said = script(python, place.folder(), "UTC", body, &argument);
    let (their_hosts, their_scopes): (Vec<Option<String>>, Vec<Vec<String>>) =
        serde_json::from_str(&said).unwrap();
    for (host, theirs) in hosts.into_iter().zip(their_hosts) {
        assert_eq!(python_host(host), theirs, "{host:?}");
    }
    for (text, theirs) in scopes.into_iter().zip(their_scopes) {
        assert_eq!(python_scopes(Some(text), false), theirs, "{text:?}");
    }
}
