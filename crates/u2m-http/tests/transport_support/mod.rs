//! Calls of each kind, as the core makes them, and a transport that answers by a list.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each story uses what it needs")]

pub(crate) mod raw;
#[cfg(feature = "reqwest")]
pub(crate) mod tls;

use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use u2m_core::{
    AccessToken, AccountId, AfterCallback, BeforeCallback, Binding, CallbackMatch, Entropy,
    ExchangingCode, Host, HostMetadata, HostMetadataLookup, HttpCall, HttpRequest, HttpResponse,
    LoginRequest, RefreshToken, RefreshingToken, SaveLogin, Session, Target, Timestamp,
    TokenRequest, TokenStep, TransportFailure, TransportFailureKind, WhichToken,
};
use u2m_http::Transport;
use url::Url;

/// What a token endpoint answers on a good day.
pub(crate) const GRANT: &str =
    r#"{"access_token":"new","refresh_token":"next","token_type":"Bearer","expires_in":3600}"#;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000)
}

/// Where the address stands that a process of its own asks.
pub(crate) const BASE: &str = "U2M_TEST_BASE";

/// What comes of asking `base` in a process with these variables and no others that count: the test `worker` of the same program
/// asks, and says "came" and what came of it.
pub(crate) fn asks(base: &str, vars: &[(&str, &str)]) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "worker", "--nocapture"]).env_clear();
    command.env(BASE, base).envs(vars.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once("came "));
    line.unwrap_or_else(|| panic!("{said}")).1.to_owned()
}

/// Asks `base` what it is: spends nothing.
pub(crate) fn lookup(base: &str) -> HttpCall<HostMetadataLookup> {
    HostMetadata::lookup(&Host::parse(base).unwrap())
}

/// Spends a refresh token at `base`.
pub(crate) fn refresh(base: &str) -> HttpCall<RefreshingToken> {
    refresh_at(base, &format!("{base}/token"))
}

/// Spends a refresh token at an endpoint, whatever that is.
pub(crate) fn refresh_at(base: &str, endpoint: &str) -> HttpCall<RefreshingToken> {
    let host = Host::parse(base).unwrap();
    let endpoint = Url::parse(endpoint).unwrap();
    let session = Session::new(AccessToken::new("old"))
        .with_refresh_token(RefreshToken::new("spend-me"))
        .with_expiry(Timestamp::from_unix(1_700_000_000))
        .with_binding(Binding::new(base, endpoint, "databricks-cli", host.clone()));
    let mut step = TokenRequest::new(Target::workspace(host)).start(WhichToken::Usable, now());
    loop {
        step = match step {
            TokenStep::Load(load) => load.loaded(Some(session.clone()), now()).unwrap(),
            TokenStep::Lock(lock) => lock.locked(),
            TokenStep::Reload(reload) => reload.loaded(Some(session.clone()), None, now()).unwrap(),
            TokenStep::CheckWritable(prove) => prove.proven(now()).unwrap(),
            TokenStep::Refresh(call) => return call,
            other => panic!("{other:?}"),
        };
    }
}

/// Spends an authorization code at `base`.
pub(crate) fn exchange(base: &str) -> HttpCall<ExchangingCode> {
    let account = AccountId::parse("11111111-2222-3333-4444-555555555555").unwrap();
    let target = Target::account(Host::parse(base).unwrap(), account);
    let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64]))
    else {
        panic!("an account's endpoints are fixed")
    };
    let browse = listen.bound(8020);
    let state = browse.url().query_pairs().find(|(name, _)| name == "state").unwrap().1;
    let CallbackMatch::Callback(callback) = browse.hear(&format!("code=spend-me&state={state}"))
    else {
        panic!("the state is right")
    };
    match browse.called_back(callback).unwrap() {
        AfterCallback::Exchange(call) => call,
        other => panic!("{other:?}"),
    }
}

/// The refresh token that an answer to [`exchange`] has brought.
pub(crate) fn kept(store: &SaveLogin) -> &str {
    store.session().refresh_token.as_ref().unwrap().expose()
}

/// The refresh token that a step after [`refresh`] has saved.
pub(crate) fn saved(step: TokenStep) -> String {
    match step {
        TokenStep::Save(save) => save.session().refresh_token.as_ref().unwrap().expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Answers by a list: each outcome comes after its delay. Beyond the list it never answers.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    script: Mutex<VecDeque<(Duration, Outcome)>>,
    sent: Mutex<Vec<(Instant, String)>>,
}

pub(crate) type Outcome = Result<HttpResponse, TransportFailureKind>;

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = (u64, Outcome)>) -> Self {
        let script = script.into_iter().map(|(ms, outcome)| (Duration::from_millis(ms), outcome));
        Self { script: Mutex::new(script.collect()), sent: Mutex::default() }
    }

    /// When each request left.
    pub(crate) fn sent(&self) -> Vec<Instant> {
        self.sent.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    /// Where each went.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|(_, url)| url.clone()).collect()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        self.sent.lock().unwrap().push((Instant::now(), request.url().to_string()));
        let next = self.script.lock().unwrap().pop_front();
        match next {
            Some((delay, outcome)) => {
                sleep(delay).await;
                outcome.map_err(TransportFailure::new)
            }
            None => std::future::pending().await,
        }
    }
}

pub(crate) fn ok(body: &str) -> Outcome {
    Ok(HttpResponse::new(200, body.as_bytes().to_vec()))
}

pub(crate) fn status(status: u16) -> Outcome {
    Ok(HttpResponse::new(status, Vec::new()))
}
