//! The job for the refresh process: whose token, by which rules, in which store. One JSON object over a pipe.

use super::place::StorePlace;
use crate::bounds;
use crate::builder::Builder;
use crate::refresher::Refresher;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use u2m_core::{
    AccessToken, AccountId, CacheKey, FreshnessRules, Host, Lifetime, Moment, ProfileName, Scopes,
    Target, Timestamp, TokenCriteria, WhichToken, secret_json,
};
use u2m_http::RetryPolicy;
use zeroize::Zeroizing;

/// The version of the job format. A process that gets another version does nothing.
const VERSION: u32 = 9;

/// One refresh to run.
#[derive(Serialize, Deserialize)]
pub(super) struct RefreshJob {
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
    /// The shares of the skew and of the lead.
    shares: [u32; 2],
    /// Milliseconds: one request, the answer of one that spends something, a pause, the wait for a lock.
    waits: [u64; 4],
    repeats: u32,
    /// Milliseconds: connecting, and one attempt.
    limits: [Option<u64>; 2],
    insists: bool,
    ask: JobRequest,
    /// How many seconds the token must have left.
    at_least: i64,
    /// Seconds, and nanoseconds of the next.
    asked_at: (i64, u32),
    store: StorePlace,
    /// A file of certificates to trust besides the system's.
    ca_file: Option<String>,
    /// Whether the lock comes with the job, as the open file at standard error.
    pub(super) has_lock: bool,
}

/// [`WhichToken`], with its secret.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JobRequest {
    Newer(Option<Zeroizing<String>>),
    Other(Zeroizing<String>),
    Usable,
}

impl RefreshJob {
    /// Describes the refresh. `None` if only this process can do it, because something about it is the program's own.
    pub(super) fn of(
        keeper: &Refresher,
        question: &TokenCriteria,
        asked_at: Moment,
    ) -> Option<Self> {
        if keeper.endpoints.is_some() || !keeper.is_usual_transport || keeper.clock.is_of_program()
        {
            return None;
        }
        // A client's secret is not passed to another process.
        if !keeper.prover.is_public() {
            return None;
        }
        // A path that is not text cannot be passed on.
        let ca_file = keeper.ca_file.as_ref().map(|path| path.to_str());
        let ca_file = match ca_file {
            Some(path) => Some(path?.to_owned()),
            None => None,
        };
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
            shares: [rules.skew_share, rules.lead_share],
            waits: [patience.budget, patience.answer, patience.pause, keeper.lock_wait].map(millis),
            repeats: patience.repeats,
            limits: [patience.connect, patience.attempt].map(|limit| limit.map(millis)),
            insists: patience.insists,
            ask: JobRequest::of(&question.ask)?,
            at_least: question.at_least.seconds(),
            asked_at: (asked_at.second().unix(), asked_at.nanos()),
            store: StorePlace::of(keeper.store.address()?)?,
            ca_file,
            has_lock: false,
        })
    }

    /// Writes one line: its end shows that it is complete, whoever else may hold the pipe open.
    pub(super) fn text(&self) -> io::Result<Zeroizing<String>> {
        let mut line = secret_json(self).ok_or(io::ErrorKind::InvalidData)?;
        line.push('\n');
        Ok(line.finish())
    }

    /// Reads a job; anything that this version does not know is an error.
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

    pub(super) fn asked(self) -> (TokenCriteria, Moment) {
        let ask = match self.ask {
            JobRequest::Newer(seen) => {
                WhichToken::Newer(seen.map(|text| AccessToken::new(text.as_str())))
            }
            JobRequest::Other(text) => WhichToken::Other(AccessToken::new(text.as_str())),
            JobRequest::Usable => WhichToken::Usable,
        };
        let question =
            TokenCriteria::from(ask).with_at_least(Lifetime::from_seconds(self.at_least));
        let (second, nanos) = self.asked_at;
        (question, Moment::new(Timestamp::from_unix(second), nanos))
    }

    /// The longest time while nothing is spent: waiting for the lock, two rounds of finding the endpoint and refreshing, and
    /// proving that the result can be saved.
    pub(super) fn limit(&self) -> Duration {
        let [budget, answer, _, lock] = self.waits;
        let round = budget.saturating_add(answer);
        Duration::from_millis(round.saturating_mul(2).saturating_add(lock).min(900_000))
            + Duration::from_secs(10)
    }

    /// How much longer it may take once something is spent and not saved yet.
    pub(super) fn finishing(&self) -> Duration {
        bounds::finishing(&self.patience()).min(Duration::from_secs(900))
    }

    /// How long to wait for its answer. The process would have ended long before.
    pub(super) fn longest(&self) -> Duration {
        self.limit() + self.finishing() + Duration::from_secs(10)
    }

    fn patience(&self) -> RetryPolicy {
        let [budget, answer, between, _] = self.waits.map(Duration::from_millis);
        let mut patience = RetryPolicy::default().with_budget(budget).with_answer(answer);
        patience.repeats = self.repeats;
        patience.pause = between;
        [patience.connect, patience.attempt] = self.limits.map(|it| it.map(Duration::from_millis));
        patience.insists = self.insists;
        patience
    }

    /// Rebuilds the caller's login.
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
        [rules.skew_share, rules.lead_share] = self.shares;
        let [_, _, _, lock_wait] = self.waits.map(Duration::from_millis);
        let builder = Builder::new(target)
            .with_client_id(self.client_id.as_str())
            .with_scopes(Scopes::split(&self.scopes))
            .with_rules(rules)
            .with_retry_policy(self.patience())
            .with_lock_wait(lock_wait)
            .for_one_refresh();
        let ca_file = self.ca_file.as_ref().map(Into::into);
        let builder = ca_file.into_iter().fold(builder, Builder::with_ca_file);
        Ok(builder.with_shared_store(self.store.open()?))
    }
}

