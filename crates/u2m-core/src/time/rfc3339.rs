//! Times as text (RFC 3339): written in UTC, and read as leniently as Go does, since Go programs share files with u2m.

use super::{Moment, Timestamp};
use crate::calendar::{date_after, days_before, days_in};
use std::fmt;
use std::str::FromStr;

/// The text is not a time in the format of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-03-10T21:33:09Z")]
pub struct BadTime;

/// The last second that a four-digit year can express.
const LAST: i64 = 253_402_300_799;
/// The first one, in the year 0.
const FIRST: i64 = -62_167_219_200;

/// Formats the time in UTC, to the second. A year that does not fit into four digits is shown as the first or last that does.
///
/// ```
/// let time = u2m_core::Timestamp::from_unix(1_773_178_389);
/// assert_eq!(time.to_string(), "2026-03-10T21:33:09Z");
/// ```
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix = self.unix().clamp(FIRST, LAST);
        let (year, month, day) = date_after(unix.div_euclid(86_400));
        let clock = unix.rem_euclid(86_400);
        let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Parses a time in the format of RFC 3339, down to whole seconds.
///
/// ```
/// use u2m_core::Timestamp;
/// let time: Timestamp = "2026-03-10T22:33:09.12+01:00".parse()?;
/// assert_eq!(time.unix(), 1_773_178_389);
/// # Ok::<(), u2m_core::BadTime>(())
/// ```
impl FromStr for Timestamp {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        text.parse().map(Moment::second)
    }
}

/// Parses a time in the format of RFC 3339, with up to nine digits of its fraction.
impl FromStr for Moment {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let (date, rest) = text.split_once('T').ok_or(BadTime)?;
        let [year, month, day] = fields(date, '-', [4, 2, 2], [4, 2, 2])?;
        let zone_at = rest.find(['Z', '+', '-']).ok_or(BadTime)?;
        let (clock, zone) = rest.split_at(zone_at);
        let (clock, nanos) = match clock.find(['.', ',']) {
            Some(at) => (&clock[..at], fraction(&clock[at + 1..])?),
            None => (clock, 0),
        };
        let [hour, minute, second] = fields(clock, ':', [1, 2, 2], [2, 2, 2])?;
        let is_real = (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !is_real {
            return Err(BadTime);
        }
        let of_day = hour * 3_600 + minute * 60 + second;
        let unix = days_before(year, month, day) * 86_400 + of_day - offset(zone)?;
        Ok(Self::new(Timestamp::from_unix(unix), nanos))
    }
}

/// The digits of the fraction, in nanoseconds; further digits are ignored.
fn fraction(digits: &str) -> Result<u32, BadTime> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadTime);
    }
    let digits = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    Ok(digits.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0')))
}

fn fields(
    text: &str,
    separator: char,
    shortest: [usize; 3],
    longest: [usize; 3],
) -> Result<[i64; 3], BadTime> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (at, slot) in out.iter_mut().enumerate() {
        let part = parts.next().ok_or(BadTime)?;
        let fits = (shortest[at]..=longest[at]).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit());
        *slot = if fits { part.parse().map_err(|_| BadTime)? } else { return Err(BadTime) };
    }
    if parts.next().is_some() { Err(BadTime) } else { Ok(out) }
}

/// Reads `Z` or `±hh:mm`, in seconds east of UTC.
fn offset(zone: &str) -> Result<i64, BadTime> {
    if zone == "Z" {
        return Ok(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..).and_then(|rest| rest.split_once(':')).ok_or(BadTime)?;
    let number = |text: &str| match text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<i64>().map_err(|_| BadTime),
        false => Err(BadTime),
    };
    match (number(hours)?, number(minutes)?) {
        // Go accepts 24 hours by accident; such files exist, and the instant is clear.
        (hours @ 0..=24, minutes @ 0..=59) => Ok(sign * (hours * 3_600 + minutes * 60)),
        _ => Err(BadTime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_shown_from_the_first_year_to_the_last() {
        for unix in [FIRST, -1, 0, 951_782_399, 1_773_178_389, 4_070_908_800, LAST] {
            let time = Timestamp::from_unix(unix);
            assert_eq!(time.to_string().parse(), Ok(time), "{time}");
        }
        for (unix, text) in [(i64::MIN, "0000-01-01T00:00:00Z"), (i64::MAX, "9999-12-31T23:59:59Z")]
        {
            assert_eq!(Timestamp::from_unix(unix).to_string(), text);
        }
    }

    #[test]
    fn nine_digits_of_a_fraction_count() {
        let nanos = |text: &str| text.parse().map(Moment::nanos);
        assert_eq!(nanos("2026-03-10T21:33:09Z"), Ok(0));
        assert_eq!(nanos("2026-03-10T21:33:09.5Z"), Ok(500_000_000));
        assert_eq!(nanos("2026-03-10T21:33:09,0000000019Z"), Ok(1));
        for bad in ["", "2026-03-10", "2026-03-10T21:33:09", "2026-03-10T21:33:09.Z"] {
            assert_eq!(nanos(bad), Err(BadTime), "{bad}");
        }
    }
}
