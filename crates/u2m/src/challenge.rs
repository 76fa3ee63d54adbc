//! Runs a login: discover endpoints, listen, open the browser, wait, exchange the code, save.

use crate::person::Person;
use crate::pkce::entropy;
use crate::refresher::{Refresher, sign_in};
use crate::runtime::OwnRuntime;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use u2m_core::{
    AfterCallback, BeforeCallback, Browse, Callback, ExchangingCode, Host, HttpCall, Lifetime,
    LoggedIn, LoginError, LoginRequest, SaveLogin, Scopes, StoreFailure, Target, Token,
    UnmatchedCallback,
};
use u2m_http::{
    AwakeClock, Browser, Flight, ListenError, Listener, PasteLines, PendingBrowser, Ports,
    SharedToken, SignInOutcome, Spending, SystemBrowser, drive, read_callback,
};

/// The settings for logins of one `PersistentAuth`.
pub(crate) struct LoginSettings {
    pub(crate) request: LoginRequest,
    /// `None` means the system's browser, which is looked up when it is needed.
    pub(crate) browser: Option<Arc<dyn Browser>>,
    pub(crate) person: Arc<dyn Person>,
    pub(crate) ports: Ports,
    pub(crate) listens: bool,
    pub(crate) timeout: Duration,
}

/// A successful sign-in: the first token, and what the server granted.
#[derive(Clone, Debug)]
pub struct SignedIn {
    login: LoggedIn,
    unsaved: Option<StoreFailure>,
}

impl SignedIn {
    /// Saves the new login and ends the flow, whether saving worked or not.
    pub(crate) fn save(shared: &SharedToken<Refresher>, store: SaveLogin) -> Self {
        let unsaved = sign_in(shared, store.session()).err();
        Self { login: store.stored(), unsaved }
    }

    /// The first access token.
    pub fn token(&self) -> Token {
        self.login.token()
    }

    /// The host that the person signed in to.
    pub fn host(&self) -> Option<&Host> {
        self.login.host()
    }

    /// The issuer of the tokens.
    pub fn issuer(&self) -> Option<&str> {
        self.login.issuer()
    }

    /// The scopes that were requested but not granted.
    pub fn missing_scopes(&self) -> &Scopes {
        self.login.missing_scopes()
    }

    /// The scopes that were requested, as they were sent to the server.
    pub fn asked_scopes(&self) -> &Scopes {
        self.login.asked_scopes()
    }

    /// The scopes that the server says it granted; `None` if it did not say.
    pub fn granted_scopes(&self) -> Option<&Scopes> {
        self.login.granted_scopes()
    }

    /// Whether the grant differs from the request: fewer scopes, more scopes, or no refresh token although one was requested.
    pub fn is_granted_otherwise(&self) -> bool {
        self.login.is_granted_otherwise()
    }

    /// Whether the login has a refresh token. Without one it ends with its access token.
    pub fn is_renewable(&self) -> bool {
        self.login.session().refresh_token.is_some()
    }

    /// How far this machine's clock is ahead of the server's; negative if it is behind. `None` if the two agree or the server
    /// did not say. Token expiry is computed with this machine's clock, so a wrong clock should be corrected.
    pub fn clock_skew(&self) -> Option<Lifetime> {
        self.login.clock_skew()
    }

    /// The target of the login, including a host that was discovered.
    pub fn target(&self) -> Target {
        self.login.target()
    }

    /// Why the login could not be saved. It then works in this process only, while saving is retried in the background. A
    /// program that has no use for such a login can end it
    /// ([`PersistentAuth::save_or_give_up`](crate::PersistentAuth::save_or_give_up)).
    pub fn unsaved(&self) -> Option<&StoreFailure> {
        self.unsaved.as_ref()
    }
}

/// Why a sign-in failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// No port could be opened for the browser's callback.
    #[error("starting listener")]
    Listen(#[source] Arc<ListenError>),
    /// The sign-in itself failed.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The call was made outside a tokio runtime; blocking code uses [`blocking`](crate::blocking::PersistentAuth::challenge).
    #[error("a sign-in needs a tokio runtime, and there is none here")]
    NoRuntime,
    /// Code that the sign-in calls panicked: the program's own store or transport, or code of this crate. Another try will panic
    /// again.
    #[error("code that the sign-in calls has panicked")]
    Panicked,
    /// The operating system returned no random bytes.
    #[error("the operating system gives no random numbers")]
    Random,
    /// The store cannot save the login, so the person was not asked to sign in.
    #[error(transparent)]
    Store(StoreFailure),
    /// The person did not complete the sign-in in time.
    #[error("nobody signed in within {}", seconds(*.0))]
    TimedOut(Duration),
    /// The system could not start a thread or a runtime.
    #[error("the sign-in did not finish")]
    Unfinished,
}

