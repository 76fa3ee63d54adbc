//! A login as a store of somebody's own keeps it. An input is what stands in the store.
//!
//! - What is read is written, and read again as itself.
//! - A binding that is believed sends tokens to the login's own host, or to one that the record itself allows (T20).
//! - Why something is no login is one printable line that repeats nothing of it (T14, T17).
#![no_main]

use u2m_core::{RecordError, SessionRecord};
use u2m_fuzz::{assert_one_printable_line, words};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    match SessionRecord::parse(input) {
        Ok(record) => {
            let text = record.text();
            assert!(SessionRecord::parse(text.expose()).as_ref() == Ok(&record), "{record:?}");
            let session = record.session();
            let believed = SessionRecord::of(&session);
            let again = SessionRecord::parse(believed.text().expose()).expect("it was written");
            assert!(again.session() == session, "{session:?}");
            if let Some(binding) = session.binding {
                assert!(binding.allows(&binding.token_endpoint), "{binding:?}");
            }
        }
        Err(error) => {
            assert_one_printable_line(&words(&error));
            if let RecordError::Newer { form } = error {
                let value = serde_json::from_slice::<serde_json::Value>(input).ok();
                assert!(form > 1 && value.is_none_or(|value| value["form"] == form), "{form}");
            }
        }
    }
});
