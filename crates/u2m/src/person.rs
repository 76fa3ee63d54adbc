//! The person at the other end of a login.

use async_trait::async_trait;
use std::sync::Arc;
use u2m_core::{Host, ShowCode, UnmatchedCallback};
use u2m_http::{BrowserError, PasteLines, PasteProblem};
use url::Url;

/// Talks to the person who signs in. Every method has a default that suits a program without a terminal of its own; what
/// it says goes to standard error, never to standard output.
///
/// Where it is called: on the runtime of whoever called [`PersistentAuth::challenge`](crate::PersistentAuth::challenge), within that
/// future and beside the wait for the callback, so that nothing here may block the thread. Dropping that future drops this too.
#[async_trait]
pub trait Person: Send + Sync {
    /// The URL is ready, and nothing has been opened yet.
    fn ready(&self, _url: &Url) {}

    /// A browser was opened, or not. By default the URL is written alone on a line of standard error if not.
    #[allow(clippy::print_stderr)]
    fn opened(&self, url: &Url, outcome: Result<(), &BrowserError>) {
        if outcome.is_err() {
            eprintln!("To sign in, open this address in your browser:\n{url}");
        }
    }

    /// There is a code to enter on some device ([`PersistentAuth::challenge_device`](crate::PersistentAuth::challenge_device)).
    /// By default the address and the code are written to standard error, each alone on its line. What replaces this has to
    /// show the host and the code, and to say that only codes of one's own are entered: whoever talks somebody else into
    /// entering theirs has that person's login.
    #[allow(clippy::print_stderr)]
    fn enter_code(&self, show: &ShowCode) {
        eprintln!(
            "To sign in to {}, open this address on any device:\n\n{}\n\nand enter this code, if it was you who began \
             this:\n\n{}\n",
            show.host(),
            show.verification_uri(),
            show.user_code()
        );
    }

    /// Where pasted addresses come from; by default from nowhere. Asked once for each login.
    fn paste(&self) -> Option<PasteLines> {
        None
    }

    /// The browser's answer has come, or was pasted; nothing is listened for and nothing is read any more.
    fn called_back(&self) {}

    /// The browser came back with a word that is not obeyed, because it does not carry the state of this sign-in: whoever likes
    /// can send such a thing. The wait goes on; the person may know better whose word it was, and end it. Told once for a
    /// refusal, and once for a code. By default a line of standard error says so.
    #[allow(clippy::print_stderr)]
    fn stray_callback(&self, stray: &UnmatchedCallback) {
        eprintln!("Still waiting for the sign-in: {stray}");
    }

    /// What was pasted is not the answer.
    fn wrong_paste(&self, _wrong: &PasteProblem) {}

    /// Whether to sign in to a host that a discovery login found and that is trusted only if the person agrees. By
    /// default it is not.
    async fn confirm(&self, _host: &Host) -> bool {
        false
    }
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<P: Person + ?Sized> Person for $pointer {
            fn ready(&self, url: &Url) {
                (**self).ready(url);
            }

            fn opened(&self, url: &Url, outcome: Result<(), &BrowserError>) {
                (**self).opened(url, outcome);
            }

            fn enter_code(&self, show: &ShowCode) {
                (**self).enter_code(show);
            }

            fn paste(&self) -> Option<PasteLines> {
                (**self).paste()
            }

            fn called_back(&self) {
                (**self).called_back();
            }

            fn stray_callback(&self, stray: &UnmatchedCallback) {
                (**self).stray_callback(stray);
            }

            fn wrong_paste(&self, wrong: &PasteProblem) {
                (**self).wrong_paste(wrong);
            }

            async fn confirm(&self, host: &Host) -> bool {
                (**self).confirm(host).await
            }
        }
    )*};
}

pass_on!(Arc<P>, Box<P>);

/// A person whom nobody asks: what [`Person`] does by default.
///
/// ```
/// use u2m::login::{Person, SilentPerson};
/// assert!(SilentPerson.paste().is_none());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentPerson;

impl Person for SilentPerson {}
