//! Errors of checks.

use crate::storage::StorageError;
use std::time::Duration;
use u2m_config::{ChooseError, ResolveError};
use u2m_core::{
    ApiError, MetadataError, ReportedStep, Sanitized, TokenError, TransportFailureKind,
};

/// Why a configuration does not work, or why a check could not find out. Error texts never show a credential.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The API rejected the token or could not be asked.
    #[error(transparent)]
    Api(ApiError),
    /// The target is ambiguous or incomplete.
    #[error(transparent)]
    Choose(ChooseError),
    /// The account must be asked, but no account id is known.
    #[error("which account is meant is not known")]
    NoAccount,
    /// No host is configured, so there is nothing to ask.
    #[error("there is no host")]
    NoHost,
    /// There is no stored login.
    #[error("no cached credentials")]
    NoLogin,
    /// The configuration names an auth type but lacks the token that it needs.
    #[error("{0} is to be used, and there is no token")]
    NoToken(Sanitized),
    /// The configuration cannot be resolved.
    #[error(transparent)]
    Resolve(ResolveError),
    /// There is no store to look for the login in.
    #[error("{0}")]
    Storage(Sanitized, bool),
    /// No answer arrived in time.
    #[error("no answer within {}", seconds(.0))]
    TimedOut(Duration),
    /// No token could be obtained from the login.
    #[error(transparent)]
    Token(TokenError),
    /// This auth type is not checked: only logins of people and personal access tokens are.
    #[error("not checked: {0} is not tried here, only logins and personal tokens are")]
    Unchecked(Sanitized),
}

impl CheckError {
    pub(super) fn token(error: TokenError) -> Self {
        match error {
            TokenError::NotFound => Self::NoLogin,
            error => Self::Token(error),
        }
    }

    pub(super) fn storage(error: &StorageError) -> Self {
        let is_mode = matches!(error, StorageError::UnknownMode { .. });
        Self::Storage(Sanitized::new(&u2m_core::chain(error)), is_mode)
    }

    /// Returns one stable word that programs can act on.
    ///
    /// ```
    /// assert_eq!(u2m::check::CheckError::NoLogin.category(), "not-configured");
    /// ```
    pub fn category(&self) -> &'static str {
        match self {
            Self::Api(ApiError::BadAnswer(_)) => "bad-response",
            Self::Api(ApiError::Network(failure))
                if failure.kind() == TransportFailureKind::TimedOut =>
            {
                "timeout"
            }
            Self::Api(ApiError::Network(_)) => "network",
            Self::Api(error) if error.rejects_the_token() => "unauthorized",
            Self::Api(error) if error.is_forbidden() => "forbidden",
            Self::Api(error) if error.is_transient() => "network",
            Self::Api(_) => "refused",
            Self::Choose(error) => choose(error),
            Self::NoAccount => "no-account",
            Self::NoHost => "no-host",
            Self::NoLogin => "not-configured",
            Self::NoToken(_) => "no-token",
            Self::Resolve(ResolveError::Choose(error)) => choose(error),
            Self::Resolve(_) => "config",
            Self::Storage(_, true) => "storage-mode",
            Self::Storage(..) => "storage",
            Self::TimedOut(_) => "timeout",
            Self::Token(error) => token(error),
            Self::Unchecked(_) => "not-checked",
        }
    }

    /// Whether this auth type is not checked here, so that nothing is known to be wrong.
    pub fn is_unchecked(&self) -> bool {
        matches!(self, Self::Unchecked(_))
    }
}

fn choose(error: &ChooseError) -> &'static str {
    match error {
        ChooseError::Ambiguous { .. } => "ambiguous",
        ChooseError::Conflict { .. } => "conflict",
        ChooseError::MachineEnvironment => "m2m-environment",
        ChooseError::MachineProfile(_) => "m2m-profile",
        ChooseError::NoAccount(_) => "no-account",
        ChooseError::NoHost(_) => "no-host",
        ChooseError::Reserved => "reserved-name",
        ChooseError::UnknownHost { .. } => "unknown-host",
        ChooseError::UnknownProfile { .. } => "unknown-profile",
        _ => "config",
    }
}

