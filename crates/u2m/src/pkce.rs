//! Creates code verifiers and states from the operating system's random numbers.

use crate::challenge::ChallengeError;
use u2m_core::{CsrfState, Entropy, Pkce};

/// Creates a code verifier with its challenge (RFC 7636 section 4.1) and a state (RFC 6749 section 10.12), for a program that
/// runs the steps of a login itself. [`PersistentAuth::challenge`](crate::PersistentAuth::challenge) creates its own.
///
/// ```
/// use u2m::{Scopes, Url};
/// use u2m::databricks::build_discovery_authorize_url;
/// use u2m::oauth::new_pkce;
/// let (pkce, state) = new_pkce()?;
/// let scope = Scopes::default().requested(true);
/// let url = build_discovery_authorize_url(
///     &Url::parse("https://login.databricks.com")?,
///     "databricks-cli",
///     &pkce,
///     "http://localhost:8020",
///     &scope,
///     &state,
///     false,
/// );
/// assert!(url.as_str().contains(pkce.challenge()) && url.as_str().contains(state.expose()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A verifier and a state from elsewhere, such as from another program:
///
/// ```
/// use u2m::oauth::{CodeVerifier, CsrfState, Pkce};
/// // RFC 7636 appendix B.
/// let pkce = Pkce::from_verifier(CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
/// assert_eq!(CsrfState::new("ST").expose(), "ST");
/// ```
///
/// # Errors
/// [`ChallengeError::Random`]: the operating system returned no random bytes.
pub fn new_pkce() -> Result<(Pkce, CsrfState), ChallengeError> {
    entropy().map(Entropy::spend)
}

/// The random bytes for one login.
pub(crate) fn entropy() -> Result<Entropy, ChallengeError> {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes).map_err(|_| ChallengeError::Random)?;
    let entropy = Entropy::new(bytes);
    bytes.fill(0);
    Ok(entropy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_none_tells_of_its_state() {
        let (one, state) = new_pkce().unwrap();
        let (other, another) = new_pkce().unwrap();
        assert_ne!(one.challenge(), other.challenge());
        assert_ne!(state.expose(), another.expose());
        assert_ne!(one.verifier().expose(), state.expose());
    }
}
