//! What a fetch that was begun for one question means for those who asked another.

use super::fetch::{Fetch, Fetched, FetchedFrom};
use u2m_core::{Timestamp, Token, TokenCriteria, WhichToken};

/// Whether one who waited has what was asked for.
pub(super) enum Fit<E> {
    /// No: the fetch was begun for another's question.
    Again,
    /// Yes, or there is none to be had.
    Is(Result<Token, E>),
}

/// What came of a fetch for `asked` means this for somebody who waited for it with `question`. Of the one that it was begun with,
/// the source has decided already.
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
        // Whoever needs more than could not be had does not get it either.
        Err(error) if is_own && question.at_least >= asked.at_least => {
            return Fit::Is(Err(error));
        }
        // Whoever takes any token may find one where one that had to be new, or to live longer, was not to be had.
        Err(_) if question.is_for_any() => return Fit::Again,
        Err(error) if source.is_about_the_question(&error) => return Fit::Again,
        Err(error) => return Fit::Is(Err(error)),
    };
    let token = &fetched.token;
    let is_the_one = match (&question.ask, &fetched.came) {
        _ if is_own => true,
        (WhichToken::Usable, _) => true,
        // Who is content with an old token gives up earlier than who needs a new one.
        (_, FetchedFrom::Kept(_)) | (WhichToken::Newer(None), FetchedFrom::Stored) => false,
        (WhichToken::Newer(None), FetchedFrom::Renewed) => true,
        (WhichToken::Newer(Some(seen)) | WhichToken::Other(seen), _) => {
            token.access_token() != seen
        }
        _ => false,
    };
    // Where it was issued now, there is none that lives longer.
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

    /// Tells which errors are about the question.
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

    /// What the outcome means for one who asked `ask`; `again` if nothing.
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
        // Of the question that it was begun with, the source has decided.
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
