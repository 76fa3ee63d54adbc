//! A tool that asks Databricks who you are. It signs in where nobody is signed in, and copes with a token that the API refuses.
//!
//!     cargo run --example async_tool -- https://my-workspace.cloud.databricks.com
//!
//! Without a host it tries itself out, against a fake server and with a browser that agrees to everything.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use u2m::databricks::{Api, ApiAccess, ApiError, CurrentUser};
use u2m::login::browser_fn;
use u2m::store::MemoryStore;
use u2m::transport::ReqwestTransport;
use u2m::{Host, PersistentAuth, Target, Token, Url};
use u2m_testkit::{Endpoint, Fault, RunningServer, Times, follow_login_in_background, http};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(host) => {
            let target = Target::workspace(Host::parse(&host)?);
            say_who_i_am(&PersistentAuth::builder(target).build()?).await
        }
        None => try_out().await,
    }
}

async fn say_who_i_am(auth: &PersistentAuth) -> Result<(), Box<dyn Error>> {
    let token = match auth.token().await {
        Err(error) if error.needs_login() => auth.challenge().await?.token(),
        token => token?,
    };
    let me = match who_am_i(auth, &token).await {
        // It was revoked, say. Another token may help, once; the same never will.
        Err(error) if error.rejects_the_token() => {
            let token = auth.refresh_rejected(&token).await?;
            who_am_i(auth, &token).await?
        }
        me => me?,
    };
    println!("You are {}.", me.user_name);
    Ok(())
}

/// With an HTTP client of your own, send `token.authorization()` as the header `Authorization`.
async fn who_am_i(auth: &PersistentAuth, token: &Token) -> Result<CurrentUser, ApiError> {
    let host = auth.target().host().cloned().expect("a workspace has a host");
    let access = ApiAccess::new(host, token.access_token().clone());
    Api::new(Arc::new(ReqwestTransport::new()), access).me().await
}

async fn try_out() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start()?;
    let refusal = Fault::status(http::StatusCode::UNAUTHORIZED, "application/json", "{}");
    server.inject(Endpoint::Api, Times::Once, refusal);
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::workspace(Host::parse(server.base_url())?);
    let builder = PersistentAuth::builder(target).with_store(MemoryStore::new());
    say_who_i_am(&builder.with_browser(browser).with_port(0).build()?).await?;
    println!("It took {} refresh.", server.counts().refreshes);
    Ok(())
}
