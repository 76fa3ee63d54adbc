//! Secret strings: redacted in `Debug`, without `Display`, compared in constant time and cleared on drop.

use http::HeaderValue;
use http::header::InvalidHeaderValue;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The shared storage of every secret: one heap copy, cleared when its last owner is dropped.
#[derive(Clone)]
struct SecretCell(Arc<Zeroizing<String>>);

impl SecretCell {
    fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }
}

macro_rules! secrets {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Cloning shares one copy in memory, which is cleared when the last clone is dropped.
        #[derive(Clone)]
        pub struct $name(SecretCell);

        impl $name {
            /// Takes a secret.
            ///
            /// ```
            #[doc = concat!("let secret = u2m_core::", stringify!($name), "::new(\"canary\");")]
            /// assert_eq!(secret.expose(), "canary");
            /// assert!(!format!("{secret:?}").contains("canary"));
            /// ```
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretCell::new(text.into()))
            }

            /// The secret itself. Call this only where it is sent to its one destination.
            pub fn expose(&self) -> &str {
                &self.0.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl Eq for $name {}
    )*};
}

secrets! {
    /// An access token, which authorizes requests to an API (RFC 6749 section 1.4).
    AccessToken;
    /// A refresh token, which obtains new access tokens and is often good for one use only (RFC 6749 section 1.5).
    RefreshToken;
    /// An authorization code, good for one exchange (RFC 6749 section 4.1.2).
    AuthorizationCode;
    /// A PKCE code verifier (RFC 7636 section 4.1).
    CodeVerifier;
    /// A client assertion: a signed statement with which a client authenticates (RFC 7523 section 2.2). For minutes,
    /// whoever has it can act as the client.
    ClientAssertion;
    /// A client secret, with which a confidential client authenticates (RFC 6749 section 2.3.1).
    ClientSecret;
    /// A device code, with which a device polls (RFC 8628 section 3.2). Whoever has it gets the tokens.
    DeviceCode;
    /// The `state` value, which ties a callback to the request that caused it (RFC 6749 section 10.12).
    CsrfState;
    /// A whole login as one text, tokens included ([`SessionRecord::text`](crate::SessionRecord::text)).
    SessionText;
    /// The value of an `Authorization` header, scheme and credentials (RFC 9110 section 11.6.2), for one origin only.
    Authorization;
    /// The value of another header that authenticates a request, beside `Authorization` or in its place.
    SideHeader;
}

impl Authorization {
    /// An access token as a bearer credential (RFC 6750 section 2.1).
    ///
    /// ```
    /// use u2m_core::{AccessToken, Authorization};
    /// assert_eq!(Authorization::bearer(&AccessToken::new("abc")).expose(), "Bearer abc");
    /// ```
    pub fn bearer(token: &AccessToken) -> Self {
        const SCHEME: &str = "Bearer ";
        // Allocated at its full length: a string that grows leaves a copy behind.
        let mut text = String::with_capacity(SCHEME.len() + token.expose().len());
        text.push_str(SCHEME);
        text.push_str(token.expose());
        Self::new(text)
    }
}

/// Converts it for the crate `http`, marked as sensitive: `Debug` does not show the value, and HPACK does not keep it
/// in its table (RFC 7541 section 7.1.3). `HeaderValue` does not clear its memory.
///
/// ```
/// use u2m_core::{AccessToken, Authorization};
/// let value = http::HeaderValue::try_from(&Authorization::bearer(&AccessToken::new("abc")))?;
/// assert!(value.is_sensitive());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
impl TryFrom<&Authorization> for HeaderValue {
    type Error = InvalidHeaderValue;

    fn try_from(authorization: &Authorization) -> Result<Self, InvalidHeaderValue> {
        sensitive(authorization.expose())
    }
}

/// As for an [`Authorization`].
impl TryFrom<&SideHeader> for HeaderValue {
    type Error = InvalidHeaderValue;

    fn try_from(value: &SideHeader) -> Result<Self, InvalidHeaderValue> {
        sensitive(value.expose())
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

impl AccessToken {
    /// Whether a request can carry this token: it is not empty and has only visible ASCII characters. That is more
    /// than servers issue (RFC 6750 section 2.1) and less than would break a header, a line or a terminal.
    ///
    /// ```
    /// use u2m_core::AccessToken;
    /// assert!(AccessToken::new("eyJhbGciOi.J9-_~+/=").is_sendable());
    /// assert!(!AccessToken::new("a\r\nx: y").is_sendable());
    /// ```
    pub fn is_sendable(&self) -> bool {
        !self.expose().is_empty() && self.expose().bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// Names a secret without revealing it: the first half of its SHA-256, in lower-case hexadecimal.
///
/// ```
/// use u2m_core::{Fingerprint, RefreshToken};
/// let one = Fingerprint::of_refresh(&RefreshToken::new("canary"));
/// assert_eq!(one.as_str().len(), 32);
/// assert_eq!(one, Fingerprint::parse(one.as_str()).unwrap());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a refresh token.
    ///
    /// ```
    /// use u2m_core::{Fingerprint, RefreshToken};
    /// let (a, b) = (RefreshToken::new("a"), RefreshToken::new("b"));
    /// assert_ne!(Fingerprint::of_refresh(&a), Fingerprint::of_refresh(&b));
    /// ```
    pub fn of_refresh(token: &RefreshToken) -> Self {
        Self::of(token.expose())
    }

    /// The fingerprint of an access token.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Fingerprint};
    /// let token = AccessToken::new("a");
    /// assert_eq!(Fingerprint::of_access(&token), Fingerprint::of_access(&token.clone()));
    /// ```
    pub fn of_access(token: &AccessToken) -> Self {
        Self::of(token.expose())
    }

    /// The fingerprint, by the same rule, of something that is not secret: a file, an entry, an endpoint.
    ///
    /// ```
    /// use u2m_core::Fingerprint;
    /// assert_eq!(Fingerprint::of_text("a").as_str(), "ca978112ca1bbdcafac231b39a23dc4d");
    /// ```
    pub fn of_text(text: &str) -> Self {
        Self::of(text)
    }

    /// Reads a stored fingerprint; `None` unless it is 32 lower-case hexadecimal digits.
    ///
    /// ```
    /// assert!(u2m_core::Fingerprint::parse("not a fingerprint").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 32 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(text: &str) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digest = Sha256::digest(text.as_bytes());
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
        Self(digest[..16].iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t14_no_secret_shows_in_debug() {
        let shown = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            SideHeader::new("canary"),
            HeaderValue::try_from(&SideHeader::new("canary")),
            Authorization::new("canary"),
            HeaderValue::try_from(&Authorization::new("canary")),
            AccessToken::new("canary"),
            RefreshToken::new("canary"),
            AuthorizationCode::new("canary"),
            CodeVerifier::new("canary"),
            CsrfState::new("canary"),
        );
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn what_would_break_a_header_is_no_header() {
        for odd in ["Bearer a\r\nx: y", "Bearer \u{0}"] {
            assert!(HeaderValue::try_from(&Authorization::new(odd)).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn secrets_compare_by_value() {
        assert_eq!(AccessToken::new("a"), AccessToken::new("a"));
        assert_ne!(AccessToken::new("a"), AccessToken::new("b"));
        assert_ne!(AccessToken::new("a"), AccessToken::new("aa"));
    }
}