fn token(error: &TokenError) -> &'static str {
    let is_store = matches!(error, TokenError::Store(_))
        || matches!(error, TokenError::Reported(report) if report.blame == ReportedStep::Store);
    match error {
        TokenError::Rejected(_) => "refresh-invalid",
        TokenError::MissingRefreshToken => "no-refresh-token",
        TokenError::Mismatch { .. } => "credential-mismatch",
        TokenError::Endpoints(MetadataError::NotSupported) => "not-supported",
        _ if is_store => "storage",
        _ if error.is_transient() => "network",
        _ => "refresh-failed",
    }
}

fn seconds(time: &Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choose::{Environment, TargetArgs, choose_for_token};
    use std::path::Path;
    use u2m_config::{ConfigFile, SelectionArgs, resolve};
    use u2m_core::{
        AccessToken, ApiAccess, Host, HttpResponse, ReportedError, StoreFailure, Timestamp,
        TransportFailure,
    };

    fn api(answer: Result<HttpResponse, TransportFailure>) -> CheckError {
        let host = Host::parse("https://a.example").unwrap();
        let call = ApiAccess::new(host, AccessToken::new("t")).me();
        CheckError::Api(call.answered(answer, Timestamp::from_unix(0)).unwrap_err())
    }

    #[test]
    fn what_the_api_says_is_told_in_one_word() {
        for (status, word) in [
            (200, "bad-response"),
            (400, "refused"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "refused"),
            (429, "network"),
            (500, "network"),
        ] {
            assert_eq!(api(Ok(HttpResponse::new(status, "{".into()))).category(), word, "{status}");
        }
        let failed = |kind| api(Err(TransportFailure::new(kind))).category();
        assert_eq!(failed(TransportFailureKind::TimedOut), "timeout");
        assert_eq!(failed(TransportFailureKind::NotSent), "network");
    }

    #[test]
    fn what_is_not_clear_is_told_in_one_word() {
        let word = |line: &str, config: &str| {
            let config = ConfigFile::parse(config).unwrap();
            let around = Environment { env: &|_| None, config: &config };
            let (profile, host) = line.split_once('|').unwrap();
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let said =
                TargetArgs { profile: some(profile), host: some(host), ..TargetArgs::default() };
            CheckError::Choose(choose_for_token(&said, &around).unwrap_err()).category()
        };
        let two = "[a]\nhost = https://x.example\n[b]\nhost = https://x.example\n";
        let console = "https://accounts.cloud.databricks.com";
        assert_eq!(word("|https://x.example", two), "ambiguous");
        assert_eq!(word("a|https://y.example", two), "conflict");
        assert_eq!(word("c|", two), "unknown-profile");
        assert_eq!(word(&format!("|{console}"), ""), "no-account");
        assert_eq!(word("a|", "[a]\nscopes = x\n"), "no-host");
        assert_eq!(word("|", ""), "config");
        let machine = "[m]\nhost = https://x.example\nclient_id = i\nclient_secret = s\n";
        assert_eq!(word("m|", machine), "m2m-profile");
    }

    #[test]
    fn what_cannot_be_settled_is_told_in_one_word() {
        let settled = |given: &SelectionArgs<'_>, config: &ConfigFile| {
            let error = resolve(given, &|_| None, config, Path::new("/no/file")).unwrap_err();
            CheckError::Resolve(error).category()
        };
        let two = "[a]\nhost = https://x.example\n[b]\nhost = https://x.example\n";
        let two = ConfigFile::parse(two).unwrap();
        let profile = |name| SelectionArgs { profile: Some(name), ..SelectionArgs::default() };
        let host = |host| SelectionArgs { host: Some(host), ..SelectionArgs::default() };
        assert_eq!(settled(&host("https://x.example"), &two), "ambiguous");
        let strict = SelectionArgs { host_needs_profile: true, ..host("https://y.example") };
        assert_eq!(settled(&strict, &two), "unknown-host");
        let both = SelectionArgs { host: Some("https://y.example"), ..profile("a") };
        assert_eq!(settled(&both, &two), "conflict");
        assert_eq!(settled(&profile("c"), &two), "unknown-profile");
        assert_eq!(settled(&profile("__settings__"), &two), "reserved-name");
        assert_eq!(settled(&host("https://"), &two), "config");
        let missing = ConfigFile::read(Path::new("/no/such/file")).unwrap();
        assert_eq!(settled(&profile("a"), &missing), "unknown-profile");
    }

    fn report(blame: ReportedStep, is_transient: bool) -> TokenError {
        TokenError::Reported(ReportedError::new(blame, "x", is_transient))
    }

    #[test]
    fn what_is_wrong_with_a_login_is_told_in_one_word() {
        let word = |error| CheckError::token(error).category();
        let store = || StoreFailure::new(std::io::Error::other("x"));
        let (stored, wanted) = (Sanitized::new("a"), Sanitized::new("b"));
        assert_eq!(word(TokenError::NotFound), "not-configured");
        assert_eq!(word(TokenError::MissingRefreshToken), "no-refresh-token");
        assert_eq!(
            word(TokenError::Mismatch { what: "host", stored, wanted }),
            "credential-mismatch"
        );
        assert_eq!(word(TokenError::Endpoints(MetadataError::NotSupported)), "not-supported");
        assert_eq!(word(TokenError::Endpoints(MetadataError::NoDocument)), "refresh-failed");
        assert_eq!(word(TokenError::Store(store())), "storage");
        assert_eq!(word(report(ReportedStep::Store, true)), "storage");
        assert_eq!(word(report(ReportedStep::Refresh, true)), "network");
        assert_eq!(word(report(ReportedStep::Refresh, false)), "refresh-failed");
        assert_eq!(word(TokenError::LockTimeout), "network");
        assert_eq!(word(TokenError::SameTokenAgain), "refresh-failed");
    }

    #[test]
    fn the_rest_has_words_of_its_own_too() {
        let pat = Sanitized::new("pat");
        for (error, word) in [
            (CheckError::Choose(ChooseError::MachineEnvironment), "m2m-environment"),
            (CheckError::Choose(ChooseError::Reserved), "reserved-name"),
            (CheckError::NoAccount, "no-account"),
            (CheckError::NoHost, "no-host"),
            (CheckError::NoToken(pat.clone()), "no-token"),
            (CheckError::Storage(pat.clone(), true), "storage-mode"),
            (CheckError::Storage(pat.clone(), false), "storage"),
            (CheckError::TimedOut(Duration::ZERO), "timeout"),
            (CheckError::Unchecked(pat), "not-checked"),
        ] {
            assert_eq!((error.category(), error.is_unchecked()), (word, word == "not-checked"));
        }
    }

    #[test]
    fn a_store_that_was_named_wrongly_is_told_from_one_that_is_not_there() {
        let text = Sanitized::new("vault");
        let error = StorageError::UnknownMode { place: "here", text };
        assert_eq!(CheckError::storage(&error).category(), "storage-mode");
        let error = StorageError::Store(u2m_cache::StoreError::NoHome);
        let told = CheckError::storage(&error);
        assert_eq!(told.category(), "storage");
        assert_eq!(told.to_string(), error.to_string());
    }

    #[test]
    fn a_time_is_told_in_seconds_where_that_is_exact() {
        let text = |millis| CheckError::TimedOut(Duration::from_millis(millis)).to_string();
        assert_eq!(text(10_000), "no answer within 10 s");
        assert_eq!(text(1_500), "no answer within 1500 ms");
        assert_eq!(text(300), "no answer within 300 ms");
    }
}
