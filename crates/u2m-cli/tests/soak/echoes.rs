//! Servers that repeat what they were sent. Whatever u2m says, writes or hands on, no secret is in it.

use crate::chance::Rounds;
use crate::common::{Ran, Running, World, free_port};
use crate::processes::quiet;
use std::time::Duration;
use u2m_testkit::{
    Client, Device, DeviceAnswer, Endpoint, Fault, Repeat, Settings, Times, WellKnown,
    follow_login, http::StatusCode,
};

/// What a command sends secrets for.
#[derive(Clone, Copy, Debug)]
enum Errand {
    Api,
    Code,
    Device,
    Events,
    Logout,
    Refresh,
}

const ERRANDS: [Errand; 6] =
    [Errand::Api, Errand::Code, Errand::Device, Errand::Events, Errand::Logout, Errand::Refresh];

const REFUSALS: [(StatusCode, &str); 4] = [
    (StatusCode::BAD_REQUEST, "invalid_grant"),
    (StatusCode::BAD_REQUEST, "invalid_request"),
    (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
];

impl Errand {
    fn endpoint(self) -> Endpoint {
        match self {
            Self::Api => Endpoint::Api,
            Self::Code | Self::Device | Self::Events | Self::Refresh => Endpoint::Token,
            Self::Logout => Endpoint::Revocation,
        }
    }

    fn run(self, world: &World) -> Vec<Ran> {
        let port = free_port().to_string();
        let browsed = |line: &str| {
            let mut command = world.command(line);
            command.args(["--no-browser", "--port", &port]);
            let mut running = Running::start(command);
            let address = |line: &str| match serde_json::from_str::<serde_json::Value>(line) {
                Ok(event) => event["url"].as_str().map(str::to_owned),
                Err(_) => {
                    (line.starts_with("http") && !line.contains(' ')).then(|| line.to_owned())
                }
            };
            let line = running.line(|line| address(line).is_some());
            let url = address(&line).unwrap();
            // The page that the browser ends on shows the failure as well.
            let page = follow_login(&url).map(|page| page.body().to_owned()).unwrap_or_default();
            let mut ran = running.done();
            // The address has a state and a challenge in it, for the browser.
            ran.stderr = ran.stderr.replace(&line, "") + &page;
            ran
        };
        match self {
            Self::Api => vec![
                world.run("describe --profile dev"),
                world.run("describe --profile dev -o json"),
            ],
            Self::Code => vec![browsed("login --host {URL} --profile new")],
            Self::Events => vec![browsed("login --host {URL} --profile new --events")],
            Self::Device => vec![world.run(
                "login --issuer {URL}/oidc --client-id my-cli --profile new --device --timeout 20s",
            )],
            Self::Logout => vec![world.run("logout --profile dev --auto-approve")],
            Self::Refresh => {
                let lines = [
                    "token dev",
                    "token dev -o json",
                    "env --profile dev --with-token",
                    "exec --profile dev -- env",
                    "token dev --force-refresh",
                    "doctor",
                ];
                lines.map(|line| world.run(line)).into()
            }
        }
    }
}

/// The secrets that were sent to the endpoint.
fn sent(world: &World) -> Vec<String> {
    let names = ["client_secret", "code", "code_verifier", "device_code", "refresh_token", "token"];
    let seen = world.server.seen();
    let mut sent: Vec<String> = seen
        .iter()
        .filter(|seen| !matches!(seen.endpoint(), Endpoint::Authorize))
        .flat_map(|seen| {
            let bearer =
                seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            names
                .iter()
                .filter_map(|name| seen.parameter(name))
                .chain(bearer)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    sent.sort();
    sent.dedup();
    sent
}

/// Where a piece of a secret stands in a text, in any form: 12 characters of it are too many.
fn trace(secret: &str, text: &str) -> Option<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let forms = [(secret.to_owned(), 12), (percent, 36), (STANDARD.encode(secret), 16)];
    for (form, length) in forms {
        let windows = form.as_bytes().windows(length).map(String::from_utf8_lossy);
        for window in windows {
            if text.contains(&*window) {
                return Some(window.into_owned());
            }
        }
    }
    None
}

/// Everything below the home that is no token store: lock files, side files, profile files, temporary files.
fn files(world: &World) -> String {
    let is_store = |name: &str| name.ends_with("token-cache.json");
    world
        .tree()
        .into_iter()
        .filter(|(name, _)| !is_store(name))
        .map(|(name, text)| format!("{name}: {text}\n"))
        .collect()
}

fn hits(errand: Errand, repeat: Repeat, (status, error): (StatusCode, &str)) -> Vec<String> {
    let settings = Settings::new()
        .with_client(Client::public("my-cli"))
        .with_device(Device::new([DeviceAnswer::Approved]))
        .with_revocation();
    let settings = if matches!(errand, Errand::Device) {
        settings.with_well_known(WellKnown::OpenId)
    } else {
        settings
    };
    let world = World::with(settings);
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let left = if matches!(errand, Errand::Refresh) { -5 } else { 1800 };
    world.seed("dev", left);
    world.server.inject(errand.endpoint(), Times::Always, Fault::echo(status, error, repeat));
    let ran = errand.run(&world);
    assert!(quiet(&world, Duration::from_secs(60)));
    let secrets = sent(&world);
    assert!(!secrets.is_empty(), "{errand:?} sent no secret: {ran:?}");
    let said: String = ran.iter().map(|ran| format!("{}\n{}\n", ran.stdout, ran.stderr)).collect();
    let places = [("output", said), ("files", files(&world))];
    let mut hits = Vec::new();
    for secret in &secrets {
        for (place, text) in &places {
            if let Some(window) = trace(secret, text) {
                hits.push(format!(
                    "{errand:?} {repeat:?} {status} {error}: '{window}' in {place}: {text:.600}"
                ));
            }
        }
    }
    hits
}

#[test]
fn t14_a_secret_that_the_server_repeats_stands_nowhere() {
    let all: Vec<_> = ERRANDS
        .iter()
        .flat_map(|errand| {
            Repeat::ALL.iter().flat_map(move |repeat| {
                REFUSALS.iter().map(move |refusal| (*errand, *repeat, *refusal))
            })
        })
        .collect();
    let rounds = Rounds { count: all.len(), ..Rounds::or(0) };
    let found = rounds.run(4, |at, _| hits(all[at].0, all[at].1, all[at].2)).concat();
    eprintln!(
        "{} failures in which the server repeats what it was sent: {} hits",
        all.len(),
        found.len()
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}
