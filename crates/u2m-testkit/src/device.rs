//! The device authorization flow (RFC 8628): the codes, and a scripted person.

use std::collections::HashMap;

use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use u2m_core::{Lifetime, Timestamp};

use crate::{
    form::{self, Form},
    host::Issuer,
    ledger::{Bearer, LedgerGrant},
    reply::{json as json_answer, method_not_allowed},
    server::{FakeServer, IssuedTokens, not_found},
    settings::Settings,
    token::TokenRefusal,
};

/// The grant type of a device's polls.
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How device logins behave: what polls are answered, and how long codes live.
///
/// ```
/// use u2m_testkit::{Device, DeviceAnswer};
/// let device = Device::new([DeviceAnswer::SlowDown, DeviceAnswer::Denied]).with_interval(None);
/// # let _ = device;
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    answers: Vec<DeviceAnswer>,
    interval: Option<i64>,
    expires_in: i64,
    has_complete: bool,
}

/// The answer to a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// Tokens: the person has agreed.
    Approved,
    /// `access_denied`.
    Denied,
    /// `expired_token`, although the code has not expired yet.
    Expired,
    /// `authorization_pending`.
    Pending,
    /// `slow_down`.
    SlowDown,
}

impl Device {
    /// Answers polls in this order and repeats the last answer forever. Codes live for 600 seconds; the interval between polls
    /// is 1 second.
    ///
    /// ```
    /// let device = u2m_testkit::Device::new([u2m_testkit::DeviceAnswer::Approved]);
    /// # let _ = device;
    /// ```
    pub fn new(answers: impl IntoIterator<Item = DeviceAnswer>) -> Self {
        let answers = answers.into_iter().collect();
        Self { answers, interval: Some(1), expires_in: 600, has_complete: true }
    }

    /// Sets the `interval` that the answer names, in seconds; `None` leaves it out.
    #[must_use]
    pub const fn with_interval(mut self, seconds: Option<i64>) -> Self {
        self.interval = seconds;
        self
    }

    /// Sets how many seconds the codes live.
    #[must_use]
    pub const fn with_expires_in(mut self, seconds: i64) -> Self {
        self.expires_in = seconds;
        self
    }

    /// Leaves out `verification_uri_complete`.
    #[must_use]
    pub const fn without_complete_uri(mut self) -> Self {
        self.has_complete = false;
        self
    }
}

impl Settings {
    /// Enables device logins (RFC 8628), which behave as `device` says.
    ///
    /// ```
    /// use u2m_testkit::{Device, DeviceAnswer, Settings};
    /// let settings = Settings::new()
    ///     .with_device(Device::new([DeviceAnswer::Pending, DeviceAnswer::Approved]));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }
}

/// The device codes that were issued.
#[derive(Default)]
pub(crate) struct Devices(HashMap<String, DeviceWait>);

struct DeviceWait {
    grant: LedgerGrant,
    polls: usize,
    expires: Timestamp,
    next: Timestamp,
    interval: i64,
    is_spent: bool,
}

impl FakeServer {
    pub(crate) fn device(
        &mut self,
        issuer: &Issuer,
        request: &Request<Vec<u8>>,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        let Some(device) = self.settings.device.clone() else { return not_found() };
        if request.method() != Method::POST {
            return method_not_allowed("POST");
        }
        let form = Form::parse(request.body());
        let client_id = match self.authenticate(request, &form) {
            Ok(id) if form::is_form(request) && form.repeated().is_none() => id,
            Ok(_) => return TokenRefusal::new("invalid_request", "not one form").answer(),
            Err(refusal) => return refusal.answer(),
        };
        let asked = form.given("scope").unwrap_or_default().split_ascii_whitespace();
        let scopes = asked.map(str::to_owned).collect();
        let code = self.mint.code();
        let letters: String = code.bytes().rev().take(8).map(consonant).collect();
        let user_code = format!("{}-{}", &letters[..4], &letters[4..]);
        let interval = device.interval.unwrap_or(5);
        let waiting = DeviceWait {
            grant: LedgerGrant { issuer: issuer.clone(), client_id, scopes },
            polls: 0,
            expires: now.plus(Lifetime::from_seconds(device.expires_in)),
            next: now.plus(Lifetime::from_seconds(interval)),
            interval,
            is_spent: false,
        };
        self.devices.0.insert(code.clone(), waiting);
        let uri = format!("{}/device", self.base_url());
        let mut body = json!({
            "device_code": code,
            "expires_in": device.expires_in,
            "user_code": user_code,
            "verification_uri": uri,
        });
        if device.has_complete {
            body["verification_uri_complete"] = format!("{uri}?user_code={user_code}").into();
        }
        if let Some(interval) = device.interval {
            body["interval"] = interval.into();
        }
        json_answer(StatusCode::OK, &body)
    }

    /// Answers a poll (RFC 8628 section 3.5). One that comes too early is counted and answered with `slow_down`.
    pub(crate) fn poll(
        &mut self,
        form: &Form,
        by: Bearer<'_>,
        now: Timestamp,
    ) -> Result<(IssuedTokens, Vec<String>), TokenRefusal> {
        let refused = |code: &str| Err(TokenRefusal::new(code, "see RFC 8628"));
        let answers = self.settings.device.as_ref().map(|device| device.answers.clone());
        let code = form.given("device_code").unwrap_or_default();
        let Some(waiting) = self.devices.0.get_mut(code) else { return refused("invalid_grant") };
        if waiting.grant.client_id != by.client_id
            || waiting.grant.issuer != *by.issuer
            || waiting.is_spent
        {
            return refused("invalid_grant");
        }
        if waiting.expires <= now {
            return refused("expired_token");
        }
        let is_early = now < waiting.next;
        let answers = answers.unwrap_or_default();
        let answer = answers.get(waiting.polls).or(answers.last()).copied();
        waiting.polls += 1;
        let answer = answer.unwrap_or(DeviceAnswer::Pending);
        if is_early || answer == DeviceAnswer::SlowDown {
            waiting.interval += 5;
        }
        waiting.next = now.plus(Lifetime::from_seconds(waiting.interval));
        if is_early {
            self.journal.counts.early_polls += 1;
            return refused("slow_down");
        }
        match answer {
            DeviceAnswer::Approved => {
                waiting.is_spent = true;
                let grant = waiting.grant.clone();
                let scopes = grant.scopes.clone();
                let family = self.ledger.begin(grant);
                let offline = scopes.iter().any(|scope| scope == "offline_access");
                Ok((self.issue(family, &scopes, offline, now), scopes))
            }
            DeviceAnswer::Denied => refused("access_denied"),
            DeviceAnswer::Expired => refused("expired_token"),
            DeviceAnswer::Pending => refused("authorization_pending"),
            DeviceAnswer::SlowDown => refused("slow_down"),
        }
    }
}

/// Letters without vowels (RFC 8628 section 6.1), so that codes do not form words.
fn consonant(byte: u8) -> char {
    const LETTERS: &[u8; 16] = b"BCDFGHJKLMNPQRST";
    char::from(LETTERS[usize::from(byte) % LETTERS.len()])
}
