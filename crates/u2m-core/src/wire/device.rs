//! A device's requests (RFC 8628): for its codes, and for the tokens while the person decides elsewhere.

use super::grant::form;
use super::is_too_deep;
use super::refusal::Refusal;
use super::response::{AnswerError, TokenEndpointError, read_lifetime};
use crate::call::{Answer, TransportFailure};
use crate::host::Host;
use crate::secret::DeviceCode;
use crate::text::Foreign;
use crate::time::Lifetime;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use zeroize::{Zeroize, Zeroizing};

/// How far polls are apart where the server does not say (RFC 8628 section 3.2).
const USUAL_INTERVAL: Lifetime = Lifetime::from_seconds(5);

/// Asks for codes.
pub(crate) fn device_form(client_id: &str, scope: &str) -> Zeroizing<String> {
    form(&[("client_id", client_id), ("scope", scope)])
}

/// Asks for the tokens.
pub(crate) fn poll_form(client_id: &str, code: &DeviceCode) -> Zeroizing<String> {
    form(&[
        ("client_id", client_id),
        ("device_code", code.expose()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
    ])
}

/// What a device was given.
#[derive(Clone, Debug)]
pub(crate) struct DeviceGrant {
    pub(crate) code: DeviceCode,
    pub(crate) user_code: Foreign,
    pub(crate) uri: Url,
    pub(crate) uri_complete: Option<Url>,
    pub(crate) expires_in: Lifetime,
    pub(crate) interval: Lifetime,
}

/// The members that are read.
#[derive(Default, Deserialize)]
struct Raw {
    device_code: Option<String>,
    user_code: Option<String>,
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<Value>,
    interval: Option<Value>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.device_code.zeroize();
    }
}

impl DeviceGrant {
    /// Reads an answer (RFC 8628 section 3.2). Addresses that a person is sent to are https; where the two of them are on
    /// different hosts, only the one to type counts.
    pub(crate) fn parse(
        outcome: Result<Answer, TransportFailure>,
    ) -> Result<Self, TokenEndpointError> {
        let answer = outcome.map_err(TokenEndpointError::Unreachable)?;
        let (status, body) = (answer.status(), answer.body());
        let junk = |what| TokenEndpointError::Answer(AnswerError::NotJson { status, what });
        if body.trim_ascii_start().first() == Some(&b'<') {
            return Err(junk("an HTML page"));
        }
        if is_too_deep(body) {
            return Err(junk("deeply nested text"));
        }
        let mut raw: Raw = match serde_json::from_slice(body) {
            Ok(raw) => raw,
            Err(_) if answer.is_success() => return Err(junk("unreadable text")),
            Err(_) => Raw::default(),
        };
        if let Some(code) = raw.error.take().filter(|code| !code.is_empty()) {
            let refusal = Refusal::new(status, &code, raw.error_description.as_deref());
            return Err(TokenEndpointError::Refused(refusal));
        }
        if !answer.is_success() {
            return Err(TokenEndpointError::Answer(AnswerError::Status(status)));
        }
        let lacks = |what| TokenEndpointError::Answer(AnswerError::DeviceCodes(what));
        let uri = raw.verification_uri.as_deref().and_then(address);
        let uri = uri.ok_or(lacks("verification_uri"))?;
        let uri_complete = raw.verification_uri_complete.as_deref().and_then(address);
        let user_code = raw.user_code.as_deref().map(Foreign::new);
        let code = raw.device_code.take().filter(|code| !code.is_empty());
        Ok(Self {
            code: code.map(DeviceCode::new).ok_or(lacks("device_code"))?,
            user_code: user_code.filter(|code| !code.is_empty()).ok_or(lacks("user_code"))?,
            uri_complete: uri_complete.filter(|whole| whole.origin() == uri.origin()),
            uri,
            expires_in: read_lifetime(raw.expires_in.as_ref())?.ok_or(lacks("expires_in"))?,
            interval: read_lifetime(raw.interval.as_ref())?.unwrap_or(USUAL_INTERVAL),
        })
    }
}

/// An address that a person may be sent to.
fn address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| Host::of(url).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(change: impl FnOnce(&mut Value)) -> Result<DeviceGrant, TokenEndpointError> {
        let mut body = json!({
            "device_code": "the-secret",
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://id.example/device",
            "verification_uri_complete": "https://id.example/device?user_code=WDJB-MJHT",
            "expires_in": 1800,
            "interval": 7,
        });
        change(&mut body);
        DeviceGrant::parse(Ok(Answer::new(200, body.to_string().into_bytes())))
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
        let refused = DeviceGrant::parse(Ok(Answer::new(
            400,
            br#"{"error":"unauthorized_client","error_description":"no"}"#.to_vec(),
        )));
        assert!(matches!(refused, Err(TokenEndpointError::Refused(_))));
        let hostile = read(|d| d["user_code"] = json!("A\u{1b}[2J\nB")).unwrap();
        assert!(!hostile.user_code.as_str().contains(['\u{1b}', '\n']));
    }
}
