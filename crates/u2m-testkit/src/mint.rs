//! Creates codes and tokens from a counter. They look real and are the same in every run.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use u2m_core::Timestamp;

use crate::settings::{AccessTokenForm, Settings};

/// Creates values that were never issued before. Two servers with different addresses or seeds never create the same value.
pub(crate) struct Mint(u64);

/// The claims of an access token.
pub(crate) struct MintClaims<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
}

impl Mint {
    pub(crate) fn new(base: &str, seed: u64) -> Self {
        let digest: [u8; 32] = Sha256::digest(base).into();
        let mut mint = Self(seed);
        for part in digest.chunks_exact(8) {
            let part = part.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            mint.0 = mint.next() ^ part;
        }
        mint
    }

    pub(crate) fn code(&mut self) -> String {
        format!("dcod{}", self.hex(32))
    }

    pub(crate) fn refresh_token(&mut self, settings: &Settings) -> String {
        let mark = &settings.token_mark;
        format!("doau{mark}{}{mark}", self.hex(32))
    }

    pub(crate) fn access_token(&mut self, claims: &MintClaims<'_>, settings: &Settings) -> String {
        let token = match settings.access_token_form {
            AccessTokenForm::Jwt => self.jwt(claims, &settings.claims),
            AccessTokenForm::Opaque => self.base64(768),
        };
        token + &settings.token_mark
    }

    /// A token in the form of a signed JWT. The signature is random bytes that no key verifies.
    fn jwt(&mut self, claims: &MintClaims<'_>, changes: &[(String, Option<Value>)]) -> String {
        let header = json!({"alg": "RS256", "kid": self.hex(32), "typ": "at+jwt"});
        let payload = json!({
            "aud": claims.issuer,
            "client_id": claims.client_id,
            "exp": claims.expires.unix(),
            "iat": claims.issued.unix(),
            "iss": claims.issuer,
            "jti": self.hex(16),
            "scope": claims.scope,
            "sub": "fake.user@example.com",
        });
        let mut payload = match payload {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        for (name, value) in changes {
            match value {
                Some(value) => payload.insert(name.clone(), value.clone()),
                None => payload.remove(name),
            };
        }
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let payload = URL_SAFE_NO_PAD.encode(Value::Object(payload).to_string());
        format!("{header}.{payload}.{}", self.base64(256))
    }

    fn hex(&mut self, bytes: usize) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.bytes(bytes)
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from(DIGITS[usize::from(digit)]))
            .collect()
    }

    fn base64(&mut self, bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes(bytes).collect::<Vec<u8>>())
    }

    fn bytes(&mut self, count: usize) -> impl Iterator<Item = u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(count)
    }

    /// SplitMix64: a counter behind a bijection, so that no two values of a run are equal. It is not a source of secrets.
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: MintClaims<'_> = MintClaims {
        issuer: "http://127.0.0.1:1/oidc",
        client_id: "databricks-cli",
        scope: "offline_access all-apis",
        issued: Timestamp::from_unix(1_800_000_000),
        expires: Timestamp::from_unix(1_800_003_600),
    };

    fn payload(token: &str) -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn the_same_seed_and_address_repeat_and_others_differ() {
        let draw = |base, seed| Mint::new(base, seed).refresh_token(&Settings::new());
        assert_eq!(draw("http://a", 1), draw("http://a", 1));
        assert_ne!(draw("http://a", 1), draw("http://a", 2));
        assert_ne!(draw("http://a", 1), draw("http://b", 1));
    }

    #[test]
    fn tokens_have_realistic_shapes() {
        let mut mint = Mint::new("http://a", 0);
        let refresh = mint.refresh_token(&Settings::new());
        assert!(refresh.starts_with("doau") && refresh.len() == 68);
        let jwt = mint.access_token(&CLAIMS, &Settings::new());
        assert!((700..1300).contains(&jwt.len()), "{}", jwt.len());
        assert_eq!(payload(&jwt)["exp"], 1_800_003_600_i64);
        assert_eq!(payload(&jwt)["scope"], "offline_access all-apis");
        let opaque = Settings::new().with_access_token_form(AccessTokenForm::Opaque);
        assert_eq!(mint.access_token(&CLAIMS, &opaque).len(), 1024);
    }

    #[test]
    fn claims_can_be_replaced_and_left_out() {
        let settings = Settings::new().without_claim("exp").with_claim("scope", json!(["jobs"]));
        let jwt = Mint::new("http://a", 0).access_token(&CLAIMS, &settings);
        assert_eq!(payload(&jwt).get("exp"), None);
        assert_eq!(payload(&jwt)["scope"], json!(["jobs"]));
    }
}
