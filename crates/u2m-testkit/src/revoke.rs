//! The revocation endpoint (RFC 7009).

use http::{Method, Request, Response, StatusCode};

use crate::{
    form::{self, Form},
    host::Issuer,
    reply::{answer, method_not_allowed},
    server::{FakeServer, not_found},
    settings::Settings,
    token::TokenRefusal,
};

impl Settings {
    /// Enables token revocation (RFC 7009) and publishes the endpoint in the metadata.
    #[must_use]
    pub const fn with_revocation(mut self) -> Self {
        self.revocation = true;
        self
    }
}

impl FakeServer {
    pub(crate) fn revoke(
        &mut self,
        issuer: &Issuer,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        if !self.settings.revocation {
            return not_found();
        }
        if request.method() != Method::POST {
            return method_not_allowed("POST");
        }
        match self.end_login(issuer, request) {
            Ok(()) => answer(StatusCode::OK, "text/plain", String::new()),
            Err(refusal) => refusal.answer(),
        }
    }

    /// Ends the login of a token that belongs to the client. An unknown token, or one of another client, is ignored.
    fn end_login(
        &mut self,
        issuer: &Issuer,
        request: &Request<Vec<u8>>,
    ) -> Result<(), TokenRefusal> {
        if !form::is_form(request) {
            return Err(TokenRefusal::new("invalid_request", "the body is not a form"));
        }
        let form = Form::parse(request.body());
        if form.repeated().is_some() {
            return Err(TokenRefusal::new("invalid_request", "a parameter occurs twice"));
        }
        let client_id = self.authenticate(request, &form)?;
        let token =
            form.given("token").ok_or(TokenRefusal::new("invalid_request", "token is required"))?;
        let Some(family) = self.ledger.family_of(token) else { return Ok(()) };
        let grant = self.ledger.grant(family);
        if grant.client_id == client_id && grant.issuer == *issuer {
            self.ledger.revoke(family, &mut self.journal.counts);
        }
        Ok(())
    }
}
