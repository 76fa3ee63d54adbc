//! What an access token says of itself, if it happens to be a JWT (A44). An input is a token, and the claims of another.
//!
//! - Only three parts are claims, and no token that is longer than any honest one is looked at.
//! - Times lie between 1970 and the year 5138; names are neither empty nor longer than 2 KiB.
//! - An account from an issuer is one part of its path.
//! - What is shown is one printable line (T17).
#![no_main]

use u2m_core::UnverifiedClaims;
use u2m_fuzz::assert_one_printable_line;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(token) = std::str::from_utf8(input) {
        let claims = UnverifiedClaims::read(token);
        let parts = token.split('.').count();
        assert!(claims.is_none() || (parts == 3 && token.len() <= 64 << 10), "{token:?}");
        told(claims);
    }
    let claims = encoded(input);
    let read = UnverifiedClaims::read(&format!("e30.{claims}.sig"));
    let object = serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(input).ok();
    if claims.len() < 60_000 {
        assert_eq!(read.is_some(), object.is_some());
    }
    if let (Some(read), Some(object)) = (&read, &object) {
        let issuer = object.get("iss").and_then(|iss| iss.as_str());
        assert!(read.iss.is_none() || read.iss.as_deref() == issuer);
        let end =
            object.get("exp").and_then(|exp| exp.as_u64()).filter(|end| *end < 100_000_000_000);
        if let Some(end) = end {
            assert_eq!(read.exp.map(|time| time.unix().unsigned_abs()), Some(end));
        }
    }
    told(read);
});

fn told(claims: Option<UnverifiedClaims>) {
    let Some(claims) = claims else { return };
    for time in [claims.exp, claims.iat].into_iter().flatten() {
        assert!((0..100_000_000_000).contains(&time.unix()), "{time:?}");
    }
    assert!(claims.iss.as_ref().is_none_or(|iss| (1..=2048).contains(&iss.len())));
    assert!(claims.account_id().is_none_or(|id| !id.is_empty()));
    if let Some(shown) = claims.shown_issuer() {
        assert_one_printable_line(shown.as_str());
    }
}

/// Base64url without padding (RFC 4648 section 5).
fn encoded(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        out.extend((0..=group.len()).map(digit));
    }
    out
}
