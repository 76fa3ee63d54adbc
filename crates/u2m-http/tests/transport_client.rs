//! What leaves in a request, and where a request goes (WIRE-3, WIRE-4, T8, A37).
#![allow(clippy::unwrap_used)]
#![cfg(feature = "reqwest")]

mod transport_support;

use std::io::Write;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use transport_support::raw::{Raw, hold};
use transport_support::{GRANT, exchange, lookup, refresh, refresh_at};
use u2m_core::{
    AccessToken, ApiAccess, AwaitsResponse, Host, HttpCall, HttpResponse, TransportFailure,
    TransportFailureKind,
};
use u2m_http::{ReqwestTransport, RetryPolicy, Transport, drive};

async fn send<S: AwaitsResponse>(call: &HttpCall<S>) -> Result<HttpResponse, TransportFailure> {
    ReqwestTransport::new().send(call.request()).await
}

/// A server that redirects every request to `to`, unless it is for `/there`.
fn redirecting(status: u16, to: impl Into<String>) -> Raw {
    let to = to.into();
    Raw::answering(move |request| match request.split(' ').nth(1) {
        Some("/there") => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        _ => format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
    })
}

fn paths(raw: &Raw) -> Vec<String> {
    raw.requests().iter().map(|request| request.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn t8_a_post_follows_no_redirect_not_even_one_on_its_own_origin() {
    for status in [301, 302, 303, 307, 308] {
        let raw = redirecting(status, "/there");
        assert_eq!(send(&refresh(&raw.base)).await.unwrap().status(), status);
        assert_eq!(paths(&raw), ["/token"], "{status}");
        let raw = redirecting(status, "/there");
        assert_eq!(send(&exchange(&raw.base)).await.unwrap().status(), status);
        assert_eq!(raw.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn wire_4_a_get_follows_redirects_on_its_own_origin() {
    for status in [301, 302, 303, 307, 308] {
        let raw = redirecting(status, "/there");
        assert_eq!(send(&lookup(&raw.base)).await.unwrap().status(), 200);
        assert_eq!(paths(&raw), ["/.well-known/databricks-config", "/there"], "{status}");
    }
    // By its whole address, too.
    let raw = Raw::answering(|request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        match request.split(' ').nth(1) {
            Some("/there") => "HTTP/1.1 204 Nothing\r\n\r\n".to_owned(),
            _ => format!(
                "HTTP/1.1 302 Moved\r\nlocation: http://{host}/there\r\ncontent-length: 0\r\n\r\n"
            ),
        }
    });
    assert_eq!(send(&lookup(&raw.base)).await.unwrap().status(), 204);
}

#[tokio::test]
async fn wire_4_a_get_follows_three_redirects_and_no_fourth() {
    let counting = |last: usize| {
        Raw::answering(move |request| {
            let at: usize = match request.split(' ').nth(1).unwrap().strip_prefix("/at/") {
                Some(at) => at.parse().unwrap(),
                None => 0,
            };
            match at {
                at if at == last => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
                at => format!(
                    "HTTP/1.1 302 Moved\r\nlocation: /at/{}\r\ncontent-length: 0\r\n\r\n",
                    at + 1
                ),
            }
        })
    };
    let three = counting(3);
    assert_eq!(send(&lookup(&three.base)).await.unwrap().status(), 200);
    assert_eq!(three.requests().len(), 4);
    let four = counting(4);
    assert_eq!(send(&lookup(&four.base)).await.unwrap().status(), 302);
    assert_eq!(four.requests().len(), 4);
}

#[tokio::test]
async fn wire_4_a_get_follows_no_redirect_to_another_origin() {
    let other = Raw::saying("HTTP/1.1 200 OK\r\n\r\n");
    let port = other.base.rsplit(':').next().unwrap().to_owned();
    for to in [
        format!("{}/there", other.base),
        format!("http://localhost:{port}/there"),
        format!("//127.0.0.1:{port}/there"),
        "https://a.example/there".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://[".to_owned(),
        String::new(),
    ] {
        let raw = redirecting(302, to.as_str());
        let followed = send(&lookup(&raw.base)).await.unwrap();
        assert_eq!(followed.status(), 302, "{to}");
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a49_a_token_in_the_head_stays_on_its_own_origin() {
    let other = Raw::saying("HTTP/1.1 200 OK\r\n\r\n");
    let raw = redirecting(307, format!("{}/there", other.base));
    let access = ApiAccess::new(Host::parse(&raw.base).unwrap(), AccessToken::new("canary"));
    assert_eq!(send(&access.me()).await.unwrap().status(), 307);
    assert!(raw.requests()[0].contains("authorization: Bearer canary\r\n"));
    assert!(other.requests().is_empty());
    // Followed on its own origin, it keeps what it was sent with.
    let raw = redirecting(302, "/there");
    let access = ApiAccess::new(Host::parse(&raw.base).unwrap(), AccessToken::new("canary"));
    send(&access.me()).await.unwrap();
    assert!(raw.requests()[1].contains("authorization: Bearer canary\r\n"));
}

#[tokio::test]
async fn a49_a_token_that_no_head_can_hold_is_not_sent_and_not_shown() {
    let raw = Raw::saying("HTTP/1.1 200 OK\r\n\r\n");
    let token = AccessToken::new("canary\r\nx-injected: 1");
    let access = ApiAccess::new(Host::parse(&raw.base).unwrap(), token);
    let failure = send(&access.me()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::NotSent);
    let cause = std::error::Error::source(&failure).unwrap().to_string();
    assert_eq!(cause, "the value for the header authorization cannot be sent");
    assert!(raw.requests().is_empty());
}

/// The names of the fields in a request's head, in order.
fn fields(request: &str) -> Vec<&str> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut names: Vec<_> =
        head.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn wire_3_a_token_request_says_what_it_must_and_no_more() {
    let raw =
        Raw::saying(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{GRANT}", GRANT.len()));
    send(&refresh(&raw.base)).await.unwrap();
    let request = raw.requests().remove(0);
    assert!(request.starts_with("POST /token HTTP/1.1\r\n"), "{request}");
    assert_eq!(
        fields(&request),
        ["accept", "content-length", "content-type", "host", "user-agent"]
    );
    for field in [
        "accept: application/json\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        concat!("user-agent: u2m/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(request.contains(field), "{request}");
    }
    let body = request.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body, refresh(&raw.base).request().form().unwrap());
}

#[tokio::test]
async fn wire_3_a_lookup_says_what_it_must_and_no_more() {
    let raw = redirecting(302, "/there");
    send(&lookup(&raw.base)).await.unwrap();
    for request in raw.requests() {
        assert!(request.starts_with("GET /") && request.ends_with("\r\n\r\n"), "{request}");
        // No cookie, no referer, and nothing that asks for an encoding.
        assert_eq!(fields(&request), ["accept", "host", "user-agent"]);
        assert!(request.contains("accept: application/json\r\n"), "{request}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_set_does_not_come_back() {
    let raw = Raw::answering(|request| match request.split(' ').nth(1) {
        Some("/there") => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        _ => {
            "HTTP/1.1 302 Moved\r\nset-cookie: a=b\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n"
                .to_owned()
        }
    });
    let transport = ReqwestTransport::new();
    for _ in 0..2 {
        transport.send(lookup(&raw.base).request()).await.unwrap();
    }
    assert_eq!(raw.requests().len(), 4);
    assert!(!raw.requests().concat().contains("cookie"));
}

#[tokio::test]
async fn a_program_may_say_who_it_is() {
    let raw = Raw::saying("HTTP/1.1 200 OK\r\n\r\n");
    let transport = ReqwestTransport::new().with_user_agent("mine/1");
    transport.send(lookup(&raw.base).request()).await.unwrap();
    assert!(raw.requests()[0].contains("user-agent: mine/1\r\n"));
}

#[tokio::test]
async fn each_request_has_a_connection_of_its_own() {
    // The server keeps its connections open; a second request on one of them would never be read.
    let raw = Raw::start(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        hold(stream);
    });
    let transport = ReqwestTransport::new();
    for _ in 0..3 {
        transport.send(lookup(&raw.base).request()).await.unwrap();
    }
    assert_eq!(raw.requests().len(), 3);
}

#[tokio::test]
async fn what_the_head_of_an_answer_says_is_handed_on() {
    let raw = Raw::saying(
        "HTTP/1.1 429 Busy\r\nretry-after:  7 \r\ncontent-type: Text/Plain; charset=x\r\n\
         date: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n",
    );
    let answer = send(&lookup(&raw.base)).await.unwrap();
    assert_eq!((answer.status(), answer.retry_after()), (429, Some(Duration::from_secs(7))));
    assert_eq!(answer.date().unwrap().unix(), 784_111_777);
    assert!(format!("{answer:?}").contains("text/plain"));
    let raw = Raw::saying(
        "HTTP/1.1 429 Busy\r\nretry-after: Sun, 06 Nov 1994 08:50:37 GMT\r\n\
         date: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n",
    );
    let answer = send(&lookup(&raw.base)).await.unwrap();
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(60)), "by the server's clock");
    for odd in ["soon", "-1", "1.5", "Sun, 06 Nov 1994"] {
        let raw = Raw::saying(format!(
            "HTTP/1.1 503 Busy\r\nretry-after: {odd}\r\ndate: whenever\r\ncontent-length: 0\r\n\r\n"
        ));
        let answer = send(&lookup(&raw.base)).await.unwrap();
        assert_eq!((answer.retry_after(), answer.date()), (None, None), "{odd}");
    }
}

#[tokio::test]
async fn wire_3_plain_http_leaves_for_this_machine_alone() {
    let raw = Raw::saying("HTTP/1.1 200 OK\r\n\r\n");
    let port = raw.base.rsplit(':').next().unwrap().to_owned();
    for (endpoint, why) in [
        ("http://a.example/token".to_owned(), "https"),
        ("http://10.0.0.1/token".to_owned(), "https"),
        (format!("http://0.0.0.0:{port}/token"), "https"),
        ("ftp://127.0.0.1/token".to_owned(), "https"),
        (format!("http://user@127.0.0.1:{port}/token"), "user"),
    ] {
        let failure = send(&refresh_at(&raw.base, &endpoint)).await.unwrap_err();
        assert_eq!(failure.kind(), TransportFailureKind::NotSent, "{endpoint}");
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert!(cause.to_lowercase().contains(why), "{endpoint}: {cause}");
    }
    assert!(raw.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_has_been_sent_nothing() {
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for base in
        [format!("http://{vacant}"), format!("https://{vacant}"), "https://a.invalid".into()]
    {
        let failure = send(&refresh(&base)).await.unwrap_err();
        assert_eq!(failure.kind(), TransportFailureKind::NotSent, "{base}");
        assert!(failure.partial().is_none());
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert!(!cause.contains("spend-me") && !cause.contains("/token"), "{cause}");
    }
}

/// A port at which nobody takes a connection and none is refused, for as long as the sockets live.
#[cfg(target_os = "linux")]
async fn full() -> (String, Vec<tokio::net::TcpStream>, tokio::net::TcpListener) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut taken = Vec::new();
    let soon = Duration::from_millis(200);
    while let Ok(stream) = timeout(soon, tokio::net::TcpStream::connect(address)).await {
        taken.push(stream.unwrap());
    }
    (format!("http://{address}"), taken, listener)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connecting_is_given_up_in_time_and_nothing_was_sent() {
    let (base, _taken, _listener) = full().await;
    let hasty = ReqwestTransport::new().with_connect_timeout(Duration::from_millis(200));
    for (transport, least, most) in [(hasty, 200, 3_000), (ReqwestTransport::new(), 5_000, 8_000)] {
        let start = Instant::now();
        let failure = transport.send(refresh(&base).request()).await.unwrap_err();
        assert_eq!(failure.kind(), TransportFailureKind::NotSent);
        let took = start.elapsed().as_millis();
        assert!(took >= least && took < most, "{took}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_time_for_connecting_that_a_call_has_ends_before_that_of_the_transport() {
    let (base, _taken, _listener) = full().await;
    let patience = RetryPolicy::default().with_repeats(0).with_connect(Duration::from_millis(300));
    let start = Instant::now();
    let step = drive(&ReqwestTransport::new(), refresh(&base), &patience).await.unwrap();
    let took = start.elapsed();
    assert!(matches!(step, u2m_core::TokenStep::RecordFailure(_)));
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(4), "{took:?}");
}

/// A second handle of this process's own socket that is connected to `port`.
#[cfg(target_os = "linux")]
fn connected_to(port: u16) -> Option<std::os::fd::OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    let descriptors = std::fs::read_dir("/proc/self/fd").ok()?;
    descriptors.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find_map(|at| {
        let socket = pidfd_getfd(&own, at, PidfdGetfdFlags::empty()).ok()?;
        let peer = std::net::SocketAddr::try_from(rustix::net::getpeername(&socket).ok()??).ok()?;
        (peer.port() == port).then_some(socket)
    })
}

/// What the system does with the connection while an answer is awaited, as seen from outside.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_takes_no_connection_for_dead_while_an_answer_may_come() {
    use rustix::net::sockopt;
    let raw = Raw::start(hold);
    let call = refresh(&raw.base);
    let asking = tokio::spawn(async move { send(&call).await });
    while raw.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let Some(socket) = connected_to(raw.base.rsplit(':').next().unwrap().parse().unwrap()) else {
        // Where a process may not look at itself, nothing can be said.
        return;
    };
    assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 0, "none");
    assert!(sockopt::socket_keepalive(&socket).unwrap());
    let (idle, between, count) = (
        sockopt::tcp_keepidle(&socket).unwrap(),
        sockopt::tcp_keepintvl(&socket).unwrap(),
        sockopt::tcp_keepcnt(&socket).unwrap(),
    );
    assert!(idle <= Duration::from_secs(30), "what lies in between forgets: {idle:?}");
    assert!(between * count >= Duration::from_secs(300), "{between:?} * {count}");
    asking.abort();
}

#[test]
fn the_name_that_a_program_gave_itself_is_not_shown() {
    let shown = format!("{:?}", ReqwestTransport::new().with_user_agent("canary"));
    assert!(shown.contains('0') && !shown.contains("canary"), "{shown}");
}
