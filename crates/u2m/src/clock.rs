//! The system's clock, for what a login's own clock ([`Clock`](u2m_http::Clock)) does not cover.

use u2m_core::Timestamp;

/// The current time by the system's real-time clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
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
