//! The content of a login file of the Python SDK: one line of JSON, `{"token": {…}}`. If u2m wrote the file, it also contains
//! what the Python SDK has no member for.

use super::python_name::push_ascii;
use super::python_time::{self, WallClockTime, Zone, format_utc};
use serde_json::Value;
use u2m_core::{
    AccessToken, Binding, BindingRecord, Fingerprint, Host, RefreshToken, SecretText, Session,
    Timestamp, UnverifiedClaims,
};
use zeroize::{Zeroize, Zeroizing};

/// The maximum size of a file.
pub(crate) const LIMIT: usize = 1 << 20;

/// The expiry that is written if a token without a refresh token has no known expiry.
const NEVER: Timestamp = Timestamp::from_unix(253_402_000_000);

/// The expiry that is assumed if a token with a refresh token has no known expiry: it has passed.
const PAST: Timestamp = Timestamp::from_unix(0);

/// A parsed file.
#[derive(Debug)]
pub(crate) struct ParsedPythonFile {
    /// The session, without a binding.
    pub(crate) session: Session,
    /// The owner of the tokens, if u2m recorded it next to these same tokens.
    pub(crate) about: Option<OwnMembers>,
}

/// What u2m adds to the Python SDK's file. The SDK ignores it on reading and drops it on writing.
#[derive(Debug, Default)]
pub(crate) struct OwnMembers {
    pub(crate) issuer: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) allowed: Vec<String>,
}

/// JSON that contains secrets, which are cleared on drop.
pub(crate) struct SecretJson(Value);

impl SecretJson {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LIMIT {
            return Err("it is larger than 1 MiB");
        }
        serde_json::from_str(text).map(Self).map_err(|_| "it is not JSON")
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }
}

impl Drop for SecretJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Clears nested values, no deeper than the parser allows.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Parses a file's text. `saved` is when it was written, if known. `zone` is the time zone of its times. Returns `None` if
/// there is no token.
pub(crate) fn parse(
    text: &str,
    saved: Option<Timestamp>,
    zone: Zone<'_>,
) -> Result<Option<ParsedPythonFile>, &'static str> {
    let file = SecretJson::parse(text)?;
    let token = file.value().get("token").ok_or("it has no token")?;
    let members =
        TokenMembers::of(token, ["access_token", "token_type", "refresh_token", "expiry"])?;
    let Some(mut session) = members.session(saved, zone)? else { return Ok(None) };
    let about = file.value().get("u2m").and_then(|about| take_over(about, &mut session));
    Ok(Some(ParsedPythonFile { session, about }))
}

/// The members of a token, whatever their names in the file. An empty member counts as absent.
pub(crate) struct TokenMembers<'a> {
    access_token: &'a str,
    token_type: &'a str,
    refresh_token: &'a str,
    expiry: &'a str,
}

impl<'a> TokenMembers<'a> {
    /// Reads the members of an object by the given names: access token, token type, refresh token, expiry.
    pub(crate) fn of(token: &'a Value, names: [&str; 4]) -> Result<Self, &'static str> {
        let token = token.as_object().ok_or("its token is not an object")?;
        let text = |at: usize| match token.get(names[at]) {
            None | Some(Value::Null) => Some(""),
            Some(other) => other.as_str(),
        };
        Ok(Self {
            access_token: text(0).ok_or("its access token is not a text")?,
            token_type: text(1).ok_or("its token type is not a text")?,
            refresh_token: text(2).ok_or("its refresh token is not a text")?,
            expiry: text(3).ok_or("its expiry is not a text")?,
        })
    }

    /// Returns the session, or `None` without any token.
    pub(crate) fn session(
        &self,
        saved: Option<Timestamp>,
        zone: Zone<'_>,
    ) -> Result<Option<Session>, &'static str> {
        if self.access_token.is_empty() && self.refresh_token.is_empty() {
            return Ok(None);
        }
        if !self.token_type.is_empty() && !self.token_type.eq_ignore_ascii_case("bearer") {
            return Err("its token type is not Bearer");
        }
        let told = UnverifiedClaims::read(self.access_token).and_then(|claims| claims.exp);
        let written = match self.expiry {
            "" => None,
            text => Some(WallClockTime::parse(text).ok_or("its expiry is not a time")?),
        };
        let written = written.map(|written| written.instant(told.is_none(), saved, zone));
        let expiry = match (told, written) {
            (Some(told), Some(written)) => Some(told.min(written)),
            (told, written) => told.or(written),
        };
        let mut session = Session::new(AccessToken::new(self.access_token));
        session.expiry = expiry;
        if !self.refresh_token.is_empty() {
            session = session.with_refresh_token(RefreshToken::new(self.refresh_token));
            session.expiry = expiry.or(Some(PAST));
        }
        Ok(Some(session))
    }
}

