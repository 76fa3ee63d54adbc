//! Normalizes a host as the Python SDK does before it computes a file name from it. The SDK's faults are reproduced, because
//! the file name depends on them. The result is never used to send a request.

/// Schemes whose last path segment may have parameters (`urllib.parse.uses_params`).
const WITH_PARAMS: [&str; 16] = [
    "", "ftp", "hdl", "prospero", "http", "imap", "https", "shttp", "rtsp", "rtsps", "rtspu",
    "sip", "sips", "mms", "sftp", "tel",
];

/// Schemes that are written with two slashes even if no host follows (`urllib.parse.uses_netloc`).
const WITH_HOST: [&str; 25] = [
    "", "ftp", "http", "gopher", "nntp", "telnet", "imap", "wais", "file", "mms", "https", "shttp",
    "snews", "prospero", "rtsp", "rtsps", "rtspu", "rsync", "svn", "svn+ssh", "sftp", "nfs", "git",
    "git+ssh", "ws",
];

/// Returns the host as Databricks' Python SDK stores it. A missing scheme becomes `https://`, trailing slashes of the path
/// are removed, and with port 443 everything after the first colon is removed. Returns `None` if Python raises an error, so
/// that no file can exist.
///
/// ```
/// use u2m_cache::python_host;
/// assert_eq!(python_host("my.cloud.databricks.com:443/").as_deref(), Some("https://my.cloud.databricks.com"));
/// assert_eq!(python_host("https://My.Host").as_deref(), Some("https://My.Host"), "letters stay as they are");
/// assert_eq!(python_host("https://[::1]:443/").as_deref(), Some("https://["), "a fault that names a file");
/// assert_eq!(python_host("https://a:99999"), None);
/// ```
pub fn python_host(host: &str) -> Option<String> {
    if host.is_empty() {
        return Some(String::new());
    }
    let full = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    let parts = UrlParts::split(&full)?;
    let netloc = match parts.port()? {
        Some(443) => parts.netloc.split(':').next().unwrap_or_default(),
        _ => &parts.netloc,
    };
    let (path, params) = match WITH_PARAMS.contains(&parts.scheme.as_str()) {
        true => split_params(&parts.path),
        false => (parts.path.as_str(), ""),
    };
    let mut path = path.trim_end_matches('/').to_owned();
    if !params.is_empty() {
        path.extend([";", params]);
    }
    Some(parts.join(netloc, path))
}

/// The parts that `urllib.parse.urlsplit` returns.
struct UrlParts {
    scheme: String,
    netloc: String,
    path: String,
    query: String,
    fragment: String,
}

impl UrlParts {
    fn split(url: &str) -> Option<Self> {
        let url = url.trim_start_matches(|c| c <= ' ').replace(['\t', '\r', '\n'], "");
        let mut rest = url.as_str();
        let mut scheme = String::new();
        if let Some(colon) = rest.find(':').filter(|colon| is_scheme(&rest[..*colon])) {
            scheme = rest[..colon].to_lowercase();
            rest = &rest[colon + 1..];
        }
        let mut netloc = "";
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find(['/', '?', '#']).unwrap_or(after.len());
            (netloc, rest) = after.split_at(end);
        }
        if netloc.contains('[') != netloc.contains(']') {
            return None;
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let [netloc, path, query, fragment] = [netloc, path, query, fragment].map(str::to_owned);
        Some(Self { scheme, netloc, path, query, fragment })
    }

    /// Returns the port, if there is one. The outer `None` means that Python rejects it.
    fn port(&self) -> Option<Option<u16>> {
        let host = self.netloc.rsplit_once('@').map_or(self.netloc.as_str(), |(_, host)| host);
        let host = match host.split_once('[') {
            Some((_, bracketed)) => bracketed.split_once(']').map_or("", |(_, after)| after),
            None => host,
        };
        match host.split_once(':').map_or("", |(_, port)| port) {
            "" => Some(None),
            // Digits only: Rust's own parser would accept a sign.
            port if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().ok().map(Some),
            _ => None,
        }
    }

    /// Returns what `urllib.parse.urlunsplit` returns for these parts with another host and path.
    fn join(&self, netloc: &str, path: String) -> String {
        let mut url = path;
        let has_slashes = WITH_HOST.contains(&self.scheme.as_str()) || self.scheme == "wss";
        let is_bare = !self.scheme.is_empty() && has_slashes && !url.starts_with("//");
        if !netloc.is_empty() || is_bare {
            let slash = if url.is_empty() || url.starts_with('/') { "" } else { "/" };
            url = format!("//{netloc}{slash}{url}");
        }
        if !self.scheme.is_empty() {
            url = format!("{}:{url}", self.scheme);
        }
        for (mark, part) in [('?', &self.query), ('#', &self.fragment)] {
            if !part.is_empty() {
                url.push(mark);
                url.push_str(part);
            }
        }
        url
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Splits off the parameters of the last segment, after its first semicolon.
fn split_params(path: &str) -> (&str, &str) {
    let last = path.rfind('/').unwrap_or(0);
    path[last..].find(';').map_or((path, ""), |at| (&path[..last + at], &path[last + at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_out_as_python_writes_them_with_its_faults() {
        let same = "https://x/login.html?o=1#f";
        for (typed, python) in [
            ("my.cloud.databricks.com", "https://my.cloud.databricks.com"),
            ("https://my.cloud.databricks.com/", "https://my.cloud.databricks.com"),
            ("https://my.cloud.databricks.com:443", "https://my.cloud.databricks.com"),
            ("http://x:443/", "http://x"),
            ("https://x:8443/", "https://x:8443"),
            ("HTTPS://My.Host.COM/A/", "https://My.Host.COM/A"),
            ("https://x/?o=123", "https://x?o=123"),
            (same, same),
            ("https://x//", "https://x"),
            ("localhost:1234", "https://localhost:1234"),
            ("https://user:pw@x:443", "https://user"),
            ("https://[::1]:443/", "https://["),
            ("", ""),
        ] {
            assert_eq!(python_host(typed).as_deref(), Some(python), "{typed}");
        }
    }

    #[test]
    fn hosts_that_python_refuses_have_no_file() {
        for bad in
            ["https://x:99999", "https://x:a", "https://x:+443", "https://[::1", "https://x]"]
        {
            assert_eq!(python_host(bad), None, "{bad}");
        }
    }

    #[test]
    fn rarer_parts_of_a_url_follow_pythons_library() {
        for (typed, python) in [
            ("https://localhost:", "https://localhost:"),
            ("https://x:0443/", "https://x"),
            ("https://x/;p", "https://x/;p"),
            ("https://x/a;", "https://x/a"),
            ("https://x/a;b/c;d", "https://x/a;b/c;d"),
            ("https:///path/", "https:///path"),
            ("zz://x:443/;p/", "zz://x/;p"),
            ("1a://x/", "1a://x"),
            (" https://x\n/?#", "https://x"),
            ("https://[::1]:8080/", "https://[::1]:8080"),
        ] {
            assert_eq!(python_host(typed).as_deref(), Some(python), "{typed:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_host_or_none(text in "(?s).{0,40}|https?://[a-z@:\\[\\]/?#;0-9]{0,30}") {
            let _ = python_host(&text);
        }
    }
}
