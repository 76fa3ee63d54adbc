//! The command line, case by case. Each file below `cases/` is one: what is there, what is typed, what is said, what has
//! changed. `U2M_CASE=part-of-a-path cargo test -p u2m-cli --test cases` runs some of them.
//!
//! | line | says |
//! |---|---|
//! | `# …` | what the case is about |
//! | `args:` | the command line; `'…'` keeps blanks |
//! | `env: NAME=value`, `unset: NAME` | the environment, besides `HOME`, `PATH` and `DATABRICKS_AUTH_STORAGE=plaintext` |
//! | `server: down`, `no-issuer`, `unified`, `no-metadata`, `opaque`, `takes TOKEN`, `me-refused`, `revokes`, `openid` | a server other than a workspace in good order; one that takes a personal token; one that has no users |
//! | `workspace: ID NAME`, `cluster: JSON`, `iss: present` | what an account lists, what a workspace lists, and whether the server names itself in its answers |
//! | `browser: follows` | there is a browser, which follows every address to its end |
//! | `fault: ENDPOINT STATUS TYPE BODY` | what it answers instead, every time; `drop` and `hang` are statuses too |
//! | `login: KEY SECONDS`, `sealed: KEY SECONDS` | a login of this program, with so many seconds left; in the encrypted file, whose key is in `~/key`, with the tokens `{access}` and `{refresh}` |
//! | `own: KEY SECONDS` | the same as `login:`, with the tokens `{access}` and `{refresh}` |
//! | `before: LINE` | a command line that is run before, and has to succeed |
//! | `then: CODE LINE` | one that is run afterwards, and how it has to end |
//! | `--- file PATH`, `chmod: MODE PATH`, `chown: UID PATH`, `link: PATH TARGET` | what is in the home |
//! | `as: NAME` | the program is called by another name; `unprivileged: yes`: not by root; `terminal: none`: without even a controlling one |
//! | `exit:`, `--- stdout`, `--- stderr` | what is expected, to the letter; what is not named is empty |
//! | `--- stderr has`, `--- stderr lacks`, `--- stdout has` | parts, one a line |
//! | `token: TEXT` | standard output is the JSON of this token, or of a `new` one |
//! | `changed: PATH` | what may differ afterwards, or below which; all else is as before |
//! | `--- after PATH`, `--- after PATH has`, `--- after PATH lacks` | what a file holds afterwards |
//! | `mode: OCTAL PATH` | the mode of a file afterwards |
//! | `requests: N`, `refreshes: N`, `revocations: N` | what the server saw |
//! | `alive: yes`, `alive: no` | whether the login of `{refresh}` can be renewed afterwards |
//! | `auth: CODE` | how the same line ends with `auth`, where that differs by more than its result |
//! | `varies: PART` | lines of standard output with this part differ from run to run |
//!
//! `{URL}`, `{HOSTPORT}`, `{PORT}`, `{HOME}`; `{access}`, `{refresh}`: tokens of a login at the server; `{in N}`: a time N seconds
//! from now, as Go writes it; `{long}`, `{megabyte}`.
//!
//! A case of a command whose words differ after `auth`, and one case of each other command, is run a second time as
//! `u2m auth …`, which must make no difference but those of [`theirs`].
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "common/case.rs"]
mod case;
mod common;
#[path = "common/stage.rs"]
mod stage;
#[path = "common/theirs.rs"]
mod theirs;

