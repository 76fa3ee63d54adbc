//! `PersistentAuth` as a `TokenSource`: what can be requested of it, and how it describes itself.

use crate::inspect::ISSUER_LOGIN;
use crate::persistent::PersistentAuth;
use async_trait::async_trait;
use u2m_core::{
    Need, Offered, Scopes, SourceDescription, SourceError, Target, Token, TokenCriteria, WhichToken,
};
use u2m_http::TokenSource;

impl PersistentAuth {
    /// Translates a need into a question to the login. Its audience and scopes were fixed when the person signed in, so other
    /// ones are refused.
    pub(crate) fn question(&self, need: &Need) -> Result<TokenCriteria, SourceError> {
        if let Some(audience) = &need.audience {
            return Err(SourceError::no_audience(audience));
        }
        let own = self.own_scopes();
        if let Some(scopes) = need.scopes.as_ref().filter(|all| !all.missing_from(&own).is_empty())
        {
            return Err(SourceError::no_scopes(scopes));
        }
        let ask = match &need.ask {
            WhichToken::Newer(None) => self.newer(),
            ask => ask.clone(),
        };
        Ok(TokenCriteria::from(ask).with_at_least(need.at_least))
    }

    /// The scopes that the login requests.
    fn own_scopes(&self) -> Scopes {
        let asked = &self.keeper().request.scopes;
        match asked.is_empty() && self.target().issuer_id().is_none() {
            true => Scopes::new(["all-apis"]),
            false => asked.clone(),
        }
    }
}

#[async_trait]
impl TokenSource for PersistentAuth {
    fn fresh(&self) -> Option<Token> {
        self.shared.fresh()
    }

    async fn get(&self, need: &Need) -> Result<Token, SourceError> {
        Ok(self.shared.ask(self.question(need)?).await?)
    }

    fn describe(&self) -> SourceDescription {
        let (target, scopes) = (self.target(), self.own_scopes());
        let auth_type = if target.issuer_id().is_some() { ISSUER_LOGIN } else { "databricks-cli" };
        let scopes = Offered::Fixed(scopes.iter().map(str::to_owned).collect());
        let described = SourceDescription::new("login", auth_type).with_scopes(scopes);
        named(target).into_iter().fold(described, SourceDescription::with_target)
    }
}

/// The target in words.
fn named(target: &Target) -> Option<String> {
    let issuer = target.issuer_id().map(str::to_owned);
    issuer.or_else(|| target.host().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_cache::MemoryStore;
    use u2m_core::{AccessToken, Host, Lifetime};

    fn workspace() -> PersistentAuth {
        let target = Target::workspace(Host::parse("https://a.example").unwrap());
        PersistentAuth::builder(target).with_store(MemoryStore::new()).build().unwrap()
    }

    fn issuer() -> PersistentAuth {
        let target = Target::issuer("https://id.example/realm").unwrap();
        let builder = PersistentAuth::builder(target).with_client_id("mine");
        let builder = builder.with_scopes(Scopes::new(["reports", "offline_access"]));
        builder.with_store(MemoryStore::new()).build().unwrap()
    }

    #[test]
    fn a_login_is_asked_for_what_it_has_and_for_nothing_that_was_settled_at_the_sign_in() {
        let scopes = |text| Need::usable().with_scopes(Scopes::split(text));
        for (auth, need, is_its) in [
            (workspace(), Need::usable(), true),
            (workspace(), scopes("all-apis"), true),
            (workspace(), scopes("all-apis offline_access"), true),
            (workspace(), scopes("sql"), false),
            (workspace(), Need::usable().with_audience("https://b.example"), false),
            (issuer(), scopes("reports"), true),
            (issuer(), scopes("all-apis"), false),
        ] {
            let asked = auth.question(&need);
            assert_eq!(asked.is_ok(), is_its, "{need:?}");
            if let Err(error) = asked {
                assert!(matches!(error, SourceError::Unsuited { .. }) && !error.is_transient());
            }
        }
    }

    #[test]
    fn a_need_comes_to_the_login_as_the_question_that_it_is() {
        let life = Lifetime::from_seconds(60);
        let seen = Token::new(AccessToken::new("a"), None);
        for need in
            [Need::usable(), Need::newer(Some(&seen)), Need::other(&seen), Need::newer(None)]
        {
            let question = workspace().question(&need.clone().with_at_least(life)).unwrap();
            assert_eq!((question.ask, question.at_least), (need.ask, life));
        }
    }

    #[test]
    fn a_login_says_what_it_is() {
        let described = workspace().describe();
        assert_eq!((&*described.name, &*described.auth_type), ("login", "databricks-cli"));
        assert_eq!(described.target.as_deref(), Some("https://a.example"));
        assert_eq!(described.scopes, Offered::Fixed(vec!["all-apis".to_owned()]));
        assert_eq!(described.audiences, Offered::Fixed(Vec::new()));
        let described = issuer().describe();
        assert_eq!(described.auth_type, "u2m-issuer");
        assert_eq!(described.target.as_deref(), Some("https://id.example/realm"));
        assert!(described.scopes.has(["reports"]) && !described.scopes.has(["all-apis"]));
    }
}
