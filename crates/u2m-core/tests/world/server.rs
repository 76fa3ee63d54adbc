//! The authorization server: it rotates refresh tokens, and takes reuse for theft.

use std::collections::{HashMap, HashSet};
use u2m_core::{AccessToken, HttpResponse, RefreshToken};

pub(crate) const HOST: &str = "https://a.example";
pub(crate) const OLD_PATH: &str = "/oidc/v1/token";
pub(crate) const NEW_PATH: &str = "/oidc/v2/token";
pub(crate) const METADATA_PATH: &str = "/oidc/.well-known/oauth-authorization-server";

/// What a server does with refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// Each is good for ever, and answers carry none.
    Never,
    /// Each is good once; a spent one is refused.
    Refuse,
    /// Each is good once; a spent one ends the login for everybody.
    Revoke,
}

/// Tokens are named `<login>-<number>`; the numbers grow over all logins, so that later means larger.
pub(crate) struct Server {
    rotation: Rotation,
    lifetime: i64,
    last: u64,
    /// The one refresh token of each login that is good now; none once the login has been revoked.
    current: HashMap<u64, Option<String>>,
    /// When each access token ends.
    ends: HashMap<String, i64>,
    /// Spent refresh tokens whose successors reached nobody's store.
    lost: HashSet<String>,
    /// Whether the endpoint has moved to another path.
    pub(crate) has_moved: bool,
    /// Spent refresh tokens that were sent again although nothing had been lost.
    pub(crate) thefts: Vec<String>,
    /// How often a spent refresh token was sent again for a good reason.
    pub(crate) retries: u64,
}

/// What a login or a refresh yields.
pub(crate) struct Pair {
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
}

impl Server {
    pub(crate) fn new(rotation: Rotation, lifetime: i64) -> Self {
        Self {
            rotation,
            lifetime,
            last: 0,
            current: HashMap::new(),
            ends: HashMap::new(),
            lost: HashSet::new(),
            has_moved: false,
            thefts: Vec::new(),
            retries: 0,
        }
    }

    /// A person signs in.
    pub(crate) fn sign_in(&mut self, now: i64) -> Pair {
        self.last += 1;
        let refresh = format!("refresh-{}-{}", self.last, self.last);
        self.current.insert(self.last, Some(refresh.clone()));
        Pair { access: self.issue(self.last, now), refresh: RefreshToken::new(refresh) }
    }

    fn issue(&mut self, login: u64, now: i64) -> AccessToken {
        let token = format!("access-{login}-{}", self.last);
        self.ends.insert(token.clone(), now + self.lifetime);
        AccessToken::new(token)
    }

    /// Redeems a refresh token, if it is the one that is good now.
    pub(crate) fn redeem(&mut self, token: &str, now: i64) -> Option<Pair> {
        let login = login_of(token);
        let current = self.current.get(&login)?;
        if current.as_deref() != Some(token) {
            if current.is_none() || self.lost.contains(token) {
                self.retries += 1;
            } else {
                self.thefts.push(token.to_owned());
            }
            if self.rotation == Rotation::Revoke {
                self.current.insert(login, None);
            }
            return None;
        }
        self.last += 1;
        let access = self.issue(login, now);
        if self.rotation == Rotation::Never {
            return Some(Pair { access, refresh: RefreshToken::new(token) });
        }
        let refresh = format!("refresh-{login}-{}", self.last);
        self.current.insert(login, Some(refresh.clone()));
        Some(Pair { access, refresh: RefreshToken::new(refresh) })
    }

    /// Redeems a refresh token over the wire; also says whether it was granted.
    pub(crate) fn respond(&mut self, token: &str, now: i64) -> (HttpResponse, bool) {
        let Some(pair) = self.redeem(token, now) else {
            let body =
                r#"{"error":"invalid_grant","error_description":"Refresh token is invalid"}"#;
            return (json(400, body.to_owned()), false);
        };
        let (access, life) = (pair.access.expose(), self.lifetime);
        let refresh = match self.rotation {
            Rotation::Never => String::new(),
            Rotation::Refuse | Rotation::Revoke => {
                format!(r#","refresh_token":"{}""#, pair.refresh.expose())
            }
        };
        (json(200, format!(r#"{{"access_token":"{access}","expires_in":{life}{refresh}}}"#)), true)
    }

    /// The successor of `token` reached nobody's store: who sends it again does what can be done.
    pub(crate) fn lose(&mut self, token: &str) {
        self.lost.insert(token.to_owned());
    }

    /// The metadata document.
    pub(crate) fn metadata(&self) -> HttpResponse {
        let path = self.token_path();
        json(
            200,
            format!(
                r#"{{"issuer":"{HOST}/oidc","authorization_endpoint":"{HOST}/oidc/v1/authorize","token_endpoint":"{HOST}{path}"}}"#
            ),
        )
    }

    pub(crate) fn token_path(&self) -> &'static str {
        if self.has_moved { NEW_PATH } else { OLD_PATH }
    }

    /// Whether the login of a refresh token can still be renewed by somebody.
    pub(crate) fn is_alive(&self, token: &str) -> bool {
        self.current.get(&login_of(token)).is_some_and(Option::is_some)
    }

    /// Whether an API would take this access token now.
    pub(crate) fn takes(&self, token: &AccessToken, now: i64) -> bool {
        self.ends.get(token.expose()).is_some_and(|end| now < *end)
    }
}

fn json(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status, body.into_bytes()).with_content_type("application/json")
}

/// The login that a token belongs to.
pub(crate) fn login_of(token: &str) -> u64 {
    token.split('-').nth(1).and_then(|number| number.parse().ok()).expect("a token of this server")
}

/// The number of a token: larger means issued later.
pub(crate) fn number_of(token: &str) -> u64 {
    token.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a token of this server")
}
