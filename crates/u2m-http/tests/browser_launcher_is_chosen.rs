//! Which program opens the URL, by platform, PATH and BROWSER (BROW-3, BROW-4, and WSL).
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod browser_support;

use base64::Engine;
use browser_support::Desktop;
use u2m_http::{BrowserError, Platform, browser_fn, find_browser};

const URL: &str = "https://a.example/authorize?a=b&c=%27d";

async fn chosen(platform: Platform, programs: &[&str], fails: &str) -> Vec<String> {
    let mut desktop = Desktop::new(platform, programs);
    desktop.set("STUB_FAILS", fails).open(URL).await.unwrap();
    desktop.ran()
}

#[tokio::test]
async fn each_platform_has_its_order() {
    use Platform::{Linux, MacOs, Wsl};
    for (platform, programs, fails, ran) in [
        (
            Linux,
            vec!["sensible-browser", "www-browser", "x-www-browser", "xdg-open"],
            "",
            vec!["xdg-open"],
        ),
        (Linux, vec!["x-www-browser", "sensible-browser"], "", vec!["x-www-browser"]),
        (Linux, vec!["sensible-browser"], "", vec!["sensible-browser"]),
        (Linux, vec!["xdg-open", "www-browser"], "xdg-open", vec!["www-browser", "xdg-open"]),
        (MacOs, vec!["open", "xdg-open"], "", vec!["open"]),
        (Wsl, vec!["wslview", "powershell.exe", "xdg-open"], "", vec!["wslview"]),
        (Wsl, vec!["powershell.exe", "xdg-open"], "", vec!["powershell.exe"]),
        (
            Wsl,
            vec!["wslview", "powershell.exe", "xdg-open"],
            "wslview",
            vec!["powershell.exe", "wslview"],
        ),
    ] {
        assert_eq!(
            chosen(platform, &programs, fails).await,
            ran,
            "{platform:?} {programs:?} {fails}"
        );
    }
}

#[tokio::test]
async fn under_wsl_no_display_is_needed() {
    let mut desktop = Desktop::new(Platform::Wsl, &["wslview"]);
    desktop.set("DISPLAY", "").open(URL).await.unwrap();
    assert_eq!(desktop.given_to("wslview"), [URL]);
}

#[tokio::test]
async fn t19_powershell_gets_the_url_as_an_encoded_literal() {
    let desktop = Desktop::new(Platform::Wsl, &["powershell.exe"]);
    desktop.open("https://a.example/it's?a=$(id)&b=';calc;'").await.unwrap();
    let given = desktop.given_to("powershell.exe");
    assert_eq!(given[..3], ["-NoProfile", "-NonInteractive", "-EncodedCommand"]);
    let bytes = base64::engine::general_purpose::STANDARD.decode(&given[3]).unwrap();
    let units: Vec<_> =
        bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let script = String::from_utf16(&units).unwrap();
    assert_eq!(script, "Start-Process -FilePath 'https://a.example/it''s?a=$(id)&b=%27;calc;%27'");
}

#[tokio::test]
async fn on_windows_no_command_interpreter_is_involved() {
    let mut desktop = Desktop::new(Platform::Windows, &["cmd.exe", "rundll32.exe"]);
    let root = desktop.bin().join("Windows");
    desktop.install(&root.join("System32/rundll32.exe"));
    desktop.set("SystemRoot", root).open(URL).await.unwrap();
    assert_eq!(desktop.given_to("rundll32.exe"), ["url.dll,FileProtocolHandler", URL]);
    assert_eq!(desktop.ran(), ["rundll32.exe"]);
}

#[tokio::test]
async fn brow_4_without_a_display_no_window_is_tried() {
    for (platform, name, value) in [
        (Platform::Linux, "DISPLAY", ""),
        (Platform::MacOs, "SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22"),
    ] {
        let mut desktop = Desktop::new(platform, &["xdg-open", "open"]);
        desktop.set(name, value);
        assert!(matches!(desktop.open(URL).await, Err(BrowserError::Headless)), "{platform:?}");
        assert!(desktop.ran().is_empty());
        // What the person asked for is tried all the same.
        desktop.set("BROWSER", "open").open(URL).await.unwrap();
        assert_eq!(desktop.ran(), ["open"]);
    }
    let mut wayland = Desktop::new(Platform::Linux, &["xdg-open"]);
    wayland.set("DISPLAY", "").set("WAYLAND_DISPLAY", "wayland-0").open(URL).await.unwrap();
}

