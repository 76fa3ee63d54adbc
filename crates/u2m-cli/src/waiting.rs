//! The wait for somebody else: a line that says for whom and for how long, and for a login after a while a hint at what may be
//! wrong. Nothing that takes longer than a moment is silent at a terminal.

use crate::{events, output, screen};
use std::io::IsTerminal;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Nobody signs in faster than this; who needs longer may be stuck.
const HINT_AFTER: Duration = Duration::from_secs(30);

/// What is done sooner needs no word.
const MOMENT: Duration = Duration::from_millis(700);

/// What goes on while something is waited for.
#[derive(Clone)]
pub(crate) struct WaitDisplay(Arc<WaitDisplayInner>);

struct WaitDisplayInner {
    state: Mutex<WaitState>,
    changed: Condvar,
}

#[derive(Default)]
struct WaitState {
    on: Option<WaitToPoll>,
    hint: Option<(Instant, String)>,
    /// What is typed does not show, so that it does not stand in the line that is drawn.
    unseen: Option<screen::TerminalModes>,
    /// Whether a thread looks after the line.
    is_looked_after: bool,
}

/// One wait.
struct WaitToPoll {
    what: String,
    began: Instant,
    /// When the line is shown first.
    from: Instant,
    /// `None` if nobody knows.
    end: Option<Instant>,
    /// It was said, on a terminal that cannot draw.
    is_said: bool,
}

impl WaitDisplay {
    pub(crate) fn new() -> Self {
        Self(Arc::new(WaitDisplayInner { state: Mutex::default(), changed: Condvar::new() }))
    }

    /// Waits for a person, for so long. The hint is given after half a minute, or after half of the time if that is less.
    pub(crate) fn begin(
        &self,
        what: String,
        time: Duration,
        hint: Option<String>,
        unseen: Option<screen::TerminalModes>,
    ) {
        let now = Instant::now();
        let mut state = self.state();
        // Who waits for longer than there is time need not be told how long. What is to be done was said in lines.
        let is_drawn = can_be_seen() && screen::can_draw();
        let end = now.checked_add(time).filter(|_| is_drawn);
        let wait = |end| WaitToPoll { what, began: now, from: now, end: Some(end), is_said: false };
        let hint = hint.and_then(|hint| Some((now.checked_add(HINT_AFTER.min(time / 2))?, hint)));
        (state.on, state.hint, state.unseen) = (end.map(wait), hint, unseen);
        self.look_after(state);
    }

    /// Waits for a machine from here on, which is shown if it takes longer than a moment.
    pub(crate) fn on(&self, what: String, limit: Option<Duration>) {
        let mut state = self.state();
        if state.on.take().is_some() {
            screen::draw(None);
        }
        (state.hint, state.unseen) = (None, None);
        if can_be_seen() {
            let now = Instant::now();
            let end = limit.and_then(|limit| now.checked_add(limit));
            state.on =
                Some(WaitToPoll { what, began: now, from: now + MOMENT, end, is_said: false });
            self.look_after(state);
        }
    }

    /// Says something in between.
    pub(crate) fn say(&self, text: &str) {
        let state = self.state();
        screen::draw(None);
        output::note(text);
        if let Some(wait) = &state.on {
            wait.draw();
        }
    }

    /// Ends; nothing is drawn from here on.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        if state.on.take().is_some() {
            screen::draw(None);
        }
        (state.hint, state.unseen) = (None, None);
        drop(state);
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, WaitState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_after(&self, mut state: MutexGuard<'_, WaitState>) {
        let has_thread = std::mem::replace(&mut state.is_looked_after, true);
        drop(state);
        self.0.changed.notify_all();
        if !has_thread {
            let inner = Arc::clone(&self.0);
            // Without a thread nothing is drawn, which harms nobody.
            let _ =
                std::thread::Builder::new().name("u2m-waiting".into()).spawn(move || tick(&inner));
        }
    }
}

/// Whether there is somebody who sees that something is waited for.
fn can_be_seen() -> bool {
    std::io::stderr().is_terminal() && !events::are_on() && !output::is_quiet()
}

/// Does some work, and says what is waited for if it takes longer than a moment.
pub(crate) fn during<T>(what: &str, limit: Option<Duration>, work: impl FnOnce() -> T) -> T {
    let waiting = WaitDisplay::new();
    if can_be_seen() {
        waiting.on(what.to_owned(), limit);
    }
    let done = work();
    waiting.end();
    done
}

/// Once a second, and when something is due, as long as there is anything to wait for.
fn tick(inner: &WaitDisplayInner) {
    let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = Instant::now();
        if let Some((_, hint)) = state.hint.take_if(|(at, _)| *at <= now) {
            screen::draw(None);
            output::note(&hint);
        }
        let shown = state.on.as_mut().and_then(|wait| wait.show(now));
        let hint = state.hint.as_ref().map(|(at, _)| at.saturating_duration_since(now));
        let Some(next) = [shown, hint].into_iter().flatten().min() else {
            state.is_looked_after = false;
            return;
        };
        state = inner
            .changed
            .wait_timeout(state, next)
            .map_or_else(|broken| broken.into_inner().0, |(state, _)| state);
    }
}

impl WaitToPoll {
    /// Shows it if it is time; when to look again.
    fn show(&mut self, now: Instant) -> Option<Duration> {
        if now < self.from {
            return Some(self.from - now);
        }
        if screen::can_draw() {
            self.draw();
            return Some(Duration::from_secs(1));
        }
        if !std::mem::replace(&mut self.is_said, true) {
            output::note(&format!("{}...", self.what));
        }
        None
    }

    fn draw(&self) {
        let now = Instant::now();
        if now < self.from || !screen::can_draw() {
            return;
        }
        let time = match self.end {
            Some(end) => format!("{} left", clock(end.saturating_duration_since(now))),
            None => clock(now.saturating_duration_since(self.began)),
        };
        // The time stands before what may be cut off.
        let (what, place) = match self.what.split_once(": ") {
            Some((what, place)) => (what, format!(": {place}")),
            None => (self.what.as_str(), String::new()),
        };
        screen::draw(Some(&format!("{what} ({time}){place}")));
    }
}

/// `9:05`, or `1:00:00` from an hour on.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_reads_like_a_clock() {
        for (millis, expected) in [
            (0, "0:00"),
            (9_400, "0:09"),
            (59_600, "1:00"),
            (545_000, "9:05"),
            (3_600_000, "1:00:00"),
        ] {
            assert_eq!(clock(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn what_is_done_within_a_moment_is_not_shown_and_looked_for_again_when_it_is_due() {
        let now = Instant::now();
        let mut wait = WaitToPoll {
            what: "x".into(),
            began: now,
            from: now + MOMENT,
            end: None,
            is_said: false,
        };
        assert_eq!(wait.show(now), Some(MOMENT));
        assert_eq!(wait.show(now + MOMENT / 2), Some(MOMENT / 2));
    }
}
