//! Measures time during which this process ran.
//!
//! A process that waits for the response to a spent token must not lose it because the process was
//! stopped, its container frozen or its laptop closed meanwhile. So a response that has arrived is
//! read before the clock ends the wait.

use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How often the clock is checked.
const TICK: Duration = Duration::from_millis(100);

/// The longest time that one tick counts, however long it took. During the rest, this process did not run.
const LONGEST: Duration = Duration::from_millis(200);

/// How many checks in a row must be on time after the limit, if the process was suspended shortly before.
const LOOKS: u32 = 4;

/// How long each of these checks waits.
const LOOK: Duration = Duration::from_millis(25);

/// The maximum number of these checks, if not all of them are on time.
const LAST_LOOKS: u32 = 64;

/// A clock that runs only while this process runs, and that waits accordingly. A suspension counts
/// as one short tick.
///
/// ```
/// use std::time::Duration;
/// use u2m_http::AwakeClock;
/// let (send, answers) = std::sync::mpsc::channel();
/// send.send("answer")?;
/// let mut clock = AwakeClock::default();
/// let answer = clock.wait_blocking(Duration::from_secs(5), |tick| answers.recv_timeout(tick).ok());
/// assert_eq!(answer, Some("answer"));
/// assert!(clock.elapsed() < Duration::from_secs(5));
/// # Ok::<(), std::sync::mpsc::SendError<&str>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AwakeClock {
    elapsed: Duration,
    /// The number of ticks in a row that were on time.
    on_time: u32,
}

impl Default for AwakeClock {
    fn default() -> Self {
        Self { elapsed: Duration::ZERO, on_time: LOOKS }
    }
}

impl AwakeClock {
    /// Returns how long this clock has waited so far.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Waits for `future` until this clock shows `until`. Returns `None` if the future is not done
    /// by then. Must be called within a tokio runtime.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// let mut clock = u2m_http::AwakeClock::default();
    /// assert_eq!(clock.wait(Duration::ZERO, async { 7 }).await, Some(7));
    /// assert_eq!(clock.wait(Duration::ZERO, std::future::pending::<u8>()).await, None);
    /// # });
    /// ```
    pub async fn wait<F: Future>(&mut self, until: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut looks = 0;
        loop {
            let (tick, begun) = (self.tick(until, &mut looks)?, Instant::now());
            // The future is polled first, and the runtime checks its sockets before its timers.
            let outcome = timeout(tick, future.as_mut()).await;
            self.passed(begun.elapsed());
            if let Ok(output) = outcome {
                return Some(output);
            }
        }
    }

    /// Like [`wait`](Self::wait), for synchronous code. Calls `look` repeatedly with the time that
    /// it should wait, until it returns something. Returns `None` if it has returned nothing when
    /// this clock shows `until`.
    pub fn wait_blocking<T>(
        &mut self,
        until: Duration,
        mut look: impl FnMut(Duration) -> Option<T>,
    ) -> Option<T> {
        let mut looks = 0;
        loop {
            let (tick, begun) = (self.tick(until, &mut looks)?, std::time::Instant::now());
            let found = look(tick);
            self.passed(begun.elapsed());
            if found.is_some() {
                return found;
            }
        }
    }

    /// Returns how long to wait until the next check, or `None` if the time is up and nothing can have been
    /// missed. `looks` counts the checks after the time was up; there is always at least one.
    fn tick(&self, until: Duration, looks: &mut u32) -> Option<Duration> {
        let left = until.saturating_sub(self.elapsed);
        if !left.is_zero() {
            // Another check follows in any case.
            *looks = 1;
            return Some(left.min(TICK));
        }
        *looks += 1;
        match *looks {
            1 => Some(Duration::ZERO),
            2..=LAST_LOOKS if self.on_time < LOOKS => Some(LOOK),
            _ => None,
        }
    }

