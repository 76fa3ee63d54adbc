//! Scenarios of the token flow, with a simple store: one entry, one remembered failure, a stopped clock and a list of
//! responses.

use super::*;
use crate::call::{HttpRequest, HttpResponse, Replay, TransportFailure, TransportFailureKind};
use crate::databricks::Host;
use crate::names::{AccountId, ProfileName};
use crate::oauth::Scopes;
use crate::secret::{AccessToken, Fingerprint, RefreshToken};
use crate::session::Binding;
use std::collections::VecDeque;
use url::Url;

#[path = "tests/boundaries.rs"]
mod boundaries;
#[path = "tests/failures.rs"]
mod failures;
#[path = "tests/lives.rs"]
mod lives;
#[path = "tests/odd_answers.rs"]
mod odd_answers;
#[path = "tests/pauses.rs"]
mod pauses;
#[path = "tests/verdicts.rs"]
mod verdicts;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const TOKEN_URL: &str = "https://a.example/oidc/v1/token";
const METADATA_PATH: &str = "/oidc/.well-known/oauth-authorization-server";

/// The surroundings of a flow, and what it did to them.
struct RecordStore {
    request: TokenRequest,
    now: Timestamp,
    entry: Option<Session>,
    refresh_failure: Option<RefreshFailure>,
    /// The remembered pauses, whichever login met them.
    pauses: Vec<RefreshFailure>,
    answers: VecDeque<Result<HttpResponse, TransportFailure>>,
    /// What other programs write into the entry during a refresh, one for each request.
    intruders: VecDeque<Session>,
    is_busy: bool,
    is_writable: bool,
    keeps_saves: bool,
    sent: Vec<HttpRequest>,
    locks: usize,
    saves: usize,
}

impl RecordStore {
    /// A login whose access token has `left` seconds.
    fn with(left: i64) -> Self {
        Self::holding(Some(session("old", left)))
    }

    fn holding(entry: Option<Session>) -> Self {
        Self {
            request: TokenRequest::new(Target::workspace(host("https://a.example"))),
            now: NOW,
            entry,
            refresh_failure: None,
            pauses: Vec::new(),
            answers: VecDeque::new(),
            intruders: VecDeque::new(),
            is_busy: false,
            is_writable: true,
            keeps_saves: true,
            sent: Vec::new(),
            locks: 0,
            saves: 0,
        }
    }

    fn answering(mut self, status: u16, body: &str) -> Self {
        self.answers.push_back(Ok(answer(status, body)));
        self
    }

    fn failing(mut self, kind: TransportFailureKind) -> Self {
        self.answers.push_back(Err(TransportFailure::new(kind)));
        self
    }

    fn ask(&mut self, ask: WhichToken) -> Result<IssuedToken, TokenError> {
        let started = self.request.clone().start(ask, self.now);
        self.go_on(started)
    }

    /// Takes every step until the flow ends: a driver without the waiting.
    fn go_on(&mut self, mut step: TokenStep) -> Result<IssuedToken, TokenError> {
        loop {
            step = match step {
                TokenStep::Load(load) => load.loaded(self.entry.clone(), self.now)?,
                TokenStep::Lock(lock) if self.is_busy => lock.not_locked()?,
                TokenStep::Lock(lock) => {
                    self.locks += 1;
                    lock.locked()
                }
                TokenStep::Reload(reload) => {
                    reload.loaded(self.entry.clone(), self.refresh_failure.clone(), self.now)?
                }
                TokenStep::CheckWritable(prove) if self.is_writable => prove.proven(self.now)?,
                TokenStep::CheckWritable(prove) => prove.failed(full(), self.now)?,
                TokenStep::Discover(call) => {
                    let answer = self.send(call.request());
                    call.answered(answer, self.now)?
                }
                TokenStep::Refresh(call) => match self.pause(&call) {
                    Some(pause) => call.postponed(pause, self.now)?,
                    None => {
                        let answer = self.send(call.request());
                        self.entry = self.intruders.pop_front().or_else(|| self.entry.take());
                        call.answered(answer, self.now)?
                    }
                },
                TokenStep::ReloadAfterRejection(recheck) => {
                    recheck.loaded(self.entry.clone(), self.now)?
                }
                TokenStep::RecordFailure(note) => {
                    self.refresh_failure = Some(note.refresh_failure(self.now));
                    let known = |door: &Fingerprint| {
                        self.pauses.iter().rev().find(|pause| pause.of == *door).cloned()
                    };
                    self.pauses.extend(note.for_others(self.now, known));
                    note.noted(self.now)?
                }
                TokenStep::Save(save) if self.keeps_saves => {
                    self.saves += 1;
                    self.entry = Some(save.session().clone());
                    save.saved(Ok(()))?
                }
                TokenStep::Save(save) => save.saved(Err(full()))?,
                TokenStep::Done(issued) => return Ok(issued),
            };
        }
    }

    fn pause(&self, call: &HttpCall<RefreshingToken>) -> Option<RefreshFailure> {
        self.pauses.iter().find(|pause| call.state().is_bound_by(pause, self.now)).cloned()
    }

