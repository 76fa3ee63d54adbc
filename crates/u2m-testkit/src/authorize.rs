//! The endpoints that the browser visits: the authorization endpoint and the discovery login page.

use http::{Method, Request, Response, StatusCode};
use u2m_core::Timestamp;
use url::Url;

use crate::{
    form::Form,
    host::Issuer,
    ledger::LedgerGrant,
    page,
    reply::{answer, method_not_allowed, oauth_error, redirect},
    server::FakeServer,
    settings::{Consent, Iss},
};

/// Added by the login page: the answer must carry `iss` whatever the settings say.
const FROM_LOGIN_PAGE: &str = "fake_login_page";

/// Added by the buttons of the consent page: what the person decided.
const DECISION: &str = "fake_decision";

/// What is wrong with an authorization request, as an error code of RFC 6749 section 4.1.2.1.
struct AuthorizeProblem(&'static str, &'static str);

impl FakeServer {
    pub(crate) fn authorize(
        &mut self,
        issuer: Issuer,
        request: &Request<Vec<u8>>,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        if request.method() != Method::GET {
            return method_not_allowed("GET");
        }
        let form = Form::of_query(request);
        let back = match self.way_back(&form) {
            Ok(back) => back,
            Err(AuthorizeProblem(error, description)) => {
                return oauth_error(StatusCode::BAD_REQUEST, error, description);
            }
        };
        let iss = self.iss(&issuer, &form);
        let grant = match self.consider(issuer, &form) {
            Ok(grant) => grant,
            Err(AuthorizeProblem(error, description)) => {
                return send_error(back, &form, iss, error, description);
            }
        };
        match (&self.settings.consent, form.first(DECISION)) {
            (Consent::Ask, None) => {
                let uri = request.uri();
                let decide = |decision| format!("{uri}&{DECISION}={decision}");
                let html = page::consent(
                    &grant.client_id,
                    &grant.scopes,
                    &decide("allow"),
                    &decide("deny"),
                );
                answer(StatusCode::OK, "text/html; charset=utf-8", html)
            }
            (Consent::Deny { error, description }, _) => {
                send_error(back, &form, iss, error, description)
            }
            (Consent::Ask, Some(decision)) if decision != "allow" => {
                send_error(back, &form, iss, "access_denied", "The user denied the request")
            }
            (Consent::Ask | Consent::Allow, _) => self.send_code(back, &form, iss, grant, now),
        }
    }

    /// The discovery login: redirects to the authorization URL that the program named, on the host that the user is assumed to
    /// have picked.
    pub(crate) fn login_page(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        if request.method() != Method::GET {
            return method_not_allowed("GET");
        }
        let form = Form::of_query(request);
        let base = self.settings.login_destination.as_deref().unwrap_or(self.base_url());
        let query =
            form.given("destination_url").and_then(|to| to.strip_prefix("/oidc/v1/authorize?"));
        let Some(query) = query else {
            let html = page::welcome(self.base_url());
            return answer(StatusCode::OK, "text/html; charset=utf-8", html);
        };
        let issuer = match form.first("target") {
            Some("ACCOUNT") => Issuer::Account(self.settings.account_id.clone()),
            _ => Issuer::Workspace,
        };
        redirect(&format!("{}/v1/authorize?{query}&{FROM_LOGIN_PAGE}=1", issuer.url(base)))
    }

    /// The redirect URI, if it may receive the answer to this request. If not, the browser stays here (RFC 6749 section
    /// 4.1.2.1).
    fn way_back(&self, form: &Form) -> Result<Url, AuthorizeProblem> {
        if form.repeated().is_some() {
            return Err(AuthorizeProblem("invalid_request", "a parameter occurs twice"));
        }
        let client = form.given("client_id").and_then(|id| self.settings.client(id));
        let client = client.ok_or(AuthorizeProblem("invalid_client", "client_id is unknown"))?;
        form.given("redirect_uri")
            .filter(|uri| client.accepts_redirect(uri))
            .and_then(|uri| Url::parse(uri).ok())
            .ok_or(AuthorizeProblem(
                "invalid_request",
                "redirect_uri is not registered for this client",
            ))
    }

    /// Checks the request itself and decides which scopes to grant.
    fn consider(&self, issuer: Issuer, form: &Form) -> Result<LedgerGrant, AuthorizeProblem> {
        if form.given("response_type") != Some("code") {
            return Err(AuthorizeProblem(
                "unsupported_response_type",
                "response_type must be code",
            ));
        }
        if form.given("state").is_none() {
            return Err(AuthorizeProblem("invalid_request", "state is missing"));
        }
        if form.given("code_challenge_method") != Some("S256") {
            return Err(AuthorizeProblem("invalid_request", "code_challenge_method must be S256"));
        }
        if !form.given("code_challenge").is_some_and(is_challenge) {
            return Err(AuthorizeProblem(
                "invalid_request",
                "code_challenge must be 43 base64url characters",
            ));
        }
        let asked = form.given("scope").unwrap_or_default().split_ascii_whitespace();
        let mut scopes: Vec<String> = match form.given("scope") {
            Some(_) => Vec::new(),
            None => self.settings.allowed_scopes.clone().unwrap_or_default(),
        };
        for scope in asked {
            let allowed = self.settings.allowed_scopes.as_ref();
            let allowed = allowed.is_none_or(|list| list.iter().any(|known| known == scope));
            if allowed && !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        if scopes.is_empty() {
            return Err(AuthorizeProblem("invalid_scope", "none of the scopes may be granted"));
        }
        let client_id = form.given("client_id").unwrap_or_default().to_owned();
        Ok(LedgerGrant { issuer, client_id, scopes })
    }

    /// The `iss` of the answer, if it should carry one.
    fn iss(&self, issuer: &Issuer, form: &Form) -> Option<String> {
        match &self.settings.iss {
            Iss::Forged(forged) => Some(forged.clone()),
            Iss::Absent if form.first(FROM_LOGIN_PAGE).is_none() => None,
            Iss::Absent | Iss::Present => Some(issuer.url(self.base_url())),
        }
    }

    fn send_code(
        &mut self,
        mut back: Url,
        form: &Form,
        iss: Option<String>,
        grant: LedgerGrant,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        let code = self.mint.code();
        let redirect_uri = form.given("redirect_uri").unwrap_or_default();
        let challenge = form.given("code_challenge").unwrap_or_default();
        self.ledger.add_code(&code, grant, redirect_uri, challenge, now);
        back.query_pairs_mut().append_pair("code", &code);
        finish(back, form, iss)
    }
}

fn send_error(
    mut back: Url,
    form: &Form,
    iss: Option<String>,
    error: &str,
    description: &str,
) -> Response<Vec<u8>> {
    back.query_pairs_mut()
        .append_pair("error", error)
        .append_pair("error_description", description);
    finish(back, form, iss)
}

/// Adds what every answer to the client carries, success or error.
fn finish(mut back: Url, form: &Form, iss: Option<String>) -> Response<Vec<u8>> {
    if let Some(state) = form.given("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    if let Some(iss) = iss {
        back.query_pairs_mut().append_pair("iss", &iss);
    }
    redirect(back.as_str())
}

/// Whether the text has the form of an S256 challenge (RFC 7636 section 4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