use self::theirs::{theirs, three_columns, without_derived};
use case::Case;
use common::{Ran, U2M, printed_token};
use stage::{Stage, words};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
impl Stage<'_> {
    /// Everything that is not as the case says.
    fn faults(&self, ran: &Ran) -> String {
        let mut out = String::new();
        let code: i32 = self.case.one("exit").unwrap_or("0").parse().unwrap();
        if ran.code != Some(code) {
            let _ = writeln!(out, "exit {:?} instead of {code}", ran.code);
        }
        self.compare("stdout", &ran.stdout, self.case.one("token").is_none(), &mut out);
        self.compare("stderr", &ran.stderr, true, &mut out);
        if let Some(token) = self.case.one("token") {
            let printed = printed_token(&ran.stdout);
            let is_new =
                self.world.server.is_active(&printed) && printed != self.tokens.access_token();
            if (token == "new" && !is_new) || (token != "new" && printed != self.filled(token)) {
                let _ = writeln!(out, "another token than {token}");
            }
            let keys: Vec<usize> = ["access_token", "token_type", "expiry", "expires_in"]
                .iter()
                .filter_map(|key| ran.stdout.find(&format!("\n  \"{key}\": ")))
                .collect();
            // Databricks' CLI ends without a line end.
            let end = if self.plays_databricks() { "\n}" } else { "\n}\n" };
            if !keys.is_sorted() || keys.len() < 3 || !ran.stdout.ends_with(end) {
                let _ = writeln!(out, "the JSON is laid out otherwise");
            }
        }
        self.habits(ran, &mut out);
        self.changes(&mut out);
        let counts = self.world.server.counts();
        let seen = [
            ("requests", counts.requests),
            ("refreshes", counts.refreshes),
            ("revocations", counts.revocations),
        ];
        for (key, count) in seen {
            if self.case.one(key).is_some_and(|wanted| wanted != count.to_string()) {
                let _ = writeln!(out, "{count} {key}");
            }
        }
        if let Some(alive) = self.case.one("alive") {
            let is = self.world.server.is_refreshable(self.tokens.refresh_token().unwrap());
            if is != (alive == "yes") {
                let _ = writeln!(out, "alive: {is}");
            }
        }
        for then in self.case.all("then") {
            let (code, line) = then.split_once(' ').unwrap();
            let mut command = Command::new(U2M);
            command.args(words(&self.filled(line)));
            self.surround(&mut command);
            let ran = common::ran(command);
            if ran.code.map(|code| code.to_string()).as_deref() != Some(code) {
                let _ = writeln!(out, "then {line} ends with {:?}: {}", ran.code, ran.stderr);
            }
        }
        out
    }

    fn compare(&self, stream: &str, said: &str, is_whole: bool, out: &mut String) {
        let has = self.case.block(&format!("{stream} has"));
        match (self.case.block(stream), has) {
            (Some(text), _) if said != self.filled(text) => {
                let _ = writeln!(out, "{stream} is\n{said}instead of\n{}", self.filled(text));
            }
            (None, None) if is_whole && !said.is_empty() => {
                let _ = writeln!(out, "{stream} is\n{said}instead of nothing");
            }
            _ => {}
        }
        for line in has.unwrap_or_default().lines().map(|line| self.filled(line)) {
            if !said.contains(&line) {
                let _ = writeln!(out, "{stream} is\n{said}and lacks '{line}'");
            }
        }
        for line in self.case.block(&format!("{stream} lacks")).unwrap_or_default().lines() {
            if said.contains(&self.filled(line)) {
                let _ = writeln!(out, "{stream} is\n{said}and has '{line}'");
            }
        }
    }

    /// What holds in every case.
    fn habits(&self, ran: &Ran, out: &mut String) {
        let mut must = |holds: bool, what: &str| {
            if !holds {
                let _ =
                    writeln!(out, "{what}:\n{}", ran.stderr.chars().take(2000).collect::<String>());
            }
        };
        let steps_aside = ran.stderr.contains("databricks OAuth is not");
        let may = ran.code == Some(3)
            || ran.stderr.contains("databricks OAuth is not supported for this host");
        must(!steps_aside || may, "these words make SDKs step aside");
        // A report is the result, whatever it says.
        let command = words(self.case.one("args").unwrap_or_default()).into_iter().next();
        let is_report =
            ["describe", "doctor", "status"].contains(&command.as_deref().unwrap_or_default());
        let is_silent = ran.code == Some(0) || is_report || ran.stdout.is_empty();
        must(is_silent, "a failure that prints a result");
        must(
            ran.code == Some(0)
                || ran.stderr.starts_with("Error: ")
                || ran.stderr.contains("\nError: "),
            "a failure that does not say so",
        );
        must(!ran.stderr.chars().any(|c| c.is_control() && c != '\n'), "control characters");
        must(ran.stderr.len() < 4000, "too much is said");
        must(!ran.stderr.contains("internal error"), "a panic");
        let secrets = [self.tokens.access_token(), self.tokens.refresh_token().unwrap(), "canary"];
        must(!secrets.iter().any(|secret| ran.stderr.contains(secret)), "a secret is shown");
        let shows = is_report || self.case.name.contains("/profiles/");
        let is_secret = |secret: &&str| shows && ran.stdout.contains(*secret);
        must(!secrets.iter().any(is_secret), "a secret is among the results");
    }

    fn changes(&self, out: &mut String) {
        let after = self.world.tree();
        let paths: BTreeSet<&String> = self.before.keys().chain(after.keys()).collect();
        for path in paths {
            let may = self
                .case
                .all("changed")
                .any(|may| path == may || path.starts_with(&format!("{may}/")));
            if !may && self.before.get(path) != after.get(path) {
                let _ = writeln!(out, "{path} has changed: {:?}", after.get(path));
            }
        }
        for line in self.case.all("mode") {
            let (mode, path) = line.split_once(' ').unwrap();
            if !after.get(path).is_some_and(|held| held.starts_with(&format!("file {mode}\n"))) {
                let _ = writeln!(out, "{path} has another mode than {mode}");
            }
        }
        for (title, text) in &self.case.blocks {
            let Some(title) = title.strip_prefix("after ") else { continue };
            let mut words = title.split(' ');
            let (path, how) = (words.next().unwrap(), words.next());
            let held = std::fs::read_to_string(self.world.path(path)).unwrap_or_default();
            let text = self.filled(text);
            let holds = match how {
                None => held == text,
                Some("has") => text.lines().all(|line| held.contains(line)),
                _ => !text.lines().any(|line| held.contains(line)),
            };
            if !holds {
                let _ = writeln!(
                    out,
                    "{path} holds\n{held}which is not {}\n{text}",
                    how.unwrap_or("as expected")
                );
            }
        }
    }

    /// The text with the times of the case in place of those of the run: two runs may begin in two seconds.
    fn timeless(&self, mut text: String) -> String {
        let texts = self.case.blocks.iter().map(|(_, text)| text.as_str());
        let starts = texts.flat_map(|text| text.split("{in ").skip(1));
        for seconds in starts.map(|start| start.split('}').next().unwrap()) {
            let name = format!("{{in {seconds}}}");
            text = text.replace(&self.filled(&name), &name);
            let line = |line: &str| match line.trim().strip_prefix("\"expires_in\": ") {
                Some(left) if is_left(left, seconds.parse().unwrap()) => {
                    format!("  \"expires_in\": {{left of {seconds}}}")
                }
                _ => line.to_owned(),
            };
            text = text.split('\n').map(line).collect::<Vec<_>>().join("\n");
        }
        // A login is made a moment before or after the case begins.
        for login in self.case.all("login").chain(self.case.all("sealed")) {
            let seconds: i64 = login.rsplit_once(' ').unwrap().1.parse().unwrap();
            for near in seconds - 2..=seconds + 5 {
                let time = self.filled(&format!("{{in {near}}}"));
                text = text.replace(&time, &format!("{{in {seconds}}}"));
            }
        }
        text
    }

    /// What was said, in words that do not depend on the run.
    fn plain(&self, ran: &Ran) -> (Option<i32>, String, String) {
        let plain = |text: &str| {
            let text = text
                .replace(&self.url, "{URL}")
                .replace(&*self.world.home().to_string_lossy(), "{HOME}");
            let text = text.replace(self.url.strip_prefix("http://").unwrap(), "{HOSTPORT}");
            let text = self.timeless(text);
            match self.case.name.contains("/describe/") || self.case.name.contains("/profiles/") {
                true => text.split('\n').map(without_time).collect::<Vec<_>>().join("\n"),
                false => text,
            }
        };
        let stdout = match self.case.one("token") {
            Some(_) => "a token".to_owned(),
            None => plain(&ran.stdout.replace(self.tokens.access_token(), "{access}")),
        };
        let varies = |line: &&str| !self.case.all("varies").any(|part| line.contains(part));
        let stdout = stdout.split('\n').filter(varies).collect::<Vec<_>>().join("\n");
        (ran.code, stdout, plain(&ran.stderr))
    }
}

