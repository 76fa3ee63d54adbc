//! azure_identity: a client secret, fed by a transport that always gives the same answer.

use crate::answer;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, HttpClient, Request, StatusCode, Transport,
};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use measure::Contest;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use tokio::runtime::Runtime;

#[derive(Debug)]
struct SameAnswer;

#[async_trait::async_trait]
impl HttpClient for SameAnswer {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), answer()))
    }
}

pub(crate) fn enter(contest: &mut Contest, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let transport = Some(Transport::new(Arc::new(SameAnswer)));
    let client_options = ClientOptions { transport, ..Default::default() };
    let options = ClientSecretCredentialOptions { client_options };
    let credential =
        ClientSecretCredential::new("tenant", "id".into(), Secret::new("secret"), Some(options))?;
    runtime.block_on(credential.get_token(&["scope/.default"], None))?;
    let handle = runtime.handle().clone();
    contest.case("azure_identity `get_token()`", move |n| {
        handle.block_on(async {
            for _ in 0..n {
                black_box(credential.get_token(&["scope/.default"], None).await.expect("fresh"));
            }
        });
    });
    Ok(())
}
