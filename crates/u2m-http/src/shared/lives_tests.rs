//! Tests how long tokens live, for callers that need different lifetimes, and with clocks that disagree.

use super::board::FetchOutcome;
use super::clock::now;
use super::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use u2m_core::{FreshnessRules, Lifetime, Moment, WhichToken};

/// A source that keeps a token, by the wall clock, and issues another one with this lifetime.
#[derive(Debug)]
struct Mint {
    life: i64,
    kept: Mutex<Option<Token>>,
    made: AtomicUsize,
    fails_for: Option<Lifetime>,
}

impl Mint {
    fn of(life: i64) -> Self {
        Self { life, kept: Mutex::default(), made: AtomicUsize::new(0), fails_for: None }
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Fetch for Mint {
    type Error = &'static str;

    fn fetch(self: Arc<Self>, question: &TokenCriteria, _: Moment) -> FetchOutcome<Self> {
        if self.fails_for == Some(question.at_least) {
            return Err("away");
        }
        let mut kept = self.kept.lock().unwrap();
        let rules = FreshnessRules::default();
        let floor = rules.floor(question.at_least, Some(Lifetime::from_seconds(self.life)));
        let is_good = |token: &&Token| {
            let lives = token.expiry().is_some_and(|end| now().until(end) >= floor);
            lives
                && !matches!(&question.ask, WhichToken::Other(seen) if seen == token.access_token())
        };
        if let Some(token) = kept.as_ref().filter(is_good) {
            return Ok(Fetched { came: FetchedFrom::Stored, ..Fetched::renewed(token.clone()) });
        }
        let number = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        let end = now().plus(Lifetime::from_seconds(self.life));
        let token = Token::new(AccessToken::new(number.to_string()), Some(end));
        *kept = Some(token.clone());
        Ok(Fetched::renewed(token))
    }

    fn broken(&self, _: FetchAborted) -> &'static str {
        "broken"
    }

    fn out_of_time(&self, _: &TokenCriteria) -> FetchOutcome<Self> {
        Err("out of time")
    }

    fn may_stand_in(&self, _: &&'static str) -> bool {
        true
    }
}

fn needing(seconds: i64) -> TokenCriteria {
    TokenCriteria::from(WhichToken::Usable).with_at_least(Lifetime::from_seconds(seconds))
}

fn shared(mint: Mint) -> SharedToken<Mint> {
    SharedToken::new(mint, ShareRules::default())
}

#[test]
fn async_1_a_token_that_will_do_for_most_callers_is_renewed_for_one_who_needs_it_for_longer() {
    let shared = shared(Mint::of(3_600));
    shared.ask_blocking(WhichToken::Usable).unwrap();
    shared.put(&Fetched {
        lifetime: Some(Lifetime::from_seconds(3_600)),
        ..Fetched::renewed(Token::new(
            AccessToken::new("half spent"),
            Some(now().plus(Lifetime::from_seconds(1_800))),
        ))
    });
    for (life, token) in
        [(0, "half spent"), (1_700, "half spent"), (1_900, "1"), (1_900, "1"), (0, "1")]
    {
        let got = shared.ask_blocking(needing(life)).unwrap();
        assert_eq!(got.access_token().expose(), token, "{life} needed");
    }
    assert_eq!(shared.source().made(), 1, "the source had one that lives as long");
}

#[test]
fn refr_7_a_source_whose_tokens_are_short_is_not_asked_by_every_call() {
    let (shared, runtime) = (shared(Mint::of(600)), tokio::runtime::Runtime::new().unwrap());
    for _ in 0..20 {
        let token = shared.ask_blocking(needing(3_600)).unwrap();
        assert_eq!(token.access_token().expose(), "1");
        assert_eq!(runtime.block_on(shared.ask(needing(3_600))).unwrap(), token);
    }
    assert_eq!(shared.source().made(), 1);
}

#[test]
fn one_who_needs_less_does_not_share_the_failure_of_one_who_needs_more() {
    let mint = Mint { fails_for: Some(Lifetime::from_seconds(1_800)), ..Mint::of(3_600) };
    let shared = shared(mint);
    let more = needing(1_800);
    assert_eq!(shared.ask_blocking(more.clone()).unwrap_err(), "away");
    let failed: FetchOutcome<Mint> = Err("away");
    let settled =
        |life| question::settle(&**shared.source(), &needing(life), &more, failed.clone(), now());
    assert!(matches!(settled(60), question::Fit::Again));
    assert!(matches!(settled(3_000), question::Fit::Is(Err("away"))));
    assert!(shared.ask_blocking(WhichToken::Usable).is_ok());
}

#[test]
fn one_who_needs_more_is_content_with_what_was_fetched_for_another_where_it_lives_as_long_as_any() {
    let shared = shared(Mint::of(600));
    let token = shared.ask_blocking(WhichToken::Usable).unwrap();
    let less = needing(60);
    let stored = Fetched { came: FetchedFrom::Stored, ..Fetched::renewed(token.clone()) };
    let settled = |life, fetched: Fetched<&'static str>| {
        question::settle(&**shared.source(), &needing(life), &less, Ok(fetched), now())
    };
    assert!(matches!(settled(3_600, stored.clone()), question::Fit::Again));
    assert!(matches!(settled(300, stored), question::Fit::Is(Ok(_))));
    let renewed = Fetched::renewed(token);
    assert!(matches!(settled(3_600, renewed), question::Fit::Is(Ok(_))));
}

#[test]
fn wire_2_a_dead_token_stays_dead_when_the_clock_is_set_back_although_its_source_believes_that_clock()
 {
    let shared = shared(Mint::of(3_600));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (round, is_async) in [(1, true), (3, false)] {
        let dead = shared.ask_blocking(WhichToken::Usable).unwrap();
        assert_eq!(dead.access_token().expose(), round.to_string());
        // Two hours later by the clock that cannot be set, while the wall clock says that no time has passed.
        //
        shared.0.hand.set_back(7_200);
        assert_eq!(shared.fresh(), None);
        let next = match is_async {
            true => runtime.block_on(shared.ask(WhichToken::Usable)).unwrap(),
            false => shared.ask_blocking(WhichToken::Usable).unwrap(),
        };
        assert_ne!(next, dead);
        assert_eq!(shared.source().made(), round + 1);
        let another = WhichToken::Other(next.access_token().clone());
        shared.ask_blocking(another).unwrap();
    }
}
