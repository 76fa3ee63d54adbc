//! The person at the terminal.

use crate::output::note;
use async_trait::async_trait;
use std::io::IsTerminal;
use u2m::{BrowserError, Host, PasteLines, Person, WrongPaste};
use url::Url;

/// Says what is going on on standard error, and reads pasted addresses from the terminal.
pub(crate) struct Terminal {
    /// What is being signed in to, in words.
    pub(crate) place: String,
    pub(crate) no_browser: bool,
    pub(crate) paste: bool,
}

#[async_trait]
impl Person for Terminal {
    fn ready(&self, _: &Url) {
        if !self.no_browser {
            note(&format!("Opening {} in your browser...", self.place));
        }
    }

    fn opened(&self, url: &Url, outcome: Result<(), &BrowserError>) {
        let Err(error) = outcome else { return };
        if !self.no_browser && !matches!(error, BrowserError::Disabled) {
            note(&format!("No browser was opened: {error}."));
        }
        note(&format!("To sign in, open this address in a browser:\n\n{url}\n"));
        if self.reads_pastes() {
            note(
                "If that browser is on another machine, it ends at an address that it cannot open: paste that address here.",
            );
        }
    }

    fn paste(&self) -> Option<PasteLines> {
        if self.reads_pastes() { PasteLines::from_terminal().ok() } else { None }
    }

    fn wrong_paste(&self, wrong: &WrongPaste) {
        note(&wrong.to_string());
    }

    async fn confirm(&self, host: &Host) -> bool {
        // The answer would come from a terminal that may be reading a paste; naming the host is the same consent.
        note(&format!("The sign-in page answered for {host}, which was not named before."));
        false
    }
}

impl Terminal {
    fn reads_pastes(&self) -> bool {
        self.paste || (std::io::stdin().is_terminal() && std::io::stderr().is_terminal())
    }
}
