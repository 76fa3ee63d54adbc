//! The person at the terminal.

use crate::output::{ask, inform, note};
use crate::waiting::WaitDisplay;
use crate::{events, link, prompt, screen};
use async_trait::async_trait;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use u2m::login::{
    BrowserEnv, BrowserError, PasteLines, PasteProblem, Person, ShowCode, UnmatchedCallback,
};
use u2m::{Host, find_browser};
use url::Url;

/// Says what is going on on standard error, and reads pasted addresses from the terminal.
#[derive(Clone)]
pub(crate) struct Terminal {
    /// What is being signed in to, in words.
    place: String,
    no_browser: bool,
    /// Pastes were asked for.
    paste: bool,
    /// Pastes are read.
    is_reading: Arc<AtomicBool>,
    /// How long the person has.
    timeout: Duration,
    /// How the code of a device login is shown besides.
    extras: CodeExtras,
    waiting: WaitDisplay,
}

/// What is done with the code of a device login besides showing it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CodeExtras {
    /// The address is drawn for a camera.
    pub(crate) qr: bool,
    /// The code is put on the clipboard.
    pub(crate) copy: bool,
}

impl Terminal {
    pub(crate) fn new(place: String, no_browser: bool, paste: bool, timeout: Duration) -> Self {
        let (is_reading, extras) = (Arc::new(AtomicBool::new(false)), CodeExtras::default());
        Self { place, no_browser, paste, is_reading, timeout, extras, waiting: WaitDisplay::new() }
    }

    pub(crate) fn with_code_extras(self, extras: CodeExtras) -> Self {
        Self { extras, ..self }
    }

    /// What it is signed in to is asked for what it needs.
    pub(crate) fn begin(&self) {
        self.waiting.on(format!("Waiting for the server: {}", self.place), None);
    }

    /// The wait is over, however it ended.
    pub(crate) fn end(&self) {
        self.waiting.end();
    }

    fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::Relaxed)
    }

    /// From here on it is waited for the browser.
    fn wait(&self, url: &Url, is_shown: bool) {
        let unseen = match self.is_reading() && screen::can_draw() {
            true => screen::TerminalModes::without_echo(),
            false => None,
        };
        let address = if is_shown { String::new() } else { format!(" The address is:\n\n{url}\n") };
        let paste = match self.is_reading() {
            true => {
                "Is the browser at an address that it cannot open? Then paste that address here."
            }
            false => {
                "If the browser is on another machine, stop this, and run it with --paste in a terminal."
            }
        };
        let hint = format!("Nobody has signed in yet.{address}\n{paste}{}", self.unseen());
        let what = format!("Waiting for the browser: {}", self.place);
        self.waiting.begin(what, self.timeout, Some(hint), unseen);
    }

    /// Said where a paste does not show, lest it be taken for lost.
    fn unseen(&self) -> &'static str {
        match self.is_reading() && screen::can_draw() {
            true => " What you paste is not shown.",
            false => "",
        }
    }
}

#[async_trait]
impl Person for Terminal {
    fn ready(&self, url: &Url) {
        self.waiting.end();
        if events::are_on() {
            events::authorize(url);
        } else if !self.no_browser && find_browser(&BrowserEnv::current()).is_ok() {
            inform(&format!("Opening {} in your browser...", self.place));
        }
    }

    fn opened(&self, url: &Url, outcome: Result<(), &BrowserError>) {
        if events::are_on() {
            events::browser(outcome.map_err(ToString::to_string));
            events::waiting(self.timeout);
            return;
        }
        let Err(error) = outcome else {
            // It may be the wrong browser, or none that this person sees.
            let is_shown = std::io::stderr().is_terminal();
            if is_shown {
                link::show("If no page opened, open:", url.as_str());
            }
            return self.wait(url, is_shown);
        };
        if !self.no_browser && !matches!(error, BrowserError::Disabled) {
            note(&format!("No browser was opened: {error}."));
        }
        link::show("To sign in, open this address in a browser:", url.as_str());
        if self.is_reading() {
            note(&format!(
                "If that browser is on another machine, it ends at an address that it cannot open: paste that address here.{}",
                self.unseen()
            ));
        }
        self.wait(url, true);
    }

    fn called_back(&self) {
        self.begin();
        if events::are_on() {
            events::callback();
        }
    }

    fn enter_code(&self, show: &ShowCode) {
        self.waiting.end();
        let (code, address) = (show.user_code().to_string(), show.verification_uri().to_string());
        link::show(
            &format!("To sign in to {}, open this address in a browser on any device:", self.place),
            &address,
        );
        note(&format!("and enter this code:\n\n{code}\n"));
        let whole = show.verification_uri_complete().map(ToString::to_string);
        if let Some(whole) = &whole {
            link::show("Or open this one, and compare the code that it shows:", whole);
        }
        if self.extras.qr {
            link::draw(whole.as_ref().unwrap_or(&address));
        }
        if self.extras.copy {
            link::copy(&code);
        }
        let left = show.expires_in().seconds();
        let time = match left {
            seconds @ ..120 => format!("{seconds} seconds"),
            seconds => format!("{} minutes", seconds / 60),
        };
        let is_drawn = screen::can_draw() && !events::are_on();
        let waiting = if is_drawn { "" } else { " Waiting..." };
        note(&format!(
            "Enter the code only if you began this sign-in yourself, just now: whoever else asks you to wants your login. It is \
             good for {time}.{waiting}"
        ));
        let what = format!("Waiting for you to enter the code: {}", self.place);
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(self.timeout);
        self.waiting.begin(what, left, None, None);
    }

    fn paste(&self) -> Option<PasteLines> {
        let lines = (self.paste || prompt::is_allowed())
            .then(PasteLines::from_terminal)
            .and_then(Result::ok);
        self.is_reading.store(lines.is_some(), Ordering::Relaxed);
        lines
    }

    fn stray_callback(&self, stray: &UnmatchedCallback) {
        if events::are_on() {
            return events::stray_callback(stray);
        }
        let advice = match stray.refusal() {
            Some(_) => "If it was you who said no, end this with Ctrl-C.",
            None => {
                "If you have signed in just now, it was for another sign-in: use the address above."
            }
        };
        self.waiting.say(&format!(
            "Note: {stray}. Anybody could send that, so it counts for nothing, and the wait goes on. {advice}"
        ));
    }

    fn wrong_paste(&self, wrong: &PasteProblem) {
        self.waiting.say(&wrong.to_string());
    }

    async fn confirm(&self, host: &Host) -> bool {
        note(&format!("The sign-in page answered for {host}, which was not named before."));
        if !prompt::is_allowed() {
            return false;
        }
        // The reader of pastes is gone by now: it takes no line of the answer.
        let Ok(mut lines) = PasteLines::from_terminal() else { return false };
        ask(&format!("Sign in to {host}? [y/N] "));
        lines.next_line().await.is_some_and(|line| is_yes(line.expose()))
    }
}

/// Asks for a yes or no; `None` if nobody can be asked.
pub(crate) fn approve(question: &str) -> Option<bool> {
    if !prompt::is_allowed() {
        return None;
    }
    Some(prompt::answer(&format!("{question} [y/N]")).is_ok_and(|answer| is_yes(&answer)))
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
