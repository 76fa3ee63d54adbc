//! Servers that repeat what they were sent in the description of an error, as some do to be helpful.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Request;
use serde_json::json;

use crate::form::Form;

/// The parameters whose values are secret.
const SECRETS: [&str; 6] =
    ["client_secret", "code", "code_verifier", "device_code", "refresh_token", "token"];

/// The form in which a server repeats a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repeat {
    /// Unchanged.
    AsItIs,
    /// In base64.
    Base64,
    /// With every byte as `%XX`.
    Percent,
    /// With a blank after every 16 characters, as a log might wrap it.
    Split,
}

impl Repeat {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::AsItIs, Self::Base64, Self::Percent, Self::Split];

    fn written(self, secret: &str) -> String {
        match self {
            Self::AsItIs => secret.to_owned(),
            Self::Base64 => STANDARD.encode(secret),
            Self::Percent => secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            Self::Split => {
                let parts = secret.as_bytes().chunks(16).map(String::from_utf8_lossy);
                parts.collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// The OAuth error `error`, whose description repeats the secrets of the request and the bearer token.
pub(crate) fn body(request: &Request<Vec<u8>>, error: &str, repeat: Repeat) -> Vec<u8> {
    let form = Form::of_request(request);
    let bearer = request.headers().get(http::header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let secrets = SECRETS.iter().filter_map(|name| form.given(name)).chain(bearer);
    let written: Vec<_> = secrets.map(|secret| repeat.written(secret)).collect();
    let text = format!("Invalid value: {}", written.join(", "));
    json!({"error": error, "error_description": text, "message": text}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_comes_back_in_every_form() {
        let request = |body: &str| {
            Request::post("/oidc/v1/token")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.as_bytes().to_vec())
                .unwrap()
        };
        let request = request("grant_type=refresh_token&refresh_token=0123456789abcdefXY");
        let said = |repeat| String::from_utf8(body(&request, "invalid_grant", repeat)).unwrap();
        assert!(said(Repeat::AsItIs).contains("0123456789abcdefXY"));
        assert!(said(Repeat::Base64).contains("MDEyMzQ1Njc4OWFiY2RlZlhZ"));
        assert!(said(Repeat::Percent).contains("%30%31%32"));
        assert!(said(Repeat::Split).contains("0123456789abcdef XY"));
    }
}
