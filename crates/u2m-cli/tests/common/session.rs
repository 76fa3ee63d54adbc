//! The program on a terminal of its own: one that `script` makes, and that is drawn here as a real one would show it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use crate::common::{LONG, U2M, World, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;
use u2m_testkit::follow_login;

/// What the terminal is.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) term: &'static str,
    pub(crate) columns: u16,
}

impl Look {
    /// One that takes line by line.
    pub(crate) const DUMB: Self = Self { term: "dumb", columns: 80 };
    /// An ordinary one.
    pub(crate) const FULL: Self = Self { term: "xterm-256color", columns: 80 };
}

const ROWS: u16 = 24;

/// What the shell of [`Session::in_shell`] asks with.
const SHELL_PROMPT: &str = "ready$ ";

/// What the shell says when the program has ended.
const OVER: &str = "modes afterwards:";

/// How a program ended at its terminal.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// All that was written, without carriage returns, up to its end.
    pub(crate) shown: String,
    /// What a person sees at the end.
    pub(crate) seen: String,
    /// The terminal's modes afterwards.
    modes: String,
}

impl Ended {
    /// Whether lines are edited and shown again, and Ctrl-C is a signal.
    pub(crate) fn is_sane(&self) -> bool {
        ["icanon", "echo", "isig", "opost"]
            .iter()
            .all(|mode| self.modes.split_whitespace().any(|word| word == *mode))
            && self.shown.rfind("\u{1b}[?25l") <= self.shown.rfind("\u{1b}[?25h")
    }
}

pub(crate) struct Session {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    drawn: vt100::Parser,
    pub(crate) shown: String,
    /// Holds the program's id, where no test looks for changes.
    aside: tempfile::TempDir,
}

impl Session {
    /// `None` where there is no `script`.
    pub(crate) fn start(world: &World, line: &str, env: &[(&str, &str)]) -> Option<Self> {
        Self::open(world, line, env, Look::DUMB)
    }

    pub(crate) fn open(
        world: &World,
        line: &str,
        env: &[(&str, &str)],
        look: Look,
    ) -> Option<Self> {
        let mut command = Self::script(world, look)?;
        let (columns, aside) = (look.columns, tempfile::tempdir().unwrap());
        let line = format!(
            "trap : INT QUIT; stty cols {columns} rows {ROWS}; sh -c 'echo $$ > {}/pid; exec \"$0\" \"$@\"' '{U2M}' {}; code=$?; \
             echo; echo {OVER} $(stty -a); exit $code",
            aside.path().display(),
            line.replace("{URL}", world.url())
        );
        command.args(["-qec", &line, "/dev/null"]);
        command.envs(env.iter().copied());
        Some(Self::on(command, look, aside))
    }

    fn script(world: &World, look: Look) -> Option<Command> {
        if !std::path::Path::new("/usr/bin/script").exists() {
            assert!(std::env::var_os("U2M_REQUIRE_ALL").is_none(), "there is no 'script'");
            eprintln!("skipped: there is no 'script'");
            return None;
        }
        let mut command = Command::new("/usr/bin/script");
        world.surround(&mut command);
        command.env("SHELL", "/bin/sh").env("TERM", look.term);
        Some(command)
    }

    fn on(mut command: Command, look: Look, aside: tempfile::TempDir) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut piece) {
                if sender.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let drawn =
            vt100::Parser::new(ROWS.try_into().unwrap(), look.columns.try_into().unwrap(), 0);
        Self { child, keys, screen, drawn, shown: String::new(), aside }
    }

    /// A shell with job control, in which the program is called by its path.
    pub(crate) fn in_shell(world: &World, look: Look) -> Option<Self> {
        let mut command = Self::script(world, look)?;
        let line = format!("stty cols {} rows {ROWS}; exec sh -i", look.columns);
        command.args(["-qec", &line, "/dev/null"]).env("PS1", SHELL_PROMPT);
        Some(Self::on(command, look, tempfile::tempdir().unwrap()))
    }

    /// Reads on until the shell has asked for the next line so often.
    pub(crate) fn until_shell_asks(&mut self, count: usize) {
        while self.shown.matches(SHELL_PROMPT).count() < count {
            self.more("the shell");
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.drawn.process(piece);
        self.shown += &String::from_utf8_lossy(piece).replace('\r', "");
    }

    fn more(&mut self, wanted: &str) {
        let more = self.screen.recv_timeout(LONG);
        let piece = more.unwrap_or_else(|_| panic!("no '{wanted}' in {}", self.shown));
        self.take(&piece);
    }

    /// Reads on until this was written.
    pub(crate) fn until(&mut self, part: &str) {
        while !self.shown.contains(part) {
            self.more(part);
        }
    }

    /// Reads on until this is what a person sees.
    pub(crate) fn until_seen(&mut self, part: &str) {
        while !self.screen().contains(part) {
            self.more(part);
        }
    }

    /// Reads on until there is such a line, without the blanks at its end.
    pub(crate) fn until_seen_exactly(&mut self, is_it: impl Fn(&str) -> bool, what: &str) {
        while !self.screen().lines().any(|line| is_it(line.trim_end())) {
            self.more(what);
        }
    }

    /// Reads on.
    pub(crate) fn until_more(&mut self) {
        self.more("anything");
    }

    /// What a person sees.
    pub(crate) fn screen(&self) -> String {
        self.drawn.screen().contents()
    }

    /// The address that is shown, once its line is whole.
    pub(crate) fn url(&mut self) -> String {
        self.until("\n\nhttp");
        let start = self.shown.find("\n\nhttp").unwrap() + 2;
        while !self.shown[start..].contains('\n') {
            self.more("the end of the address");
        }
        self.shown[start..].lines().next().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = std::fs::read_to_string(self.aside.path().join("pid")).unwrap();
        let sent = Command::new("kill").args([&format!("-{name}"), id.trim()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn done(self) -> (Option<i32>, String) {
        let ended = self.ended();
        (ended.code, ended.shown)
    }

    pub(crate) fn ended(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < LONG, "it goes on and on: {}", self.shown);
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        while let Ok(piece) = self.screen.recv_timeout(LONG) {
            self.take(&piece);
        }
        let seen = self.screen();
        let shown = std::mem::take(&mut self.shown);
        let (shown, modes) = shown.split_once(&format!("\n{OVER}")).unwrap_or((&shown, ""));
        Ended { code: status.code(), shown: shown.to_owned(), seen, modes: modes.replace(';', " ") }
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
pub(crate) fn address_after(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut stream = TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).unwrap();
    let target = &url[url::Position::BeforePath..];
    write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// A world with three profiles on its server, of which the second is the default.
pub(crate) fn three() -> World {
    let world = World::new();
    let url = world.url();
    world.write(
        ".databrickscfg",
        &format!(
            "[alpha]\nhost = {url}\n\n[beta]\nhost = {url}\n\n[gamma]\nhost = {url}\naccount_id = acc-9\n\n[__settings__]\n\
             default_profile = beta\n"
        ),
    );
    world
}

pub(crate) fn login(rest: &str) -> String {
    format!("login {rest} --no-browser --port {}", free_port())
}

/// Signs in by the address that is shown, and expects it to go well.
pub(crate) fn signs_in(mut session: Session) -> String {
    follow_login(&session.url()).unwrap();
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.shown);
    assert!(ended.is_sane(), "{}", ended.shown);
    ended.shown
}
