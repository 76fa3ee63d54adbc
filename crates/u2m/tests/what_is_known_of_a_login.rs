//! What is told of configurations and their logins: without asking anybody where that is enough, and never longer than wished.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use u2m::check::{CheckError, CheckSubject, Inspector, ProfileReport, Validity};
use u2m::config::{ConfigFile, Environment, SelectionArgs, resolve};
use u2m::oauth::RefreshToken;
use u2m::source::Lifetime;
use u2m::store::{CacheKey, FileStore, Session, StorageMode, TokenStore};
use u2m::transport::{ReqwestTransport, Transport, TransportFailure};
use u2m::{AccessToken, Scopes, TokenError};
use u2m_core::{HttpRequest, HttpResponse};
use u2m_testkit::{Endpoint, Fault, HostMetadata, Settings, Times};

/// A server, and a home whose logins are in the shared file.
struct Home {
    world: World,
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self::of(Settings::new())
    }

    fn of(settings: Settings) -> Self {
        Self { world: World::with(settings), folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> FileStore {
        FileStore::at(self.folder.path().join(".databricks/token-cache.json"))
    }

    fn keep(&self, session: &Session) {
        let key = CacheKey::new("p");
        self.store().delete(&key).unwrap();
        self.store().save(&key, session).unwrap();
    }

    /// `work` with what surrounds a profile file of this text.
    fn around<T>(&self, config: &str, work: impl FnOnce(&Environment<'_>) -> T) -> T {
        let home = self.folder.path().as_os_str().to_owned();
        let env = move |name: &str| match name {
            "HOME" | "USERPROFILE" => Some(home.clone()),
            "DATABRICKS_AUTH_STORAGE" => Some(OsString::from("plaintext")),
            _ => None,
        };
        let config = ConfigFile::parse(config).unwrap();
        work(&Environment { env: &env, config: &config })
    }

    /// The profile `p` with these lines.
    fn subject(&self, lines: &str) -> Result<CheckSubject, CheckError> {
        self.around(&format!("[p]\n{lines}\n"), |around| {
            let given = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
            let resolved = resolve(&given, &|_| None, around.config, Path::new("cfg")).unwrap();
            CheckSubject::of(&resolved, around)
        })
    }

    /// The profile `p` of a person on the server.
    fn person(&self) -> CheckSubject {
        self.subject(&format!("host = {}\nauth_type = databricks-cli", self.url())).unwrap()
    }

    fn url(&self) -> &str {
        self.world.server.base_url()
    }

    fn survey(&self, config: &str, asks: bool) -> Vec<ProfileReport> {
        self.around(config, |around| inspector().survey_blocking(around, Path::new("cfg"), asks))
    }
}

fn inspector() -> Inspector {
    Inspector::new(Arc::new(ReqwestTransport::new()))
}

fn offline(subject: &CheckSubject) -> &'static str {
    inspector().check_offline(subject).map_or_else(|error| error.category(), |()| "fine")
}

fn access() -> Session {
    Session::new(AccessToken::new("t"))
}

#[test]
fn what_is_wrong_without_anybodys_answer_is_told_without_asking() {
    let home = Home::new();
    let of = |lines: &str| offline(&home.subject(lines).unwrap());
    let host = "host = https://a.example";
    assert_eq!(of(&format!("{host}\ntoken = t")), "fine");
    assert_eq!(of(&format!("{host}\nauth_type = pat")), "no-token");
    assert_eq!(of(&format!("{host}\nauth_type = azure-cli")), "not-checked");
    let person = home.person();
    assert_eq!(offline(&person), "not-configured");
    let ends = |left| common::now().plus(Lifetime::from_seconds(left));
    let refresh = || RefreshToken::new("r");
    for (session, word) in [
        (access().with_expiry(ends(-5)), "no-refresh-token"),
        (access().with_expiry(ends(-5)).with_refresh_token(refresh()), "fine"),
        (access().with_expiry(ends(600)), "fine"),
        (access(), "fine"),
    ] {
        home.keep(&session);
        assert_eq!(offline(&person), word, "{session:?}");
    }
    assert_eq!(home.world.server.counts().requests, 0);
}

#[test]
fn a_login_without_a_host_is_nobodys() {
    let home = Home::new();
    let error = home.subject("auth_type = databricks-cli").unwrap_err();
    assert_eq!(error.category(), "no-host");
}

#[test]
fn the_facts_of_a_login_are_what_is_stored_and_show_no_token() {
    let home = Home::new();
    let person = home.person();
    assert_eq!(person.facts().unwrap(), None);
    let mut session = home.world.session(1800);
    session.binding.as_mut().unwrap().scopes = Some(Scopes::new(["all-apis", "offline_access"]));
    home.keep(&session);
    let facts = person.facts().unwrap().unwrap();
    assert_eq!((facts.key.as_str(), facts.storage), ("p", StorageMode::Plaintext));
    assert_eq!(facts.expiry, session.known_expiry());
    assert_eq!(facts.issued_at, session.issued_at);
    assert!(facts.is_refreshable);
    let scopes: Vec<_> = facts.scopes.iter().map(|scope| scope.as_str()).collect();
    assert_eq!(scopes, ["all-apis", "offline_access"]);
    assert_eq!(facts.issuer.unwrap().as_str(), format!("{}/oidc", home.url()));
    assert_eq!(person.storage().unwrap().shared_file(), home.store().path());
    assert_eq!(person.host(), Some(&home.world.host()));
    assert_eq!(person.auth_type(), Some("databricks-cli"));
    home.keep(&access());
    let facts = person.facts().unwrap().unwrap();
    assert!(!facts.is_refreshable && facts.scopes.is_empty() && facts.issuer.is_none());
    let pat = home.subject("host = https://a.example\ntoken = t").unwrap();
    assert!(pat.facts().unwrap().is_none() && pat.storage().is_none());
}

#[test]
fn to_look_renews_what_has_run_out_and_nothing_else() {
    let home = Home::new();
    let person = home.person();
    assert!(matches!(inspector().check_blocking(&person), Err(CheckError::NoLogin)));
    home.keep(&home.world.session(30));
    let identity = inspector().check_blocking(&person).unwrap();
    assert_eq!(identity.user_name.unwrap().as_str(), "fake.user@example.com");
    assert_eq!(home.world.refreshes(), 0, "it is still good");
    let old = home.world.session(-5);
    home.keep(&old);
    let identity = inspector().check_blocking(&person).unwrap();
    assert_eq!(home.world.refreshes(), 1);
    let stored = home.store().load(&CacheKey::new("p")).unwrap().unwrap();
    assert_eq!(identity.expiry, stored.token().expiry());
    assert_ne!(stored.access_token.expose(), old.access_token.expose());
}

#[test]
fn a_login_beside_an_account_is_the_accounts_where_its_host_or_its_record_says_so() {
    let of_account = "/oidc/accounts/acc-1/v1/token";
    let unified = Settings::new().with_host_metadata(HostMetadata::unified("acc-1"));
    for (settings, path) in [(unified, of_account), (Settings::new(), "/oidc/v1/token")] {
        let home = Home::of(settings);
        let lines =
            format!("host = {}\nauth_type = databricks-cli\naccount_id = acc-1", home.url());
        let person = home.subject(&lines).unwrap();
        home.keep(&home.world.bare_session(-5));
        // Whose it is has nothing to do with where it is renewed.
        let _ = inspector().check_blocking(&person);
        assert_eq!(home.world.token_requests().last().unwrap().path(), path);
        // A login whose record names an account is that account's, whatever its host says of itself.
        let mut session = home.world.session(1800);
        session.binding.as_mut().unwrap().account_id = Some("acc-1".to_owned());
        home.keep(&session);
        let outcome = inspector().check_blocking(&person);
        assert!(!matches!(outcome, Err(CheckError::Token(_))), "{outcome:?}");
    }
}

/// Writes down what it sends.
#[derive(Debug, Default)]
struct Recording(ReqwestTransport, Mutex<Vec<String>>);

#[async_trait::async_trait]
impl Transport for Recording {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        self.1.lock().unwrap().push(request.url().path().to_owned());
        self.0.send(request).await
    }
}

