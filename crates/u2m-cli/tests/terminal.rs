//! A person at a terminal: pasting, and being asked. The terminal is one of `script`; without that program nothing is tested.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, U2M, World, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;
use u2m_testkit::{Iss, Settings, follow_login};

/// The program on a terminal of its own.
struct Session {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<String>,
    shown: String,
}

impl Session {
    /// `None` where there is no `script`.
    fn start(world: &World, line: &str, env: &[(&str, &str)]) -> Option<Self> {
        if !std::path::Path::new("/usr/bin/script").exists() {
            return None;
        }
        let mut command = Command::new("/usr/bin/script");
        world.surround(&mut command);
        let line = format!("exec '{U2M}' {}", line.replace("{URL}", world.url()));
        command.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh").env("TERM", "dumb");
        command.envs(env.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..count]).replace('\r', "");
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, keys, screen, shown: String::new() })
    }

    /// Reads on until this is on the screen.
    fn until(&mut self, part: &str) {
        while !self.shown.contains(part) {
            let more = self.screen.recv_timeout(LONG);
            self.shown += &more.unwrap_or_else(|_| panic!("no '{part}' in {}", self.shown));
        }
    }

    /// The address that is shown, once its line is whole.
    fn url(&mut self) -> String {
        self.until("\n\nhttp");
        let start = self.shown.find("\n\nhttp").unwrap() + 2;
        while !self.shown[start..].contains('\n') {
            self.shown += &self.screen.recv_timeout(LONG).unwrap();
        }
        self.shown[start..].lines().next().unwrap().to_owned()
    }

    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// The code it ends with, and all that was shown.
    fn done(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < LONG, "it goes on and on: {}", self.shown);
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        self.shown.extend(self.screen.iter());
        (status.code(), std::mem::take(&mut self.shown))
    }
}

impl Drop for Session {
    /// Without its terminal the program ends too.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the server would send the browser: the address that a person on another machine ends at.
fn address_after(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut stream = TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).unwrap();
    let target = &url[url::Position::BeforePath..];
    write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn an_address_is_pasted_after_some_that_are_not_the_one() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --paste --port {}", free_port());
    let Some(mut session) = Session::start(&world, &line, &[]) else { return };
    let address = address_after(&session.url());
    session.until("paste that address here");
    session.types("\nwhat?\n");
    session.until("That is not the answer to this sign-in.");
    session.types(&format!("{}\n", address.replace("code=", "x=")));
    session.until("That address is not complete.");
    session.types(&format!("  {address}\n"));
    let (code, shown) = session.done();
    assert_eq!(code, Some(0), "{shown}");
    world.assert_alive("dev");
}

#[test]
fn a_terminal_takes_pastes_beside_the_listener_without_being_told() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
    let Some(mut session) = Session::start(&world, &line, &[]) else { return };
    let url = session.url();
    session.until("paste that address here");
    follow_login(&url).unwrap();
    let (code, shown) = session.done();
    assert_eq!(code, Some(0), "{shown}");
    world.assert_alive("dev");
}

/// A discovery login that leads to a host in the zone that needs a yes. No way leads out of this machine.
fn asked(answer: &str) -> Option<(Option<i32>, String)> {
    let issuer = "https://nike.databricks.com/oidc";
    let world = World::with(Settings::new().with_iss(Iss::Forged(issuer.into())));
    let proxy = format!("http://127.0.0.1:{}", free_port());
    let env = [
        ("DATABRICKS_DISCOVERY_HOST", world.url()),
        ("HTTPS_PROXY", &proxy),
        ("https_proxy", &proxy),
    ];
    let line = format!("login --no-browser --port {}", free_port());
    let mut session = Session::start(&world, &line, &env)?;
    let url = session.url();
    session.until("paste that address here");
    let browser = std::thread::spawn(move || follow_login(&url));
    session.until("Sign in to https://nike.databricks.com? [y/N] ");
    session.types(answer);
    let ended = session.done();
    browser.join().unwrap().unwrap();
    assert_eq!(world.server.counts().exchanges, 0);
    assert!(!world.cache().exists());
    Some(ended)
}

#[test]
fn a_no_and_an_empty_line_are_a_no() {
    for answer in ["n\n", "\n", "maybe\n", "\u{4}"] {
        let Some((code, shown)) = asked(answer) else { return };
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("was not confirmed. If it is yours, sign in to it by name: u2m login --host https://nike.databricks.com"), "{shown}");
    }
}

#[test]
fn a_yes_goes_on_to_the_host_itself() {
    let Some((code, shown)) = asked("y\n") else { return };
    assert_eq!(code, Some(6), "{shown}");
    assert!(!shown.contains("was not confirmed"), "{shown}");
}

#[test]
fn ctrl_c_at_the_terminal_ends_it() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
    let Some(mut session) = Session::start(&world, &line, &[]) else { return };
    session.url();
    session.until("paste that address here");
    session.types("\u{3}");
    let (code, shown) = session.done();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!world.cache().exists() && !world.config().exists());
}

/// Nothing is asked by `token`, whoever sits there.
#[test]
fn a_token_is_one_json_object_at_a_terminal_too() {
    let world = World::new();
    world.seed(world.url(), 1800);
    let Some(session) = Session::start(&world, "token --host {URL}", &[("BROWSER", "/no/such")])
    else {
        return;
    };
    let (code, shown) = session.done();
    assert_eq!(code, Some(0), "{shown}");
    common::printed_token(&shown);
}

/// A logout of a signed-in profile, answered.
fn logged_out(line: &str, question: &str, answer: &str) -> Option<(World, Option<i32>, String)> {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", 1800);
    let mut session = Session::start(&world, line, &[])?;
    session.until(question);
    session.types(answer);
    let (code, shown) = session.done();
    Some((world, code, shown))
}

#[test]
fn a_logout_asks_first_and_a_yes_is_taken() {
    for (line, question) in [
        ("logout dev", "Log out of profile \"dev\"? [y/N] "),
        (
            "logout dev --delete",
            "Log out of profile \"dev\" and remove it from ~/.databrickscfg? [y/N] ",
        ),
        ("logout --all", "Log out of every login (dev)? [y/N] "),
    ] {
        let Some((world, code, shown)) = logged_out(line, question, "yes\n") else { return };
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("Logged out of"), "{shown}");
        assert_eq!(world.run("token dev").code, Some(if line.contains("delete") { 5 } else { 3 }));
    }
}

#[test]
fn a_logout_that_is_not_wanted_changes_nothing() {
    for answer in ["n\n", "\n", "\u{4}"] {
        let question = "Log out of profile \"dev\" and remove it";
        let Some((world, code, shown)) = logged_out("logout dev --delete", question, answer) else {
            return;
        };
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.ends_with("Nothing was changed.\n"), "{shown}");
        world.assert_alive("dev");
        assert!(world.read(".databrickscfg").contains("[dev]"));
    }
}
