//! The times of `token-cache.json`: read as Go reads them, and written so that Go, Python and Java agree on them.

use u2m_core::calendar::date_after;
use u2m_core::{BadTime, Moment, Timestamp};

/// Go's zero time, which means "not known".
const ZERO: i64 = -62_135_596_800;

/// The text for an unknown time.
pub(crate) const UNKNOWN: &str = "0001-01-01T00:00:00Z";

/// Parses what Go accepts, truncated to whole seconds. Go's zero time, in any zone, is `None`.
pub(crate) fn parse(text: &str) -> Result<Option<Timestamp>, BadTime> {
    let time: Moment = text.parse()?;
    let is_zero = time == Moment::from(Timestamp::from_unix(ZERO));
    Ok((!is_zero).then(|| time.second()))
}

/// Writes local time with a fraction that no writer removes, and the offset; `Z` only if the zone is UTC.
///
/// The Python SDK cuts the text at the first dot and reads what precedes it as local time. A fraction of zeros would be
/// removed by the next Go program that rewrites the file, and an offset without a fraction is an error in Python.
pub(crate) fn format(time: Timestamp, offset_seconds: i32) -> String {
    // Years after 9999 cannot be written. For a token that lives so long, the last second of that year will do.
    let unix = time.unix().clamp(ZERO + 86_400, 253_402_214_400);
    // Local mean times have an offset with seconds, which the format does not allow. Without the seconds the instant stays
    // the same.
    let offset_minutes = offset_seconds / 60;
    let local = unix + i64::from(offset_minutes) * 60;
    let (days, clock) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let (year, month, day) = date_after(days);
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    let zone = match offset_minutes {
        0 => "Z".to_owned(),
        minutes => {
            let (sign, minutes) = (if minutes.is_negative() { '-' } else { '+' }, minutes.abs());
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000001{zone}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use u2m_core::calendar::days_before;

    #[test]
    fn what_gos_reader_accepts_is_read() {
        for (text, unix) in [
            ("2099-01-01T00:00:00Z", 4_070_908_800),
            ("2099-01-01T00:00:00.5+05:30", 4_070_908_800 - 19_800),
            ("2099-01-01T00:00:00-08:00", 4_070_908_800 + 28_800),
            ("2099-01-01T00:00:00+00:00", 4_070_908_800),
            ("2099-01-01T00:00:00.1234567890123Z", 4_070_908_800),
            ("2099-01-01T0:00:00Z", 4_070_908_800),
            ("2099-01-01T00:00:00,5Z", 4_070_908_800),
            ("2099-01-01T00:00:00+24:00", 4_070_908_800 - 86_400),
            ("2026-03-10T22:33:09.12+01:00", 1_773_178_389),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
        ] {
            assert_eq!(parse(text), Ok(Some(Timestamp::from_unix(unix))), "{text}");
        }
        for zero in [
            "0001-01-01T00:00:00Z",
            "0001-01-01T01:00:00+01:00",
            "0001-01-01T00:00:00.000Z",
            "0001-01-01T00:00:00.0000000009Z",
        ] {
            assert_eq!(parse(zero), Ok(None), "{zero}");
        }
        assert!(parse("0000-01-01T00:00:00Z").unwrap().is_some(), "a real time, long past");
    }

    #[test]
    fn days_are_counted_across_the_ends_of_centuries() {
        let ends =
            [(1600, 2, 29), (1600, 3, 1), (1900, 2, 28), (1900, 3, 1), (2000, 2, 29), (2000, 3, 1)];
        for (year, month, day) in ends {
            assert_eq!(date_after(days_before(year, month, day)), (year, month, day));
        }
        assert_eq!(date_after(11_016), (2000, 2, 29));
        assert_eq!(date_after(-25_509), (1900, 2, 28));
    }

    #[test]
    fn what_gos_reader_refuses_is_refused() {
        for bad in [
            "",
            "2099-01-01T00:00:00",
            "2099-01-01 00:00:00Z",
            "2099-01-01t00:00:00Z",
            "2099-01-01T00:00:00z",
            "2099-01-01T00:00:00+0100",
            "2099-01-01T00:00Z",
            "2099-01-01T24:00:00Z",
            "2099-01-01T00:00:60Z",
            "2099-02-30T00:00:00Z",
            "12099-01-01T00:00:00Z",
            "2099-01-01T00:00:00.Z",
            "2099-13-01T00:00:00Z",
            "2099-01-01T00:00:00+25:00",
            "2099-01-01T00:00:00+1:00",
            "2099-01-01T00:00:00++1:00",
            "2099-01-01T00:00:00+001:00",
            "2099-1-01T00:00:00Z",
            "2099-01-01T00:00:00Zx",
            "é",
            "TZ",
            "2023-02-29T00:00:00Z",
        ] {
            assert_eq!(parse(bad), Err(BadTime), "{bad:?}");
        }
    }

    #[test]
    fn every_month_has_its_days_and_no_more() {
        let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, days) in (1..).zip(days) {
            let is_read = |day| parse(&format!("2099-{month:02}-{day:02}T00:00:00Z")).is_ok();
            assert!(is_read(1) && is_read(days), "month {month}");
            assert!(!is_read(0) && !is_read(days + 1), "month {month}");
        }
    }

    #[test]
    fn what_is_written_has_a_fraction_that_is_never_trimmed_and_the_local_offset() {
        let time = Timestamp::from_unix(1_774_000_000);
        assert_eq!(format(time, 0), "2026-03-20T09:46:40.000001Z");
        assert_eq!(format(time, 19_800), "2026-03-20T15:16:40.000001+05:30");
        assert_eq!(format(time, -28_800), "2026-03-20T01:46:40.000001-08:00");
    }

    #[test]
    fn a_zone_with_seconds_in_its_offset_moves_no_instant() {
        let time = Timestamp::from_unix(-3_000_000_000);
        for (offset, text) in [
            (3_208, "1874-12-07T19:33:00.000001+00:53"),
            (-30, "1874-12-07T18:40:00.000001Z"),
            (-2_670, "1874-12-07T17:56:00.000001-00:44"),
        ] {
            assert_eq!(format(time, offset), text);
            assert_eq!(parse(text), Ok(Some(time)));
        }
    }

    proptest! {
        #[test]
        fn a_written_time_reads_back_as_itself(unix in -10_000_000_000i64..250_000_000_000, quarter in -56i32..57) {
            let time = Timestamp::from_unix(unix);
            prop_assert_eq!(parse(&format(time, quarter * 900)), Ok(Some(time)));
        }

        #[test]
        fn pythons_rule_finds_the_same_wall_clock(unix in 0i64..4_000_000_000, quarter in -56i32..57) {
            let text = format(Timestamp::from_unix(unix), quarter * 900);
            // Strip a Z, cut at the first dot, parse as local wall-clock time.
            let cut = text.trim_end_matches('Z').split('.').next().unwrap();
            let wall = parse(&format!("{cut}Z")).unwrap().unwrap();
            prop_assert_eq!(wall.unix() - i64::from(quarter) * 900, unix);
        }

        #[test]
        fn any_text_is_a_time_or_an_error(text in "(?s).{0,40}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn hours_minutes_and_seconds_end_where_they_do() {
        for (clock, is_read) in
            [("23:59:59", true), ("24:00:00", false), ("00:60:00", false), ("00:00:60", false)]
        {
            assert_eq!(parse(&format!("2026-01-01T{clock}Z")).is_ok(), is_read, "{clock}");
        }
    }

    #[test]
    fn what_no_calendar_has_is_written_as_its_first_or_last_day() {
        let written = |unix| format(Timestamp::from_unix(unix), 0);
        assert!(written(i64::MIN).starts_with("0001-01-02T00:00:00"), "{}", written(i64::MIN));
        assert!(written(i64::MAX).starts_with("9999-12-3"), "{}", written(i64::MAX));
    }

    #[test]
    fn every_fourth_year_is_a_leap_year_but_for_most_centuries() {
        for (year, is_leap) in
            [(2000, true), (1900, false), (2100, false), (2023, false), (2024, true), (2026, false)]
        {
            assert_eq!(parse(&format!("{year}-02-29T00:00:00Z")).is_ok(), is_leap, "{year}");
            assert!(parse(&format!("{year}-02-28T00:00:00Z")).is_ok());
        }
    }
}
