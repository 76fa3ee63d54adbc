//! dbx-tools-auth: its memory store, the fastest one it has.

use crate::jwt;
use dbx_tools_auth::{
    AuthClient, AuthOptions, CredentialStore, Error as DbxError, MemoryStore, Token, TokenProvider,
};
use measure::Contest;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::runtime::Runtime;

/// A provider that is never asked, because the token stays fresh.
struct NeverAsked;

#[async_trait::async_trait]
impl TokenProvider for NeverAsked {
    async fn authenticate(&self, _: Duration) -> dbx_tools_auth::Result<Token> {
        Err(DbxError::LoginRequired("never asked".into()))
    }

    async fn refresh(&self, _: &Token) -> dbx_tools_auth::Result<Token> {
        Err(DbxError::LoginRequired("never asked".into()))
    }
}

pub(crate) fn enter(contest: &mut Contest, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let token = Token {
        access_token: jwt(),
        token_type: "Bearer".into(),
        refresh_token: Some("rt".into()),
        expires_at: Some(OffsetDateTime::now_utc() + time::Duration::days(1)),
        scopes: Vec::new(),
    };
    let store = Arc::new(MemoryStore::new());
    runtime.block_on(store.save("bench", &token))?;
    let client =
        AuthClient::new("bench".into(), Arc::new(NeverAsked), store, AuthOptions::default());
    let handle = runtime.handle().clone();
    contest.case("dbx-tools-auth `token()`, memory store", move |n| {
        handle.block_on(async {
            for _ in 0..n {
                black_box(client.token().await.expect("fresh"));
            }
        });
    });
    Ok(())
}
