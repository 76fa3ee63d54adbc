//! What the targets share: how an input is taken apart, and what a text that is shown may hold.

use std::error::Error;
use u2m_core::{
    AccountId, BeforeCallback, Browse, Entropy, Host, LoginRequest, ProfileName, Target,
};

/// The account that [`browse`] signs in to.
pub const ACCOUNTS: &str = "https://accounts.cloud.databricks.com";

/// The first line of an input, and what follows it. Seeds are files that a person can read and write.
pub fn first_line(input: &[u8]) -> Option<(&str, &[u8])> {
    let at = input.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&input[..at]).ok()?, &input[at + 1..]))
}

/// A first line that holds a status and one more word, and what follows it.
pub fn status_line(input: &[u8]) -> Option<(u16, &str, &[u8])> {
    let (line, rest) = first_line(input)?;
    let (status, word) = line.split_once(' ')?;
    Some((status.parse().ok()?, word, rest))
}

/// An error and everything behind it, as it is shown.
pub fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Insists on one line that a terminal shows as it is: no control character, no escape sequence, nothing that turns
/// other characters around (T17).
pub fn assert_one_printable_line(text: &str) {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    assert!(!text.contains(|c: char| c.is_control() || turns(c)), "{text:?}");
    assert!(text.chars().count() < 1000, "{} characters are shown", text.chars().count());
}

/// A sign-in to an account that waits for its callback on port 8020. Its state is always the same.
pub fn browse() -> Browse {
    let host = Host::parse(ACCOUNTS).expect("a host");
    browse_to(Target::account(host, AccountId::parse("abc").expect("an account")))
}

/// A sign-in that has no host yet.
pub fn browse_somewhere() -> Browse {
    browse_to(Target::discovery(ProfileName::parse("dev").expect("a name")))
}

/// The state of both.
pub fn state(browse: &Browse) -> String {
    let query = browse.url().query_pairs();
    let destination = query.clone().find(|(name, _)| name == "destination_url");
    let inner = destination.map(|(_, inner)| inner.into_owned());
    let inner = inner.as_deref().and_then(|inner| inner.split_once('?')).map(|(_, query)| query);
    let of = |query: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state");
        found.map(|(_, state)| state.into_owned())
    };
    of(inner.or(browse.url().query()).unwrap_or_default()).expect("each login has a state")
}

fn browse_to(target: Target) -> Browse {
    match LoginRequest::new(target).start(Entropy::new([7; 64])) {
        BeforeCallback::Listen(listen) => listen.bound(8020),
        BeforeCallback::Discover(call) => unreachable!("{call:?}"),
    }
}
