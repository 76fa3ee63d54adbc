//! The wait for the browser: a line with the time that is left, and after a while a hint at what may be wrong.

use crate::{output, screen};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Nobody signs in faster than this; who needs longer may be stuck.
const HINT_AFTER: Duration = Duration::from_secs(30);

/// What goes on while the browser is waited for.
#[derive(Clone)]
pub(crate) struct WaitDisplay(Arc<WaitDisplayInner>);

struct WaitDisplayInner {
    state: Mutex<WaitState>,
    over: Condvar,
}

struct WaitState {
    is_on: bool,
    /// The line is drawn and drawn again. Where it cannot be, it is not there.
    is_drawn: bool,
    end: Instant,
    hint: Option<(Instant, String)>,
    /// What is typed does not show, so that it does not stand in the line that is drawn.
    unseen: Option<screen::TerminalModes>,
}

impl WaitDisplay {
    pub(crate) fn new() -> Self {
        let state = WaitState {
            is_on: false,
            is_drawn: false,
            end: Instant::now(),
            hint: None,
            unseen: None,
        };
        Self(Arc::new(WaitDisplayInner { state: Mutex::new(state), over: Condvar::new() }))
    }

    /// Begins, for so long. The hint is given after half a minute, or after half of the time if that is less.
    pub(crate) fn begin(
        &self,
        time: Duration,
        hint: String,
        unseen: Option<screen::TerminalModes>,
    ) {
        let now = Instant::now();
        let mut state = self.state();
        // Who waits for longer than there is time need not be told how long.
        state.is_drawn = screen::can_draw() && now.checked_add(time).is_some();
        state.end = now.checked_add(time).unwrap_or(now);
        state.hint = now.checked_add(HINT_AFTER.min(time / 2)).map(|at| (at, hint));
        state.unseen = unseen;
        state.is_on = true;
        drop(state);
        let inner = Arc::clone(&self.0);
        // Without a thread nothing is drawn, which harms nobody.
        let _ = std::thread::Builder::new().name("u2m-waiting".into()).spawn(move || tick(&inner));
    }

    /// Says something in between.
    pub(crate) fn say(&self, text: &str) {
        let state = self.state();
        screen::draw(None);
        output::note(text);
        state.draw();
    }

    /// Ends; nothing is drawn from here on.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        if state.is_on {
            state.is_on = false;
            screen::draw(None);
        }
        state.unseen = None;
        drop(state);
        self.0.over.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, WaitState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once a second, and when the hint is due.
fn tick(inner: &WaitDisplayInner) {
    let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
    while state.is_on {
        let now = Instant::now();
        if let Some((_, hint)) = state.hint.take_if(|(at, _)| *at <= now) {
            screen::draw(None);
            output::note(&hint);
        }
        state.draw();
        let next = state.hint.as_ref().map(|(at, _)| at.saturating_duration_since(now));
        let next = match state.is_drawn {
            true => next.unwrap_or(Duration::MAX).min(Duration::from_secs(1)),
            false => match next {
                Some(next) => next,
                None => return,
            },
        };
        state = inner
            .over
            .wait_timeout(state, next)
            .map_or_else(|broken| broken.into_inner().0, |(state, _)| state);
    }
}

impl WaitState {
    fn draw(&self) {
        if self.is_on && self.is_drawn {
            let left = self.end.saturating_duration_since(Instant::now());
            screen::draw(Some(&format!("Waiting for the browser ({} left)", clock(left))));
        }
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
}