#[test]
fn a_refresh_to_look_goes_over_the_transport_that_was_given() {
    let home = Home::new();
    home.keep(&home.world.session(-5));
    let transport = Arc::new(Recording::default());
    let inspector = Inspector::new(Arc::clone(&transport) as Arc<dyn Transport>);
    inspector.check_blocking(&home.person()).unwrap();
    let sent = transport.1.lock().unwrap();
    assert!(sent.iter().any(|path| path == "/oidc/v1/token"), "{sent:?}");
}

#[test]
fn of_an_issuer_of_ones_own_only_the_token_is_told() {
    let home = Home::new();
    let lines = format!("u2m_issuer = {}/oidc\nu2m_client_id = databricks-cli", home.url());
    let subject = home.subject(&lines).unwrap();
    assert_eq!((subject.auth_type(), subject.host()), (Some("u2m-issuer"), None));
    let session = home.world.session(1800);
    home.keep(&session);
    let identity = inspector().check_blocking(&subject).unwrap();
    assert_eq!((identity.user_name, identity.account_id), (None, None));
    assert_eq!(identity.expiry, session.token().expiry());
    assert_eq!(home.world.server.counts().requests, 0);
}

#[test]
fn a_host_and_a_token_beside_an_issuer_are_not_its_own() {
    let home = Home::new();
    let config = format!("[p]\nu2m_issuer = {}/oidc\nu2m_client_id = databricks-cli\n", home.url());
    let subject = home.around(&config, |around| {
        // The issuer is on this host, which is no host of the API for that.
        let given = SelectionArgs {
            profile: Some("p"),
            host: Some(home.url()),
            ..SelectionArgs::default()
        };
        let env = |name: &str| (name == "DATABRICKS_TOKEN").then(|| OsString::from("t"));
        let resolved = resolve(&given, &env, around.config, Path::new("cfg")).unwrap();
        CheckSubject::of(&resolved, around).unwrap()
    });
    assert_eq!((subject.auth_type(), subject.host()), (Some("u2m-issuer"), None));
    let session = home.world.session(1800);
    home.keep(&session);
    let identity = inspector().check_blocking(&subject).unwrap();
    assert_eq!(identity.expiry, session.token().expiry(), "it is the login's token");
}

