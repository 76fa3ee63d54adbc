//! The times of the token cache (FILE-2, FILE-7).
//!
//! - What another reader of RFC 3339 accepts, with a capital `T` and `Z` and without leap seconds, is accepted and is the
//!   same instant.
//! - Go's zero time, in any zone, is no time.
//! - What is written is read back as itself, in every zone and for every time of the years that can be written, and its
//!   fraction is never empty.
#![no_main]

use u2m_cache::fuzzing::{read_time, write_time};
use u2m_core::Timestamp;

const ZERO: i64 = -62_135_596_800;
const LAST: i64 = 253_402_214_400;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        read(text);
    }
    if let Some((unix, rest)) = input.split_first_chunk() {
        let offset = rest.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
        let unix = i64::from_le_bytes(*unix);
        write(unix, offset % 86_400);
        write(ZERO + unix.rem_euclid(LAST - ZERO), offset % 86_400);
    }
});

fn read(text: &str) {
    let ours = read_time(text);
    let plain = !text.contains(['t', 'z', ' ', '_']);
    let Ok(theirs) = chrono::DateTime::parse_from_rfc3339(text) else { return };
    let leap = theirs.timestamp_subsec_nanos() >= 1_000_000_000;
    if plain && !leap && text.is_ascii() {
        let unix = theirs.timestamp();
        let expected = (unix != ZERO || theirs.timestamp_subsec_nanos() != 0).then_some(unix);
        match ours {
            Some(time) if time.is_some() || expected.is_none() => {
                assert_eq!(time.map(Timestamp::unix), expected, "{text}")
            }
            // Digits of the fraction beyond the ninth count for one reader and not for the other.
            Some(_) | None => panic!("{text} is read as {ours:?}"),
        }
    }
}

fn write(unix: i64, offset: i32) {
    let text = write_time(Timestamp::from_unix(unix), offset);
    let expected = unix.clamp(ZERO + 86_400, LAST);
    assert_eq!(read_time(&text), Some(Some(Timestamp::from_unix(expected))), "{text} of {unix}");
    assert!(text.contains(".000001"), "{text}");
    assert_eq!(text.ends_with('Z'), offset / 60 == 0, "{text} in {offset}");
}
