//! The state of codes, logins and tokens, and the rules by which they are spent and revoked.
//!
//! | presented | and it is | result |
//! |---|---|---|
//! | code | fresh, its own client, redirect URI and verifier | spent, a login begins |
//! | code | spent | refused, and the login that it began is revoked |
//! | code | anything else | refused, and the code becomes invalid |
//! | refresh token | current | spent (with rotation), its successor becomes current |
//! | refresh token | the one before, within the grace period, first time | as if current |
//! | refresh token | spent otherwise | refused, and its login is revoked if the settings say so |
//! | refresh token | of a revoked login, expired, another client's, unknown | refused |

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use u2m_core::{Lifetime, Timestamp};

use crate::{host::Issuer, journal::Counts, settings::Rotation};

/// How long a code can be exchanged.
const CODE_LIFETIME: Lifetime = Lifetime::from_seconds(60);

/// Only digests are kept, so that nothing here can reveal a token.
type Digest = [u8; 32];

/// What was consented to: the issuer, the client and the scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerGrant {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
}

/// The number of a login, as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family(usize);

#[derive(Default)]
pub(crate) struct Ledger {
    access: HashMap<Digest, Access>,
    codes: HashMap<Digest, Code>,
    logins: Vec<LedgerLogin>,
    refresh: HashMap<Digest, Refresh>,
}

struct Access {
    family: Family,
    expires: Timestamp,
}

struct Code {
    grant: LedgerGrant,
    redirect_uri: String,
    challenge: String,
    expires: Timestamp,
    /// Set once the code is spent.
    began: Option<Family>,
}

struct LedgerLogin {
    grant: LedgerGrant,
    current: Option<Digest>,
    previous: Option<Digest>,
    revoked: bool,
}

impl LedgerLogin {
    /// Whether the token before the current one, which was spent at `spent`, is used a second time.
    fn takes_again(
        &self,
        key: Digest,
        spent: Timestamp,
        is_retried: bool,
        grace: Lifetime,
        now: Timestamp,
    ) -> bool {
        let is_in_time = grace > Lifetime::ZERO && spent.until(now) <= grace;
        is_in_time && !is_retried && self.previous == Some(key) && !self.revoked
    }
}

struct Refresh {
    family: Family,
    expires: Option<Timestamp>,
    spent: Option<Timestamp>,
    retried: bool,
}

/// Who presents a code or a refresh token, and to which issuer.
#[derive(Clone, Copy)]
pub(crate) struct Bearer<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) client_id: &'a str,
}

/// Why the presented token is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LedgerRefusal(pub(crate) &'static str);

impl Ledger {
    /// Stores a code that was sent to `redirect_uri`.
    pub(crate) fn add_code(
        &mut self,
        code: &str,
        grant: LedgerGrant,
        redirect_uri: &str,
        challenge: &str,
        now: Timestamp,
    ) {
        let redirect_uri = redirect_uri.to_owned();
        let challenge = challenge.to_owned();
        let expires = now.plus(CODE_LIFETIME);
        let code_entry = Code { grant, redirect_uri, challenge, expires, began: None };
        self.codes.insert(digest(code), code_entry);
    }

    /// Starts a login that has no tokens yet.
    pub(crate) fn begin(&mut self, grant: LedgerGrant) -> Family {
        self.logins.push(LedgerLogin { grant, current: None, previous: None, revoked: false });
        Family(self.logins.len() - 1)
    }