impl JobRequest {
    fn of(ask: &WhichToken) -> Option<Self> {
        let secret = |token: &AccessToken| Zeroizing::new(token.expose().to_owned());
        match ask {
            WhichToken::Newer(seen) => Some(Self::Newer(seen.as_ref().map(secret))),
            WhichToken::Other(seen) => Some(Self::Other(secret(seen))),
            WhichToken::Usable => Some(Self::Usable),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use u2m_cache::{FileStore, MemoryStore};
    use u2m_core::{ClientAuth, ClientSecret};
    use u2m_http::{BasicEndpoints, ReqwestTransport};

    const AT_LEAST: Lifetime = Lifetime::from_seconds(180);
    const ASKED_AT: Moment = Moment::new(Timestamp::from_unix(1_800_000_000), 123_456_789);

    fn host() -> Host {
        Host::parse("https://a.example").unwrap()
    }

    /// A login that differs from the default in every setting that can be passed on.
    fn unusual(target: Target) -> Builder {
        let mut rules = FreshnessRules::default();
        let [skew, lead, assumed, pause, coalesce] =
            [11, 22, 33, 44, 55].map(Lifetime::from_seconds);
        (rules.skew, rules.lead, rules.assumed) = (skew, lead, assumed);
        (rules.pause, rules.coalesce) = (pause, coalesce);
        (rules.skew_share, rules.lead_share) = (6, 7);
        let mut patience = RetryPolicy::default().with_repeats(7);
        patience = patience.with_budget(Duration::from_millis(1500));
        patience = patience.with_answer(Duration::from_secs(40));
        patience.pause = Duration::from_millis(125);
        patience.connect = Some(Duration::from_millis(750));
        patience.attempt = Some(Duration::from_millis(800));
        patience.insists = true;
        Builder::new(target)
            .with_client_id("an-app")
            .with_scopes(Scopes::split("sql offline_access"))
            .with_rules(rules)
            .with_retry_policy(patience)
            .with_lock_wait(Duration::from_secs(100))
            .with_store(FileStore::at(std::env::temp_dir().join("logins.json")))
    }

    fn keeper(builder: Builder) -> Arc<Refresher> {
        Arc::clone(builder.build().unwrap().keeper())
    }

    fn workspace() -> Builder {
        unusual(Target::workspace(host()))
    }

    /// What the refresh process reads of its job.
    fn told(keeper: &Refresher, ask: &WhichToken) -> RefreshJob {
        let question = TokenCriteria::from(ask.clone()).with_at_least(AT_LEAST);
        let job = RefreshJob::of(keeper, &question, ASKED_AT).expect("another process can do it");
        RefreshJob::parse(&job.text().unwrap()).unwrap()
    }

    #[test]
    fn every_question_comes_through_as_itself() {
        let (keeper, token) = (keeper(workspace()), || AccessToken::new("canary"));
        for ask in [
            WhichToken::Newer(None),
            WhichToken::Newer(Some(token())),
            WhichToken::Other(token()),
            WhichToken::Usable,
        ] {
            let asked = told(&keeper, &ask).asked();
            assert_eq!(asked, (TokenCriteria::from(ask).with_at_least(AT_LEAST), ASKED_AT));
        }
    }

    #[test]
    fn every_kind_of_login_comes_through_as_itself() {
        let account = || AccountId::parse("abc").unwrap();
        let profile = || ProfileName::parse("dev").unwrap();
        for target in [
            Target::workspace(host()),
            Target::workspace(host()).with_profile(profile()),
            Target::account(host(), account()),
            Target::unified(host(), account()),
            Target::discovery(profile()),
            Target::issuer("https://id.example/realm").unwrap(),
            Target::workspace(host()).with_key(CacheKey::new("a key of its own")),
        ] {
            let caller = keeper(unusual(target.clone()));
            let job = told(&caller, &WhichToken::Usable);
            assert_eq!(job.key(), target.cache_key());
            let here = keeper(job.builder().unwrap());
            assert_eq!(*here.target(), target.clone().with_key(target.cache_key()));
            assert_eq!((&here.key, here.store.address()), (&caller.key, caller.store.address()));
            let [ours, theirs] = [&here.request, &caller.request];
            assert_eq!(
                (&ours.client_id, &ours.scopes, &ours.rules),
                (&theirs.client_id, &theirs.scopes, &theirs.rules)
            );
            assert_eq!((&here.patience, here.lock_wait), (&caller.patience, caller.lock_wait));
            assert_eq!(here.saves_for, bounds::SAVING, "it has nothing else to do");
        }
    }

    #[test]
    fn what_is_the_programs_own_stays_in_the_program() {
        for own in [
            workspace().with_endpoints(BasicEndpoints::new(Arc::new(ReqwestTransport::new()))),
            workspace().with_transport(ReqwestTransport::new()),
            workspace().with_store(MemoryStore::new()),
            workspace().with_client_auth(ClientAuth::Post(ClientSecret::new("canary"))),
        ] {
            assert!(RefreshJob::of(&keeper(own), &WhichToken::Usable.into(), ASKED_AT).is_none());
        }
    }

    #[test]
    fn a_job_has_as_long_as_its_waits_need_and_no_longer_than_a_quarter_of_an_hour() {
        let job = told(&keeper(workspace()), &WhichToken::Usable);
        // The lock, a request and an answer twice, and ten seconds.
        assert_eq!(job.limit(), Duration::from_secs(100 + 3 + 80 + 10));
        // The answer, and the time for saving.
        assert_eq!(job.finishing(), Duration::from_secs(40 + 90));
        // Its answer is waited for a little longer.
        assert_eq!(job.longest(), Duration::from_secs(193 + 130 + 10));
        let patience = RetryPolicy::default().with_answer(Duration::from_secs(10_000));
        let patient =
            workspace().with_retry_policy(patience).with_lock_wait(Duration::from_secs(20_000));
        let job = told(&keeper(patient), &WhichToken::Usable);
        assert_eq!(job.limit(), Duration::from_secs(910));
        assert_eq!(job.finishing(), Duration::from_secs(900));
    }

    #[test]
    fn a_job_that_is_cut_off_or_of_another_version_is_none() {
        let mut job =
            RefreshJob::of(&keeper(workspace()), &WhichToken::Usable.into(), ASKED_AT).unwrap();
        let line = job.text().unwrap();
        for length in 0..line.len() {
            assert!(RefreshJob::parse(&line[..length]).is_err(), "{length} bytes of it");
        }
        job.version = VERSION + 1;
        assert!(RefreshJob::parse(&job.text().unwrap()).is_err());
    }
}
