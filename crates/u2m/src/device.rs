//! Runs a device login: requests codes, shows them, polls until the person has decided, saves.

use crate::challenge::{ChallengeError, LoginSettings, SignedIn, prepare, uncancelled};
use crate::refresher::Refresher;
use crate::runtime::OwnRuntime;
use async_trait::async_trait;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;
use u2m_core::{
    BeforeCode, HttpCall, Lifetime, Polled, PollingForToken, Timestamp, WaitToPoll, Waited,
};
use u2m_http::{SharedToken, Spending, drive};

/// The clock of a device login.
#[async_trait]
trait DeviceClock: Send + Sync {
    fn now(&self) -> Timestamp;
    async fn sleep_until(&self, until: Timestamp);
}

/// A clock that only moves forward: setting the system's clock back must not make the person wait.
struct MonotonicClock(Timestamp, Instant);

#[async_trait]
impl DeviceClock for MonotonicClock {
    fn now(&self) -> Timestamp {
        let gone = i64::try_from(self.1.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.0.plus(Lifetime::from_seconds(gone))
    }

    async fn sleep_until(&self, until: Timestamp) {
        let left = u64::try_from(self.now().until(until).seconds()).unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(left)).await;
    }
}

/// Runs a device login from start to end. Dropping the future ends it; tokens that are already on their way are saved all the
/// same.
pub(crate) async fn challenge_device(
    desk: &LoginSettings,
    shared: &SharedToken<Refresher>,
) -> Result<SignedIn, ChallengeError> {
    let begun = shared.source().clock.now();
    challenge_by(&MonotonicClock(begun, Instant::now()), desk, shared).await
}

async fn challenge_by(
    clock: &dyn DeviceClock,
    desk: &LoginSettings,
    shared: &SharedToken<Refresher>,
) -> Result<SignedIn, ChallengeError> {
    let keeper = shared.source();
    prepare(keeper).await?;
    let limit = i64::try_from(desk.timeout.as_secs()).unwrap_or(i64::MAX);
    let end = clock.now().plus(Lifetime::from_seconds(limit));
    let mut step = desk.request.clone().start_device()?;
    let show = loop {
        step = match step {
            BeforeCode::Discover(call) => match keeper.supplier(call.state().target()) {
                Some(supplier) => {
                    let server = crate::supply::ask(supplier, call.state().target()).await;
                    call.supplied(server)?
                }
                None => drive(keeper.transport.as_ref(), call, &keeper.patience).await?,
            },
            BeforeCode::Ask(call) => {
                let transport = keeper.transport.as_ref();
                break keeper
                    .prover
                    .drive(&keeper.clock, transport, call, &keeper.patience)
                    .await?;
            }
        };
    };
    desk.person.enter_code(&show);
    let mut wait = show.shown(clock.now());
    loop {
        clock.sleep_until(wait.until().min(end)).await;
        if clock.now() >= end {
            return Err(ChallengeError::TimedOut(desk.timeout));
        }
        wait = match wait.waited(clock.now())? {
            Waited::TooEarly(wait) => wait,
            Waited::Poll(call) => {
                let shared = shared.clone();
                match uncancelled("u2m-login", move || poll(&shared, call)).await?? {
                    ControlFlow::Continue(wait) => wait,
                    ControlFlow::Break(signed_in) => return Ok(signed_in),
                }
            }
        };
    }
}

