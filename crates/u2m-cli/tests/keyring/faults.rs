//! A keyring that is stopped, killed or locked: an error in time, nothing lost, and nobody else concerned.

use crate::common::{Ran, ran};
use crate::desk::{Desk, sign_in};
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

const SECURE: Option<&str> = Some("secure");

/// Three seconds for each call of a keyring, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(15);

fn in_time(command: Command) -> Ran {
    let start = Instant::now();
    let ran = ran(command);
    assert!(start.elapsed() < LIMIT, "{:?}: {}", start.elapsed(), ran.stderr);
    ran
}

fn assert_refused(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{}", ran.stderr);
}

/// A keyring login whose setting is pinned.
fn signed_in() -> Option<Desk> {
    let desk = Desk::new()?;
    let ran = desk.login(None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    Some(desk)
}

#[test]
fn t24_a_stopped_keyring_is_an_error_in_time_and_its_logins_are_there_when_it_goes_on() {
    let Some(desk) = signed_in() else { return };
    let before = desk.service.lookup("dev");
    desk.service.signal_keyring("STOP");
    for (line, mode) in
        [("token dev", SECURE), ("token dev", None), ("token dev --force-refresh", None)]
    {
        let ran = in_time(desk.command(line, mode));
        assert_refused(&ran);
        assert!(ran.stderr.contains("timed out"), "{}", ran.stderr);
    }
    let shown = desk.shown(None);
    let stores = shown["stores"].as_array().unwrap();
    let secure = stores.iter().find(|store| store["mode"] == "secure").unwrap();
    assert!(secure["error"].as_str().unwrap().contains("timed out"), "{shown}");
    desk.service.signal_keyring("CONT");
    assert_eq!(desk.service.lookup("dev"), before);
    desk.token("token dev", None);
    desk.age(-5);
    desk.token("token dev", None);
    assert_eq!(desk.world.server.counts().refreshes, 1);
}

#[test]
fn fall_4_a_killed_keyring_is_an_error_and_its_logins_come_back_with_it() {
    let Some(mut desk) = signed_in() else { return };
    desk.service.kill_keyring();
    for (line, mode) in
        [("token dev", SECURE), ("token dev", None), ("token dev --force-refresh", None)]
    {
        let ran = in_time(desk.command(line, mode));
        assert_refused(&ran);
        assert!(ran.stderr.contains("no keyring answers"), "{}", ran.stderr);
    }
    for line in ["storage migrate --to plaintext dev", "storage migrate --to plaintext --all"] {
        assert_refused(&in_time(desk.command(line, None)));
    }
    assert!(!desk.world.cache().exists());
    desk.service.start_keyring();
    desk.token("token dev", None);
}

#[test]
fn a_login_says_before_any_browser_opens_that_the_keyring_does_not_keep_it() {
    let Some(mut desk) = Desk::new() else { return };
    let mark = desk.world.path("opened");
    let browser = format!("#!/bin/sh\necho \"$1\" > '{}'\n", mark.display());
    let browser = desk.world.script("browser", &browser);
    let login = |desk: &Desk| {
        let mut command = desk.command("login --host {URL} --profile dev", SECURE);
        command.env("BROWSER", &browser);
        let ran = ran(command);
        assert_refused(&ran);
        assert!(ran.stderr.contains("Nobody was asked to sign in"), "{}", ran.stderr);
        assert!(!mark.exists() && !ran.stderr.contains("/authorize"), "{}", ran.stderr);
        ran.stderr
    };
    desk.service.lock();
    assert!(login(&desk).contains("was refused"));
    desk.service.kill_keyring();
    assert!(login(&desk).contains("no keyring answers"));
    desk.service.start_keyring();
    desk.service.signal_keyring("STOP");
    let said = login(&desk);
    assert!(said.contains("timed out"), "{said}");
    desk.service.signal_keyring("CONT");
    assert_eq!(sign_in(desk.command("login --host {URL} --profile dev", SECURE)).code, Some(0));
}

/// A bus that takes every call and answers none.
struct Swallower(UnixListener);

impl Swallower {
    fn at(path: std::path::PathBuf) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let swallows = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            // Whoever calls is heard, for as long as this goes on.
            let mut kept: Vec<_> = Vec::new();
            while let Ok((call, _)) = swallows.accept() {
                kept.push(call);
            }
        });
        Self(listener)
    }

    fn address(&self) -> String {
        let at = self.0.local_addr().unwrap();
        format!("unix:path={}", at.as_pathname().unwrap().display())
    }
}

