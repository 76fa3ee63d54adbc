//! Parameters of a query string or a form.

use http::{Request, header};
use url::form_urlencoded;

/// Decoded parameters, in the order in which they were sent.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    pub(crate) fn of_query(request: &Request<Vec<u8>>) -> Self {
        Self::parse(request.uri().query().unwrap_or_default().as_bytes())
    }

    /// The parameters of the query, then those of the body if it is a form.
    pub(crate) fn of_request(request: &Request<Vec<u8>>) -> Self {
        let mut all = Self::of_query(request);
        if is_form(request) {
            all.0.append(&mut Self::parse(request.body()).0);
        }
        all
    }

    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value, unless it is missing or empty (RFC 6749 section 3.1 treats both alike).
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The first name that occurs twice (RFC 6749 section 3.1 forbids that).
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.names().collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

/// Whether the body is declared to be a form.
pub(crate) fn is_form(request: &Request<Vec<u8>>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_from_query_and_body() {
        let request = Request::post("/x?a=1+2&b=")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(b"c=%26".to_vec())
            .unwrap();
        let form = Form::of_request(&request);
        assert_eq!(form.first("a"), Some("1 2"));
        assert_eq!((form.first("b"), form.given("b")), (Some(""), None));
        assert_eq!(form.given("c"), Some("&"));
        assert_eq!(form.repeated(), None);
        assert_eq!(Form::parse(b"x=1&y=2&x=1").repeated(), Some("x"));
    }
}