/// A line of a report without what it says about times: what is left of a token changes while one looks.
fn without_time(line: &str) -> &str {
    let labels = ["Token expires:", "\"expiry\":", "\"expires_in\":", "\"issued_at\":"];
    labels.into_iter().find(|label| line.trim_start().starts_with(label)).unwrap_or(line)
}

/// How many seconds a token has left that had `before` when the case began; a busy machine takes its time.
fn is_left(left: &str, before: i64) -> bool {
    left.parse().is_ok_and(|left: i64| (before - 60..=before).contains(&left))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The command of a case.
fn command(case: &Case) -> String {
    words(case.one("args").unwrap_or_default()).into_iter().next().unwrap_or_default()
}

/// The commands of which [`theirs`] and [`without_derived`] know a difference.
const DIFFERENT_AFTER_AUTH: [&str; 4] = ["describe", "env", "profiles", "status"];

/// Which cases are run with `auth` as well: all that differ there, and of each other command the first.
fn with_auth(cases: &[Case]) -> Vec<bool> {
    let mut seen = BTreeSet::new();
    let mut is_chosen = |case: &Case| {
        let command = command(case);
        case.one("auth").is_some()
            || DIFFERENT_AFTER_AUTH.contains(&command.as_str())
            || seen.insert(command)
    };
    cases.iter().map(&mut is_chosen).collect()
}

fn check(case: &Case, with_auth: bool) -> Result<bool, String> {
    let stage = Stage::set(case);
    let Some(plain) = stage.play(false) else { return Ok(false) };
    let faults = stage.faults(&plain);
    if !faults.is_empty() {
        return Err(faults);
    }
    if !with_auth {
        return Ok(true);
    }
    let again = Stage::set(case);
    let auth = again.play(true).unwrap();
    if let Some(code) = case.one("auth") {
        return match auth.code.map(|code| code.to_string()).as_deref() == Some(code) {
            true => Ok(true),
            false => Err(format!("with 'auth' it ends with {:?}: {}", auth.code, auth.stderr)),
        };
    }
    let (plain, auth) = (stage.plain(&plain), again.plain(&auth));
    let command = command(case);
    let (plain, auth) = match command.as_str() {
        "describe" | "status" | "env" => (without_derived(plain), without_derived(auth)),
        _ => (plain, auth),
    };
    let wanted = match stage.plays_databricks() {
        true => plain.clone(),
        false => theirs(&command, plain.clone()),
    };
    let (wanted, auth) = match command == "profiles" && !auth.1.starts_with('{') {
        true => (
            (wanted.0, three_columns(&wanted.1), wanted.2),
            (auth.0, three_columns(&auth.1), auth.2),
        ),
        false => (wanted, auth),
    };
    if wanted == auth {
        Ok(true)
    } else {
        Err(format!("'auth' makes a difference: {wanted:#?} and {auth:#?}"))
    }
}

/// What `BROWSER` names.
#[test]
#[ignore = "it is no test, but the browser of those that need one"]
fn the_browser() {
    let url = std::env::args().find(|word| word.starts_with("http://")).unwrap();
    u2m_testkit::follow_login(&url).unwrap();
}

#[test]
fn every_case_is_as_it_is_written_and_so_is_it_with_auth() {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"), &mut paths);
    let filter = std::env::var("U2M_CASE").unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().contains(&filter));
    paths.sort();
    let cases: Vec<Case> = paths.iter().map(|path| Case::read(path)).collect();
    check_all(&cases);
}

