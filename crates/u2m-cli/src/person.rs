//! The person at the terminal.

use crate::output::{ask, note};
use async_trait::async_trait;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use u2m::{BrowserError, Host, PasteLines, Person, ShowCode, WrongPaste};
use url::Url;

/// Says what is going on on standard error, and reads pasted addresses from the terminal.
pub(crate) struct Terminal {
    /// What is being signed in to, in words.
    pub(crate) place: String,
    pub(crate) no_browser: bool,
    /// Pastes were asked for.
    pub(crate) paste: bool,
    /// Pastes are read.
    pub(crate) is_reading: AtomicBool,
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
        if self.is_reading.load(Ordering::Relaxed) {
            note(
                "If that browser is on another machine, it ends at an address that it cannot open: paste that address here.",
            );
        }
    }

    fn enter_code(&self, show: &ShowCode) {
        note(&format!(
            "To sign in to {}, open this address in a browser on any device:\n\n{}\n\nand enter this code:\n\n{}\n",
            self.place,
            show.verification_uri(),
            show.user_code()
        ));
        if let Some(whole) = show.verification_uri_complete() {
            note(&format!("Or open this one, and compare the code that it shows:\n\n{whole}\n"));
        }
        let time = match show.expires_in().seconds() {
            seconds @ ..120 => format!("{seconds} seconds"),
            seconds => format!("{} minutes", seconds / 60),
        };
        note(&format!(
            "Enter the code only if you began this sign-in yourself, just now: whoever else asks you to wants your login. It is \
             good for {time}. Waiting..."
        ));
    }

    fn paste(&self) -> Option<PasteLines> {
        let lines =
            (self.paste || is_watched()).then(PasteLines::from_terminal).and_then(Result::ok);
        self.is_reading.store(lines.is_some(), Ordering::Relaxed);
        lines
    }

    fn wrong_paste(&self, wrong: &WrongPaste) {
        note(&wrong.to_string());
    }

    async fn confirm(&self, host: &Host) -> bool {
        note(&format!("The sign-in page answered for {host}, which was not named before."));
        if !is_watched() {
            return false;
        }
        // The reader of pastes is gone by now: it takes no line of the answer.
        let Ok(mut lines) = PasteLines::from_terminal() else { return false };
        ask(&format!("Sign in to {host}? [y/N] "));
        lines.next_line().await.is_some_and(|line| is_yes(line.expose()))
    }
}

/// Whether somebody sits there who can be asked.
fn is_watched() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a yes or no; `None` if nobody sits there.
pub(crate) fn approve(question: &str) -> Option<bool> {
    if !is_watched() {
        return None;
    }
    ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    Some(std::io::stdin().read_line(&mut answer).is_ok() && is_yes(&answer))
}

/// Whether an address can be pasted here.
pub(crate) fn can_paste() -> bool {
    PasteLines::from_terminal().is_ok()
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for yes in ["y", " YES\r", "Yes"] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "n", "no", "yep", "yes please", "\u{1b}y"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}
