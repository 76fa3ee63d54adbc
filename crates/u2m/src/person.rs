//! The `Person` trait: how a login talks to the person who signs in.

use async_trait::async_trait;
use std::sync::Arc;
use u2m_core::{Host, ShowCode, UnmatchedCallback};
use u2m_http::{BrowserError, PasteLines, PasteProblem};
use url::Url;

/// Talks to the person who signs in. Every method has a default that suits a program without a terminal interface of its own.
/// The defaults write to standard error, never to standard output.
///
/// The methods are called on the runtime of whoever called [`PersistentAuth::challenge`](crate::PersistentAuth::challenge),
/// within that future and concurrently with the wait for the callback, so they must not block the thread. Dropping that future
/// drops these calls too.
#[async_trait]
pub trait Person: Send + Sync {
    /// Called when the URL is known, before anything is opened.
    fn ready(&self, _url: &Url) {}

    /// Called after a browser was opened or could not be opened. By default, a failure writes the URL to standard error, on a
    /// line of its own.
    #[allow(clippy::print_stderr)]
    fn opened(&self, url: &Url, outcome: Result<(), &BrowserError>) {
        if outcome.is_err() {
            eprintln!("To sign in, open this address in your browser:\n{url}");
        }
    }

    /// Called with a code to enter on another device
    /// ([`PersistentAuth::challenge_device`](crate::PersistentAuth::challenge_device)). By default the address and the code are
    /// written to standard error, each on a line of its own. An implementation must show the host and the code, and must tell
    /// the person to enter the code only if they started this sign-in themselves. Anybody who talks a person into entering a code
    /// that is not their own gets that person's login.
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

    /// Returns the source of pasted addresses; by default there is none. Called once per login.
    fn paste(&self) -> Option<PasteLines> {
        None
    }

    /// Called when the browser's answer has arrived or was pasted. From then on, nothing is listened for or read.
    fn called_back(&self) {}

    /// Called when a callback arrives that is ignored because it lacks this sign-in's `state`: anybody can send one. The wait
    /// goes on; the person may know better where it came from and can cancel. Called once for an error and once for a code. By
    /// default a line is written to standard error.
    #[allow(clippy::print_stderr)]
    fn stray_callback(&self, stray: &UnmatchedCallback) {
        eprintln!("Still waiting for the sign-in: {stray}");
    }

    /// Called when the pasted text is not the answer.
    fn wrong_paste(&self, _wrong: &PasteProblem) {}

    /// Asks whether to sign in to a host that a discovery login found and that is trusted only with the person's consent. By
    /// default the answer is no.
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

/// A [`Person`] with only the default methods, which never asks anything.
///
/// ```
/// use u2m::login::{Person, SilentPerson};
/// assert!(SilentPerson.paste().is_none());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentPerson;

impl Person for SilentPerson {}
