//! Classifies a request by its head alone.

use super::answer::{CLEAN_PATH, PageResponse};
use super::head::RequestHead;
use zeroize::Zeroizing;

/// What a valid request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestPurpose {
    /// It may be the callback of the sign-in.
    Callback(Zeroizing<String>),
    /// It asks how the sign-in ended.
    Outcome,
}

/// Accepts only a navigation with GET to one of two exact paths, with a loopback Host and this port (T3, T4).
pub(super) fn errand(head: RequestHead, port: u16) -> Result<RequestPurpose, PageResponse> {
    let hosts: Vec<_> = head.values("host").collect();
    let [host] = hosts[..] else { return Err(PageResponse::Bad) };
    if !["localhost", "127.0.0.1", "[::1]"].iter().any(|name| is_at(host, name, port)) {
        return Err(PageResponse::Forbidden);
    }
    if head.method != "GET" {
        return Err(PageResponse::Method);
    }
    if head.path != "/" && head.path != CLEAN_PATH {
        return Err(PageResponse::NotFound);
    }
    // In browsers that send these headers, a page cannot forge them.
    let navigates = head.values("sec-fetch-mode").all(|mode| mode == "navigate");
    if !navigates || !head.values("sec-fetch-dest").all(|dest| dest == "document") {
        return Err(PageResponse::Forbidden);
    }
    if head.path == CLEAN_PATH {
        Ok(RequestPurpose::Outcome)
    } else {
        Ok(RequestPurpose::Callback(head.query))
    }
}

fn is_at(host: &str, name: &str, port: u16) -> bool {
    let rest = host
        .get(..name.len())
        .filter(|have| have.eq_ignore_ascii_case(name))
        .map(|_| &host[name.len()..]);
    match rest.and_then(|rest| rest.strip_prefix(':')) {
        Some(digits) => digits == port.to_string(),
        // Browsers omit the default port of the scheme.
        None => port == 80 && rest == Some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::RequestHeadReader;
    use super::*;

    fn judge(text: &str) -> Result<RequestPurpose, PageResponse> {
        let head = RequestHeadReader::new()
            .take(format!("{}\r\n\r\n", text.replace('|', "\r\n")).as_bytes());
        errand(head.unwrap().unwrap(), 8020)
    }

    #[test]
    fn t3_t4_only_a_navigation_to_the_exact_place_passes() {
        let callback = || Ok(RequestPurpose::Callback(Zeroizing::new("a=b".to_owned())));
        for (request, expected) in [
            ("GET /?a=b HTTP/1.1|Host: localhost:8020", callback()),
            ("GET /?a=b HTTP/1.1|host: LOCALHOST:8020", callback()),
            ("GET /?a=b HTTP/1.1|Host: 127.0.0.1:8020", callback()),
            (
                "GET /?a=b HTTP/1.1|Host: [::1]:8020|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document",
                callback(),
            ),
            ("GET /done HTTP/1.1|Host: localhost:8020", Ok(RequestPurpose::Outcome)),
            ("GET / HTTP/1.1|Host: evil.test:8020", Err(PageResponse::Forbidden)),
            ("GET / HTTP/1.1|Host: localhost", Err(PageResponse::Forbidden)),
            ("GET / HTTP/1.1|Host: localhost:8021", Err(PageResponse::Forbidden)),
            ("GET / HTTP/1.1|Host: localhost:08020", Err(PageResponse::Forbidden)),
            ("GET / HTTP/1.1|Host: localhost:8020.evil.test", Err(PageResponse::Forbidden)),
            ("GET / HTTP/1.1|Host: localhost.evil.test:8020", Err(PageResponse::Forbidden)),
            ("GET / HTTP/1.1|Host: localhost:8020|Host: localhost:8020", Err(PageResponse::Bad)),
            ("GET / HTTP/1.1|Accept: */*", Err(PageResponse::Bad)),
            ("POST /?a=b HTTP/1.1|Host: localhost:8020", Err(PageResponse::Method)),
            ("HEAD / HTTP/1.1|Host: localhost:8020", Err(PageResponse::Method)),
            ("OPTIONS / HTTP/1.1|Host: localhost:8020", Err(PageResponse::Method)),
            ("get / HTTP/1.1|Host: localhost:8020", Err(PageResponse::Method)),
            ("GET /favicon.ico HTTP/1.1|Host: localhost:8020", Err(PageResponse::NotFound)),
            ("GET //?a=b HTTP/1.1|Host: localhost:8020", Err(PageResponse::NotFound)),
            ("GET /%2f?a=b HTTP/1.1|Host: localhost:8020", Err(PageResponse::NotFound)),
            (
                "GET /?a=b HTTP/1.1|Host: localhost:8020|Sec-Fetch-Mode: no-cors",
                Err(PageResponse::Forbidden),
            ),
            (
                "GET /?a=b HTTP/1.1|Host: localhost:8020|Sec-Fetch-Mode: cors",
                Err(PageResponse::Forbidden),
            ),
            (
                "GET /?a=b HTTP/1.1|Host: localhost:8020|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe",
                Err(PageResponse::Forbidden),
            ),
        ] {
            assert_eq!(judge(request), expected, "{request}");
        }
    }

    #[test]
    fn the_port_of_plain_http_may_be_left_out() {
        assert!(is_at("localhost", "localhost", 80) && is_at("localhost:80", "localhost", 80));
        assert!(!is_at("localhost", "localhost", 8020) && !is_at("localhostx", "localhost", 80));
    }
}
