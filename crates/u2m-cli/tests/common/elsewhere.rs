//! An issuer that has its token endpoint on another host: the same server, by another of its names.
#![allow(clippy::unwrap_used)]

use crate::common::{Ran, Running, World, free_port, printed_token, ran};
use std::process::Command;
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Client, Endpoint, Fault, Iss, Lifetime, Times, WellKnown, follow_login};

pub(crate) const LOGIN: &str = "login --issuer {URL}/oidc --client-id my-cli --profile corp";

pub(crate) struct Elsewhere {
    pub(crate) world: World,
    /// The other host.
    pub(crate) tokens: String,
}

impl Elsewhere {
    /// Its tokens are as good as expired: each use of the login renews it.
    pub(crate) fn new(world: World) -> Self {
        let tokens = world.url().replace("127.0.0.1", "localhost");
        world.server.reconfigure(|settings| {
            settings
                .with_client(Client::public("my-cli"))
                .with_well_known(WellKnown::OpenId)
                .with_iss(Iss::Present)
                .with_revocation()
                .with_lifetime(Lifetime::from_seconds(9))
                .with_tokens_on(tokens.clone())
        });
        Self { world, tokens }
    }

    pub(crate) fn sign_in(&self, command: impl Fn(&str) -> Command) -> Ran {
        let mut command = command(&format!("{LOGIN} --allow-issuer {}", self.tokens));
        command.args(["--no-browser", "--port", &free_port().to_string()]);
        let mut running = Running::start(command);
        follow_login(&running.url()).unwrap();
        let ran = running.done();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran
    }

    /// By which name the token endpoint was asked, each time.
    pub(crate) fn tokens_asked_of(&self) -> Vec<String> {
        self.asked_of(Endpoint::Token)
    }

    fn asked_of(&self, endpoint: Endpoint) -> Vec<String> {
        let seen = self.world.server.seen();
        let seen = seen.iter().filter(|seen| seen.endpoint() == endpoint);
        seen.map(|seen| format!("http://{}", seen.header("host").unwrap_or_default())).collect()
    }

    /// Signs in, renews, is shown, finds an endpoint that has moved, and ends.
    pub(crate) fn live(&self, command: impl Fn(&str) -> Command) {
        let server = &self.world.server;
        let run = |line: &str| ran(command(line));
        self.sign_in(&command);
        let mut last = String::new();
        for line in ["token corp", "token --profile corp --force-refresh"] {
            let ran = run(line);
            assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
            let token = printed_token(&ran.stdout);
            assert_ne!(token, last, "{line}");
            last = token;
        }
        let described = run("describe corp");
        assert_eq!(described.code, Some(0), "{}{}", described.stdout, described.stderr);
        assert!(described.stdout.contains("Refreshable: yes\n"), "{}", described.stdout);

        let gone = Fault::status(StatusCode::NOT_FOUND, "text/plain", "gone");
        server.inject(Endpoint::Token, Times::Once, gone);
        let metadata = server.counts().metadata;
        let ran = run("token corp");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(server.counts().metadata > metadata, "it was looked for");
        assert!(server.counts().refreshes >= 4, "{:?}", server.counts());

        let out = run("logout corp --auto-approve");
        assert_eq!(out.code, Some(0), "{}", out.stderr);
        let counts = server.counts();
        assert_eq!((counts.revocations, counts.revoked_families), (1, 1), "{}", out.stderr);
        assert_eq!((counts.rejected, counts.reuse_detections), (0, 0), "{counts:?}");
        let asked = [self.tokens_asked_of(), self.asked_of(Endpoint::Revocation)].concat();
        assert!(asked.iter().all(|host| *host == self.tokens), "{asked:?}");
        assert_eq!(run("token corp").code, Some(3));
    }
}
