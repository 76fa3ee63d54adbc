//! The floor under `u2m token`: reads the token cache named first, prints the entry named second.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

#[derive(Deserialize)]
struct Cache {
    version: u32,
    tokens: BTreeMap<String, Token>,
}

#[derive(Deserialize, Serialize)]
struct Token {
    access_token: String,
    token_type: String,
    #[serde(skip_serializing)]
    #[allow(dead_code, reason = "parsed, as a reader of the cache must, but never printed")]
    refresh_token: String,
    expiry: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(path), Some(key)) = (args.next(), args.next()) else {
        return Err("usage: floor PATH KEY".into());
    };
    let cache: Cache = serde_json::from_slice(&std::fs::read(path)?)?;
    if cache.version != 1 {
        return Err("not version 1".into());
    }
    let token = cache.tokens.get(&key).ok_or("no such entry")?;
    std::io::stdout().write_all(&serde_json::to_vec(token)?)?;
    Ok(())
}
