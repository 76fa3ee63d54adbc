//! `docs/METADATA.md`: what becomes of a login, a refresh and a logout, whatever a host answers when it is asked for its
//! metadata. The table is made here, from runs of the built program.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/shapes.rs"]
mod shapes;

use common::{Ran, Running, World, free_port, now};
use shapes::{Shape, shapes};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use u2m::source::Lifetime;
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Endpoint, Fault, Settings, Times, follow_login};

/// Set, it writes the table instead of comparing it.
const WRITE: &str = "U2M_WRITE_DOCS";

/// How each of these failures begins.
const FETCHING: &str = "fetching OAuth endpoints: ";

const HEAD: &str = "\
# Metadata

What becomes of a login, a refresh and a logout, whatever a host answers when it is asked for its metadata (RFC 8414). This page
is made by `crates/u2m-cli/tests/metadata_shapes.rs` from runs of `u2m`, and the test fails when a run shows something else:
`U2M_WRITE_DOCS=1 cargo test -p u2m-cli --test metadata_shapes` writes it anew.

- **Login** is `u2m login --host`. What fails does so before a browser opens, and nothing is stored.
- **Refresh** is `u2m token` for a login that another program saved: u2m's own knows its endpoint and asks for metadata only when
  that has moved. It is that case where another host was allowed (`--allow-issuer`), which stands in a login's record. What
  fails does so before the refresh token is sent, so that the login is kept.
- **Logout** is `u2m logout` of a login that u2m made. It always ends here; the table says whether the server was told.

An issuer that a person names (`--issuer`) is called by that very name: there, `issuer` missing or written otherwise is refused
unless `--allow-issuer` names the issuer's host. All else is the same.

| the answer | login | refresh | logout |
|---|---|---|---|
";

#[test]
fn whatever_a_host_answers_a_login_a_refresh_and_a_logout_end_as_the_table_says() {
    let shapes = shapes();
    let columns = [login, refresh, logout];
    let cells: Vec<_> = shapes.iter().flat_map(|shape| columns.map(|run| (shape, run))).collect();
    let said: Vec<OnceLock<String>> = cells.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    // Most of them wait.
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some((shape, run)) = cells.get(at)
                {
                    said[at].set(run(shape)).unwrap();
                }
            });
        }
    });
    let said: Vec<_> = said.into_iter().map(|cell| cell.into_inner().unwrap()).collect();
    let rows = shapes.iter().zip(said.chunks(columns.len()));
    let rows: String =
        rows.map(|(shape, said)| format!("| {} | {} |\n", shape.words, said.join(" | "))).collect();
    let made = format!("{HEAD}{rows}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METADATA.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(kept.lines().chain(std::iter::repeat("")));
    let differs: Vec<_> = differs.filter(|(made, kept)| made != kept).collect();
    assert!(
        made == kept,
        "docs/METADATA.md is not what the runs show (made, kept): {differs:#?}\n{WRITE}=1 writes it anew"
    );
}

/// A server that is reached by two names.
struct Stage {
    world: World,
    other: String,
}

impl Stage {
    fn new() -> Self {
        let world = World::with(Settings::new().with_revocation());
        let other = world.url().replace("127.0.0.1", "localhost");
        Self { world, other }
    }

    /// From here on it answers so.
    fn answers(&self, shape: &Shape) {
        let fault = (shape.answer)(self.world.url(), &self.other);
        self.world.server.inject(Endpoint::Metadata, Times::Always, fault);
    }

    fn sign_in(&self, shape: &Shape) -> Ran {
        let mut command = self.world.command("login --host {URL} --profile dev --no-browser");
        command.args(["--port", &free_port().to_string()]);
        if shape.is_allowed {
            command.args(["--allow-issuer", &self.other]);
        }
        let mut running = Running::start(command);
        if let Some(url) = running.url_before_the_end() {
            follow_login(&url).unwrap();
        }
        running.done()
    }

    /// Why it failed, as far as that is the same in every run.
    fn why(&self, ran: &Ran) -> String {
        let error = ran.stderr.lines().find_map(|line| line.strip_prefix("Error: "));
        let text = error.unwrap_or_else(|| panic!("{ran:?}"));
        let text = self.cleared(text);
        let starts = ["the token of profile dev was not renewed: ", "you were not signed in: "];
        let why = starts.iter().fold(text.as_str(), |text, start| text.trim_start_matches(start));
        let why = why.trim_start_matches(FETCHING);
        format!("exit {}: {why}", ran.code.unwrap())
    }

