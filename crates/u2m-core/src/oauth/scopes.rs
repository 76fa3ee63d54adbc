//! Scopes as an ordered set (RFC 6749 section 3.3).

use std::fmt;

/// The scope that requests a refresh token.
const OFFLINE: &str = "offline_access";

/// A set of scopes in the caller's order. [`Scopes::requested`] treats `offline_access` separately.
///
/// ```
/// use u2m_core::Scopes;
/// assert_eq!(Scopes::default().requested(true), "offline_access all-apis");
/// assert_eq!(Scopes::new(["files", "jobs"]).requested(false), "files jobs");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Makes a set of scopes. Duplicates and empty strings are dropped. At Databricks, an empty set requests `all-apis`.
    ///
    /// ```
    /// use u2m_core::Scopes;
    /// assert_eq!(Scopes::new(["sql", "sql", ""]).to_string(), "sql");
    /// ```
    pub fn new<I: IntoIterator<Item: Into<String>>>(scopes: I) -> Self {
        let mut set = Vec::new();
        for scope in scopes.into_iter().map(Into::into) {
            if !scope.is_empty() && !set.contains(&scope) {
                set.push(scope);
            }
        }
        Self(set)
    }

    /// Reads a list separated by commas or spaces, as in a profile, on a command line or in a response.
    ///
    /// ```
    /// use u2m_core::Scopes;
    /// assert_eq!(Scopes::split(" all-apis, ,sql,,").to_string(), "all-apis sql");
    /// ```
    pub fn split(text: &str) -> Self {
        Self::new(text.split([',', ' ', '\t']).map(str::trim))
    }

    /// The `scope` parameter of a request to Databricks: `offline_access` first, once, if it is wanted, then the other scopes
    /// in order.
    pub fn requested(&self, offline: bool) -> String {
        let own: Vec<_> =
            self.0.iter().map(String::as_str).filter(|scope| *scope != OFFLINE).collect();
        let asked_offline = offline || own.len() < self.0.len();
        let own = if own.is_empty() { vec!["all-apis"] } else { own };
        asked_offline.then_some(OFFLINE).into_iter().chain(own).collect::<Vec<_>>().join(" ")
    }

    /// These scopes unchanged, preceded by `offline_access` if it is wanted and missing. The result may be empty: then the
    /// server decides (RFC 6749 section 3.3).
    pub(crate) fn as_they_are(&self, offline: bool) -> String {
        let more = (offline && !self.contains(OFFLINE)).then_some(OFFLINE);
        more.into_iter().chain(self.iter()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a server that lists these scopes issues refresh tokens for `offline_access`.
    pub(crate) fn has_offline_access(&self) -> bool {
        self.contains(OFFLINE)
    }

    fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|known| known == scope)
    }

    /// Whether no scope was named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The scopes that an access token can be expected to show. The scopes of OpenID Connect concern the person, and servers
    /// grant them without listing them.
    ///
    /// ```
    /// use u2m_core::Scopes;
    /// assert_eq!(Scopes::split("openid profile reports").of_apis().to_string(), "reports");
    /// ```
    #[must_use]
    pub fn of_apis(&self) -> Self {
        const OF_PERSONS: [&str; 5] = ["openid", "profile", "email", "address", "phone"];
        let kept = |scope: &&String| !OF_PERSONS.contains(&scope.as_str());
        Self(self.0.iter().filter(kept).cloned().collect())
    }

    /// The scopes of `self` that `granted` lacks. `offline_access` is left out, because it is granted by a refresh token rather
    /// than by name.
    pub fn missing_from(&self, granted: &Self) -> Self {
        let lacks = |scope: &&String| scope.as_str() != OFFLINE && !granted.0.contains(scope);
        Self(self.0.iter().filter(lacks).cloned().collect())
    }
}

/// Joins the scopes with single spaces, as in a request.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_scopes_are_those_of_the_reference() {
        let none: [&str; 0] = [];
        assert_eq!(Scopes::new(none).requested(true), "offline_access all-apis");
        assert_eq!(Scopes::new(none).requested(false), "all-apis");
        assert_eq!(Scopes::new(["dashboards"]).requested(true), "offline_access dashboards");
        let three = Scopes::new(["files", "jobs", "mlflow:read"]);
        assert_eq!(three.requested(true), "offline_access files jobs mlflow:read");
        assert_eq!(Scopes::new(["files", "jobs"]).requested(false), "files jobs");
    }

    #[test]
    fn scope_1_offline_access_is_never_sent_twice() {
        assert_eq!(Scopes::new(["offline_access", "sql"]).requested(true), "offline_access sql");
        assert_eq!(Scopes::new(["sql", "offline_access"]).requested(false), "offline_access sql");
        let named = Scopes::split("openid offline_access reports");
        assert_eq!(named.as_they_are(true), "openid offline_access reports");
        assert_eq!(named.as_they_are(false), "openid offline_access reports");
        assert_eq!(Scopes::new(["reports"]).as_they_are(true), "offline_access reports");
        assert_eq!(Scopes::default().as_they_are(true), "offline_access");
        assert_eq!(Scopes::default().as_they_are(false), "");
    }

    #[test]
    fn a7_what_was_not_granted_is_named() {
        let asked = Scopes::split("offline_access sql jobs");
        assert_eq!(asked.missing_from(&Scopes::split("jobs")).to_string(), "sql");
        assert!(asked.missing_from(&Scopes::split("jobs sql all-apis")).is_empty());
    }
}
