//! u2m: all three ways to a fresh token, on one login in its memory store.

use crate::jwt;
use measure::Contest;
use std::error::Error;
use std::hint::black_box;
use tokio::runtime::Runtime;
use u2m::oauth::RefreshToken;
use u2m::store::{MemoryStore, Session, TokenStore};
use u2m::{AccessToken, Host, PersistentAuth, Target, Timestamp};

pub(crate) fn enter(contest: &mut Contest, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let target = Target::workspace(Host::parse("https://workspace.example.com")?);
    let session = Session::new(AccessToken::new(jwt()))
        .with_refresh_token(RefreshToken::new("rt"))
        .with_expiry(Timestamp::from_unix(4_000_000_000));
    let store = MemoryStore::new();
    store.save(&target.cache_key(), &session)?;
    let auth = PersistentAuth::builder(target).with_store(store).build()?;
    runtime.block_on(auth.token())?;

    let (handle, asynchronous) = (runtime.handle().clone(), auth.clone());
    contest.case("u2m `token()`", move |n| {
        handle.block_on(async {
            for _ in 0..n {
                black_box(asynchronous.token().await.expect("fresh"));
            }
        });
    });
    let blocking = auth.blocking();
    contest.call("u2m `blocking().token()`", move || blocking.token().expect("fresh"));
    contest.call("u2m `peek()`", move || auth.peek().expect("fresh"));
    Ok(())
}
