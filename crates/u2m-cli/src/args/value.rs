//! The values that flags take, read as the reference reads them.

use super::usage;
use crate::failure::Failure;
use std::ffi::OsString;
use std::time::Duration;

/// The value of a switch, as the reference's parser takes it.
pub(super) fn truth(name: &str, value: Option<OsString>) -> Result<bool, Failure> {
    let Some(value) = value else { return Ok(true) };
    match value.to_string_lossy().as_ref() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(usage(format!("the value of --{name} is not true or false"))),
    }
}

/// Ten thousand times as long as there are written words. Far beyond, clocks cannot be asked what time it will be.
const LONGEST: Duration = Duration::from_secs(1 << 50);

/// A sequence of numbers with units, such as `1h30m`, `90s` or `1.5h`; a bare `0` is no time at all.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let tail = &rest[end..];
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let unit = match &tail[..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number * unit;
        rest = &tail[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|it| !text.is_empty() && *it <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("0", 0.0),
            ("250ms", 0.25),
            ("100000000h", 3.6e11),
        ] {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for bad in ["", "90", "s", "1x", "-1s", "1h 2m", "5124095576030430h"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
