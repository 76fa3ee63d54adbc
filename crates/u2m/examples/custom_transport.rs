//! A program that has an HTTP client of its own, and brings it along: without the feature `reqwest` u2m has none, and pulls in no
//! TLS. Here the client is a socket in clear text, which does for a server on this machine.
//!
//!     cargo run --example custom_transport --no-default-features
//!
//! It signs in to a fake server, and renews the login.
#![allow(clippy::print_stdout)]

use async_trait::async_trait;
use std::error::Error;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use u2m::login::browser_fn;
use u2m::store::MemoryStore;
use u2m::transport::{
    HttpRequest, HttpResponse, Transport, TransportFailure, TransportFailureKind,
};
use u2m::{Host, PersistentAuth, Target, Url};
use u2m_testkit::{RunningServer, follow_login_in_background};

#[derive(Debug)]
struct ClearText;

#[async_trait]
impl Transport for ClearText {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        // What is known not to have left may be sent again, a refresh token too; anything else may have arrived.
        let failed = |kind| move |error| TransportFailure::new(kind).because(error);
        let stream = connect(request).await.map_err(failed(TransportFailureKind::NotSent))?;
        exchange(stream, request).await.map_err(failed(TransportFailureKind::Broken))
    }
}

async fn connect(request: &HttpRequest) -> io::Result<TcpStream> {
    TcpStream::connect(&*request.url().socket_addrs(|| None)?).await
}

/// Sends the request as it is described, and follows no redirect.
async fn exchange(mut stream: TcpStream, request: &HttpRequest) -> io::Result<HttpResponse> {
    let (url, body) = (request.url(), request.body().unwrap_or_default());
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut head = format!("{} {}{query} HTTP/1.1\r\n", request.method().as_str(), url.path());
    let own = [("host", url.authority()), ("connection", "close")];
    let kind = request.content_type().map(|kind| ("content-type", kind));
    for (name, value) in own.into_iter().chain(kind).chain(request.headers()) {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = String::new();
    stream.take(request.limit() as u64).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let answer = HttpResponse::new(status.ok_or(io::ErrorKind::InvalidData)?, body.into());
    // Of the fields, only those that u2m keeps are kept.
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    Ok(fields.fold(answer, |answer, (name, value)| match name.to_ascii_lowercase().as_str() {
        "content-type" => answer.with_content_type(value),
        name => answer.with_header(name, value),
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start()?;
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::workspace(Host::parse(server.base_url())?);
    let builder = PersistentAuth::builder(target).with_store(MemoryStore::new());
    let auth = builder.with_transport(ClearText).with_browser(browser).with_port(0).build()?;
    auth.challenge().await?;
    auth.force_refresh().await?;
    println!("Signed in, and renewed {} time.", server.counts().refreshes);
    Ok(())
}
