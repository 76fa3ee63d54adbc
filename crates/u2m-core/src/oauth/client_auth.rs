//! How a client authenticates to an authorization server (RFC 6749 section 2.3): one rule for every request to the token,
//! revocation and device authorization endpoints.

use crate::call::HttpRequest;
use crate::form;
use crate::secret::{ClientAssertion, ClientSecret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

/// The `client_assertion_type` of a signed JWT (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The parameters that hold a client assertion and its type.
const ASSERTION: &str = "client_assertion";
const ASSERTION_TYPE: &str = "client_assertion_type";

/// How a client authenticates to an authorization server.
///
/// ```
/// use u2m_core::{ClientAuth, ClientSecret, LoginRequest, Target};
/// let mut request = LoginRequest::new(Target::issuer("https://id.example")?);
/// request.client_id = "my-web-app".to_owned();
/// request.client_auth = ClientAuth::Basic(ClientSecret::new("canary"));
/// assert!(!format!("{request:?}").contains("canary"));
/// # Ok::<(), u2m_core::IssuerError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// With a signed client assertion (RFC 7523 section 2.2), which names the endpoint and is valid for minutes. With `None`,
    /// the driver inserts an assertion into each call before sending it
    /// ([`HttpCall::with_client_assertion`](crate::HttpCall::with_client_assertion)).
    Assertion(Option<ClientAssertion>),
    /// With its id and secret in the `Authorization` header (`client_secret_basic`, RFC 6749 section 2.3.1). Servers must
    /// support this.
    Basic(ClientSecret),
    /// Not at all: a public client has no secret, and sends its id in the form (RFC 6749 section 3.2.1).
    #[default]
    None,
    /// With its secret in the form (`client_secret_post`).
    Post(ClientSecret),
}

impl ClientAuth {
    /// The request of client `id` with this form. The form is that of a public client, which includes the client id.
    pub(crate) fn request(&self, id: &str, url: Url, form: Zeroizing<String>) -> HttpRequest {
        match self {
            Self::None => HttpRequest::encoded(url, form),
            Self::Post(secret) => {
                let form = with(&form, |_| true, &[("client_secret", secret.expose())]);
                HttpRequest::encoded(url, form)
            }
            // One method at a time: the header already names the client (RFC 6749 section 2.3). The server may repeat the
            // secret in plain form, too.
            Self::Basic(secret) => {
                HttpRequest::encoded(url, with(&form, |name| name != "client_id", &[]))
                    .with_header("authorization", basic(id, secret))
                    .with_secret(secret.expose())
            }
            Self::Assertion(assertion) => {
                let assertion = assertion.as_ref().map_or("", ClientAssertion::expose);
                let own = [(ASSERTION, assertion), (ASSERTION_TYPE, JWT_BEARER)];
                HttpRequest::encoded(url, with(&form, |_| true, &own))
            }
        }
    }
}

impl ClientAssertion {
    /// Returns the form with this assertion in its place; `None` if the form has no place for one.
    pub(crate) fn put_into(&self, form: &str) -> Option<Zeroizing<String>> {
        let is_other = |name: &str| name != ASSERTION && name != ASSERTION_TYPE;
        let own = [(ASSERTION, self.expose()), (ASSERTION_TYPE, JWT_BEARER)];
        has_place(form).then(|| with(form, is_other, &own))
    }
}

/// Whether a form has a place for a client assertion.
pub(crate) fn has_place(form: &str) -> bool {
    form::pairs(form.as_bytes()).any(|(name, _)| *name == ASSERTION)
}

/// Keeps the parameters of a form for which `stays` holds, and appends `own`.
fn with(form: &str, stays: impl Fn(&str) -> bool, own: &[(&str, &str)]) -> Zeroizing<String> {
    let members: Vec<_> = form::pairs(form.as_bytes()).collect();
    let kept = members.iter().filter(|(name, _)| stays(name));
    let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
    crate::oauth::form(&kept.chain(own.iter().copied()).collect::<Vec<_>>())
}

