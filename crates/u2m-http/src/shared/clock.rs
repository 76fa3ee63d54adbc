//! The clocks that determine whether a token in memory is still valid.
//!
//! The wall clock shows when the server will reject the token, but it can be set back. The time
//! since the system started cannot be set, and it includes the time during which a laptop sleeps.
//! Reading that clock takes longer than reading a token should take. So two cheap clocks are read
//! instead: while their difference is unchanged, the system has neither slept nor has its wall
//! clock been set.

use u2m_core::Moment;
#[cfg(test)]
use u2m_core::Timestamp;

/// Returns the current time, by the system's real-time clock.
#[cfg(test)]
pub(crate) fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// A reading of the cheap wall clock. The system advances it some hundred times per second. While
/// it shows the same, no time has passed that matters to a token, and nobody has set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockTick {
    seconds: i64,
    nanoseconds: i64,
}

impl ClockTick {
    /// Converts a reading of a clock that is not the cheap one.
    pub(super) fn at(moment: Moment) -> Self {
        Self { seconds: moment.second().unix(), nanoseconds: moment.nanos().into() }
    }
}

/// A reading of two cheap clocks at one moment, in seconds, late by a few milliseconds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockPair {
    /// Unix time.
    pub(super) wall: i64,
    /// Time since some start, without the time that the system slept.
    pub(super) awake: i64,
}

impl ClockPair {
    /// Reads the other clock, right after the wall clock showed `tick`.
    pub(super) fn after(tick: ClockTick) -> Self {
        Self { wall: tick.seconds, awake: awake() }
    }

    /// Uses one clock in place of both.
    pub(super) fn by_one(tick: ClockTick) -> Self {
        Self { wall: tick.seconds, awake: tick.seconds }
    }

    /// Returns the difference between the clocks. It changes when the wall clock is set, and when
    /// the system sleeps.
    pub(super) fn offset(self) -> i64 {
        self.wall - self.awake
    }
}

#[cfg(test)]
pub(super) fn glance() -> ClockPair {
    ClockPair::after(tick())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn tick() -> ClockTick {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    ClockTick { seconds: now.tv_sec, nanoseconds: now.tv_nsec }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn awake() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse).tv_sec
}

/// For systems without a cheaper clock.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn tick() -> ClockTick {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    ClockTick {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: since.subsec_nanos().into(),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn awake() -> i64 {
    since_boot()
}

/// Returns the seconds since the system started, including the time that it slept.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn since_boot() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec
}

/// For systems where no clock is available that runs during sleep: uses one that stops. A token
/// that outlives a sleep by this clock is still checked against the wall clock.
///
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn since_boot() -> i64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let since = FIRST.get_or_init(Instant::now).elapsed().as_secs();
    i64::try_from(since).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_tell_the_systems_time() {
        let system = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let system = i64::try_from(system).unwrap();
        for told in [glance().wall, now().unix()] {
            assert!((-1..60).contains(&(told - system)), "{told} beside {system}");
        }
    }

    #[test]
    fn two_clocks_differ_by_what_one_is_ahead_of_the_other() {
        assert_eq!(ClockPair { wall: 500, awake: 300 }.offset(), 200);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_since_the_start_is_the_systems() {
        let told = std::fs::read_to_string("/proc/uptime").unwrap();
        let told: f64 = told.split(' ').next().unwrap().parse().unwrap();
        let after = since_boot() as f64 - told;
        assert!((-2.0..60.0).contains(&after), "{after} s after {told}");
    }

    #[test]
    fn the_time_since_the_start_never_goes_back() {
        let first = since_boot();
        assert!(first >= 0 && since_boot() >= first);
    }
}