    /// Spends a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        by: Bearer<'_>,
        redirect_uri: &str,
        verifier: &str,
        now: Timestamp,
        counts: &mut Counts,
    ) -> Result<Family, LedgerRefusal> {
        let key = digest(code);
        let known = self.codes.get(&key).ok_or(LedgerRefusal("the code is unknown"))?;
        if let Some(family) = known.began {
            counts.code_replays += 1;
            self.revoke(family, counts);
            return Err(LedgerRefusal("the code was used before"));
        }
        let problem = if !by.may_use(&known.grant) {
            Some("the code was issued to another client")
        } else if known.redirect_uri != redirect_uri {
            Some("redirect_uri does not match")
        } else if known.expires <= now {
            Some("the code has expired")
        } else if !proves(verifier, &known.challenge) {
            Some("PKCE verification failed")
        } else {
            None
        };
        if let Some(problem) = problem {
            self.codes.remove(&key);
            return Err(LedgerRefusal(problem));
        }
        let family = self.begin(known.grant.clone());
        if let Some(code) = self.codes.get_mut(&key) {
            code.began = Some(family);
        }
        Ok(family)
    }

    /// Accepts or refuses a refresh token. An accepted one is spent if `rotation` says so.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        by: Bearer<'_>,
        rotation: Rotation,
        grace: Lifetime,
        now: Timestamp,
        counts: &mut Counts,
    ) -> Result<Family, LedgerRefusal> {
        const REFUSED: LedgerRefusal = LedgerRefusal("Refresh token is invalid");
        let key = digest(token);
        let known = self.refresh.get_mut(&key).ok_or(REFUSED)?;
        let family = known.family;
        let login = &mut self.logins[family.0];
        if !by.may_use(&login.grant) {
            return Err(REFUSED);
        }
        if let Some(spent) = known.spent {
            if !login.takes_again(key, spent, known.retried, grace, now) {
                counts.reuse_detections += 1;
                if rotation != Rotation::OnWithoutRevocation {
                    self.revoke(family, counts);
                }
                return Err(REFUSED);
            }
            known.retried = true;
        }
        if login.revoked || known.expires.is_some_and(|expires| expires <= now) {
            return Err(REFUSED);
        }
        if rotation != Rotation::Off
            && let Some(current) = login.current.take()
        {
            login.previous = Some(current);
            if let Some(current) = self.refresh.get_mut(&current) {
                current.spent = Some(now);
            }
        }
        Ok(family)
    }

    pub(crate) fn add_access(&mut self, family: Family, token: &str, expires: Timestamp) {
        self.access.insert(digest(token), Access { family, expires });
    }

    /// Makes `token` the login's current refresh token.
    pub(crate) fn add_refresh(&mut self, family: Family, token: &str, expires: Option<Timestamp>) {
        let key = digest(token);
        self.logins[family.0].current = Some(key);
        self.refresh.insert(key, Refresh { family, expires, spent: None, retried: false });
    }

    /// Ends a login: all of its tokens become invalid.
    pub(crate) fn revoke(&mut self, family: Family, counts: &mut Counts) {
        let login = &mut self.logins[family.0];
        if !login.revoked {
            login.revoked = true;
            counts.revoked_families += 1;
        }
    }

    pub(crate) fn revoke_all(&mut self, counts: &mut Counts) {
        (0..self.logins.len()).for_each(|index| self.revoke(Family(index), counts));
    }

    pub(crate) fn grant(&self, family: Family) -> &LedgerGrant {
        &self.logins[family.0].grant
    }

    /// The login of a token of either kind, whatever its state.
    pub(crate) fn family_of(&self, token: &str) -> Option<Family> {
        let key = digest(token);
        let refresh = self.refresh.get(&key).map(|known| known.family);
        refresh.or_else(|| self.access.get(&key).map(|known| known.family))
    }

    /// The grant of a refresh token, whatever its state.
    pub(crate) fn grant_of(&self, refresh_token: &str) -> Option<&LedgerGrant> {
        self.refresh.get(&digest(refresh_token)).map(|known| self.grant(known.family))
    }

    /// The grant of an access token that is valid at `now`.
    pub(crate) fn active(&self, access_token: &str, now: Timestamp) -> Option<&LedgerGrant> {
        let access = self.access.get(&digest(access_token)).filter(|known| now < known.expires)?;
        let login = &self.logins[access.family.0];
        (!login.revoked).then_some(&login.grant)
    }

    /// Whether a refresh with `token` would succeed now.
    pub(crate) fn is_refreshable(&self, token: &str, grace: Lifetime, now: Timestamp) -> bool {
        let key = digest(token);
        self.refresh.get(&key).is_some_and(|known| {
            let login = &self.logins[known.family.0];
            let is_good = |spent| login.takes_again(key, spent, known.retried, grace, now);
            known.spent.is_none_or(is_good)
                && known.expires.is_none_or(|expires| now < expires)
                && !login.revoked
        })
    }

    /// Whether the latest login is active and has a current refresh token.
    pub(crate) fn is_latest_alive(&self, now: Timestamp) -> bool {
        let Some(login) = self.logins.last() else { return false };
        let current = login.current.and_then(|key| self.refresh.get(&key));
        !login.revoked
            && current.is_some_and(|known| known.expires.is_none_or(|expires| now < expires))
    }
}

impl Bearer<'_> {
    fn may_use(self, grant: &LedgerGrant) -> bool {
        *self.issuer == grant.issuer && self.client_id == grant.client_id
    }
}

/// RFC 7636 section 4.6, method S256.
fn proves(verifier: &str, challenge: &str) -> bool {
    URL_SAFE_NO_PAD.encode(digest(verifier)) == challenge
}

fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_of_rfc_7636_appendix_b_proves_its_challenge() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(proves(verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(!proves(verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"));
    }
}
