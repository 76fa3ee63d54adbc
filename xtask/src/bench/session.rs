//! A session bus of its own with GNOME Keyring on it, ended when dropped.

use super::warm::private;
use crate::run::{Failure, found, output};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What this takes from `PATH`.
const PROGRAMS: [&str; 4] = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon", "secret-tool"];

/// Longer than a daemon takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// No service is started by this bus.
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

/// The bus and the keyring, whose login collection is unlocked.
pub(super) struct Session {
    folder: PathBuf,
    daemons: Vec<Child>,
}

impl Session {
    /// The program that is missing here, if one is.
    pub(super) fn missing() -> Option<&'static str> {
        PROGRAMS.into_iter().find(|name| found(name).is_none())
    }

    /// Starts both in new folders below `home`.
    pub(super) fn start(home: &Path) -> Result<Self, Failure> {
        let mut session = Self { folder: home.join("session"), daemons: Vec::new() };
        for name in ["", "run", "data"] {
            fs::DirBuilder::new().mode(0o700).create(session.folder.join(name))?;
        }
        let (socket, configuration) = (session.socket(), session.folder.join("bus.conf"));
        private(&configuration, &CONFIGURATION.replace("SOCKET", &socket.to_string_lossy()))?;
        let mut bus = session.command("dbus-daemon");
        bus.arg("--nofork").arg("--print-address=1").arg("--config-file").arg(configuration);
        let mut bus =
            bus.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let said = bus.stdout.take();
        session.daemons.push(bus);
        let mut line = String::new();
        said.map(|said| BufReader::new(said).read_line(&mut line)).transpose()?;
        let mut keyring = session.command("gnome-keyring-daemon");
        keyring.args(["--foreground", "--components=secrets", "--unlock"]);
        let mut keyring =
            keyring.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let password = keyring.stdin.take();
        session.daemons.push(keyring);
        password.map(|mut password| password.write_all(b"password")).transpose()?;
        let begun = Instant::now();
        while !session.lists_login() {
            if begun.elapsed() > PATIENCE {
                return Err("the keyring does not start".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(session)
    }

    fn lists_login(&self) -> bool {
        let mut ask = self.command("dbus-send");
        ask.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"]);
        ask.args(["/org/freedesktop/secrets", "org.freedesktop.DBus.Properties.Get"]);
        ask.args(["string:org.freedesktop.Secret.Service", "string:Collections"]);
        let answer = ask.stdin(Stdio::null()).output();
        answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains(LOGIN))
    }

    /// Stores a secret as Databricks' own command line does.
    pub(super) fn store(&self, account: &str, secret: &str) -> Result<(), Failure> {
        let label = format!("--label=Password for '{account}' on 'databricks-cli'");
        let mut tool = self.command("secret-tool");
        tool.args(["store", &label, "service", "databricks-cli", "username", account]);
        let mut tool = tool.stdin(Stdio::piped()).spawn()?;
        tool.stdin.take().map(|mut input| input.write_all(secret.as_bytes())).transpose()?;
        if tool.wait()?.success() { Ok(()) } else { Err("secret-tool stored nothing".into()) }
    }

    /// Lets `command` find this bus.
    pub(super) fn invite<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.socket().display()))
            .env("XDG_RUNTIME_DIR", self.folder.join("run"))
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("run/bus")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL"] {
            command.env_remove(name);
        }
        command.env("HOME", &self.folder).env("XDG_DATA_HOME", self.folder.join("data"));
        self.invite(&mut command);
        command
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            // One that has ended already is as good.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// The version of the keyring that the figures are of.
pub(super) fn version() -> String {
    let text = output(Command::new("gnome-keyring-daemon").arg("--version")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("gnome-keyring"));
    line.unwrap_or("gnome-keyring of an unknown version").replace("-daemon:", "")
}