    /// A flow at the step that checks whether the store is writable.
    fn up_to_prove(&self, ask: WhichToken) -> CheckWritable {
        let mut step = self.request.clone().start(ask, self.now);
        loop {
            step = match step {
                TokenStep::Load(load) => load.loaded(self.entry.clone(), self.now).unwrap(),
                TokenStep::Lock(lock) => lock.locked(),
                TokenStep::Reload(reload) => {
                    reload.loaded(self.entry.clone(), None, self.now).unwrap()
                }
                TokenStep::CheckWritable(prove) => return prove,
                step => panic!("{step:?}"),
            };
        }
    }

    /// A flow whose refresh token is rejected by the next response.
    fn up_to_recheck(&mut self, ask: WhichToken) -> ReloadAfterRejection {
        let TokenStep::Refresh(call) = self.up_to_prove(ask).proven(self.now).unwrap() else {
            panic!("refreshes")
        };
        let answer = self.send(call.request());
        match call.answered(answer, self.now).unwrap() {
            TokenStep::ReloadAfterRejection(recheck) => recheck,
            step => panic!("{step:?}"),
        }
    }

    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        self.sent.push(request.clone());
        self.answers.pop_front().expect("no answer was prepared for this request")
    }

    /// The refresh tokens that were sent, in order.
    fn spent(&self) -> Vec<String> {
        let of = |form: &str| form.rsplit_once("refresh_token=").map(|(_, token)| token.to_owned());
        self.sent.iter().filter_map(HttpRequest::form).filter_map(of).collect()
    }
}

fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

fn binding() -> Binding {
    Binding::new(
        "https://a.example/oidc",
        Url::parse(TOKEN_URL).unwrap(),
        "databricks-cli",
        host("https://a.example"),
    )
}

fn session(name: &str, left: i64) -> Session {
    Session::new(AccessToken::new(format!("{name}-access")))
        .with_refresh_token(RefreshToken::new(format!("{name}-refresh")))
        .with_expiry(NOW.plus(Lifetime::from_seconds(left)))
        .with_lifetime(Lifetime::from_seconds(3600))
        .with_issued_at(NOW.plus(Lifetime::from_seconds(left - 3600)))
        .with_binding(binding())
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse::new(status, body.into()).with_content_type("application/json")
}

fn full() -> StoreFailure {
    StoreFailure::new(std::io::Error::other("no space left on device"))
}

fn access(issued: &IssuedToken) -> &str {
    issued.session().access_token.expose()
}

fn refresh_token(entry: Option<&Session>) -> &str {
    entry.and_then(|session| session.refresh_token.as_ref()).map_or("", RefreshToken::expose)
}

fn seen(token: &str) -> AccessToken {
    AccessToken::new(token)
}

const RENEWED: &str =
    r#"{"access_token":"new-access","refresh_token":"new-refresh","expires_in":3600}"#;

#[test]
fn with_six_minutes_left_there_is_neither_lock_nor_request_nor_write() {
    let mut shelf = RecordStore::with(360);
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(access(&issued), "old-access");
    assert!(matches!(issued.how(), TokenOrigin::Stored));
    assert_eq!((shelf.locks, shelf.sent.len(), shelf.saves), (0, 0, 0));
}

#[test]
fn with_four_minutes_left_the_token_is_renewed_and_saved_before_it_is_handed_out() {
    let mut shelf = RecordStore::with(240).answering(200, RENEWED);
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(access(&issued), "new-access");
    assert!(matches!(issued.how(), TokenOrigin::Renewed));
    assert_eq!(shelf.spent(), ["old-refresh"]);
    let entry = shelf.entry.unwrap();
    assert_eq!(refresh_token(Some(&entry)), "new-refresh");
    assert_eq!(entry.expiry, Some(NOW.plus(Lifetime::from_seconds(3600))));
    assert_eq!(entry.issued_at, Some(NOW));
    assert_eq!(entry.binding, Some(binding()), "the new session is still the old login's");
}

#[test]
fn with_four_minutes_left_a_server_in_trouble_leaves_the_old_token_and_the_store_alone() {
    let mut shelf = RecordStore::with(240).answering(503, "");
    let before = shelf.entry.clone();
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(access(&issued), "old-access");
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::Refresh(_))));
    assert_eq!((shelf.saves, shelf.entry), (0, before));
}

#[test]
fn near_its_end_a_token_without_refresh_token_is_handed_out_as_it_is() {
    let mut entry = session("old", 180);
    entry.refresh_token = None;
    let mut shelf = RecordStore::holding(Some(entry));
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "old-access");
    assert_eq!((shelf.locks, shelf.sent.len()), (0, 0));
}

#[test]
fn err_3_an_expired_token_without_refresh_token_needs_a_login_and_says_so() {
    let mut entry = session("old", -1);
    entry.refresh_token = None;
    let error = RecordStore::holding(Some(entry)).ask(WhichToken::Usable).unwrap_err();
    assert_eq!(error.to_string(), "cached token has no refresh token");
    assert!(error.needs_login() && !error.is_transient());
}

