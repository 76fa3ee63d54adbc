//! The URL reaches the browser as one argument, and nothing evaluates it (T16, T19, BROW-1, BROW-2, BROW-3).
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![cfg(unix)]

mod browser_support;

use browser_support::Desktop;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};
use u2m_http::{BrowserError, Platform};

/// Everything that shells, PowerShell and `cmd` would love to see.
const NASTY: &str = "https://a.example/x;id|cat$(id)`id`?a=b&c='d'&e=\"f\"&p=%PATH%&r=http://localhost:8020&s=%s$HOME*!#-x";

fn as_parsed(url: &str) -> String {
    url::Url::parse(url).unwrap().to_string()
}

#[tokio::test]
async fn t19_a_url_full_of_metacharacters_arrives_as_exactly_one_argument() {
    let desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.open(NASTY).await.unwrap();
    assert_eq!(desktop.given_to("xdg-open"), [as_parsed(NASTY)]);
}

#[tokio::test]
async fn brow_3_browser_may_have_words_quotes_and_a_place_for_the_url() {
    for (value, expected) in [
        ("mine", vec!["URL"]),
        ("mine --new-window -p 'A B'", vec!["--new-window", "-p", "A B", "URL"]),
        ("mine --app=%s --x", vec!["--app=URL", "--x"]),
        ("mine '%s' %s", vec!["URL", "URL"]),
        ("mine $(id) `id` $HOME ; id &", vec!["$(id)", "`id`", "$HOME", ";", "id", "URL"]),
    ] {
        let mut desktop = Desktop::new(Platform::Linux, &["mine", "xdg-open"]);
        desktop.set("BROWSER", value).open(NASTY).await.unwrap();
        let url = as_parsed(NASTY);
        let expected: Vec<_> = expected.into_iter().map(|word| word.replace("URL", &url)).collect();
        assert_eq!(desktop.given_to("mine"), expected, "{value}");
        assert_eq!(desktop.ran(), ["mine"]);
    }
}

#[tokio::test]
async fn brow_3_a_path_with_blanks_needs_no_quotes() {
    let mut desktop = Desktop::new(Platform::Wsl, &[]);
    let path = desktop.bin().join("Program Files/chrome.exe");
    desktop.install(&path);
    desktop.set("BROWSER", path).open("https://a.example").await.unwrap();
    assert_eq!(desktop.given_to("chrome.exe"), ["https://a.example/"]);
}

#[tokio::test]
async fn t19_other_schemes_and_foreign_plain_http_are_refused() {
    let desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    for url in [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example/",
        "http://a.example/",
        "http://127.0.0.1.a.example/",
        "https://user:secret@a.example/",
        "vscode://x",
    ] {
        assert!(matches!(desktop.open(url).await, Err(BrowserError::Unsafe)), "{url}");
    }
    assert!(desktop.ran().is_empty());
}

#[tokio::test]
async fn t16_the_browser_sees_what_it_needs_and_nothing_else() {
    let mut desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    for name in [
        "ARM_CLIENT_SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_URL",
        "DATABRICKS_CLIENT_SECRET",
        "DATABRICKS_PASSWORD",
        "DATABRICKS_TOKEN",
        "GH_PAT",
        "GITHUB_TOKEN",
        "MYSQL_PWD",
        "PGPASSWORD",
        "SSHPASS",
        "U2M_CLIENT_SECRET",
        "WHATEVER",
    ] {
        desktop.set(name, "canary");
    }
    desktop.set("HTTPS_PROXY", "http://me:canary@proxy.example:3128");
    desktop.set("LANG", "C.UTF-8").open("https://a.example").await.unwrap();
    let record = desktop.record_of("xdg-open");
    assert!(!record.contains("canary") && record.contains("LANG"), "{record}");
    assert!(record.contains("http://proxy.example:3128"), "{record}");
}

#[tokio::test]
async fn a_person_may_name_more_for_the_browser_to_see() {
    let mut desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.set("SSH_CONNECTION", "a 1 b 2").set("TMUX", "tmux-is-not-named");
    desktop
        .set("U2M_BROWSER_ENV", "RECORD,SSH_CONNECTION")
        .open("https://a.example")
        .await
        .unwrap();
    let record = desktop.record_of("xdg-open");
    assert!(record.contains("a 1 b 2") && !record.contains("tmux-is-not-named"), "{record}");
}

#[tokio::test]
async fn brow_2_a_browser_that_stays_in_the_foreground_holds_nobody_up() {
    let mut desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.set("STUB_STAYS", "20");
    let begun = Instant::now();
    desktop.open("https://a.example").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn brow_2_a_browser_that_ends_well_is_waited_for_no_longer() {
    let desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    let begun = Instant::now();
    desktop.open("https://a.example").await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}

/// In a process of its own, whose standard output is a pipe that is read.
#[test]
fn brow_1_nothing_of_the_browser_reaches_standard_output() {
    if std::env::var_os("U2M_TEST_INNER").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
        desktop.set("STUB_SPEAKS", "1").set("STUB_LISTENS", "1");
        runtime.block_on(desktop.open("https://a.example")).unwrap();
        println!("{}", desktop.record_of("xdg-open").replace("input", "it read"));
        return;
    }
    let name = "brow_1_nothing_of_the_browser_reaches_standard_output";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("U2M_TEST_INNER", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"canary on standard input\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && !said.contains("canary"), "{said}");
    assert!(said.contains("it read \n"), "nothing: {said}");
}

#[tokio::test]
async fn brow_2_a_failure_that_takes_a_moment_is_noticed() {
    let mut desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.set("STUB_FAILS", "xdg-open").set("STUB_FAILS_LATE", "0.4");
    let error = desktop.open("https://a.example").await.unwrap_err();
    assert!(matches!(error, BrowserError::Failed(_)), "{error:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn brow_2_a_key_that_ends_our_program_leaves_the_browser_alone() {
    let desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.open("https://a.example").await.unwrap();
    let record = desktop.record_of("xdg-open");
    let stat = record.lines().find_map(|line| line.strip_prefix("stat ")).unwrap();
    let rest: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let (process, group) = (stat.split(' ').next().unwrap(), rest[2]);
    assert_eq!(process, group, "a group of its own: {stat}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn brow_2_no_zombie_remains() {
    let desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.open("https://a.example").await.unwrap();
    let ours = std::process::id().to_string();
    let zombies = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let rest = stat.rsplit_once(") ")?.1.to_owned();
        let mut fields = rest.split(' ');
        (fields.next() == Some("Z") && fields.next() == Some(&ours) && stat.contains("(xdg-open)"))
            .then_some(stat)
    });
    assert_eq!(zombies.collect::<Vec<_>>(), Vec::<String>::new());
}
