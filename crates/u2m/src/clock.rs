//! The clock of the paved road; everything below takes the time as an argument.

use u2m_core::{Moment, Timestamp};

/// Now, by the system's real-time clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// Now, as exactly as that clock can tell: for what has an order within one second.
pub(crate) fn moment() -> Moment {
    Moment::from(std::time::SystemTime::now())
}

/// Now, a few milliseconds late at most, for a quarter of the price. Not a monotonic clock: that one stands still while a
/// laptop sleeps, and a dead token would look fresh.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn coarse_unix() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse).tv_sec
}

/// Now, where there is no cheaper clock.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn coarse_unix() -> i64 {
    now().unix()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_tell_the_systems_time() {
        let system = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let system = i64::try_from(system).unwrap();
        for told in [coarse_unix(), now().unix()] {
            assert!((-1..60).contains(&(told - system)), "{told} beside {system}");
        }
    }
}
