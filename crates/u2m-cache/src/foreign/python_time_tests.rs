use super::*;
use proptest::prelude::*;

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn utc(text: &str) -> i64 {
    WallClockTime::parse(&format!("{text}Z")).unwrap().instant(false, None, &|_| 0).unix()
}

/// New York's clocks in 2026.
fn new_york(time: Timestamp) -> i32 {
    let summer = utc("2026-03-08T07:00:00")..utc("2026-11-01T06:00:00");
    if summer.contains(&time.unix()) { -4 * 3600 } else { -5 * 3600 }
}

/// What Python keeps of a token that is issued at `issued` and lives for `seconds`.
fn kept(issued: i64, seconds: i64) -> WallClockTime {
    WallClockTime { wall: issued + i64::from(new_york(at(issued))) + seconds, offset: None }
}

#[test]
fn every_form_that_some_python_reads_is_read() {
    let noon = utc("2026-01-01T12:00:00");
    let wall = |text: &str| WallClockTime::parse(text).unwrap();
    for naive in [
        "2026-01-01T12:00:00",
        "2026-01-01 12:00:00",
        "2026-01-01T12:00:00.1",
        "2026-01-01T12:00:00.999",
        "2026-01-01T12:00:00.123456",
        "2026-01-01T12:00:00.123456789",
    ] {
        assert_eq!(wall(naive), WallClockTime { wall: noon, offset: None }, "{naive}");
    }
    for (aware, offset) in [
        ("2026-01-01T12:00:00Z", 0),
        ("2026-01-01T12:00:00.123456789Z", 0),
        ("2026-01-01T12:00:00+00:00", 0),
        ("2026-01-01 12:00:00.5-05:30", -19_800),
        ("2026-01-01T12:00:00+0530", 19_800),
        ("2026-01-01T12:00:00+05", 18_000),
        ("2026-01-01T12:00:00+05:30:10.5", 19_810),
    ] {
        assert_eq!(wall(aware), WallClockTime { wall: noon, offset: Some(offset) }, "{aware}");
    }
}

