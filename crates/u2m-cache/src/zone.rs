//! The zone of this machine.

use chrono::{DateTime, Local, Offset};
use u2m_core::Timestamp;

/// Writes a time as SDKs that call a command line for a token expect it: local wall-clock time, a fraction, and the
/// offset that the zone of this machine has at that time (`Z` where it is UTC).
///
/// ```
/// use u2m_core::Timestamp;
/// let text = u2m_cache::format_local(Timestamp::from_unix(1_774_000_000));
/// assert!(text.starts_with("2026-03-") && text.contains(".000001"));
/// ```
pub fn format_local(time: Timestamp) -> String {
    crate::rfc3339::format(time, offset_at(time))
}

/// Seconds east of UTC at `time`.
pub(crate) fn offset_at(time: Timestamp) -> i32 {
    let at = DateTime::from_timestamp(time.unix(), 0).unwrap_or_default();
    at.with_timezone(&Local).offset().fix().local_minus_utc()
}