#[tokio::test]
async fn browser_none_opens_nothing() {
    let mut desktop = Desktop::new(Platform::Linux, &["xdg-open", "none"]);
    desktop.set("BROWSER", "none");
    assert!(matches!(desktop.open(URL).await, Err(BrowserError::Disabled)));
    assert!(desktop.ran().is_empty());
}

#[tokio::test]
async fn brow_3_alternatives_are_tried_in_turn_and_then_the_platform() {
    for (value, fails, ran) in [
        ("absent:second", "", vec!["second"]),
        ("first:second", "first", vec!["first", "second"]),
        ("first:second", "first second", vec!["first", "second", "xdg-open"]),
        ("absent", "", vec!["xdg-open"]),
        ("'never closed", "", vec!["xdg-open"]),
        ("", "", vec!["xdg-open"]),
    ] {
        let mut desktop = Desktop::new(Platform::Linux, &["first", "second", "xdg-open"]);
        desktop.set("BROWSER", value).set("STUB_FAILS", fails).open(URL).await.unwrap();
        assert_eq!(desktop.ran(), ran, "{value} {fails}");
    }
}

#[tokio::test]
async fn when_nothing_works_the_error_says_what_was_tried_and_not_the_url() {
    let mut desktop = Desktop::new(Platform::Linux, &["xdg-open"]);
    desktop.set("BROWSER", "/nowhere/absent").set("STUB_FAILS", "xdg-open");
    let error = desktop.open(URL).await.unwrap_err().to_string();
    assert_eq!(error, "could not open a browser (absent was not found; xdg-open: exit status: 3)");
    let nothing = Desktop::new(Platform::Linux, &[]);
    assert!(matches!(nothing.open(URL).await, Err(BrowserError::NoneFound)));
}

#[tokio::test]
async fn the_current_folder_has_no_say() {
    let mut desktop = Desktop::new(Platform::Linux, &[]);
    desktop.set("PATH", ":.:bin");
    assert!(matches!(desktop.open(URL).await, Err(BrowserError::NoneFound)));
}

#[tokio::test]
async fn a_function_is_a_browser_too() {
    use std::sync::{Arc, Mutex};
    use u2m_http::Browser;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let browser: Box<dyn Browser> = Box::new(browser_fn(move |url: url::Url| {
        log.lock().unwrap().push(url.to_string());
        async { Err(BrowserError::Other("no".into())) }
    }));
    let url = url::Url::parse(URL).unwrap();
    assert_eq!(browser.open(&url).await.unwrap_err().to_string(), "could not open a browser");
    assert_eq!(*seen.lock().unwrap(), [URL]);
}

#[test]
fn the_program_that_would_be_tried_first_is_found_without_starting_it() {
    let found = |desktop: &Desktop| find_browser(&desktop.env());
    let mut desktop = Desktop::new(Platform::Linux, &["mine", "xdg-open"]);
    assert_eq!(found(&desktop).unwrap(), desktop.bin().join("xdg-open"));
    desktop.set("BROWSER", "absent:mine");
    assert_eq!(found(&desktop).unwrap(), desktop.bin().join("mine"));
    desktop.set("BROWSER", "none");
    assert!(matches!(found(&desktop), Err(BrowserError::Disabled)));
    assert!(desktop.ran().is_empty());
    let mut bare = Desktop::new(Platform::Linux, &[]);
    assert!(matches!(found(&bare), Err(BrowserError::NoneFound)));
    bare.set("BROWSER", "absent:'open");
    let problems = "absent was not found, a quote in BROWSER is not closed";
    assert!(matches!(found(&bare), Err(BrowserError::Failed(text)) if text == problems));
    bare.set("BROWSER", "").set("DISPLAY", "");
    assert!(matches!(found(&bare), Err(BrowserError::Headless)));
}