/// From the poll to the saved session. Nothing can cancel this part, because the answer may be the tokens.
fn poll(
    shared: &SharedToken<Refresher>,
    call: HttpCall<PollingForToken>,
) -> Result<ControlFlow<SignedIn, WaitToPoll>, ChallengeError> {
    let keeper = shared.source();
    let _spending = Spending::begin();
    // A poll is not repeated, because the next one is due in a few seconds anyway.
    let patience = keeper.patience.clone().with_repeats(0);
    let polling = keeper.prover.drive(&keeper.clock, keeper.transport.as_ref(), call, &patience);
    let answered = OwnRuntime::default().block_on(polling);
    Ok(match answered.map_err(|_| ChallengeError::Unfinished)?? {
        Polled::Wait(wait) => ControlFlow::Continue(wait),
        Polled::Store(store) => ControlFlow::Break(SignedIn::save(shared, store)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::Person;
    use crate::store::MemoryStore;
    use crate::{PersistentAuth, Target};
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::{Arc, Mutex};
    use u2m_core::{HttpRequest, HttpResponse, LoginError, ShowCode, TransportFailure};
    use u2m_http::Transport;
    use u2m_testkit::{
        Client, Counts, Device, DeviceAnswer, FakeServer, Settings, WellKnown, http,
    };

    const BASE: &str = "http://127.0.0.1:9";

    #[tokio::test]
    async fn time_goes_on_while_somebody_sleeps() {
        let running = MonotonicClock(Timestamp::from_unix(1_000), Instant::now());
        running.sleep_until(Timestamp::from_unix(1_001)).await;
        assert!(running.now().unix() >= 1_001, "{:?}", running.now());
        let before = running.now();
        running.sleep_until(Timestamp::from_unix(900)).await;
        assert!(running.now() >= before);
    }

    /// A clock that moves only while somebody sleeps.
    #[derive(Clone, Debug)]
    struct Simulated(Arc<AtomicI64>);

    #[async_trait]
    impl DeviceClock for Simulated {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix(self.0.load(Ordering::SeqCst))
        }

        async fn sleep_until(&self, until: Timestamp) {
            self.0.fetch_max(until.unix(), Ordering::SeqCst);
        }
    }

    /// A server that is called without a network, at the simulated time.
    #[derive(Clone, Debug)]
    struct Direct(Arc<Mutex<FakeServer>>, Simulated);

    #[async_trait]
    impl Transport for Direct {
        async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
            let method = if request.form().is_some() { "POST" } else { "GET" };
            let body = request.form().unwrap_or_default().as_bytes().to_vec();
            let sent = http::Request::builder()
                .method(method)
                .uri(request.url().as_str())
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
                .unwrap();
            let reply = self.0.lock().unwrap().respond(&sent, self.1.now());
            let answer = HttpResponse::new(reply.status().as_u16(), reply.into_body());
            Ok(answer.with_content_type("application/json"))
        }
    }

    /// Records what it was shown.
    #[derive(Clone, Default)]
    struct Reader(Arc<Mutex<Vec<String>>>);

    #[async_trait]
    impl Person for Reader {
        fn enter_code(&self, show: &ShowCode) {
            let text = format!("{} {}", show.user_code(), show.verification_uri());
            self.0.lock().unwrap().push(text);
        }
    }

    /// Signs in with these answers to the polls. Returns the outcome, the server's counters, and the seconds that passed.
    fn sign_in(device: Option<Device>) -> (Result<SignedIn, ChallengeError>, Counts, i64) {
        let reader = Reader::default();
        let (outcome, counts, passed) = sign_in_with(device, reader.clone());
        let shown = reader.0.lock().unwrap().len();
        assert_eq!(u64::try_from(shown).unwrap(), counts.device_requests);
        (outcome, counts, passed)
    }

    /// The same with this `Person`.
    fn sign_in_with(
        device: Option<Device>,
        person: impl Person + 'static,
    ) -> (Result<SignedIn, ChallengeError>, Counts, i64) {
        let begin = 1_800_000_000;
        let clock = Simulated(Arc::new(AtomicI64::new(begin)));
        let settings =
            Settings::new().with_client(Client::public("cli")).with_well_known(WellKnown::OpenId);
        let settings = device.into_iter().fold(settings, Settings::with_device);
        let server = Arc::new(Mutex::new(FakeServer::new(BASE, settings)));
        let auth = PersistentAuth::builder(Target::issuer(format!("{BASE}/oidc")).unwrap())
            .with_client_id("cli")
            .with_store(MemoryStore::new())
            .with_transport(Direct(Arc::clone(&server), clock.clone()))
            .with_person(person)
            .build()
            .unwrap();
        let outcome =
            OwnRuntime::default().block_on(challenge_by(&clock, &auth.desk, &auth.shared)).unwrap();
        let counts = server.lock().unwrap().counts();
        if outcome.is_ok() {
            assert!(auth.peek().is_some(), "the token is in hand");
            assert!(auth.keeper().store.load(auth.cache_key()).unwrap().is_some());
        }
        (outcome, counts, clock.now().unix() - begin)
    }

    use DeviceAnswer::{Approved, Denied, Expired, Pending, SlowDown};

    #[test]
    fn a41_polls_keep_their_distance_until_the_person_agrees() {
        let device = Device::new([Pending, SlowDown, Pending, Approved]).with_interval(Some(3));
        let (outcome, counts, passed) = sign_in(Some(device));
        let signed_in = outcome.unwrap();
        assert_eq!(signed_in.issuer(), Some("http://127.0.0.1:9/oidc"));
        assert!(signed_in.missing_scopes().is_empty());
        assert_eq!((counts.device_polls, counts.early_polls, counts.issued), (4, 0, 1));
        assert_eq!(passed, 4 + 4 + 9 + 9, "three seconds, then eight, each of them whole");
    }

    #[test]
    fn a41_without_an_interval_polls_are_five_seconds_apart() {
        let (outcome, counts, passed) =
            sign_in(Some(Device::new([Pending, Approved]).with_interval(None)));
        assert!(outcome.is_ok());
        assert_eq!((counts.early_polls, passed), (0, 12));
    }

    #[test]
    fn a41_a_no_and_the_end_of_the_codes_end_the_login_at_once() {
        let (outcome, counts, _) = sign_in(Some(Device::new([Pending, Denied])));
        assert!(matches!(outcome, Err(ChallengeError::Login(LoginError::Denied(_)))));
        assert_eq!(counts.device_polls, 2);
        let (outcome, counts, _) = sign_in(Some(Device::new([Expired])));
        assert!(matches!(outcome, Err(ChallengeError::Login(LoginError::CodeExpired))));
        assert_eq!(counts.device_polls, 1);
        let (outcome, counts, passed) = sign_in(Some(Device::new([Pending]).with_expires_in(30)));
        assert!(matches!(outcome, Err(ChallengeError::Login(LoginError::CodeExpired))));
        assert_eq!((counts.early_polls, counts.issued, passed), (0, 0, 30));
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_login_may_take() {
        let (outcome, _, passed) = sign_in(Some(Device::new([Pending]).with_expires_in(1_800)));
        assert!(matches!(outcome, Err(ChallengeError::TimedOut(_))));
        assert_eq!(passed, 600);
    }

    #[test]
    fn a_server_without_the_offer_is_asked_for_nothing_but_its_metadata() {
        let (outcome, counts, _) = sign_in(None);
        assert!(matches!(outcome, Err(ChallengeError::Login(LoginError::NoDeviceLogin))));
        assert_eq!((counts.requests, counts.metadata), (2, 2));
    }

    /// The default writes to standard error, which only another process can inspect.
    #[test]
    fn a_program_without_a_terminal_writes_the_address_and_the_code_each_alone_on_its_line() {
        const CHILD: &str = "U2M_TEST_OF_CODES";
        if std::env::var_os(CHILD).is_some() {
            let (outcome, ..) =
                sign_in_with(Some(Device::new([Approved])), crate::login::SilentPerson);
            assert!(outcome.is_ok());
            let url = url::Url::parse("https://a.example/authorize").unwrap();
            crate::login::SilentPerson.opened(&url, Err(&u2m_http::BrowserError::Disabled));
            crate::login::SilentPerson
                .opened(&url::Url::parse("https://b.example").unwrap(), Ok(()));
            return;
        }
        let name = "device::tests::a_program_without_a_terminal_writes_the_address_and_the_code_each_alone_on_its_line";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let out = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{said}");
        let lines: Vec<_> = said.lines().collect();
        assert!(lines[0].starts_with("To sign in to "), "{said}");
        assert!(lines[2].starts_with("http://127.0.0.1:9/"), "the address: {said}");
        assert!(!lines[6].is_empty() && !lines[6].contains(' '), "the code: {said}");
        assert!(lines.contains(&"https://a.example/authorize"), "{said}");
        assert!(!said.contains("b.example"), "what a browser shows needs no words: {said}");
    }
}
