//! The clock of the paved road; everything below takes the time as an argument.

use u2m_core::Timestamp;

/// Now, by the system's real-time clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
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