/// The value of `Authorization`. Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1), so that colons
/// and non-ASCII letters are not misread.
fn basic(id: &str, secret: &ClientSecret) -> String {
    let room = 3 * (id.len() + secret.expose().len()) + 1;
    let mut pair = Zeroizing::new(String::with_capacity(room));
    pair.extend(form_urlencoded::byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(form_urlencoded::byte_serialize(secret.expose().as_bytes()));
    let mut value = String::with_capacity(6 + room.div_ceil(3) * 4);
    value.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut value);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(auth: &ClientAuth, id: &str) -> HttpRequest {
        let form = crate::oauth::form(&[("client_id", id), ("grant_type", "refresh_token")]);
        auth.request(id, Url::parse("https://a.example/token").unwrap(), form)
    }

    fn sent(auth: &ClientAuth, id: &str) -> (String, Option<String>) {
        let request = request(auth, id);
        let head = request.headers().find(|(name, _)| *name == "authorization");
        (request.form().unwrap().to_owned(), head.map(|(_, value)| value.to_owned()))
    }

    #[test]
    fn a11_each_way_says_who_the_client_is_once() {
        let secret = || ClientSecret::new("gX1fBat3bV");
        let id = "s6BhdRkqt3";
        let form = |form: &str| form.to_owned();
        assert_eq!(
            sent(&ClientAuth::None, id),
            (form("client_id=s6BhdRkqt3&grant_type=refresh_token"), None)
        );
        assert_eq!(
            sent(&ClientAuth::Post(secret()), id),
            (form("client_id=s6BhdRkqt3&grant_type=refresh_token&client_secret=gX1fBat3bV"), None)
        );
        // The vector of RFC 6749 section 2.3.1.
        let head = Some(form("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
        assert_eq!(
            sent(&ClientAuth::Basic(secret()), id),
            (form("grant_type=refresh_token"), head)
        );
        let assertion = ClientAuth::Assertion(Some(ClientAssertion::new("e.y.J")));
        assert_eq!(
            sent(&assertion, id),
            (
                form(
                    "client_id=s6BhdRkqt3&grant_type=refresh_token&client_assertion=e.y.J\
                     &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                     client-assertion-type%3Ajwt-bearer"
                ),
                None
            )
        );
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined() {
        let auth = ClientAuth::Basic(ClientSecret::new("p%q+ é"));
        let (_, head) = sent(&auth, "a b:c");
        let head = head.unwrap();
        let pair = STANDARD.decode(head.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "a+b%3Ac:p%25q%2B+%C3%A9");
    }

    #[test]
    fn t14_no_secret_shows_and_none_is_left_in_what_a_server_says() {
        for auth in [
            ClientAuth::Basic(ClientSecret::new("canary-7Qw3rT9")),
            ClientAuth::Post(ClientSecret::new("canary-7Qw3rT9")),
            ClientAuth::Assertion(Some(ClientAssertion::new("canary-7Qw3rT9"))),
        ] {
            let request = request(&auth, "my-app");
            assert!(!format!("{auth:?} {request:?}").contains("canary"), "{auth:?}");
            let said = request.without_secrets("my-app with canary-7Qw3rT9 is unknown");
            assert_eq!(said, "my-app with [secret] is unknown", "{auth:?}");
            for (_, head) in request.headers() {
                assert!(!request.without_secrets(head).contains(&head[6..]), "{auth:?}");
            }
        }
    }

    #[test]
    fn an_assertion_is_put_in_the_place_that_was_left_for_it_and_nowhere_else() {
        let form = |auth| request(&auth, "a&b").form().unwrap().to_owned();
        let (first, second) = (ClientAssertion::new("1.2.3"), ClientAssertion::new("e.y.J"));
        let whole = form(ClientAuth::Assertion(Some(second.clone())));
        for before in [ClientAuth::Assertion(None), ClientAuth::Assertion(Some(first))] {
            let before = form(before);
            assert!(has_place(&before));
            assert_eq!(*second.put_into(&before).unwrap(), whole);
        }
        assert!(second.put_into(&form(ClientAuth::None)).is_none());
    }
}
