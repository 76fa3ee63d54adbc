//! The floor, written by hand for exactly these inputs.

use crate::AUTHORIZE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// One call for randomness, one hash, one string: the verifier and the URL.
pub(crate) fn start() -> (String, String) {
    let mut random = [0; 48];
    getrandom::fill(&mut random).expect("the system has randomness");
    let verifier = URL_SAFE_NO_PAD.encode(&random[..32]);
    let mut url = String::with_capacity(384);
    url.push_str(AUTHORIZE);
    url.push_str("?response_type=code&client_id=databricks-cli");
    url.push_str("&redirect_uri=http%3A%2F%2Flocalhost%3A8020&scope=all-apis+offline_access");
    url.push_str("&state=");
    URL_SAFE_NO_PAD.encode_string(&random[32..], &mut url);
    url.push_str("&code_challenge_method=S256&code_challenge=");
    URL_SAFE_NO_PAD.encode_string(Sha256::digest(&verifier), &mut url);
    (verifier, url)
}

/// The code and the state of a callback that holds no percent sign.
pub(crate) fn callback(target: &str) -> Option<(&str, &str)> {
    let (_, query) = target.split_once('?')?;
    if query.contains(['%', '+']) {
        return None;
    }
    let (mut code, mut state) = (None, None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "code" => code = Some(value),
            "state" => state = Some(value),
            _ => (),
        }
    }
    code.zip(state)
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "parsing the fields is the work that is timed")]
pub(crate) struct Answer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    refresh_token: Option<&'a str>,
    expires_in: Option<u64>,
    scope: Option<&'a str>,
}

impl Answer<'_> {
    pub(crate) fn is_bearer(&self) -> bool {
        self.token_type == "Bearer"
    }
}

/// Parses without copying a string.
pub(crate) fn answer(body: &str) -> Option<Answer<'_>> {
    serde_json::from_str(body).ok()
}
