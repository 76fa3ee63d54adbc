//! What arrives at the loopback listener, byte for byte (T3, T4, T10, CB-10), and what the core makes of its query.
//!
//! - A request is the same in whatever pieces it arrives.
//! - It counts as a callback only if, by a second reading of the same bytes, it is a `GET /` of HTTP/1.0 or 1.1 with one
//!   `Host` that names this machine and port.
//! - Its query is the answer to the sign-in only if the state is there, once, and is the right one; then it is either a
//!   refusal or a code, and a code goes nowhere but into the request to the token endpoint.
//! - The issuer that a callback names is the account's own; where no host is known yet, nothing is sent to one that is not
//!   trusted (T6).
//! - What is an answer but for its state is told in one printable line without the code.
//! - No answer repeats a word of the request, and no error or `Debug` shows the code (T14, T17).
#![no_main]

use u2m_core::{
    AfterCallback, Browse, Callback, CallbackMatch, Host, IgnoredReason, IssuerTrust, LoginError,
    TrustDecision,
};
use u2m_fuzz::{ACCOUNTS, assert_one_printable_line, browse, browse_somewhere, state, words};
use u2m_http::fuzzing::{RequestVerdict, request};
use url::form_urlencoded;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let whole = request(input, input.len(), 8020);
    for size in [1, 7] {
        assert_eq!(request(input, size, 8020), whole);
    }
    match whole {
        RequestVerdict::Callback(query) => {
            second_reading(input, &query);
            heard(&query);
        }
        RequestVerdict::Refused(answer) => {
            let answer = std::str::from_utf8(&answer).expect("answers are ours");
            let status: u16 = answer[9..12].parse().expect("a status");
            assert!([400, 403, 404, 405].contains(&status), "{answer}");
            let head = answer.split("\r\n\r\n").next().unwrap_or_default();
            assert!(head.contains("\r\nConnection: close\r\n") && !head.contains("Location"));
        }
        RequestVerdict::Outcome | RequestVerdict::Broken | RequestVerdict::Unfinished => {}
    }
});

fn second_reading(input: &[u8], query: &str) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.trim_start_matches(['\r', '\n']).split('\n');
    let first = lines.next().unwrap_or_default().trim_end_matches('\r');
    let target = match query {
        "" => ["GET / ".to_owned(), "GET /? ".to_owned()],
        query => [format!("GET /?{query} "), String::from("\0")],
    };
    let version = target.iter().find_map(|target| first.strip_prefix(target.as_str()));
    assert!(matches!(version, Some("HTTP/1.1" | "HTTP/1.0")), "{first:?}");
    let headers = lines.map(|line| line.trim_end_matches('\r').to_ascii_lowercase());
    let headers: Vec<_> = headers.take_while(|line| !line.is_empty()).collect();
    let hosts: Vec<_> = headers.iter().filter_map(|line| line.strip_prefix("host:")).collect();
    let [host] = hosts[..] else { panic!("{hosts:?}") };
    let names = ["localhost:8020", "127.0.0.1:8020", "[::1]:8020"];
    assert!(names.contains(&host.trim_matches([' ', '\t'])), "{host:?}");
}

fn heard(query: &str) {
    for browse in [browse(), browse_somewhere()] {
        let values = |name: &str| -> Vec<String> {
            let all = form_urlencoded::parse(query.as_bytes());
            let ours = all.filter(|(key, value)| key == name && !value.is_empty());
            ours.map(|(_, value)| value.into_owned()).collect()
        };
        let [states, codes, errors, issuers, descriptions] =
            ["state", "code", "error", "iss", "error_description"].map(values);
        let all = [&states, &codes, &errors, &issuers, &descriptions];
        match browse.hear(query) {
            CallbackMatch::Ignored(IgnoredReason::Repeated) => {
                assert!(all.iter().any(|values| values.len() > 1))
            }
            CallbackMatch::Ignored(IgnoredReason::State) => {
                assert_ne!(states, [state(&browse)]);
                if let Some(stray) = browse.stray(query) {
                    assert!(codes.len() == 1 || errors.len() == 1, "{stray}");
                    assert_one_printable_line(&stray.to_string());
                    let code = codes.first().filter(|code| is_secret(code));
                    assert!(!code.is_some_and(|code| stray.to_string().contains(code.as_str())));
                }
            }
            CallbackMatch::Ignored(IgnoredReason::Empty) => {
                assert!(codes.is_empty() && errors.is_empty())
            }
            CallbackMatch::Callback(callback) => {
                assert!(all.iter().all(|values| values.len() < 2));
                assert_eq!(states, [state(&browse)]);
                let code = codes.first().filter(|_| errors.is_empty());
                let shown = [&errors, &issuers, &descriptions].iter().any(|values| {
                    values
                        .iter()
                        .any(|value| code.is_some_and(|code| value.contains(code.as_str())))
                });
                let secret = code.filter(|code| !shown && is_secret(code));
                if let Some(secret) = secret {
                    assert!(!format!("{callback:?}").contains(secret.as_str()));
                }
                next(browse, callback, code, issuers.first(), secret);
            }
        }
    }
}

fn next(
    browse: Browse,
    callback: Callback,
    code: Option<&String>,
    issuer: Option<&String>,
    secret: Option<&String>,
) {
    let known = browse.host().is_some();
    let step = browse.called_back(callback);
    if let Some(secret) = secret {
        assert!(!format!("{step:?}").contains(secret.as_str()));
    }
    match step {
        Ok(AfterCallback::Exchange(call)) => {
            assert!(
                known && issuer.is_none_or(|iss| *iss == format!("{ACCOUNTS}/oidc/accounts/abc"))
            );
            let form = call.request().form().expect("codes are posted");
            let sent = form_urlencoded::parse(form.as_bytes()).find(|(key, _)| key == "code");
            assert_eq!(sent.map(|(_, code)| code.into_owned()).as_ref(), code);
            assert_eq!(Host::of(call.request().url()), Host::parse(ACCOUNTS));
        }
        Ok(AfterCallback::Verify(call)) => {
            assert!(!known && code.is_some() && call.request().form().is_none());
            let host = Host::of(call.request().url()).expect("a host");
            assert_eq!(IssuerTrust::databricks().of(&host), TrustDecision::Yes);
            assert_eq!(call.state().host(), &host);
        }
        Ok(AfterCallback::Confirm(confirm)) => {
            let zone = confirm.host().as_str().ends_with(".databricks.com");
            assert!(!known && code.is_some() && zone, "{confirm:?}");
        }
        Err(error) => {
            assert_one_printable_line(&words(&error));
            assert!(code.is_some() != matches!(error, LoginError::Denied(_)) || issuer.is_some());
            if let Some(secret) = secret {
                assert!(!words(&error).contains(secret.as_str()));
            }
        }
    }
}

/// Whether a code can be told from the words around it.
fn is_secret(code: &str) -> bool {
    code.len() >= 8
        && code.bytes().all(|b| b.is_ascii_alphanumeric())
        && code.bytes().filter(u8::is_ascii_digit).count() >= 3
        && !format!("{:?}{:?}", browse(), browse_somewhere()).contains(code)
}
