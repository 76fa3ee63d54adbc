//! The times in the Python SDK's files: local wall-clock time without a zone, which is ambiguous when the clocks change.
//!
//! The Python SDK adds an hour to local time and stores the sum, so a token from the hour before the clocks go back looks as
//! if it lived an hour longer. Read as ordinary local time, it would be used for an hour after it expired. Here the earlier
//! of the possible readings counts: an expiry that is too early costs a refresh, one that is too late costs a failed request.

use u2m_core::calendar::{date_after, days_before, days_in};
use u2m_core::{Lifetime, Timestamp};

/// Seconds east of UTC at an instant, in some time zone.
pub(crate) type Zone<'a> = &'a dyn Fn(Timestamp) -> i32;

const HOUR: i64 = 3_600;

/// How long may pass between the issue of a token and the writing of its file.
const SAVING: i64 = 60;

/// A time as written in a file: wall-clock seconds as if they were UTC, and the offset if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallClockTime {
    wall: i64,
    offset: Option<i64>,
}

impl WallClockTime {
    /// Parses `YYYY-MM-DD`, any letter or a space, `HH:MM:SS`, an optional fraction, and an optional zone. This covers what
    /// the Python SDK writes, what some Python versions read, and Java's instants. A fraction is dropped, so that no time
    /// becomes later.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !text.is_ascii() || bytes.len() < 19 || bytes.len() > 64 {
            return None;
        }
        let marks = [bytes[4], bytes[7], bytes[13], bytes[16]] == *b"--::";
        let between = bytes[10];
        if !marks || !(between.is_ascii_alphabetic() || between == b' ') {
            return None;
        }
        let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
        let clock = [number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?];
        let [hour, minute, second] = clock;
        let in_range = year > 0
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return None;
        }
        let wall = days_before(year, month, day) * 86_400 + hour * HOUR + minute * 60 + second;
        Some(Self { wall, offset: offset(after_fraction(&text[19..])?)? })
    }

    /// Returns the latest instant that is certainly not after the intended one. `saved` is when the file was written, if
    /// known. `is_opaque` means that the token itself does not contain its expiry.
    pub(crate) fn instant(
        self,
        is_opaque: bool,
        saved: Option<Timestamp>,
        zone: Zone<'_>,
    ) -> Timestamp {
        if let Some(offset) = self.offset {
            return Timestamp::from_unix(self.wall - offset);
        }
        let read = from_wall(self.wall, zone);
        if !is_opaque {
            return read;
        }
        // The expiry was computed with the offset at the token's issue, even if it is after a clock change.
        let Some(saved) = saved else {
            let at_issue = zone(read).max(zone(ago(read, 25 * HOUR)));
            return read.min(self.at_offset(at_issue));
        };
        let at_issue = zone(saved).max(zone(ago(saved, SAVING)));
        let read = read.min(self.at_offset(at_issue));
        // More than the usual hour: either it is that long, or the file comes from a time zone further east.
        read.min(saved.plus(Lifetime::from_seconds(HOUR)))
    }

    fn at_offset(self, offset: i32) -> Timestamp {
        Timestamp::from_unix(self.wall - i64::from(offset))
    }
}

/// Returns the instant at which clocks in `zone` show `wall`. If they show it twice, it is the earlier one. If they never
/// show it, it is the one at which they would without the clock change.
pub(crate) fn from_wall(wall: i64, zone: Zone<'_>) -> Timestamp {
    let near = |hours: i64| i64::from(zone(Timestamp::from_unix(wall + hours * HOUR)));
    let offsets = [-26, -13, 0, 13, 26].map(near);
    let is_shown =
        |instant: &i64| *instant + i64::from(zone(Timestamp::from_unix(*instant))) == wall;
    let shown = offsets.iter().map(|offset| wall - offset).filter(is_shown).min();
    Timestamp::from_unix(shown.unwrap_or(wall - offsets[0]))
}

/// Writes local wall-clock time as Python's `isoformat` does, with six digits of a fraction or none.
pub(crate) fn format(time: Timestamp, micros: u32, zone: Zone<'_>) -> String {
    // Python reads the years 1 to 9999 in any zone.
    let time = Timestamp::from_unix(time.unix().clamp(-62_135_400_000, 253_402_100_000));
    let wall = time.unix() + i64::from(zone(time));
    let (year, month, day) = date_after(wall.div_euclid(86_400));
    let clock = wall.rem_euclid(86_400);
    let (hour, minute, second) = (clock / HOUR, clock / 60 % 60, clock % 60);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}")
}

/// Writes UTC, for times that u2m reads again.
pub(crate) fn format_utc(time: Timestamp) -> String {
    format(time, 0, &|_| 0) + "Z"
}

fn ago(time: Timestamp, seconds: i64) -> Timestamp {
    time.minus(Lifetime::from_seconds(seconds))
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn after_fraction(rest: &str) -> Option<&str> {
    let Some(digits) = rest.strip_prefix(['.', ',']) else { return Some(rest) };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    (end > 0).then(|| &digits[end..])
}

/// Parses an empty text, `Z`, or `±HH:MM` with or without a colon, with optional seconds and fraction. Returns seconds east
/// of UTC.
fn offset(zone: &str) -> Option<Option<i64>> {
    let sign = match zone.chars().next() {
        None => return Some(None),
        Some('Z' | 'z') if zone.len() == 1 => return Some(Some(0)),
        Some('+') => 1,
        Some('-') => -1,
        Some(_) => return None,
    };
    let (digits, fraction) = zone[1..].split_once('.').unwrap_or((&zone[1..], "0"));
    number(fraction)?;
    let digits = match digits.len() {
        5 | 8 => digits.replace(':', ""),
        _ => digits.to_owned(),
    };
    let seconds = match digits.len() {
        2 => number(&digits)? * HOUR,
        4 => number(&digits[..2])? * HOUR + number(&digits[2..])? * 60,
        6 => number(&digits[..2])? * HOUR + number(&digits[2..4])? * 60 + number(&digits[4..])?,
        _ => return None,
    };
    (seconds <= 24 * HOUR).then_some(Some(sign * seconds))
}

#[cfg(test)]
#[path = "python_time_tests.rs"]
mod tests;
