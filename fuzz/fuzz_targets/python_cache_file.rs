//! A login file of Python's SDK. The first line of an input is an offset from UTC in seconds and the time of the file's
//! last change, the rest the file.
//!
//! - Any text is a login, none, or an error that repeats nothing of it.
//! - A login that was read is written as a text that is read as the same tokens, whatever the zone; the text is one line of
//!   JSON in ASCII, as Python writes it.
#![no_main]

use u2m_cache::foreign_fuzzing::{read, write};
use u2m_core::Timestamp;
use u2m_fuzz::{assert_one_printable_line, first_line};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((line, text)) = first_line(input) else { return };
    let Some((offset, saved)) = line.split_once(' ') else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    // The zones that there are.
    let offset = offset.parse::<i32>().unwrap_or(0).clamp(-12 * 3600, 14 * 3600);
    let saved = saved.parse().ok().map(Timestamp::from_unix);
    match read(text, saved, offset) {
        Ok(Some(session)) => {
            let written = write(&session, offset);
            assert!(written.is_ascii());
            assert_one_printable_line(&written[..written.len().min(900)]);
            assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok(), "{written}");
            let again = read(&written, saved, offset);
            let again = again.expect("it was just written").expect("it holds a token");
            assert_eq!(again.access_token, session.access_token);
            assert_eq!(again.refresh_token, session.refresh_token);
        }
        Ok(None) => {}
        Err(why) => assert_one_printable_line(why),
    }
});
