//! What the small process is told: whose token, by which rules, in which store. One JSON object over a pipe.

use super::place::Place;
use crate::builder::Builder;
use crate::keeper::Keeper;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use u2m_core::{
    AccessToken, AccountId, Ask, CacheKey, FreshnessRules, Host, Lifetime, ProfileName, Scopes,
    Target, Timestamp,
};
use u2m_http::Patience;
use zeroize::Zeroizing;

/// The form of a job. A process that is told of another one does nothing.
const VERSION: u32 = 2;

/// How much longer it may take when something is spent and not saved yet: three tries, each of which may wait for a writer.
pub(super) const SAVING: Duration = Duration::from_secs(60);

/// One refresh to carry out.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    version: u32,
    host: Option<String>,
    account: Option<String>,
    unified: bool,
    issuer: Option<String>,
    profile: Option<String>,
    key: String,
    client_id: String,
    scopes: String,
    /// Seconds: skew, lead, assumed, pause, coalesce.
    rules: [i64; 5],
    /// Milliseconds: one request, a pause, the wait for a lock.
    waits: [u64; 3],
    repeats: u32,
    ask: Question,
    asked_at: i64,
    store: Place,
    /// Whether the lock comes with the job, as the open file at standard error.
    pub(super) has_lock: bool,
}

/// [`Ask`], with its secret.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Newer(Option<Zeroizing<String>>),
    Other(Zeroizing<String>),
    Usable,
}

impl Job {
    /// `None` if only this process can do it: something about it is the program's own.
    pub(super) fn of(keeper: &Keeper, ask: &Ask, asked_at: Timestamp) -> Option<Self> {
        if keeper.endpoints.is_some() || !keeper.is_usual_transport {
            return None;
        }
        let (request, target) = (&keeper.request, keeper.target());
        let (rules, patience) = (&request.rules, &keeper.patience);
        let millis = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Some(Self {
            version: VERSION,
            host: target.host().map(ToString::to_string),
            account: target.account_id().map(ToString::to_string),
            unified: target.is_unified(),
            issuer: target.issuer_id().map(str::to_owned),
            profile: target.profile().map(|name| name.as_str().to_owned()),
            key: keeper.key.as_str().to_owned(),
            client_id: request.client_id.clone(),
            scopes: request.scopes.to_string(),
            rules: [rules.skew, rules.lead, rules.assumed, rules.pause, rules.coalesce]
                .map(Lifetime::seconds),
            waits: [patience.budget, patience.pause, keeper.lock_wait].map(millis),
            repeats: patience.repeats,
            ask: Question::of(ask)?,
            asked_at: asked_at.unix(),
            store: Place::of(keeper.store.address()?)?,
            has_lock: false,
        })
    }

    /// One line: its end says that it is whole, whoever else may hold the pipe open.
    pub(super) fn text(&self) -> io::Result<Zeroizing<String>> {
        let text = serde_json::to_string(self).map(Zeroizing::new).map_err(io::Error::other)?;
        let mut line = Zeroizing::new(String::with_capacity(text.len() + 1));
        line.push_str(&text);
        line.push('\n');
        Ok(line)
    }

    /// Reads a job; what this version does not know is an error.
    pub(super) fn parse(line: &str) -> io::Result<Self> {
        let text = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        let job: Self = serde_json::from_str(text).map_err(io::Error::other)?;
        match job.version {
            VERSION => Ok(job),
            _ => Err(io::Error::other("a job of another version")),
        }
    }

    pub(super) fn key(&self) -> CacheKey {
        CacheKey::new(self.key.as_str())
    }

    pub(super) fn asked(self) -> (Ask, Timestamp) {
        let ask = match self.ask {
            Question::Newer(seen) => Ask::Newer(seen.map(|text| AccessToken::new(text.as_str()))),
            Question::Other(text) => Ask::Other(AccessToken::new(text.as_str())),
            Question::Usable => Ask::Usable,
        };
        (ask, Timestamp::from_unix(self.asked_at))
    }

    /// The longest that this may take before it has something to save: the lock, two rounds of finding the endpoint and
    /// refreshing, and proving that it can be saved.
    pub(super) fn limit(&self) -> Duration {
        let [budget, _, lock] = self.waits;
        Duration::from_millis(budget.saturating_mul(4).saturating_add(lock).min(600_000))
            + Duration::from_secs(10)
    }

    /// The same login as the caller's.
    pub(super) fn builder(&self) -> io::Result<Builder> {
        let wrong = |_| io::Error::other("a job that names no login");
        let profile = self.profile.as_deref().map(ProfileName::parse).transpose().map_err(wrong)?;
        let account = self.account.as_deref().map(AccountId::parse).transpose().map_err(wrong)?;
        let host = self.host.as_deref().map(Host::parse).transpose();
        let host = host.map_err(|_| io::Error::other("a job that names no host"))?;
        let issuer = self.issuer.as_deref().map(Target::issuer).transpose();
        let issuer = issuer.map_err(|_| io::Error::other("a job that names no issuer"))?;
        let target = match (issuer, host, account, profile.clone()) {
            (Some(target), ..) => target,
            (_, Some(host), Some(account), _) if self.unified => Target::unified(host, account),
            (_, Some(host), Some(account), _) => Target::account(host, account),
            (_, Some(host), None, _) => Target::workspace(host),
            (_, None, _, Some(profile)) => Target::discovery(profile),
            (_, None, _, None) => return Err(io::Error::other("a job that names no target")),
        };
        let target = profile.into_iter().fold(target, Target::with_profile).with_key(self.key());
        let [skew, lead, assumed, pause, coalesce] = self.rules.map(Lifetime::from_seconds);
        let mut rules = FreshnessRules::default();
        (rules.skew, rules.lead, rules.assumed) = (skew, lead, assumed);
        (rules.pause, rules.coalesce) = (pause, coalesce);
        let [budget, between, lock_wait] = self.waits.map(Duration::from_millis);
        let mut patience = Patience::default().with_budget(budget).with_repeats(self.repeats);
        patience.pause = between;
        let builder = Builder::new(target)
            .with_client_id(self.client_id.as_str())
            .with_scopes(Scopes::split(&self.scopes))
            .with_rules(rules)
            .with_patience(patience)
            .with_lock_wait(lock_wait);
        Ok(builder.with_shared_store(self.store.open()?))
    }
}

impl Question {
    fn of(ask: &Ask) -> Option<Self> {
        let secret = |token: &AccessToken| Zeroizing::new(token.expose().to_owned());
        match ask {
            Ask::Newer(seen) => Some(Self::Newer(seen.as_ref().map(secret))),
            Ask::Other(seen) => Some(Self::Other(secret(seen))),
            Ask::Usable => Some(Self::Usable),
            _ => None,
        }
    }
}
