//! Decides what the outcome of a fetch for one question means for callers that asked another.

use super::fetch::{Fetch, Fetched, FetchedFrom};
use u2m_core::{Timestamp, Token, TokenCriteria, WhichToken};

/// Whether the outcome answers the question of a caller.
pub(super) enum Fit<E> {
    /// No: the fetch was started for the question of another caller.
    Again,
    /// Yes, with a token or an error.
    Is(Result<Token, E>),
}

/// Decides what the outcome of a fetch for `asked` means for a caller that waited for it with
/// `question`. If both are the same question, the source has already decided.
pub(super) fn settle<F: Fetch>(
    source: &F,
    question: &TokenCriteria,
    asked: &TokenCriteria,
    outcome: Result<Fetched<F::Error>, F::Error>,
    now: Timestamp,
) -> Fit<F::Error> {
    let is_own = question.ask == asked.ask;
    let fetched = match outcome {
        Ok(fetched) => fetched,
        // A caller that needs at least as much as could not be obtained does not get it either.
        Err(error) if is_own && question.at_least >= asked.at_least => {
            return Fit::Is(Err(error));
        }
        // A caller that accepts any token may get one although a new or longer-lived one could not be obtained.
        Err(_) if question.is_for_any() => return Fit::Again,
        Err(error) if source.is_about_the_question(&error) => return Fit::Again,
        Err(error) => return Fit::Is(Err(error)),
    };
    let token = &fetched.token;
    let is_the_one = match (&question.ask, &fetched.came) {
        _ if is_own => true,
        (WhichToken::Usable, _) => true,
        // Callers that accept an old token give up earlier than those that need a new one.
        (_, FetchedFrom::Kept(_)) | (WhichToken::Newer(None), FetchedFrom::Stored) => false,
        (WhichToken::Newer(None), FetchedFrom::Renewed) => true,
        (WhichToken::Newer(Some(seen)) | WhichToken::Other(seen), _) => {
            token.access_token() != seen
        }
        _ => false,
    };
    // If the token was issued just now, there is none that lives longer.
    let lives_long_enough = question.at_least <= asked.at_least
        || matches!(fetched.came, FetchedFrom::Renewed)
        || token.expiry().is_none_or(|end| now.until(end) >= question.at_least);
    match is_the_one && lives_long_enough {
        true => Fit::Is(Ok(fetched.token)),
        false => Fit::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::FetchAborted;
    use crate::shared::clock::now;
    use std::sync::Arc;
    use u2m_core::{AccessToken, Moment};

    /// A source that says which errors concern only the question.
    #[derive(Debug)]
    struct Source;

    type Outcome = Result<Fetched<&'static str>, &'static str>;

    impl Fetch for Source {
        type Error = &'static str;

        fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> Outcome {
            Err("nobody fetches here")
        }

        fn broken(&self, _: FetchAborted) -> &'static str {
            "broken"
        }

        fn out_of_time(&self, _: &TokenCriteria) -> Outcome {
            Err("out of time")
        }

        fn may_stand_in(&self, _: &&'static str) -> bool {
            false
        }

        fn is_about_the_question(&self, error: &&'static str) -> bool {
            *error == "the same again"
        }
    }

    /// Returns what the outcome means for a caller that asked `ask`: `again` if nothing.
    fn means(ask: &WhichToken, asked: &WhichToken, outcome: Outcome) -> String {
        let (question, asked) = (ask.clone().into(), asked.clone().into());
        match settle(&Source, &question, &asked, outcome, now()) {
            Fit::Again => "again".to_owned(),
            Fit::Is(Ok(token)) => token.access_token().expose().to_owned(),
            Fit::Is(Err(error)) => error.to_owned(),
        }
    }

    fn new(came: FetchedFrom<&'static str>) -> Outcome {
        Ok(Fetched { came, ..Fetched::renewed(Token::new(AccessToken::new("new"), None)) })
    }

    #[test]
    fn a_failure_is_told_to_those_who_asked_for_as_much() {
        let (usable, newer) = (WhichToken::Usable, WhichToken::Newer(None));
        for (ask, asked, error, meant) in [
            (&usable, &usable, "ended", "ended"),
            (&newer, &newer, "the same again", "the same again"),
            (&usable, &newer, "ended", "again"),
            (&newer, &usable, "ended", "ended"),
            (&newer, &usable, "the same again", "again"),
        ] {
            assert_eq!(means(ask, asked, Err(error)), meant, "{ask:?} {asked:?} {error}");
        }
    }

    #[test]
    fn a_token_is_for_those_whose_question_it_answers() {
        let seen = |name: &str| AccessToken::new(name);
        let (usable, forced) = (WhichToken::Usable, WhichToken::Newer(None));
        let (kept, stored) = (|| new(FetchedFrom::Kept("away")), || new(FetchedFrom::Stored));
        let renewed = || new(FetchedFrom::Renewed);
        // For the question that the fetch was started with, the source has decided.
        for ask in [
            &usable,
            &forced,
            &WhichToken::Other(seen("new")),
            &WhichToken::Newer(Some(seen("new"))),
        ] {
            assert_eq!(means(ask, ask, kept()), "new", "{ask:?}");
        }
        for outcome in [kept(), stored(), renewed()] {
            assert_eq!(means(&usable, &forced, outcome), "new");
        }
        for (ask, outcome, meant) in [
            (forced.clone(), kept(), "again"),
            (forced.clone(), stored(), "again"),
            (forced, renewed(), "new"),
            (WhichToken::Newer(Some(seen("old"))), kept(), "again"),
            (WhichToken::Newer(Some(seen("old"))), stored(), "new"),
            (WhichToken::Newer(Some(seen("new"))), renewed(), "again"),
            (WhichToken::Other(seen("old")), kept(), "again"),
            (WhichToken::Other(seen("old")), renewed(), "new"),
            (WhichToken::Other(seen("new")), stored(), "again"),
        ] {
            let name = format!("{ask:?} {outcome:?}");
            assert_eq!(means(&ask, &usable, outcome), meant, "{name}");
        }
    }
}