#[test]
fn a_token_without_a_known_end_is_never_renewed() {
    let mut entry = session("old", -1);
    entry.expiry = None;
    let mut shelf = RecordStore::holding(Some(entry));
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "old-access");
    assert_eq!((shelf.locks, shelf.sent.len()), (0, 0));
}

#[test]
fn without_a_login_there_is_nothing_to_lock() {
    let mut shelf = RecordStore::holding(None);
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    assert_eq!(error.to_string(), "token not found");
    assert!(error.needs_login());
    assert_eq!(shelf.locks, 0);
}

#[test]
fn refr_8_an_entry_without_access_token_is_renewed_or_is_an_error_and_never_a_token() {
    let mut entry = session("old", 3000);
    entry.access_token = seen("");
    let mut shelf = RecordStore::holding(Some(entry.clone())).answering(200, RENEWED);
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    entry.refresh_token = None;
    assert!(RecordStore::holding(Some(entry)).ask(WhichToken::Usable).unwrap_err().needs_login());
}

#[test]
fn a8_a_refresh_token_that_is_not_sent_anew_stays() {
    let mut shelf =
        RecordStore::with(-1).answering(200, r#"{"access_token":"new-access","expires_in":3600}"#);
    shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(refresh_token(shelf.entry.as_ref()), "old-refresh");
}

#[test]
fn a_form_encoded_answer_renews_the_login_too() {
    let body = b"access_token=new-access&refresh_token=new-refresh&expires_in=3600".to_vec();
    let mut shelf = RecordStore::with(-1);
    shelf.answers.push_back(Ok(
        HttpResponse::new(200, body).with_content_type("application/x-www-form-urlencoded")
    ));
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    assert_eq!(refresh_token(shelf.entry.as_ref()), "new-refresh");
}

#[test]
fn refr_9_what_callers_get_has_no_place_for_a_refresh_token() {
    let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
    let token = shelf.ask(WhichToken::Usable).unwrap().session().token();
    // The type has two parts, and neither is a refresh token.
    assert_eq!(
        token,
        crate::Token::new(seen("new-access"), Some(NOW.plus(Lifetime::from_seconds(3600))))
    );
    assert_eq!(refresh_token(shelf.entry.as_ref()), "new-refresh", "the store has it");
}

#[test]
fn a6_without_a_stated_lifetime_the_tokens_own_hint_counts_and_else_a_short_default() {
    // {"exp":1800000700} in a token that happens to be a JWT.
    for (token, left) in [("e30.eyJleHAiOjE4MDAwMDA3MDB9.sig", 700), ("opaque", 900)] {
        let mut shelf =
            RecordStore::with(-1).answering(200, &format!(r#"{{"access_token":"{token}"}}"#));
        let issued = shelf.ask(WhichToken::Usable).unwrap();
        assert_eq!(
            issued.session().expiry,
            Some(NOW.plus(Lifetime::from_seconds(left))),
            "{token}"
        );
    }
}

#[test]
fn refr_1_whoever_waited_for_the_lock_takes_what_its_holder_fetched() {
    for ask in [
        WhichToken::Usable,
        WhichToken::Newer(None),
        WhichToken::Newer(Some(seen("old-access"))),
        WhichToken::Other(seen("old-access")),
    ] {
        let mut shelf = RecordStore::with(-1);
        let TokenStep::Load(load) = shelf.request.clone().start(ask.clone(), NOW) else {
            panic!("{ask:?}")
        };
        let waiting = load.loaded(shelf.entry.clone(), NOW).unwrap();
        assert!(matches!(&waiting, TokenStep::Lock(lock) if lock.is_worth_waiting()), "{ask:?}");
        // It is newer than the one that was seen, however long ago it was issued.
        shelf.entry = Some(session("theirs", 3000));
        assert_eq!(access(&shelf.go_on(waiting).unwrap()), "theirs-access", "{ask:?}");
        assert!(shelf.sent.is_empty(), "{ask:?}");
    }
}

#[test]
fn refr_6_a_renewal_ahead_of_time_does_not_wait_for_a_busy_lock() {
    let mut shelf = RecordStore::with(240);
    shelf.is_busy = true;
    let TokenStep::Load(load) = shelf.request.clone().start(WhichToken::Usable, NOW) else {
        panic!("loads first")
    };
    let step = load.loaded(shelf.entry.clone(), NOW).unwrap();
    assert!(matches!(&step, TokenStep::Lock(lock) if !lock.is_worth_waiting()));
    let issued = shelf.go_on(step).unwrap();
    assert_eq!(access(&issued), "old-access");
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::LockTimeout)));
}

#[test]
fn t23_a_lock_that_is_never_given_back_ends_in_an_error_that_may_pass() {
    for (left, ask) in [
        (-1, WhichToken::Usable),
        (3000, WhichToken::Newer(None)),
        (3000, WhichToken::Other(seen("old-access"))),
    ] {
        let mut shelf = RecordStore::with(left);
        shelf.is_busy = true;
        let error = shelf.ask(ask).unwrap_err();
        assert!(
            matches!(error, TokenError::LockTimeout)
                && error.is_transient()
                && !error.needs_login()
        );
    }
}