    /// Records that a tick took `took`.
    ///
    fn passed(&mut self, took: Duration) {
        self.elapsed = self.elapsed.saturating_add(took.min(LONGEST));
        self.on_time = if took > LONGEST { 0 } else { self.on_time.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    const SECOND: Duration = Duration::from_secs(1);

    fn takes(clock: &mut AwakeClock, took: &[u64]) {
        took.iter().for_each(|millis| clock.passed(Duration::from_millis(*millis)));
    }

    /// Returns the requested ticks. The first ones take `took` milliseconds, the others as long as requested.
    fn ticks(clock: &mut AwakeClock, until: Duration, took: &[u64]) -> Vec<u128> {
        let (mut looks, mut asked, mut took) = (0, Vec::new(), took.iter());
        while let Some(tick) = clock.tick(until, &mut looks) {
            asked.push(tick.as_millis());
            clock.passed(took.next().map_or(tick, |millis| Duration::from_millis(*millis)));
        }
        asked
    }

    #[test]
    fn time_is_counted_in_ticks_of_which_the_last_ends_with_it() {
        let mut clock = AwakeClock::default();
        assert_eq!(ticks(&mut clock, Duration::from_millis(250), &[]), [100, 100, 50]);
        assert_eq!(clock.elapsed(), Duration::from_millis(250));
        assert_eq!(ticks(&mut clock, Duration::from_millis(300), &[]), [50]);
    }

    #[test]
    fn a_suspension_counts_as_one_short_tick() {
        let mut clock = AwakeClock::default();
        takes(&mut clock, &[100, 3_600_000, 100]);
        assert_eq!(clock.elapsed(), Duration::from_millis(400));
        takes(&mut clock, &[200]);
        assert_eq!(clock.elapsed(), Duration::from_millis(600), "a slow tick counts whole");
        takes(&mut clock, &[201]);
        assert_eq!(clock.elapsed(), Duration::from_millis(800));
    }

    #[test]
    fn the_longest_tick_is_still_on_time() {
        let mut clock = AwakeClock::default();
        takes(&mut clock, &[201]);
        assert_eq!(clock.on_time, 0);
        takes(&mut clock, &[100, 200]);
        assert_eq!(clock.on_time, 2);
    }

    #[test]
    fn who_was_away_at_the_end_looks_again_before_it_gives_up() {
        let mut clock = AwakeClock::default();
        let until = Duration::from_millis(200);
        assert_eq!(ticks(&mut clock, until, &[100, 60_000]), [100, 100, 25, 25, 25, 25]);
        // And again if the process is suspended during that.
        let mut clock = AwakeClock::default();
        let asked = ticks(&mut clock, until, &[60_000, 25, 25, 60_000]);
        assert_eq!(asked, [100, 25, 25, 25, 25, 25, 25, 25]);
        // A suspension some time ago has no effect.
        let mut clock = AwakeClock::default();
        let asked = ticks(&mut clock, SECOND, &[60_000]);
        assert_eq!(asked, [100; 9]);
    }

    #[test]
    fn the_last_looks_end_even_where_none_is_on_time() {
        let mut clock = AwakeClock::default();
        let asked = ticks(&mut clock, TICK, &[1_000; 100]);
        assert_eq!(asked.len(), 64);
    }

    #[test]
    fn one_look_is_had_even_when_no_time_is_left() {
        let mut clock = AwakeClock::default();
        assert_eq!(ticks(&mut clock, Duration::ZERO, &[]), [0]);
        assert_eq!(clock.wait_blocking(Duration::ZERO, |_| Some(7)), Some(7));
        assert_eq!(clock.wait_blocking(Duration::ZERO, |_| None::<u8>), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_is_waited_for_until_the_time_is_up() {
        let start = Instant::now();
        let mut clock = AwakeClock::default();
        assert_eq!(clock.wait(SECOND, pending::<u8>()).await, None);
        assert_eq!(start.elapsed(), SECOND);
        let slow = async { tokio::time::sleep(SECOND / 2).await };
        assert_eq!(clock.wait(SECOND * 2, slow).await, Some(()));
        assert_eq!((start.elapsed(), clock.elapsed()), (SECOND * 3 / 2, SECOND * 3 / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_while_nobody_ran_is_taken_although_the_time_is_up() {
        let answer = async {
            tokio::time::advance(SECOND * 3600).await;
            tokio::task::yield_now().await;
            7
        };
        let mut clock = AwakeClock::default();
        assert_eq!(clock.wait(Duration::from_millis(50), answer).await, Some(7));
    }
}
