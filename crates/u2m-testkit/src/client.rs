//! The registered clients: which may request tokens, and where their answers may go.

use std::fmt;

/// A client (application) that the fake server knows.
///
/// ```
/// use u2m_testkit::Client;
/// assert_eq!(Client::public("databricks-cli").id(), "databricks-cli");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    id: String,
    secret: Option<String>,
    redirect_uris: Vec<String>,
}

impl Client {
    /// Creates a public client, such as a program on a person's computer: no secret, with redirect URIs of the form
    /// `http://localhost:<port>`.
    ///
    /// ```
    /// let client = u2m_testkit::Client::public("my-tool");
    /// assert!(client.accepts_redirect("http://localhost:8020"));
    /// assert!(!client.accepts_redirect("http://localhost:8020/other"));
    /// assert!(!client.accepts_redirect("http://localhost.example.com:80"));
    /// ```
    pub fn public(id: impl Into<String>) -> Self {
        Self { id: id.into(), secret: None, redirect_uris: Vec::new() }
    }

    /// Creates a confidential client, such as a web application, which authenticates with a secret (HTTP Basic or form
    /// parameters).
    ///
    /// ```
    /// use u2m_testkit::Client;
    /// let client = Client::confidential("web", "s3cret")
    ///     .with_redirect_uri("https://app.example.com/callback");
    /// assert!(client.accepts_redirect("https://app.example.com/callback"));
    /// assert!(!format!("{client:?}").contains("s3cret"));
    /// ```
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: Some(secret.into()), redirect_uris: Vec::new() }
    }

    /// Accepts this redirect URI, compared character by character. The first call replaces the `http://localhost:<port>` rule.
    ///
    /// ```
    /// use u2m_testkit::Client;
    /// let client = Client::public("tool").with_redirect_uri("http://127.0.0.1:9/back");
    /// assert!(!client.accepts_redirect("http://localhost:9"));
    /// ```
    #[must_use]
    pub fn with_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Returns the `client_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether `uri` is an accepted redirect URI of this client.
    pub fn accepts_redirect(&self, uri: &str) -> bool {
        if self.redirect_uris.is_empty() {
            is_loopback(uri)
        } else {
            self.redirect_uris.iter().any(|known| known == uri)
        }
    }

    /// Whether `offered` authenticates this client: no secret for a public one, the right secret for a confidential one.
    pub(crate) fn is_proved_by(&self, offered: Option<&str>) -> bool {
        self.secret.as_deref() == offered
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("confidential", &self.secret.is_some())
            .field("redirect_uris", &self.redirect_uris)
            .finish()
    }
}

/// Whether the URI is exactly `http://localhost:<port>`, the only form that Databricks registers for its own tools.
fn is_loopback(uri: &str) -> bool {
    uri.strip_prefix("http://localhost:").is_some_and(|port| {
        !port.starts_with('0')
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_loopback_address_is_a_loopback_address() {
        let client = Client::public("x");
        assert!(client.accepts_redirect("http://localhost:1"));
        for wrong in [
            "http://localhost",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:70000",
            "http://localhost:80@evil.example",
            "http://localhost:8020/",
            "https://localhost:8020",
            "http://127.0.0.1:8020",
        ] {
            assert!(!client.accepts_redirect(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_public_client_must_not_offer_a_secret() {
        assert!(Client::public("x").is_proved_by(None));
        assert!(!Client::public("x").is_proved_by(Some("")));
        assert!(!Client::confidential("x", "s").is_proved_by(None));
    }
}
