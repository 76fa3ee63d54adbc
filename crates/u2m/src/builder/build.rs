//! Turns a description into a usable login, or says why it cannot be one.

use super::{Builder, usual_transport};
use crate::challenge::LoginSettings;
use crate::persistent::PersistentAuth;
use crate::refresher::{Refresher, under_host_key};
use crate::storage::{Storage, StorageError};
use std::sync::Arc;
use u2m_core::{
    DISCOVERY_HOST, FreshnessRules, Host, HostError, IssuerTrust, LoginRequest, ProfileName,
    Sanitized, TokenRequest,
};
use u2m_http::{ShareRules, SharedToken};
use url::Url;

impl Builder {
    /// Checks the description and builds the login.
    ///
    /// # Errors
    /// Fails if no store was given and the home folder is unknown; the discovery host is not a valid host; the wait for another
    /// process's refresh is not longer than a request may take; no client was named for an issuer that is not Databricks';
    /// endpoints were given for a discovery login; or no transport was given and this build has none (feature `reqwest`).
    pub fn build(self) -> Result<PersistentAuth, BuildError> {
        if self.lock_wait <= self.patience.budget.max(self.patience.answer) {
            return Err(BuildError::Impatient);
        }
        if self.endpoints.is_some() && self.target.is_discovery() {
            return Err(BuildError::EndpointsOfDiscovery);
        }
        if self.client_id.is_none() && self.target.issuer_id().is_some() {
            return Err(BuildError::NoClient);
        }
        let store = match self.store {
            Some(store) => store,
            None => {
                let profile = self.target.profile().map(ProfileName::as_str);
                let storage = Storage::for_user(profile).map_err(BuildError::Store)?;
                let storage = match self.target.issuer_id() {
                    Some(_) => storage.for_issuer(),
                    None => storage,
                };
                Arc::new(storage.store().clone())
            }
        };
        let (discovery_host, trust) = discovery(self.discovery_host.as_deref(), self.trust)?;
        let mut login = LoginRequest::new(self.target.clone());
        login.discovery_host = discovery_host;
        login.offline_access = self.offline_access;
        login.own_endpoints = self.endpoints.is_some();
        login.scopes = self.scopes.clone();
        login.to_account = self.to_account;
        login.trust = trust.clone();
        login.assumed_lifetime = self.rules.assumed;
        let mut request = TokenRequest::new(self.target);
        request.own_endpoints = self.endpoints.is_some();
        request.trust = trust;
        request.rules = self.rules;
        request.scopes = self.scopes;
        login.client_auth = self.prover.auth.clone();
        request.client_auth = self.prover.auth.clone();
        if let Some(id) = self.client_id {
            login.client_id.clone_from(&id);
            request.client_id = id;
        }
        let is_usual_transport = self.transport.is_none();
        let usual = || usual_transport(self.ca_file.as_deref());
        let transport = self.transport.or_else(usual).ok_or(BuildError::NoTransport)?;
        let profile_file = self.profile_file.map(|path| Sanitized::new(&path.to_string_lossy()));
        let keeper = |request: TokenRequest| {
            let (store, transport) = (Arc::clone(&store), Arc::clone(&transport));
            let mut keeper = Refresher::new(request, store, transport, self.endpoints.clone());
            keeper.clock = self.clock.clone();
            keeper.prover = self.prover.clone();
            keeper.patience = self.patience.clone();
            keeper.lock_wait = self.lock_wait;
            keeper.wait = self.wait;
            keeper.saves_for = self.saves_for;
            keeper.detached = self.detached.clone();
            keeper.profile_file.clone_from(&profile_file);
            keeper.is_usual_transport = is_usual_transport;
            keeper.ca_file.clone_from(&self.ca_file);
            keeper
        };
        let of_host = under_host_key(&request.target).filter(|_| self.host_key_fallback);
        let of_host = of_host.map(|target| {
            let mut request = request.clone();
            request.target = target;
            Arc::new(keeper(request))
        });
        let mut keeper = keeper(request);
        keeper.of_host = of_host;
        let desk = LoginSettings {
            request: login,
            browser: self.browser,
            person: self.person,
            ports: self.ports,
            listens: self.listens,
            timeout: self.login_timeout,
        };
        let rules = ShareRules::default()
            .with_freshness(rules_in_hand(&keeper.request))
            .with_clock(self.clock.clone())
            .with_renewal(self.renewal)
            .with_wait(keeper.wait);
        Ok(PersistentAuth { shared: SharedToken::new(keeper, rules), desk: Arc::new(desk) })
    }
}

