//! dbx-tools-auth with its file store, in the storm.

use crate::{Library, Opened};
use dbx_tools_auth::{
    AuthClient, AuthOptions, Error as DbxError, FileStore, OAuthConfig, OAuthFlow, Token,
    TokenProvider,
};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

struct Dbx {
    client: AuthClient,
    runtime: Runtime,
}

/// The library's own flow, without its login in a browser.
struct RefreshOnly(OAuthFlow);

#[async_trait::async_trait]
impl TokenProvider for RefreshOnly {
    async fn authenticate(&self, _: Duration) -> dbx_tools_auth::Result<Token> {
        Err(DbxError::LoginRequired("no browser here".into()))
    }

    async fn refresh(&self, token: &Token) -> dbx_tools_auth::Result<Token> {
        self.0.refresh(token).await
    }
}

/// The library leaves the key to its user.
pub(crate) fn key(_url: &str) -> String {
    "bench".into()
}

pub(crate) fn open(folder: &Path, url: &str) -> Opened {
    let flow = OAuthFlow::new(OAuthConfig {
        provider: "bench".into(),
        authorization_endpoint: format!("{url}/oidc/v1/authorize"),
        token_endpoint: format!("{url}/oidc/v1/token"),
        client_id: "databricks-cli".into(),
        client_secret: None,
        scopes: vec!["all-apis".into(), "offline_access".into()],
        extra_token_params: Vec::new(),
        host: None,
    })?;
    let store = Arc::new(FileStore::new(folder.to_owned())?);
    let client =
        AuthClient::new(key(url), Arc::new(RefreshOnly(flow)), store, AuthOptions::default());
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(Box::new(Dbx { client, runtime }))
}

impl Library for Dbx {
    fn token(&self) -> Result<String, Box<dyn Error>> {
        Ok(self.runtime.block_on(self.client.token())?.access_token)
    }
}
