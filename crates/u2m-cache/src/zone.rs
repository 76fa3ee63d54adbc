//! Local time on this machine.

use chrono::{DateTime, Local, Offset};
use u2m_core::Timestamp;

/// Formats a time the way SDKs expect it from a command that prints a token: local wall-clock time with a fraction, and the
/// UTC offset that this machine's time zone has at that time (`Z` for UTC).
///
/// ```
/// use u2m_core::Timestamp;
/// let text = u2m_cache::format_local(Timestamp::from_unix(1_774_000_000));
/// assert!(text.starts_with("2026-03-") && text.contains(".000001"));
/// ```
pub fn format_local(time: Timestamp) -> String {
    crate::rfc3339::format(time, offset_at(time))
}

/// Returns the local offset at `time`, in seconds east of UTC.
pub(crate) fn offset_at(time: Timestamp) -> i32 {
    let at = DateTime::from_timestamp(time.unix(), 0).unwrap_or_default();
    at.with_timezone(&Local).offset().fix().local_minus_utc()
}
