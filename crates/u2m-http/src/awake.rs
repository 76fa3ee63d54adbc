//! Time during which this process ran. Whoever waits for the answer of something that is spent must not lose it because the
//! process was stopped, its container frozen or its laptop closed meanwhile: what has arrived is looked at before the clock
//! decides.

use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(100);

/// As much as one tick may count, however long it took: for what is longer, this process was not there.
const LONGEST: Duration = Duration::from_millis(200);

/// The last looks, after the time is up, of a process that was away shortly before: so many in a row have to be on time.
const LOOKS: u32 = 4;

/// How long each of them takes.
const LOOK: Duration = Duration::from_millis(25);

/// Where not even those are on time, there are so many of them at most.
const LAST_LOOKS: u32 = 64;

/// A clock that goes on only while this process runs and waits by it. A suspension counts as one short tick.
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
    /// How many ticks in a row were on time.
    on_time: u32,
}

impl Default for AwakeClock {
    fn default() -> Self {
        Self { elapsed: Duration::ZERO, on_time: LOOKS }
    }
}

impl AwakeClock {
    /// The time for which was waited by this clock.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Waits for `future` until this clock shows `until`; `None` if it is not done by then. Runs within a tokio runtime.
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
            // The future is asked first, and the runtime has looked at its sockets before it looks at its clock.
            let outcome = timeout(tick, future.as_mut()).await;
            self.passed(begun.elapsed());
            if let Ok(output) = outcome {
                return Some(output);
            }
        }
    }

    /// The same for plain code: asks `look` again and again, which waits for as long as it is told, until it has
    /// something; `None` if it has nothing when this clock shows `until`.
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

    /// How long to wait for the next look; `None` if the time is up and nothing can have been overlooked. `looks` counts
    /// those after the time was up; one is always had.
    fn tick(&self, until: Duration, looks: &mut u32) -> Option<Duration> {
        let left = until.saturating_sub(self.elapsed);
        if !left.is_zero() {
            // A look follows in any case.
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

    /// A tick is over, after `took`.
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

    /// The ticks that are asked for, of which the first take `took`, and the others what they should.
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
        // And again if it is away during that.
        let mut clock = AwakeClock::default();
        let asked = ticks(&mut clock, until, &[60_000, 25, 25, 60_000]);
        assert_eq!(asked, [100, 25, 25, 25, 25, 25, 25, 25]);
        // A while ago is as good as never.
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
