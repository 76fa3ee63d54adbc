//! yup-oauth2: an installed application, fed by its own token file.

use crate::jwt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use measure::Contest;
use std::error::Error;
use std::hint::black_box;
use tokio::runtime::Runtime;
use yup_oauth2::{
    ApplicationSecret, CustomHyperClientBuilder, InstalledFlowAuthenticator,
    InstalledFlowReturnMethod,
};

pub(crate) fn enter(contest: &mut Contest, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let file = std::env::temp_dir().join(format!("bench-yup-{}.json", std::process::id()));
    let tokens = serde_json::json!([{"scopes": ["scope"], "token": {
        "access_token": jwt(), "refresh_token": "rt", "id_token": null,
        "expires_at": [2099, 1, 0, 0, 0, 0, 0, 0, 0],
    }}]);
    std::fs::write(&file, tokens.to_string())?;
    let authenticator = runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        InstalledFlowAuthenticator::with_client(
            ApplicationSecret::default(),
            InstalledFlowReturnMethod::Interactive,
            CustomHyperClientBuilder::from(client),
        )
        .persist_tokens_to_disk(&file)
        .build()
        .await
    });
    std::fs::remove_file(&file)?;
    let authenticator = authenticator?;
    let handle = runtime.handle().clone();
    contest.case("yup-oauth2 `token()`", move |n| {
        handle.block_on(async {
            for _ in 0..n {
                black_box(authenticator.token(&["scope"]).await.expect("fresh"));
            }
        });
    });
    Ok(())
}
