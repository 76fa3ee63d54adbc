//! A pure server, the time, and a client that knows the vector of RFC 7636 appendix B.

use serde_json::Value;
use u2m_testkit::{
    FakeServer, Lifetime, Settings, Timestamp,
    http::{Request, Response},
};
use url::{Url, form_urlencoded};

pub(crate) const BASE: &str = "http://127.0.0.1:8080";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const AUTHORIZE: &str = "/oidc/v1/authorize?client_id=databricks-cli\
    &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
    &redirect_uri=http%3A%2F%2Flocalhost%3A8020&response_type=code\
    &scope=offline_access+all-apis&state=ST";

pub(crate) struct World {
    pub(crate) server: FakeServer,
    pub(crate) now: Timestamp,
}

/// An answer of the token endpoint.
pub(crate) struct Tokens(pub(crate) u16, pub(crate) Value);

impl Tokens {
    pub(crate) fn text(&self, member: &str) -> &str {
        self.1[member].as_str().unwrap_or_default()
    }
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let now = Timestamp::from_unix(1_800_000_000);
        Self { server: FakeServer::new(BASE, settings), now }
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus(Lifetime::from_seconds(seconds));
    }

    pub(crate) fn get(&mut self, target: &str) -> Response<Vec<u8>> {
        self.server.respond(&Request::get(target).body(Vec::new()).unwrap(), self.now)
    }

    pub(crate) fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Tokens {
        read(&self.server.respond(&form_request(path, form), self.now))
    }

    /// Goes to the consent endpoint and comes back with the callback's parameter.
    pub(crate) fn browse(&mut self, target: &str) -> Url {
        location(&self.get(target))
    }

    pub(crate) fn code(&mut self) -> String {
        let callback = self.browse(AUTHORIZE);
        parameter(&callback, "code").unwrap()
    }

    pub(crate) fn exchange(&mut self, code: &str, verifier: &str) -> Tokens {
        self.post("/oidc/v1/token", &exchange_form(code, verifier))
    }

    pub(crate) fn log_in(&mut self) -> Tokens {
        let code = self.code();
        self.exchange(&code, VERIFIER)
    }

    pub(crate) fn refresh(&mut self, token: &str) -> Tokens {
        self.post("/oidc/v1/token", &refresh_form(token))
    }
}

pub(crate) fn exchange_form<'a>(code: &'a str, verifier: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("client_id", "databricks-cli"),
        ("code", code),
        ("code_verifier", verifier),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "http://localhost:8020"),
    ]
}

pub(crate) fn refresh_form(token: &str) -> [(&str, &str); 3] {
    [("client_id", "databricks-cli"), ("grant_type", "refresh_token"), ("refresh_token", token)]
}

pub(crate) fn form_request(path: &str, form: &[(&str, &str)]) -> Request<Vec<u8>> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.into_bytes())
        .unwrap()
}

pub(crate) fn read(response: &Response<Vec<u8>>) -> Tokens {
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    Tokens(response.status().as_u16(), body)
}

pub(crate) fn location(response: &Response<Vec<u8>>) -> Url {
    assert_eq!(response.status(), 302, "{}", String::from_utf8_lossy(response.body()));
    Url::parse(response.headers()["location"].to_str().unwrap()).unwrap()
}

pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