#[test]
fn a_silent_keyring_that_nobody_named_is_said_before_any_browser_opens() {
    let Some(desk) = Desk::new() else { return };
    let mark = desk.world.path("opened");
    let browser = format!("#!/bin/sh\necho \"$1\" > '{}'\n", mark.display());
    let browser = desk.world.script("browser", &browser);
    let bus = Swallower::at(desk.world.path("run/swallows"));
    desk.service.signal_keyring("STOP");
    let stopped = desk.service.address();
    for (address, mode, target) in [
        (&stopped, None, "--host {URL}"),
        (&bus.address(), SECURE, "--host {URL}"),
        (&bus.address(), None, "--host {URL} --device"),
        (&bus.address(), None, "--issuer {URL}/oidc --client-id c"),
    ] {
        let mut command = desk.command(&format!("login {target} --profile dev"), mode);
        command.env("BROWSER", &browser).env("DBUS_SESSION_BUS_ADDRESS", address);
        let ran = in_time(command);
        assert_refused(&ran);
        assert!(ran.stderr.contains("timed out"), "{target}: {}", ran.stderr);
        assert!(ran.stderr.contains("DATABRICKS_AUTH_STORAGE=plaintext"), "{}", ran.stderr);
        assert!(ran.stderr.contains("Nobody was asked to sign in"), "{target}: {}", ran.stderr);
        assert!(!mark.exists() && !ran.stderr.contains("/authorize"), "{}", ran.stderr);
    }
    assert!(!desk.world.cache().exists(), "nothing fell into the file");
    desk.service.signal_keyring("CONT");
    assert_eq!(sign_in(desk.command("login --host {URL} --profile dev", None)).code, Some(0));
    assert_eq!(desk.items(), 1, "no probe is left");
}

#[test]
fn fall_4_a_locked_keyring_is_an_error_and_loses_nothing() {
    let Some(mut desk) = signed_in() else { return };
    let before = desk.service.lookup("dev");
    desk.service.lock();
    for line in [
        "token dev",
        "token dev --force-refresh",
        "storage migrate --to plaintext dev",
        "storage migrate --to plaintext --all",
        "logout dev --auto-approve",
    ] {
        let ran = in_time(desk.command(line, None));
        assert_refused(&ran);
        assert!(ran.stderr.contains("locked") || ran.stderr.contains("refused"), "{}", ran.stderr);
    }
    let shown = desk.shown(None);
    let login =
        shown["logins"].as_array().unwrap().iter().find(|login| login["key"] == "dev").unwrap();
    assert_eq!(login["storage"], "secure");
    assert!(login["error"].is_string(), "{shown}");
    assert!(!desk.world.cache().exists());
    desk.service.kill_keyring();
    desk.service.start_keyring();
    assert_eq!(desk.service.lookup("dev"), before);
    desk.token("token dev", None);
}

#[test]
fn commands_of_a_file_login_never_call_the_bus_whatever_it_does() {
    let Some(desk) = Desk::without_keyring().map(Desk::profile) else { return };
    // Nobody answers here, but whoever connects is seen.
    let bus = UnixListener::bind(desk.world.path("run/bus")).unwrap();
    bus.set_nonblocking(true).unwrap();
    let on_bus = |line: &str, mode| {
        let mut command = desk.off_the_bus(line, mode);
        let address = format!("unix:path={}", desk.world.path("run/bus").display());
        command.env("DBUS_SESSION_BUS_ADDRESS", address);
        command
    };
    let nobody_called = |what: &str| {
        let called = bus.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(called, Err(ErrorKind::WouldBlock), "{what}");
    };
    let config = desk.world.read(".databrickscfg");
    let pinned = format!("{config}\n[__settings__]\nauth_storage = plaintext\n");
    for (what, mode, config) in [
        ("by name", Some("plaintext"), &config),
        ("by the setting", None, &pinned),
        ("by what was recorded", None, &config),
    ] {
        desk.world.write(".databrickscfg", config);
        let login = sign_in(on_bus("login --host {URL} --profile dev", Some("plaintext")));
        assert_eq!(login.code, Some(0), "{}", login.stderr);
        desk.world.write(".databrickscfg", config);
        for line in ["token dev", "token dev --force-refresh"] {
            let ran = ran(on_bus(line, mode));
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{what}");
        }
        nobody_called(what);
    }
    // And one that has to look does call.
    desk.world.write(".databrickscfg", &config);
    let looks = in_time(on_bus("token dev", SECURE));
    assert_refused(&looks);
    assert!(bus.accept().is_ok());
}

#[test]
fn no_bus_is_ever_started_for_a_token() {
    let Some(desk) = Desk::without_keyring().map(Desk::profile) else { return };
    let mark = desk.world.path("was-run");
    let trap = format!("#!/bin/sh\necho run > '{}'\n", mark.display());
    for name in ["dbus-launch", "dbus-daemon", "gnome-keyring-daemon"] {
        desk.world.script(&format!("bin/{name}"), &trap);
    }
    for (address, mode) in
        [(None, SECURE), (None, None), (Some("autolaunch:"), None), (Some("autolaunch:"), SECURE)]
    {
        let mut command = desk.off_the_bus("token dev", mode);
        command.env("PATH", desk.world.path("bin")).env("DISPLAY", ":99");
        command.envs(address.map(|address| ("DBUS_SESSION_BUS_ADDRESS", address)));
        let ran = in_time(command);
        let expected = if mode == SECURE { 7 } else { 3 };
        assert_eq!(ran.code, Some(expected), "{address:?}: {}", ran.stderr);
        assert!(!mark.exists());
    }
}