    fn cleared(&self, text: &str) -> String {
        let port = self.world.url().rsplit(':').next().unwrap();
        let text = text.replace(&format!("127.0.0.1:{port}"), "ws");
        let text =
            text.replace(&format!("localhost:{port}"), "other").replace("http://", "https://");
        // Another port of this machine is another one in each run.
        let text = match text.split_once("127.0.0.1:") {
            Some((head, tail)) => {
                let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{head}ws:444{tail}")
            }
            None => text,
        };
        // What to do about it, and what the system says besides, are no matter of the answer.
        let ends = [". ", "? ", "(https://ws)"];
        let end =
            ends.iter().filter_map(|end| text.find(end).map(|at| at + end.trim().len())).min();
        text[..end.unwrap_or(text.len())].trim_end_matches('.').replace('|', "\\|")
    }
}

fn login(shape: &Shape) -> String {
    let stage = Stage::new();
    stage.answers(shape);
    let ran = stage.sign_in(shape);
    if ran.code == Some(0) {
        stage.world.assert_alive("dev");
        return "signs in".to_owned();
    }
    let counts = stage.world.server.counts();
    assert_eq!(
        (counts.authorizations, counts.exchanges),
        (0, 0),
        "{}: {}",
        shape.words,
        ran.stderr
    );
    assert!(!stage.world.cache().exists(), "{}", shape.words);
    stage.why(&ran)
}

fn refresh(shape: &Shape) -> String {
    let stage = Stage::new();
    let world = &stage.world;
    if shape.is_allowed {
        stage.answers(shape);
        assert_eq!(stage.sign_in(shape).code, Some(0), "{}", shape.words);
        let expired = world.stored("dev").with_expiry(now().plus(Lifetime::from_seconds(-60)));
        world.store().save(&CacheKey::new("dev"), &expired).unwrap();
        let gone = Fault::status(StatusCode::NOT_FOUND, "text/plain", "gone");
        world.server.inject(Endpoint::Token, Times::Once, gone);
    } else {
        world.seed("dev", -60);
        let mut unbound = world.stored("dev");
        unbound.binding = None;
        world.store().delete(&CacheKey::new("dev")).unwrap();
        world.store().save(&CacheKey::new("dev"), &unbound).unwrap();
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        stage.answers(shape);
    }
    let ran = world.run("token --profile dev");
    world.assert_alive("dev");
    if ran.code == Some(0) {
        // The endpoint that had moved was asked before.
        let sent = if shape.is_allowed { 2 } else { 1 };
        assert_eq!(world.server.counts().refreshes, sent, "{}: {}", shape.words, ran.stderr);
        return "renews".to_owned();
    }
    assert_eq!(world.server.counts().refreshes, 0, "{}: {}", shape.words, ran.stderr);
    stage.why(&ran)
}

fn logout(shape: &Shape) -> String {
    let stage = Stage::new();
    let world = &stage.world;
    if shape.is_allowed {
        stage.answers(shape);
        assert_eq!(stage.sign_in(shape).code, Some(0), "{}", shape.words);
    } else {
        world.seed("dev", 3000);
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        stage.answers(shape);
    }
    let ran = world.run("logout --profile dev --auto-approve --output json");
    assert_eq!(ran.code, Some(0), "{}: {}", shape.words, ran.stderr);
    assert!(world.store().load(&CacheKey::new("dev")).unwrap().is_none(), "{}", shape.words);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let is_told = world.server.counts().revocations == 1;
    assert_eq!(report["revoked"] == true, is_told, "{}: {}", shape.words, ran.stderr);
    if is_told {
        return "tells the server".to_owned();
    }
    let said = ran.stderr.lines().find_map(|line| line.strip_prefix("Warning: "));
    let Some((_, why)) = said.and_then(|said| said.split_once("is revoked there: ")) else {
        return "tells nobody: nothing is offered".to_owned();
    };
    format!("warns: {}", stage.cleared(why).trim_start_matches(FETCHING))
}