impl ChallengeError {
    /// Whether the same login may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Login(error) => error.is_transient(),
            Self::TimedOut(_) | Self::Unfinished => true,
            Self::Listen(_) | Self::NoRuntime | Self::Panicked | Self::Random | Self::Store(_) => {
                false
            }
        }
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        count => format!("{count} seconds"),
    }
}

/// Runs a login from start to end. Dropping the future frees the port, but a code exchange that has begun is finished and its
/// result saved.
pub(crate) async fn challenge(
    desk: &LoginSettings,
    shared: &SharedToken<Refresher>,
) -> Result<SignedIn, ChallengeError> {
    let keeper = shared.source();
    prepare(keeper).await?;
    // If the program was suspended meanwhile, a callback that has arrived still counts.
    let mut clock = AwakeClock::default();
    let brought = clock.wait(desk.timeout, up_to_callback(desk, keeper)).await;
    let (step, visitor) = brought.ok_or(ChallengeError::TimedOut(desk.timeout))??;
    let outcome = match step {
        Ok(step) => after_callback(desk, shared, step, &mut clock).await,
        Err(error) => Err(error.into()),
    };
    if let Some(visitor) = visitor {
        visitor.finish(ending(&outcome)).await;
    }
    outcome
}

/// Checks that the login can be saved before the person is asked for anything (KEY-1). A store may take long to answer.
///
/// The later steps connect and sleep, which needs a runtime. Without one, the person is not asked either.
pub(crate) async fn prepare(keeper: &Arc<Refresher>) -> Result<(), ChallengeError> {
    Handle::try_current().map_err(|_| ChallengeError::NoRuntime)?;
    let there = Arc::clone(keeper);
    let ask = move || there.store.prepare_login(&there.key).map_err(StoreFailure::new);
    uncancelled("u2m-prepare", ask).await?.map_err(ChallengeError::Store)
}

/// Runs `work` on a thread of its own, where nobody can cancel it, and waits for the result.
pub(crate) async fn uncancelled<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ChallengeError> {
    let (sender, result) = oneshot::channel();
    // The caller may have stopped waiting by the time the work is done.
    let work = move || drop(sender.send(work()));
    Flight::start(name, work).map_err(|_| ChallengeError::Unfinished)?;
    // The thread ends without a result only if it panics.
    result.await.map_err(|_| ChallengeError::Panicked)
}

fn ending(outcome: &Result<SignedIn, ChallengeError>) -> SignInOutcome {
    match outcome {
        // It may still be saved later; until then, do not count on it.
        Ok(signed_in) if signed_in.unsaved().is_some() => SignInOutcome::Failed,
        Ok(signed_in) => SignInOutcome::SignedIn { host: signed_in.host().cloned() },
        Err(ChallengeError::Login(LoginError::Denied(_))) => SignInOutcome::Denied,
        Err(_) => SignInOutcome::Failed,
    }
}

/// The outcome of the callback, and the browser that waits for its page.
type Answered = (Result<AfterCallback, LoginError>, Option<PendingBrowser>);

async fn up_to_callback(
    desk: &LoginSettings,
    keeper: &Refresher,
) -> Result<Answered, ChallengeError> {
    let mut step = desk.request.clone().start(entropy()?);
    let listen = loop {
        step = match step {
            BeforeCallback::Discover(call) => match keeper.supplier(call.state().target()) {
                Some(supplier) => {
                    let server = crate::supply::ask(supplier, call.state().target()).await;
                    call.supplied(server)?
                }
                None => drive(keeper.transport.as_ref(), call, &keeper.patience).await?,
            },
            BeforeCallback::Listen(listen) => break listen,
        };
    };
    let paste = desk.person.paste();
    let listener = open(desk, paste.is_some())?;
    let browse = listen.bound(listener.as_ref().map_or(desk.ports.first(), Listener::port));
    let (callback, visitor) = wait(desk, &browse, listener, paste).await?;
    desk.person.called_back();
    Ok((browse.called_back(callback), visitor))
}

/// The listener. `None` if it is switched off, or if it cannot be opened and the person can paste.
fn open(desk: &LoginSettings, can_paste: bool) -> Result<Option<Listener>, ChallengeError> {
    if !desk.listens {
        return Ok(None);
    }
    match Listener::bind(&desk.ports) {
        Ok(listener) => Ok(Some(listener)),
        Err(ListenError::AllTaken { .. }) if can_paste => Ok(None),
        Err(error) => Err(ChallengeError::Listen(Arc::new(error))),
    }
}

