//! The token endpoint: takes codes and refresh tokens, returns tokens.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use u2m_core::Timestamp;

use crate::{
    form::{self, Form},
    host::Issuer,
    ledger::{Bearer, Family},
    mint::MintClaims,
    reply::{answer, json as json_answer, method_not_allowed, oauth_error},
    server::{FakeServer, IssuedTokens},
    settings::{ExpiresIn, Rotation},
};

/// An error response as in RFC 6749 section 5.2.
pub(crate) struct TokenRefusal(pub(crate) StatusCode, pub(crate) String, pub(crate) &'static str);

impl TokenRefusal {
    pub(crate) fn new(error: &str, description: &'static str) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_owned(), description)
    }
}

impl TokenRefusal {
    pub(crate) fn answer(&self) -> Response<Vec<u8>> {
        let Self(status, error, description) = self;
        let mut response = oauth_error(*status, error, description);
        if error == "invalid_client" {
            let basic = header::HeaderValue::from_static("Basic");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}

impl FakeServer {
    pub(crate) fn token(
        &mut self,
        issuer: &Issuer,
        request: &Request<Vec<u8>>,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        if request.method() != Method::POST {
            return method_not_allowed("POST");
        }
        match self.grant_tokens(issuer, request, now) {
            Ok((tokens, scopes)) => self.token_answer(&tokens, &scopes),
            Err(refusal) => {
                self.journal.counts.rejected += 1;
                refusal.answer()
            }
        }
    }

    fn grant_tokens(
        &mut self,
        issuer: &Issuer,
        request: &Request<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(IssuedTokens, Vec<String>), TokenRefusal> {
        if !form::is_form(request) {
            return Err(TokenRefusal::new("invalid_request", "the body is not a form"));
        }
        let form = Form::parse(request.body());
        if form.repeated().is_some() {
            return Err(TokenRefusal::new("invalid_request", "a parameter occurs twice"));
        }
        let client_id = self.authenticate(request, &form)?;
        let by = Bearer { issuer, client_id: &client_id };
        match form.given("grant_type") {
            Some("authorization_code") => self.exchange(&form, by, now),
            Some("refresh_token") => self.refresh(&form, by, now),
            Some(crate::device::GRANT) if self.settings.device.is_some() => {
                self.poll(&form, by, now)
            }
            Some(_) => {
                Err(TokenRefusal::new("unsupported_grant_type", "grant_type is not supported"))
            }
            None => Err(TokenRefusal::new("invalid_request", "grant_type is missing")),
        }
    }

    /// Authenticates the client by HTTP Basic or by form parameters, not by both (RFC 6749 section 2.3.1).
    pub(crate) fn authenticate(
        &self,
        request: &Request<Vec<u8>>,
        form: &Form,
    ) -> Result<String, TokenRefusal> {
        let refused =
            |why| TokenRefusal(StatusCode::UNAUTHORIZED, "invalid_client".to_owned(), why);
        let (id, secret) = match request.headers().get(header::AUTHORIZATION) {
            Some(value) => {
                let (id, secret) = basic(value).ok_or(refused("bad Authorization header"))?;
                if form.given("client_id").is_some_and(|other| other != id)
                    || form.given("client_secret").is_some()
                {
                    return Err(TokenRefusal::new("invalid_request", "two ways of authentication"));
                }
                (id, Some(secret))
            }
            None => {
                let id = form.given("client_id").ok_or(refused("client_id is missing"))?;
                (id.to_owned(), form.given("client_secret").map(str::to_owned))
            }
        };
        let client = self.settings.client(&id).ok_or(refused("client_id is unknown"))?;
        if !client.is_proved_by(secret.as_deref()) {
            return Err(refused("client authentication failed"));
        }
        Ok(id)
    }

    fn exchange(
        &mut self,
        form: &Form,
        by: Bearer<'_>,
        now: Timestamp,
    ) -> Result<(IssuedTokens, Vec<String>), TokenRefusal> {
        let need = |name| form.given(name);
        let (Some(code), Some(redirect_uri), Some(verifier)) =
            (need("code"), need("redirect_uri"), need("code_verifier"))
        else {
            let why = "code, redirect_uri and code_verifier are required";
            return Err(TokenRefusal::new("invalid_request", why));
        };
        let counts = &mut self.journal.counts;
        let family = self
            .ledger
            .redeem(code, by, redirect_uri, verifier, now, counts)
            .map_err(|refused| TokenRefusal::new("invalid_grant", refused.0))?;
        let scopes = self.ledger.grant(family).scopes.clone();
        let offline = scopes.iter().any(|scope| scope == "offline_access");
        Ok((self.issue(family, &scopes, offline, now), scopes))
    }

    fn refresh(
        &mut self,
        form: &Form,
        by: Bearer<'_>,
        now: Timestamp,
    ) -> Result<(IssuedTokens, Vec<String>), TokenRefusal> {
        let Some(token) = form.given("refresh_token") else {
            return Err(TokenRefusal::new("invalid_request", "refresh_token is required"));
        };
        let narrowed = self.narrow(token, form.given("scope"))?;
        let rotation = self.settings.rotation;
        let grace = self.settings.retry_grace;
        let counts = &mut self.journal.counts;
        let family =
            self.ledger.refresh(token, by, rotation, grace, now, counts).map_err(|refused| {
                let (status, error) = &self.settings.refresh_refusal;
                TokenRefusal(*status, error.clone(), refused.0)
            })?;
        let scopes = narrowed.unwrap_or_else(|| self.ledger.grant(family).scopes.clone());
        Ok((self.issue(family, &scopes, rotation != Rotation::Off, now), scopes))
    }

    /// The scopes that a refresh requests, if any: a subset of what was granted (RFC 6749 section 6). Checked before the token
    /// is spent.
    fn narrow(
        &self,
        token: &str,
        asked: Option<&str>,
    ) -> Result<Option<Vec<String>>, TokenRefusal> {
        let (Some(asked), Some(granted)) = (asked, self.ledger.grant_of(token)) else {
            return Ok(None);
        };
        let known = |scope| granted.scopes.iter().find(|known| *known == scope).cloned();
        let narrowed: Option<Vec<String>> = asked.split_ascii_whitespace().map(known).collect();
        match narrowed {
            Some(narrowed) => Ok(Some(narrowed)),
            None => Err(TokenRefusal::new("invalid_scope", "scope was never granted")),
        }
    }

    /// Creates the tokens of one response and enters them in the ledger.
    pub(crate) fn issue(
        &mut self,
        family: Family,
        scopes: &[String],
        with_refresh_token: bool,
        now: Timestamp,
    ) -> IssuedTokens {
        let expires = now.plus(self.settings.lifetime);
        let grant = self.ledger.grant(family);
        let issuer = grant.issuer.url(&self.base);
        let scope = scopes.join(" ");
        let claims = MintClaims {
            issuer: &issuer,
            client_id: &grant.client_id,
            scope: &scope,
            issued: now,
            expires,
        };
        let access_token = self.mint.access_token(&claims, &self.settings);
        self.ledger.add_access(family, &access_token, expires);
        let refresh_token = with_refresh_token.then(|| self.mint.refresh_token(&self.settings));
        if let Some(refresh_token) = &refresh_token {
            let dies = self.settings.refresh_lifetime.map(|lifetime| now.plus(lifetime));
            self.ledger.add_refresh(family, refresh_token, dies);
        }
        self.journal.counts.issued += 1;
        IssuedTokens { access_token, refresh_token, expires }
    }

    /// The token response of RFC 6749 section 5.1, with the deviations of real servers.
    fn token_answer(&self, tokens: &IssuedTokens, scopes: &[String]) -> Response<Vec<u8>> {
        let mut body = json!({
            "access_token": tokens.access_token,
            "scope": scopes.join(" "),
            "token_type": self.settings.token_type,
        });
        if let Some(refresh_token) = &tokens.refresh_token {
            body["refresh_token"] = Value::from(refresh_token.as_str());
        }
        let seconds = self.settings.lifetime.seconds();
        match &self.settings.expires_in {
            ExpiresIn::Absent => {}
            ExpiresIn::Number => body["expires_in"] = Value::from(seconds),
            ExpiresIn::Text => body["expires_in"] = Value::from(seconds.to_string()),
            ExpiresIn::Raw(raw) => {
                let text = body.to_string();
                let open = text.strip_suffix('}').unwrap_or(&text);
                let text = format!("{open},\"expires_in\":{raw}}}");
                return answer(StatusCode::OK, "application/json", text);
            }
        }
        json_answer(StatusCode::OK, &body)
    }
}

/// The client's id and secret, each form-encoded first (RFC 6749 section 2.3.1).
fn basic(value: &header::HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| Form::parse(text.as_bytes()).names().next().unwrap_or("").to_owned();
    Some((plain(id), plain(secret)))
}
