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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_the_systems_time() {
        let system = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let system = i64::try_from(system).unwrap();
        let told = now().unix();
        assert!((-1..60).contains(&(told - system)), "{told} beside {system}");
    }
}