/// The cases that `docs/SCENARIOS.md` names, a path in full, or the name of a file beside the last one.
fn scenarios() -> BTreeSet<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../../docs/SCENARIOS.md")).unwrap();
    let (mut paths, mut folder) = (BTreeSet::new(), PathBuf::new());
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in tests.split('`').filter(|name| name.ends_with(".case")) {
            if let Some((place, _)) = name.rsplit_once('/') {
                folder = root.join("tests").join(place);
            }
            paths.insert(folder.join(name.rsplit('/').next().unwrap()));
        }
    }
    paths
}

#[test]
fn every_scenario_is_the_same_at_a_server_whose_metadata_names_no_issuer() {
    let paths = scenarios();
    assert!(paths.len() > 39, "{paths:?}");
    let cases: Vec<Case> =
        paths.iter().map(|path| Case::read(path).at_a_server("no-issuer")).collect();
    check_all(&cases);
}

/// Runs cases side by side.
fn check_all(cases: &[Case]) {
    let (next, failed, skipped) =
        (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let with_auth = with_auth(cases);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { break };
                    let outcome = std::panic::catch_unwind(|| check(case, with_auth[at]))
                        .unwrap_or(Err("a panic, see above".into()));
                    match outcome {
                        Ok(true) => {}
                        Ok(false) => drop(skipped.fetch_add(1, Ordering::Relaxed)),
                        Err(faults) => {
                            failed.lock().unwrap().push(format!("=== {}\n{faults}", case.name))
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(skipped.into_inner() < 8, "this machine can play too few cases");
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
