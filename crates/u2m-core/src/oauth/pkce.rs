//! PKCE with S256, and the state value, made from given entropy (RFC 7636).

use crate::secret::{CodeVerifier, CsrfState};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// The random bytes of one login: 32 for the code verifier, 32 for the state. Get them from the operating system and use them
/// for one attempt only.
///
/// ```
/// let entropy = u2m_core::Entropy::new([7; 64]);
/// assert!(!format!("{entropy:?}").contains('7'));
/// ```
pub struct Entropy(Zeroizing<[u8; 64]>);

impl Entropy {
    /// Takes 64 random bytes.
    ///
    /// ```
    /// let bytes = [0; 64]; // from the operating system, in earnest
    /// let entropy = u2m_core::Entropy::new(bytes);
    /// # drop(entropy);
    /// ```
    pub fn new(bytes: [u8; 64]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Turns the bytes into a code verifier with its challenge (RFC 7636 section 4.1), and a state (RFC 6749 section 10.12).
    /// Each uses one half, so that neither reveals anything about the other.
    ///
    /// ```
    /// let (pkce, state) = u2m_core::Entropy::new([7; 64]).spend(); // bytes from the operating system, in earnest
    /// assert_eq!((pkce.verifier().expose().len(), state.expose().len()), (43, 43));
    /// ```
    pub fn spend(self) -> (Pkce, CsrfState) {
        let (verifier, state) = self.0.split_at(32);
        let verifier = CodeVerifier::new(URL_SAFE_NO_PAD.encode(verifier));
        (Pkce::from_verifier(verifier), CsrfState::new(URL_SAFE_NO_PAD.encode(state)))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(redacted)")
    }
}

/// A code verifier and its challenge. The method is always S256; `plain` is not supported (RFC 7636 section 4.2).
///
/// ```
/// use u2m_core::{CodeVerifier, Pkce};
/// // RFC 7636 appendix B.
/// let pkce = Pkce::from_verifier(CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
/// ```
#[derive(Clone, Debug)]
pub struct Pkce {
    verifier: CodeVerifier,
    challenge: String,
}

impl Pkce {
    /// The `code_challenge_method` of the authorization request.
    pub const METHOD: &'static str = "S256";

    /// Takes a verifier and computes its challenge (RFC 7636 section 4.2).
    ///
    /// ```
    /// use u2m_core::{CodeVerifier, Pkce};
    /// assert_eq!(Pkce::from_verifier(CodeVerifier::new("a")).challenge().len(), 43);
    /// ```
    pub fn from_verifier(verifier: CodeVerifier) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()));
        Self { verifier, challenge }
    }

    /// The code challenge for the authorization request: 43 characters.
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// The code verifier for the token request. One made from [`Entropy`] has 43 characters with 256 bits of entropy.
    pub fn verifier(&self) -> &CodeVerifier {
        &self.verifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a14_verifiers_have_the_length_and_alphabet_of_the_rfc() {
        let (pkce, state) = Entropy::new([0xfb; 64]).spend();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        assert_eq!(pkce.verifier().expose().len(), 43);
        assert!(pkce.verifier().expose().bytes().all(plain));
        assert_eq!(state.expose().len(), 43, "a4: 256 bits of state");
        assert!(state.expose().bytes().all(plain));
    }

    #[test]
    fn a14_different_entropy_never_repeats_a_verifier() {
        let mut seen = HashSet::new();
        for n in 0..100_000u32 {
            let mut bytes = [0; 64];
            bytes[28..32].copy_from_slice(&n.to_be_bytes());
            let (pkce, _) = Entropy::new(bytes).spend();
            assert!(seen.insert(pkce.verifier().expose().to_owned()));
        }
    }

    #[test]
    fn a16_the_state_does_not_tell_the_verifier() {
        let mut bytes = [1; 64];
        bytes[32..].fill(2);
        let (pkce, state) = Entropy::new(bytes).spend();
        assert_ne!(pkce.verifier().expose(), state.expose());
    }

    #[test]
    fn a14_the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(Pkce::from_verifier(verifier).challenge(), challenge);
    }
}