/// Opens the browser while waiting for the callback: a browser that stays in the foreground must not block the callback.
async fn wait(
    desk: &LoginSettings,
    browse: &Browse,
    mut listener: Option<Listener>,
    mut paste: Option<PasteLines>,
) -> Result<(Callback, Option<PendingBrowser>), ChallengeError> {
    desk.person.ready(browse.url());
    let opening = async {
        let outcome = match &desk.browser {
            Some(browser) => browser.open(browse.url()).await,
            None => SystemBrowser::new().open(browse.url()).await,
        };
        desk.person.opened(browse.url(), outcome.as_ref().map(|&()| ()));
        std::future::pending::<Infallible>().await
    };
    let (mut told_refusal, mut told_code) = (false, false);
    let tell = |stray: UnmatchedCallback| {
        let told = if stray.refusal().is_some() { &mut told_refusal } else { &mut told_code };
        if !std::mem::replace(told, true) {
            desk.person.stray_callback(&stray);
        }
    };
    let heard = async {
        match listener.as_mut() {
            Some(listener) => {
                let heard = listener.wait_telling(browse, tell).await;
                heard.map(|(callback, visitor)| (callback, Some(visitor)))
            }
            None => std::future::pending().await,
        }
    };
    let pasted = async {
        if let Some(lines) = paste.as_mut()
            && let Some(callback) =
                read_callback(lines, browse, |wrong| desk.person.wrong_paste(wrong)).await
        {
            return callback;
        }
        // End of input stops the pasting, not the login.
        std::future::pending().await
    };
    tokio::select! {
        never = opening => match never {},
        heard = heard => heard.map_err(|error| ChallengeError::Listen(Arc::new(error))),
        callback = pasted => Ok((callback, None)),
    }
}

async fn after_callback(
    desk: &LoginSettings,
    shared: &SharedToken<Refresher>,
    mut step: AfterCallback,
    clock: &mut AwakeClock,
) -> Result<SignedIn, ChallengeError> {
    loop {
        step = match step {
            AfterCallback::Confirm(confirm) => {
                let asked = clock.wait(desk.timeout, desk.person.confirm(confirm.host())).await;
                confirm.answered(asked.ok_or(ChallengeError::TimedOut(desk.timeout))?)?
            }
            AfterCallback::Verify(call) => {
                let keeper = shared.source();
                drive(keeper.transport.as_ref(), call, &keeper.patience).await?
            }
            AfterCallback::Exchange(call) => {
                let shared = shared.clone();
                return uncancelled("u2m-login", move || redeem(&shared, call)).await?;
            }
        };
    }
}

/// From the code to the saved session. Nothing can cancel this part.
fn redeem(
    shared: &SharedToken<Refresher>,
    call: HttpCall<ExchangingCode>,
) -> Result<SignedIn, ChallengeError> {
    let keeper = shared.source();
    let _spending = Spending::begin();
    let transport = keeper.transport.as_ref();
    let exchange = keeper.prover.drive(&keeper.clock, transport, call, &keeper.patience);
    let exchanged = OwnRuntime::default().block_on(exchange);
    let store = exchanged.map_err(|_| ChallengeError::Unfinished)??;
    Ok(SignedIn::save(shared, store))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_whole_seconds() {
        let text = |seconds| ChallengeError::TimedOut(Duration::from_secs(seconds)).to_string();
        assert_eq!(text(1), "nobody signed in within 1 second");
        assert_eq!(text(600), "nobody signed in within 600 seconds");
        assert_eq!(text(0), "nobody signed in within 0 seconds");
    }

    #[test]
    fn only_what_may_pass_by_itself_is_worth_a_second_try() {
        let store = StoreFailure::new(std::io::Error::other("x"));
        for (error, may_pass) in [
            (
                ChallengeError::Login(LoginError::CodeExpired),
                LoginError::CodeExpired.is_transient(),
            ),
            (ChallengeError::TimedOut(Duration::ZERO), true),
            (ChallengeError::Unfinished, true),
            (ChallengeError::NoRuntime, false),
            (ChallengeError::Panicked, false),
            (ChallengeError::Random, false),
            (ChallengeError::Store(store), false),
        ] {
            assert_eq!(error.is_transient(), may_pass, "{error}");
        }
    }

    #[test]
    fn the_page_says_what_it_came_to() {
        let late = Err(ChallengeError::TimedOut(Duration::ZERO));
        assert!(matches!(ending(&late), SignInOutcome::Failed));
        let denied = LoginError::Denied(u2m_core::ErrorResponse::new(0, "access_denied", None));
        assert!(matches!(ending(&Err(denied.into())), SignInOutcome::Denied));
    }
}
