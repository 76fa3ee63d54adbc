//! google-cloud-auth: user credentials, fed by a loopback token endpoint.

use crate::answer;
use google_cloud_auth::credentials::user_account;
use measure::Contest;
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) fn enter(contest: &mut Contest, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let user = serde_json::json!({
        "client_id": "id", "client_secret": "secret", "refresh_token": "rt", "type": "authorized_user",
    });
    let uri = serve_one_token()?;
    let credentials = {
        let _in_runtime = runtime.enter();
        user_account::Builder::new(user).with_token_uri(uri).build_access_token_credentials()?
    };
    runtime.block_on(credentials.access_token())?;
    let handle = runtime.handle().clone();
    contest.case("google-cloud-auth `access_token()`", move |n| {
        handle.block_on(async {
            for _ in 0..n {
                black_box(credentials.access_token().await.expect("fresh"));
            }
        });
    });
    Ok(())
}

/// A token endpoint that answers each connection once, always with the same token.
fn serve_one_token() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("http://{}/token", listener.local_addr()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 8192]);
            let body = answer();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    Ok(uri)
}
