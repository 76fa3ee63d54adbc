//! A session bus of its own with GNOME Keyring on it, for stories that need a real keyring. It needs nothing but the
//! standard library and `tempfile`, so that tests of other crates include it with `#[path]`.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longer than a daemon takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// No service is started by this bus: what is not there stays away.
const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// What the stories need on PATH.
const PROGRAMS: [&str; 4] = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon", "secret-tool"];

/// The bus and the keyring. Dropping it ends both, and removes everything that they wrote.
pub(crate) struct SecretService {
    folder: tempfile::TempDir,
    bus: Child,
    keyring: Option<Child>,
}

impl SecretService {
    /// Starts both; the login keyring is unlocked. `None`, with a line on stderr, where a program is missing, unless
    /// `U2M_REQUIRE_ALL=1` asks for a failure.
    pub(crate) fn start() -> Option<Self> {
        let mut service = Self::without_keyring()?;
        service.start_keyring();
        Some(service)
    }

    /// Starts the bus alone.
    pub(crate) fn without_keyring() -> Option<Self> {
        if let Some(missing) = PROGRAMS.into_iter().find(|name| !is_on_path(name)) {
            let must = std::env::var_os("U2M_REQUIRE_ALL").is_some_and(|value| value == "1");
            assert!(!must, "{missing} is not on PATH");
            eprintln!("skipped: {missing} is not on PATH");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["run", "home", "data"] {
            fs::DirBuilder::new().mode(0o700).create(folder.path().join(name)).unwrap();
        }
        let (socket, configuration) =
            (folder.path().join("run/bus"), folder.path().join("bus.conf"));
        fs::write(&configuration, CONFIGURATION.replace("SOCKET", socket.to_str().unwrap()))
            .unwrap();
        let mut bus = Command::new("dbus-daemon");
        bus.arg("--nofork").arg("--print-address=1").arg("--config-file").arg(&configuration);
        bus.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        private(&mut bus, folder.path());
        let mut bus = bus.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:"), "the bus did not start: {line:?}");
        Some(Self { folder, bus, keyring: None })
    }

    /// Starts the keyring, unlocked, on what an earlier one left.
    pub(crate) fn start_keyring(&mut self) {
        self.spawn_keyring(&["--unlock"], "password", LOGIN);
    }

    /// Starts the keyring as a machine has it that nobody ever signed in to with a password.
    pub(crate) fn start_empty_keyring(&mut self) {
        self.spawn_keyring(&[], "", "/org/freedesktop/secrets/collection/session");
    }

    fn spawn_keyring(&mut self, arguments: &[&str], password: &str, collection: &str) {
        let mut keyring = self.command("gnome-keyring-daemon");
        keyring.args(["--foreground", "--components=secrets"]).args(arguments);
        keyring.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keyring = keyring.spawn().unwrap();
        keyring.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        self.keyring = Some(keyring);
        let listed = ["string:org.freedesktop.Secret.Service", "string:Collections"];
        let start = Instant::now();
        while !self.ask("org.freedesktop.DBus.Properties.Get", &listed).contains(collection) {
            assert!(start.elapsed() < PATIENCE, "the keyring did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("run/bus").display())
    }

    /// Makes a command live here: its bus, its runtime folder and its home are these.
    pub(crate) fn invite<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        private(command, self.folder.path());
        command.env("DBUS_SESSION_BUS_ADDRESS", self.address())
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.invite(&mut command);
        command
    }

    /// Runs `secret-tool`, with `input` as its standard input.
    pub(crate) fn secret_tool(&self, arguments: &[&str], input: &str) -> Output {
        let mut tool = self.command("secret-tool");
        tool.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tool = tool.spawn().unwrap();
        tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        tool.wait_with_output().unwrap()
    }

    /// What `secret-tool lookup` prints for an account of `databricks-cli`.
    pub(crate) fn lookup(&self, account: &str) -> String {
        let found =
            self.secret_tool(&["lookup", "service", "databricks-cli", "username", account], "");
        String::from_utf8(found.stdout).unwrap()
    }

    /// All that `secret-tool search` says about the items with these attributes; it says some of it on stderr.
    pub(crate) fn search(&self, attributes: &[&str]) -> String {
        let found = self.secret_tool(&[&["search", "--all", "--unlock"], attributes].concat(), "");
        String::from_utf8([found.stdout, found.stderr].concat()).unwrap()
    }

    /// Locks the login keyring.
    pub(crate) fn lock(&self) {
        let said =
            self.ask("org.freedesktop.Secret.Service.Lock", &[&format!("array:objpath:{LOGIN}")]);
        assert!(said.contains(LOGIN), "{said}");
    }

    /// Calls a method of the service; what was answered.
    pub(crate) fn ask(&self, method: &str, arguments: &[&str]) -> String {
        let mut send = self.command("dbus-send");
        send.arg("--session").arg("--print-reply").arg("--dest=org.freedesktop.secrets");
        send.arg("/org/freedesktop/secrets").arg(method).args(arguments);
        let output = send.stderr(Stdio::null()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends the keyring as `kill -9` does.
    pub(crate) fn kill_keyring(&mut self) {
        let mut keyring = self.keyring.take().unwrap();
        keyring.kill().unwrap();
        keyring.wait().unwrap();
    }

    /// Stops the keyring's work (`STOP`) or lets it go on (`CONT`).
    pub(crate) fn signal_keyring(&self, signal: &str) {
        self.signal(self.keyring.as_ref().unwrap().id(), signal);
    }

    /// As [`SecretService::signal_keyring`], for the bus.
    pub(crate) fn signal_bus(&self, signal: &str) {
        self.signal(self.bus.id(), signal);
    }

    fn signal(&self, process: u32, signal: &str) {
        let kill = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for SecretService {
    fn drop(&mut self) {
        for process in self.keyring.iter_mut().chain([&mut self.bus]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Nothing of the person who runs the tests is seen or touched.
fn private(command: &mut Command, folder: &Path) {
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL", "DBUS_SESSION_BUS_ADDRESS"]
    {
        command.env_remove(name);
    }
    command.env("XDG_RUNTIME_DIR", folder.join("run")).env("HOME", folder.join("home"));
    command.env("XDG_DATA_HOME", folder.join("data"));
    command.env("XDG_CONFIG_HOME", folder.join("home")).env("XDG_CACHE_HOME", folder.join("home"));
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