/// The freshness rules for a token in memory. If the host is not known before the login names it, it may be on Azure, so Azure's
/// rules apply.
fn rules_in_hand(request: &TokenRequest) -> FreshnessRules {
    let mut rules = request.rules.clone();
    match request.target.host() {
        Some(host) => rules.on(host),
        None => {
            rules.skew = rules.skew.max(FreshnessRules::azure().skew);
            rules
        }
    }
}

fn discovery(named: Option<&str>, trust: IssuerTrust) -> Result<(Url, IssuerTrust), BuildError> {
    let (text, trust) = match named {
        Some(text) => {
            let (host, _) =
                Host::typed(text.trim_end_matches('/')).map_err(BuildError::DiscoveryHost)?;
            (host.as_str().to_owned(), trust.with_host(host))
        }
        None => (DISCOVERY_HOST.to_owned(), trust),
    };
    let url = Url::parse(&text).map_err(|_| BuildError::DiscoveryHost(HostError::UserInfo))?;
    Ok((url, trust))
}

/// Why [`Builder::build`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The discovery host is not a valid host.
    #[error("the discovery host cannot be used")]
    DiscoveryHost(#[source] HostError),
    /// Endpoints were given for a discovery login, which learns its issuer and endpoints from the callback in the person's
    /// browser.
    #[error(
        "a discovery login takes no endpoints of one's own: the issuer that signs in says where they are"
    )]
    EndpointsOfDiscovery,
    /// The lock wait is too short: callers that wait for a refresh would give up before it can finish.
    #[error("a lock must be waited for longer than a request may take")]
    Impatient,
    /// No client was named. Only Databricks' issuers have a public client that everybody may use.
    #[error("an issuer's login needs the id of a client that is registered there")]
    NoClient,
    /// No transport was given, and this build has no default one.
    #[error("no transport was given, and u2m was built without its feature `reqwest`")]
    NoTransport,
    /// No store was given, and the default one could not be opened.
    #[error("no token store")]
    Store(#[source] StorageError),
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "reqwest")]
    use std::path::Path;
    use u2m_core::{Lifetime, Target};

    #[test]
    fn a_token_in_hand_goes_by_the_rules_of_its_host_and_without_one_by_the_strictest() {
        let rules = |target: Target| {
            let mut request = TokenRequest::new(target);
            request.rules.lead = Lifetime::from_seconds(77);
            rules_in_hand(&request)
        };
        let of_host = |host: &str| rules(Target::workspace(Host::parse(host).unwrap()));
        let (azure, usual) = (FreshnessRules::azure().skew, FreshnessRules::default().skew);
        let elsewhere = of_host("https://a.example");
        assert_eq!((elsewhere.skew, elsewhere.lead.seconds()), (usual, 77));
        assert_eq!(of_host("https://adb-1.2.azuredatabricks.net").skew, azure);
        let nowhere = rules(Target::discovery(ProfileName::parse("dev").unwrap()));
        assert_eq!((nowhere.skew, nowhere.lead.seconds()), (azure, 77));
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn a_file_of_certificates_makes_another_way_to_a_host() {
        let url = Url::parse("https://a.example").unwrap();
        let way = |file: Option<&str>| usual_transport(file.map(Path::new)).unwrap().way(&url);
        assert_eq!(way(None), way(None));
        assert_ne!(way(Some("/a.pem")), way(None));
        assert_ne!(way(Some("/a.pem")), way(Some("/b.pem")));
    }
}
