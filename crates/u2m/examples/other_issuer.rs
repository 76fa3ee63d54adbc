//! A login at an issuer that is not Databricks': any OAuth or OpenID Connect server, with a client that is registered there.
//!
//!     cargo run --example other_issuer -- https://id.example/realms/main my-command-line reports.read
//!
//! Register a public client with the redirect address `http://localhost` and any port. Without arguments it tries itself out,
//! against a fake server and with a browser that agrees to everything.
#![allow(clippy::print_stdout)]

use std::error::Error;
use u2m::login::browser_fn;
use u2m::store::MemoryStore;
use u2m::{Builder, PersistentAuth, Scopes, Target, Url};
use u2m_testkit::{Client, RunningServer, Settings, WellKnown, follow_login_in_background};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(issuer), Some(client)) = (words.next(), words.next()) else { return try_out().await };
    let target = Target::issuer(issuer)?;
    let builder = PersistentAuth::builder(target).with_client_id(client);
    sign_in(builder.with_scopes(words.collect())).await
}

async fn sign_in(builder: Builder) -> Result<(), Box<dyn Error>> {
    let auth = builder.build()?;
    let signed_in = auth.challenge().await?;
    println!("Signed in at {}.", signed_in.issuer().unwrap_or("an issuer without a name"));
    if signed_in.is_granted_otherwise() {
        let (asked, granted) = (signed_in.asked_scopes(), signed_in.granted_scopes());
        let granted = granted.map_or("nothing that it names".to_owned(), Scopes::to_string);
        println!("It was asked for {asked}, and granted {granted}.");
    }
    if !signed_in.is_renewable() {
        println!("It ends with its first token: the issuer gave no refresh token.");
    }
    Ok(())
}

async fn try_out() -> Result<(), Box<dyn Error>> {
    let settings = Settings::new().with_client(Client::public("my-command-line"));
    let settings = settings.with_well_known(WellKnown::OpenId);
    let server = RunningServer::start_with(settings)?;
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::issuer(format!("{}/oidc", server.base_url()))?;
    let builder = PersistentAuth::builder(target).with_client_id("my-command-line");
    let builder = builder.with_scopes(Scopes::new(["reports.read"])).with_store(MemoryStore::new());
    sign_in(builder.with_browser(browser).with_port(0)).await
}
