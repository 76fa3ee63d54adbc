//! What a device is given to sign in with (A41, A42, A43), and what a revocation endpoint says (A39). The first line of an input is a
//! status and a word that does not count, the rest a body.
//!
//! - Codes come only with a success; they are all there, and the one to show is one printable line.
//! - A person is sent to https or to this machine, and both addresses are on one host.
//! - Polls are at least a second apart, and the codes run out.
//! - A token counts as revoked with a success and with nothing else.
//! - An error is one printable line, and holds no code.
#![no_main]

use u2m_core::fuzzing::{device_codes, revocation};
use u2m_core::{Host, HttpResponse};
use u2m_fuzz::{assert_one_printable_line, status_line, words};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((status, _, body)) = status_line(input) else { return };
    let answer = HttpResponse::new(status, body.to_vec()).with_content_type("application/json");
    match device_codes(answer.clone()) {
        Ok(codes) => {
            assert!((200..300).contains(&status));
            assert!(!codes.device_code.expose().is_empty() && !codes.user_code.is_empty());
            assert_one_printable_line(codes.user_code.as_str());
            let host = Host::of(&codes.uri).expect("https, or this machine");
            if let Some(whole) = &codes.uri_complete {
                assert_eq!(Host::of(whole), Ok(host));
            }
            assert!(codes.interval.seconds() >= 1 && codes.expires_in.seconds() >= 1);
        }
        Err(error) => assert_one_printable_line(&words(&error)),
    }
    match revocation(answer) {
        Ok(()) => assert!((200..300).contains(&status)),
        Err(error) => {
            assert!(!(200..300).contains(&status));
            assert_one_printable_line(&words(&error));
        }
    }
});
