//! Nothing secret is said, whatever happens; and the process shows its memory to nobody.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, eventually, free_port};
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Settings, Times, follow_login, http::StatusCode};

/// Every code, state, verifier and token that has passed between the program and the server.
fn secrets(world: &World) -> Vec<String> {
    let names = ["code", "state", "code_verifier", "refresh_token"];
    let seen = world.server.seen();
    let sent =
        seen.iter().flat_map(|seen| names.map(|name| seen.parameter(name).map(str::to_owned)));
    let stored = world.store().path().exists().then(|| world.stored("dev"));
    let kept = stored.into_iter().flat_map(|session| {
        let refresh = session.refresh_token.map(|token| token.expose().to_owned());
        [Some(session.access_token.expose().to_owned()), refresh]
    });
    sent.chain(kept).flatten().collect()
}

fn assert_silent(world: &World, said: &str) {
    let secrets = secrets(world);
    assert!(!secrets.is_empty());
    for secret in secrets {
        assert!(!said.contains(&secret), "'{secret}' in {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

/// A login; what it says besides the address.
fn login(world: &World) -> String {
    let mut command =
        world.command("login --host {URL} --profile dev --no-browser --debug --log-level trace");
    command.args(["--port", &free_port().to_string()]).env("DATABRICKS_TOKEN", "canary");
    let mut running = Running::start(command);
    let url = running.url();
    follow_login(&url).unwrap();
    let ran = running.done();
    ran.stdout + &ran.stderr.replace(&url, "")
}

#[test]
fn t14_a_login_says_no_secret_whether_it_goes_well_or_not() {
    let world = World::new();
    assert_silent(&world, &login(&world));
    for fault in [
        Fault::status(
            StatusCode::BAD_REQUEST,
            "application/json",
            r#"{"error":"invalid_grant","code":"canary"}"#,
        ),
        Fault::junk(r#"{"access_token":"canary-1","refresh_token":"canary-2","token_type":"mac"}"#),
        Fault::junk(r#"{"access_token":"canary 1","refresh_token":"canary-2"}"#),
        Fault::junk("<html>canary</html>"),
        Fault::drop_connection(),
    ] {
        let world = World::new();
        world.server.inject(Endpoint::Token, Times::Always, fault);
        let said = login(&world);
        assert!(said.contains("Error: "), "{said}");
        assert_silent(&world, &said);
    }
}

#[test]
fn t14_a_refresh_says_no_secret_whether_it_goes_well_or_not() {
    for fault in [
        Fault::delay(Duration::ZERO),
        Fault::junk(r#"{"access_token":"canary-1","refresh_token":"canary-2","token_type":"mac"}"#),
        Fault::junk(r#"{"access_token":"canary-1","#),
        Fault::status(
            StatusCode::BAD_REQUEST,
            "application/json",
            r#"{"error":"x","refresh_token":"canary"}"#,
        ),
        Fault::status(StatusCode::BAD_GATEWAY, "text/plain", "canary"),
        Fault::redirect(StatusCode::TEMPORARY_REDIRECT, "http://127.0.0.1:1/canary"),
        Fault::drop_connection(),
        Fault::cut_short(),
    ] {
        let world = World::new();
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        world.seed("dev", -5);
        world.server.inject(Endpoint::Token, Times::Always, fault);
        assert_silent(&world, &world.run("token dev --debug").stderr);
    }
}

/// The kernel gives what belongs to a process that must not be looked at to root.
#[cfg(target_os = "linux")]
#[test]
fn t15_other_processes_of_the_same_user_cannot_look_into_it() {
    use std::os::unix::fs::MetadataExt;
    let world = World::with(Settings::new());
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(2)));
    let mut command = world.command("token dev");
    if !world.unprivileged(&mut command) {
        return;
    }
    let running = Running::start(command);
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let process = std::path::PathBuf::from(format!("/proc/{}", running.child.id()));
    assert_eq!(std::fs::metadata(process.join("environ")).unwrap().uid(), 0);
    assert_eq!(running.done().code, Some(0));
}

/// A shell that allows core dumps of any size, and becomes the command that follows.
#[cfg(target_os = "linux")]
fn with_core_dumps(program: &str, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", program]).args(args);
    command
}

#[cfg(target_os = "linux")]
#[test]
fn t15_a_process_that_breaks_leaves_no_core_dump() {
    use std::os::unix::process::ExitStatusExt;
    let world = World::new();
    let mut control = with_core_dumps("sh", &["-c", "kill -ABRT $$"]);
    world.surround(&mut control);
    if !control.status().unwrap().core_dumped() {
        eprintln!("skipped: nothing dumps core on this machine");
        return;
    }
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", -5);
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(20)));
    let mut command = with_core_dumps(common::U2M, &["token", "dev"]);
    world.surround(&mut command);
    let running = Running::start(command);
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let limits = format!("/proc/{}/limits", running.child.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    running.signal("ABRT");
    let (status, _) = running.end(common::LONG);
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!status.core_dumped(), "the tokens are in a core dump");
}

/// What the browser is given, and what everybody sees in the list of processes.
#[cfg(target_os = "linux")]
#[test]
fn t16_neither_the_browser_nor_the_process_table_sees_a_secret() {
    let world = World::new();
    world.script(
        "stub",
        "#!/bin/sh\nfor id in $$ $PPID; do tr '\\0' '\\n' < /proc/$id/cmdline; done > \"$HOME/seen\"\n\
         tr '\\0' '\\n' < /proc/$$/environ >> \"$HOME/seen\"\n\
         printf '%s' \"$1\" > \"$HOME/part\"\nmv \"$HOME/part\" \"$HOME/url\"\n",
    );
    let mut command = world.command("login --host {URL} --profile dev");
    command.args(["--port", &free_port().to_string()]);
    command.env("BROWSER", world.path("stub"));
    let names = [
        "DATABASE_URL",
        "DATABRICKS_TOKEN",
        "DATABRICKS_CLIENT_SECRET",
        "DATABRICKS_PASSWORD",
        "ARM_CLIENT_SECRET",
        "GH_PAT",
        "GOOGLE_CREDENTIALS",
        "MYSQL_PWD",
        "SSHPASS",
        "GITHUB_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "AWS_SESSION_TOKEN",
        "MY_API_KEY",
    ];
    for name in names {
        command.env(name, "canary");
    }
    let running = Running::start(command);
    eventually("the browser starts", || world.path("url").exists());
    let url = world.read("url");
    follow_login(&url).unwrap();
    assert_eq!(running.done().code, Some(0));
    let seen = world.read("seen");
    assert!(
        seen.contains("stub") && seen.contains("--profile") && seen.contains("HOME="),
        "the story sees something: {seen}"
    );
    assert!(!seen.contains("canary"), "{seen}");
    // The state is in the address, and worth nothing without the verifier.
    let state = url::Url::parse(&url).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let secrets = secrets(&world);
    assert!(secrets.len() >= 4, "code, state, verifier and tokens");
    for secret in secrets.iter().filter(|secret| **secret != state) {
        assert!(!seen.contains(secret) && !url.contains(secret), "'{secret}' in {seen}");
    }
}

#[test]
fn t16_no_option_takes_a_secret() {
    let world = World::new();
    for option in ["--token", "--refresh-token", "--client-secret", "--password", "--secret"] {
        for command in ["login", "token", "logout"] {
            let ran = world.run(&format!("{command} {option} canary"));
            assert_ne!(ran.code, Some(0), "{command} {option}");
            assert!(
                !ran.stderr.contains("canary") && !ran.stdout.contains("canary"),
                "{}",
                ran.stderr
            );
        }
        assert!(!world.run("help").stdout.contains(option), "{option}");
    }
}