#[test]
fn a_check_takes_no_longer_than_wished_and_says_so() {
    let home = Home::new();
    home.world.server.inject(Endpoint::Any, Times::Always, Fault::never_answer());
    let subject = home.subject(&format!("host = {}\ntoken = t", home.url())).unwrap();
    let limit = Duration::from_millis(300);
    let start = Instant::now();
    let error = inspector().with_timeout(limit).check_blocking(&subject).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(matches!(error, CheckError::TimedOut(time) if time == limit), "{error:?}");
}

#[test]
fn a_login_that_the_server_has_ended_is_told_from_none() {
    let home = Home::new();
    home.keep(&home.world.session(-5));
    home.world.server.revoke_all();
    let error = inspector().check_blocking(&home.person()).unwrap_err();
    assert!(matches!(error, CheckError::Token(TokenError::Rejected(_))), "{error:?}");
    assert_eq!(error.category(), "refresh-invalid");
}

#[cfg(unix)]
#[test]
fn what_the_store_has_to_tell_is_kept_for_whoever_checks() {
    let home = Home::new();
    let person = home.person();
    home.keep(&home.world.session(-5));
    // Somebody else could read the file so far.
    let file = home.folder.path().join(".databricks/token-cache.json");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let inspector = inspector();
    inspector.check_blocking(&person).unwrap();
    let notices = inspector.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].text.contains("token-cache.json"), "{notices:?}");
    assert!(inspector.take_notices().is_empty(), "they are told once");
}

#[test]
fn a_survey_tells_of_every_profile_what_the_file_says() {
    let home = Home::new();
    let url = home.url();
    let config = format!(
        "[p]\nhost = {url}\n[pat]\nhost = https://b.example/?o=7\ntoken = t\naccount_id = acc\n\
         [account]\naccount_id = acc\n[none]\nscopes = a\n\
         [id]\nu2m_issuer = https://id.example\nu2m_client_id = cli\n[odd]\nhost = https://\n\
         [__settings__]\ndefault_profile = pat\n"
    );
    let session = home.world.session(1800);
    home.keep(&session);
    let reports = home.survey(&config, false);
    let names: Vec<_> = reports.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(
        names,
        ["p", "pat", "account", "id", "odd"],
        "those that lead somewhere, in their order"
    );
    let [p, pat, _, id, _] = &reports[..] else { panic!() };
    assert_eq!((p.host.as_deref(), p.is_default, pat.is_default), (Some(url), false, true));
    assert_eq!((p.expiry, p.storage), (session.known_expiry(), Some(StorageMode::Plaintext)));
    assert_eq!((pat.expiry, pat.storage), (None, None));
    assert_eq!(pat.account_id.as_deref(), Some("acc"));
    assert_eq!(pat.workspace_id.as_deref(), Some("7"), "the host's URL names it");
    assert_eq!(id.issuer.as_deref(), Some("https://id.example"));
    assert!(reports.iter().all(|report| report.validity.is_valid().is_none()));
    assert!(reports.iter().all(|report| report.validity.error().is_none()));
    assert!(reports.iter().all(|report| report.auth_type.is_none()), "nothing was to be checked");
    assert_eq!(home.world.server.counts().requests, 0);
}

#[test]
fn a_survey_that_asks_tells_what_works_and_what_does_not() {
    let home = Home::new();
    let url = home.url();
    let config = format!(
        "[p]\nhost = {url}\n[gone]\nhost = {url}\n[azure]\nhost = {url}\nauth_type = azure-cli\n\
         [odd]\nhost = https://\n"
    );
    let session = home.world.session(1800);
    home.keep(&session);
    let reports = home.survey(&config, true);
    let [p, gone, azure, odd] = &reports[..] else { panic!("{reports:?}") };
    assert!(matches!(&p.validity, Validity::Valid(who) if who.user_name.is_some()), "{p:?}");
    assert_eq!((p.validity.is_valid(), p.validity.error().is_none()), (Some(true), true));
    assert_eq!(p.expiry, session.token().expiry());
    assert_eq!(p.auth_type.as_deref(), Some("databricks-cli"));
    assert_eq!(gone.validity.is_valid(), Some(false));
    assert_eq!(gone.validity.error().unwrap().category(), "not-configured");
    assert!(matches!(&azure.validity, Validity::Unknown(Some(CheckError::Unchecked(_)))));
    assert_eq!(azure.validity.error().unwrap().category(), "not-checked");
    assert_eq!(odd.validity.error().unwrap().category(), "config");
    assert_eq!(odd.host.as_deref(), Some("https://"));
}