/// Reads what u2m wrote next to the token, if it is about this token: the Python SDK replaces the token, and keeps the rest
/// only by chance.
fn take_over(value: &Value, session: &mut Session) -> Option<OwnMembers> {
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    let fingerprint = Fingerprint::parse(member("fingerprint")?)?;
    if fingerprint != Fingerprint::of_access(&session.access_token) {
        return None;
    }
    let time = |name: &str| {
        let written = WallClockTime::parse(member(name)?)?;
        Some(written.instant(false, None, &|_| 0))
    };
    session.expiry = time("expiry_utc");
    session.issued_at = time("obtained_at");
    session.lifetime =
        session.issued_at.zip(session.expiry).map(|(issued, expiry)| issued.until(expiry));
    Some(OwnMembers {
        issuer: member("issuer").map(str::to_owned),
        token_endpoint: member("token_endpoint").map(str::to_owned),
        account_id: member("account_id").map(str::to_owned),
        allowed: value
            .get("allowed")
            .and_then(Value::as_array)
            .map_or(Vec::new(), |list| texts(list)),
    })
}

impl OwnMembers {
    /// Returns the owner of the tokens, if it is completely known and trusted.
    pub(crate) fn binding(self, client_id: &str, host: &Host) -> Option<Binding> {
        let (issuer, endpoint) = (self.issuer?, self.token_endpoint?);
        let mut record = BindingRecord::new(issuer, endpoint, client_id, host.as_str());
        (record.account_id, record.allowed) = (self.account_id, self.allowed);
        // It is a login of Databricks' own SDK, whatever its client.
        record.issuer_named = Some(false);
        record.bind()
    }
}

/// Returns the texts in a list. Other values are left out.
fn texts(list: &[Value]) -> Vec<String> {
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the text of a file that every version of the Python SDK can read, and whose time u2m can read without ambiguity.
pub(crate) fn text(session: &Session, zone: Zone<'_>) -> Zeroizing<String> {
    let end = session.known_expiry().unwrap_or(match session.refresh_token {
        Some(_) => PAST,
        None => NEVER,
    });
    let mut out = SecretText::new();
    push_token(&mut out, session, &python_time::format(end, 0, zone));
    out.push_str(", \"u2m\": {\"fingerprint\": ");
    push_ascii(&mut out, Fingerprint::of_access(&session.access_token).as_str());
    let mut member = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            out.push_str(", ");
            push_ascii(&mut out, name);
            out.push_str(": ");
            push_ascii(&mut out, value);
        }
    };
    let utc = |time: Option<Timestamp>| time.map(format_utc);
    member("expiry_utc", utc(session.expiry).as_deref());
    member("obtained_at", utc(session.issued_at).as_deref());
    if let Some(binding) = &session.binding {
        member("issuer", Some(&binding.issuer));
        member("token_endpoint", Some(binding.token_endpoint.as_str()));
        member("account_id", binding.account_id.as_deref());
        push_allowed(&mut out, &binding.allowed);
    }
    out.push_str("}}");
    out.finish()
}

/// Returns the other hosts that were allowed at the login, if any.
fn push_allowed(out: &mut SecretText, hosts: &[Host]) {
    for (at, host) in hosts.iter().enumerate() {
        out.push_str(if at == 0 { ", \"allowed\": [" } else { ", " });
        push_ascii(out, host.as_str());
    }
    if !hosts.is_empty() {
        out.push(']');
    }
}

/// Writes the token, byte for byte as Python does. The enclosing object stays open.
fn push_token(out: &mut SecretText, session: &Session, expiry: &str) {
    out.push_str("{\"token\": {\"access_token\": ");
    push_ascii(out, session.access_token.expose());
    out.push_str(", \"token_type\": \"Bearer\", \"expiry\": ");
    push_ascii(out, expiry);
    if let Some(token) = &session.refresh_token {
        out.push_str(", \"refresh_token\": ");
        push_ascii(out, token.expose());
    }
    out.push('}');
}

#[cfg(test)]
#[path = "python_file_tests.rs"]
mod tests;
