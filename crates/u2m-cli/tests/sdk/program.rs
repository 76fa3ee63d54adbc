//! A program of a user: Python with the SDK, which does what it is told line by line.

use crate::common::{LONG, U2M, World};
use crate::python_sdk;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

/// Answers each line with a JSON object that has `ok` or `error`.
const SCRIPT: &str = r#"
import json, logging, os, sys
from databricks.sdk import WorkspaceClient
from databricks.sdk.credentials_provider import CliVersion, DatabricksCliTokenSource

called, client = [], None
class Calls(logging.Handler):
    def emit(self, record):
        text = record.getMessage()
        if text.startswith("Running command: "):
            called.append(text.removeprefix("Running command: ").split(" ", 1)[1])
logging.getLogger().addHandler(Calls())
logging.getLogger().setLevel(logging.DEBUG)

def answer(word, rest):
    global client
    if word == "client":
        client = WorkspaceClient(**json.loads(rest))
        return client.config.auth_type or client.config._credentials_strategy.auth_type()
    if word == "me":
        return client.current_user.me().user_name
    if word == "expiry":
        token = client.config.oauth_token()
        return [token.expired, int(token.expiry.timestamp())]
    if word == "called":
        return called
    if word == "crowd":
        # Twenty imports would take longer than what is looked at: the copies are processes of their own all the same.
        count, options = rest.split(" ", 1)
        gate, latch = os.pipe()
        for _ in range(int(count)):
            if os.fork() == 0:
                os.close(latch)
                os.read(gate, 1)
                say("client", options, then="me")
                os._exit(0)
        os.close(latch)
        return [os.WEXITSTATUS(os.wait()[1]) for _ in range(int(count))]
    if word == "before-force-refresh":
        DatabricksCliTokenSource._CLI_VERSION_FOR_FORCE_REFRESH = CliVersion(999, 0, 0)
        return True
    if word == "parse":
        version = DatabricksCliTokenSource._parse_cli_version(rest)
        return [version.major, version.minor, version.patch]

def say(word, rest, then=None):
    try:
        said = {"ok": answer(word, rest)}
        if then:
            said = {"ok": [said["ok"], answer(then, ""), called]}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    # One write, which processes that share a pipe do not mix.
    os.write(1, (json.dumps(said) + "\n").encode())

os.write(1, b'{"ok": "ready"}\n')
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    say(word, rest)
"#;

/// The variables of a program that uses u2m for its logins: nothing else can sign it in.
pub(crate) fn with_u2m() -> Vec<(&'static str, String)> {
    vec![("DATABRICKS_CLI_PATH", U2M.to_owned()), ("DATABRICKS_AUTH_TYPE", "databricks-cli".into())]
}

pub(crate) struct Program {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<Value>,
}

impl Program {
    /// `None` where there is no SDK. Returns before the program is [`ready`](Self::ready).
    pub(crate) fn start(world: &World, env: &[(&str, String)]) -> Option<Self> {
        let mut command = Command::new(python_sdk::python()?);
        world.surround(&mut command);
        command.args(["-c", SCRIPT]).envs(env.iter().map(|(name, value)| (name, value)));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (orders, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| {
                sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)))
            })
        });
        Some(Self { child, orders, answers })
    }

    /// Waits until everything is imported, so that what follows takes as long as it takes and no longer.
    pub(crate) fn ready(&self) {
        assert_eq!(self.answer().unwrap(), "ready");
    }

    pub(crate) fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").unwrap();
        self.orders.flush().unwrap();
    }

    /// What came of the oldest order that was not answered yet.
    pub(crate) fn answer(&self) -> Result<Value, String> {
        let mut answer = self.answers.recv_timeout(LONG * 3).expect("an answer");
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    pub(crate) fn ask(&mut self, line: &str) -> Result<Value, String> {
        self.order(line);
        self.answer()
    }

    /// Calls the API `times` times, each with success.
    pub(crate) fn calls(&mut self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.ask("me").unwrap(), "fake.user@example.com");
        }
    }

    /// The command lines that the SDK has run, without the program's name.
    pub(crate) fn called(&mut self) -> Vec<String> {
        serde_json::from_value(self.ask("called").unwrap()).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