#[test]
fn what_is_no_time_is_none() {
    for bad in [
        "",
        "2026-01-01",
        "2026-01-01T12:00",
        "2026-13-01T12:00:00",
        "2026-02-29T12:00:00",
        "2026-01-01T24:00:00",
        "2026-01-01T12:00:60",
        "0000-01-01T12:00:00",
        "2026-01-01T12:00:00.",
        "2026-01-01T12:00:00X",
        "2026-01-01T12:00:00+",
        "2026-01-01T12:00:00+99:00",
        "2026-01-01T12:00:00+5:30",
        "2026-01-01T+2:00:00",
        "2026-01-01\u{e9}2:00:00",
    ] {
        assert_eq!(WallClockTime::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn a_time_that_clocks_show_twice_is_the_earlier_one_and_one_that_they_skip_is_what_it_would_be() {
    let wall = |text: &str| from_wall(utc(text), &new_york).unix();
    assert_eq!(wall("2026-11-01T01:30:00"), utc("2026-11-01T05:30:00"));
    assert_eq!(wall("2026-11-01T02:30:00"), utc("2026-11-01T07:30:00"));
    assert_eq!(wall("2026-03-08T02:30:00"), utc("2026-03-08T07:30:00"));
    assert_eq!(wall("2026-03-08T03:30:00"), utc("2026-03-08T07:30:00"));
    assert_eq!(wall("2026-07-01T12:00:00"), utc("2026-07-01T16:00:00"));
    assert_eq!(wall("2026-01-01T12:00:00"), utc("2026-01-01T17:00:00"));
}

#[test]
fn the_time_of_saving_finds_the_true_end_of_what_was_issued_before_a_switch() {
    for (issued, end) in [
        ("2026-11-01T05:30:00", "2026-11-01T06:30:00"),
        ("2026-11-01T05:10:00", "2026-11-01T06:10:00"),
        ("2026-03-08T06:30:00", "2026-03-08T07:30:00"),
        ("2026-07-01T06:30:00", "2026-07-01T07:30:00"),
    ] {
        let written = kept(utc(issued), HOUR);
        let saved = Some(at(utc(issued) + 3));
        assert_eq!(written.instant(true, saved, &new_york).unix(), utc(end), "{issued}");
        assert!(written.instant(true, None, &new_york).unix() <= utc(end), "{issued}");
    }
    // Read as a usual local time, the first is an hour late.
    let late = kept(utc("2026-11-01T05:30:00"), HOUR).instant(false, None, &new_york).unix();
    assert_eq!(late - utc("2026-11-01T06:30:00"), HOUR);
}

#[test]
fn saving_that_runs_into_the_switch_makes_nothing_late() {
    let issued = utc("2026-11-01T05:59:58");
    let written = kept(issued, HOUR);
    assert_eq!(written.instant(true, Some(at(issued + 4)), &new_york).unix(), issued + HOUR);
}

#[test]
fn a_file_from_a_zone_in_the_east_is_believed_for_an_hour_at_most() {
    let issued = utc("2026-07-01T12:00:00");
    let written = WallClockTime { wall: issued + HOUR + 19_800, offset: None };
    let read = written.instant(true, Some(at(issued + 1)), &|_| 0);
    assert_eq!(read.unix(), issued + 1 + HOUR);
}

#[test]
fn an_offset_needs_no_guess() {
    let written = WallClockTime::parse("2026-11-01T02:30:00-04:00").unwrap();
    for saved in [None, Some(at(0))] {
        assert_eq!(written.instant(true, saved, &new_york).unix(), utc("2026-11-01T06:30:00"));
    }
}

#[test]
fn what_is_written_is_local_time_as_pythons_isoformat() {
    let time = at(utc("2026-03-04T05:06:07"));
    assert_eq!(format(time, 0, &|_| 0), "2026-03-04T05:06:07");
    assert_eq!(format(time, 123_456, &|_| 0), "2026-03-04T05:06:07.123456");
    assert_eq!(format(time, 5, &|_| 0), "2026-03-04T05:06:07.000005");
    assert_eq!(format(time, 0, &new_york), "2026-03-04T00:06:07");
    assert_eq!(format_utc(time), "2026-03-04T05:06:07Z");
    for extreme in [i64::MIN, i64::MAX] {
        for zone in [-86_399, 86_399] {
            assert!(WallClockTime::parse(&format(at(extreme), 0, &|_| zone)).is_some());
        }
    }
}

proptest! {
    #[test]
    fn what_python_keeps_of_a_token_is_never_read_as_late(
        issued in 1_772_000_000i64..1_795_000_000, lifetime in 1i64..=3600, saving in 0i64..60,
    ) {
        let read = kept(issued, lifetime).instant(true, Some(at(issued + saving)), &new_york);
        prop_assert!(read.unix() <= issued + lifetime);
        prop_assert!(read.unix() >= issued + lifetime - HOUR);
    }

    #[test]
    fn nor_without_the_time_of_saving(issued in 1_772_000_000i64..1_795_000_000, lifetime in 1i64..=86_400) {
        prop_assert!(kept(issued, lifetime).instant(true, None, &new_york).unix() <= issued + lifetime);
    }

    #[test]
    fn a_written_time_reads_back_as_itself_or_earlier(unix in 1_772_000_000i64..1_795_000_000) {
        let read = WallClockTime::parse(&format(at(unix), 0, &new_york)).unwrap().instant(false, None, &new_york);
        prop_assert!(read.unix() == unix || read.unix() == unix - HOUR);
    }

    #[test]
    fn any_text_is_a_time_or_none(text in "(?s).{0,40}|[0-9T:.+Z -]{15,40}") {
        let _ = WallClockTime::parse(&text).map(|written| written.instant(true, None, &|_| 86_400));
    }
}
