//! The clock of a program.

use super::clock::{self, ClockPair, ClockTick};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use u2m_core::{Moment, Timestamp};

type Now = dyn Fn() -> SystemTime + Send + Sync;

/// The clock that determines the current time: the system's, unless a program supplies its own.
/// Tests use one to let an hour pass at once. Cheap to clone.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use u2m_http::Clock;
/// let ahead = Clock::new(|| SystemTime::now() + Duration::from_secs(3600));
/// assert!(Clock::system().now().until(ahead.now()).seconds() >= 3599);
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Now>>);

impl Clock {
    /// Returns the real-time clock of the system.
    ///
    /// ```
    /// assert!(!u2m_http::Clock::system().is_of_program());
    /// ```
    pub fn system() -> Self {
        Self::default()
    }

    /// Creates a clock from a function. A step forward counts as time that has passed, and a step
    /// back as time that has not.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// let stopped = u2m_http::Clock::new(|| SystemTime::UNIX_EPOCH);
    /// assert_eq!(stopped.now().unix(), 0);
    /// ```
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Returns whether the program supplied this clock. If so, other processes do not use it.
    pub fn is_of_program(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the current time in whole seconds.
    pub fn now(&self) -> Timestamp {
        self.moment().second()
    }

    /// Returns the current time as precisely as the clock can tell it, for ordering events within one second.
    pub fn moment(&self) -> Moment {
        Moment::from(self.0.as_ref().map_or_else(SystemTime::now, |now| now()))
    }

    pub(super) fn tick(&self) -> ClockTick {
        if self.0.is_some() { ClockTick::at(self.moment()) } else { clock::tick() }
    }

    /// Reads both clocks, right after this one showed `tick`. A clock of the program is used as both.
    pub(super) fn glance_after(&self, tick: ClockTick) -> ClockPair {
        if self.0.is_some() { ClockPair::by_one(tick) } else { ClockPair::after(tick) }
    }

    pub(super) fn glance(&self) -> ClockPair {
        self.glance_after(self.tick())
    }

    pub(super) fn since_boot(&self) -> i64 {
        if self.0.is_some() { self.now().unix() } else { clock::since_boot() }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(of the program)" } else { "Clock(system)" })
    }
}
