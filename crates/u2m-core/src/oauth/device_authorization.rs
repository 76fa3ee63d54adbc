//! The requests of a device login (RFC 8628): for the codes, and for the tokens while the person decides.

use super::response_text::ResponseText;
use super::token_request::form;
use super::token_response::{
    PAGE, ResponseError, TokenEndpointError, complaint, document, read_lifetime, refusal,
};
use crate::call::TransportFailure;
use crate::databricks::Host;
use crate::reply::Reply;
use crate::secret::DeviceCode;
use crate::text::Sanitized;
use crate::time::Lifetime;
use url::Url;
use zeroize::Zeroizing;

/// The polling interval if the server states none (RFC 8628 section 3.2).
const USUAL_INTERVAL: Lifetime = Lifetime::from_seconds(5);

/// The device authorization request.
pub(crate) fn device_form(client_id: &str, scope: &str) -> Zeroizing<String> {
    let all = [("client_id", client_id), ("scope", scope)];
    form(if scope.is_empty() { &all[..1] } else { &all })
}

/// The token request with a device code.
pub(crate) fn poll_form(client_id: &str, code: &DeviceCode) -> Zeroizing<String> {
    form(&[
        ("client_id", client_id),
        ("device_code", code.expose()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ])
}

/// The device authorization response.
#[derive(Clone, Debug)]
pub(crate) struct DeviceAuthorizationResponse {
    pub(crate) code: DeviceCode,
    pub(crate) user_code: Sanitized,
    pub(crate) uri: Url,
    pub(crate) uri_complete: Option<Url>,
    pub(crate) expires_in: Lifetime,
    pub(crate) interval: Lifetime,
}

impl DeviceAuthorizationResponse {
    /// Reads a response (RFC 8628 section 3.2). URLs that a person is sent to must be https. If the two URLs have different
    /// origins, only the one to type counts.
    pub(crate) fn parse(
        outcome: Result<Reply, TransportFailure>,
    ) -> Result<Self, TokenEndpointError> {
        let reply = outcome.map_err(TokenEndpointError::Unreachable)?;
        let said = match document(&reply, &["device_code"]) {
            Ok(said) => said,
            Err(ResponseError::NotJson { what, .. }) if !reply.is_success() && what != PAGE => {
                return Err(TokenEndpointError::Answer(ResponseError::Status(reply.status())));
            }
            Err(error) => return Err(TokenEndpointError::Answer(error)),
        };
        if let Some(refusal) = refusal(&reply, &said) {
            return Err(TokenEndpointError::Refused(refusal));
        }
        if !reply.is_success() {
            return Err(TokenEndpointError::Answer(complaint(&reply, &said)));
        }
        let lacks = |what| TokenEndpointError::Answer(ResponseError::DeviceCodes(what));
        let address = |name| said.text(name).and_then(|text| address(&text));
        let uri = address("verification_uri").ok_or(lacks("verification_uri"))?;
        let user_code = said.text("user_code").map(|code| code.shown(reply.sent()));
        let code = said.text("device_code").map(ResponseText::into_secret);
        let lifetime = |name| read_lifetime(said.text(name).as_ref());
        Ok(Self {
            code: code.map(DeviceCode::new).ok_or(lacks("device_code"))?,
            user_code: user_code.filter(|code| !code.is_empty()).ok_or(lacks("user_code"))?,
            uri_complete: address("verification_uri_complete")
                .filter(|whole| whole.origin() == uri.origin()),
            uri,
            expires_in: lifetime("expires_in")?.ok_or(lacks("expires_in"))?,
            interval: lifetime("interval")?.unwrap_or(USUAL_INTERVAL),
        })
    }
}

/// A URL that a person may be sent to.
fn address(text: &ResponseText) -> Option<Url> {
    text.as_url().filter(|url| Host::of(url).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::HttpResponse;
    use serde_json::{Value, json};

    fn read(
        change: impl FnOnce(&mut Value),
    ) -> Result<DeviceAuthorizationResponse, TokenEndpointError> {
        let mut body = json!({
            "device_code": "the-secret",
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://id.example/device",
            "verification_uri_complete": "https://id.example/device?user_code=WDJB-MJHT",
            "expires_in": 1800,
            "interval": 7,
        });
        change(&mut body);
        DeviceAuthorizationResponse::parse(Ok(Reply::bare(HttpResponse::new(
            200,
            body.to_string().into_bytes(),
        ))))
    }

    #[test]
    fn the_codes_are_read() {
        let grant = read(|_| ()).unwrap();
        assert_eq!(grant.user_code.as_str(), "WDJB-MJHT");
        assert_eq!((grant.expires_in.seconds(), grant.interval.seconds()), (1800, 7));
        assert!(!format!("{grant:?}").contains("the-secret"), "a42");
        assert_eq!(
            poll_form("cli", &grant.code).as_str(),
            "client_id=cli&device_code=the-secret\
             &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
        );
    }

    #[test]
    fn a41_polls_are_five_seconds_apart_where_nothing_is_said() {
        let without = |d: &mut Value| d["interval"] = Value::Null;
        assert_eq!(read(without).unwrap().interval.seconds(), 5);
        assert_eq!(read(|d| d["interval"] = json!(0)).unwrap().interval.seconds(), 5);
        assert!(read(|d| d["interval"] = json!(-1)).is_err());
    }

    #[test]
    fn a43_a_person_is_sent_to_no_address_without_tls_and_to_one_host_alone() {
        for bad in ["http://id.example/device", "javascript:alert(1)", "https://u@id.example/", ""]
        {
            assert!(read(|d| d["verification_uri"] = json!(bad)).is_err(), "{bad}");
            let grant = read(|d| d["verification_uri_complete"] = json!(bad)).unwrap();
            assert_eq!(grant.uri_complete, None, "{bad}");
        }
        let other = |d: &mut Value| d["verification_uri_complete"] = json!("https://evil.example/");
        assert_eq!(read(other).unwrap().uri_complete, None);
    }

    #[test]
    fn what_is_not_all_there_is_no_login() {
        for member in ["device_code", "user_code", "verification_uri", "expires_in"] {
            let error = read(|d| d[member] = Value::Null).unwrap_err();
            assert!(error.to_string().ends_with(member), "{error}");
        }
        let refused = DeviceAuthorizationResponse::parse(Ok(Reply::bare(HttpResponse::new(
            400,
            br#"{"error":"unauthorized_client","error_description":"no"}"#.to_vec(),
        ))));
        assert!(matches!(refused, Err(TokenEndpointError::Refused(_))));
        let hostile = read(|d| d["user_code"] = json!("A\u{1b}[2J\nB")).unwrap();
        assert!(!hostile.user_code.as_str().contains(['\u{1b}', '\n']));
    }
}
