use super::*;
use crate::shared::clock::{glance, tick};
use u2m_core::Timestamp;

fn token(text: &str) -> Token {
    Token::new(AccessToken::new(text), None)
}

fn held(from: i64, until: i64) -> HeldToken {
    let mut held = HeldToken::new(token("a"), None, until, None);
    held.fresh_from = from;
    held
}

#[test]
fn a_token_in_hand_is_looked_up_again_when_it_ends_and_when_the_clock_is_set_back() {
    let mut held = held(100, 200);
    (held.fresh_until_boot, held.offset) = (i64::MAX, 0);
    let fresh: Vec<_> = [99, 100, 200, 201]
        .into_iter()
        .filter(|now| held.is_fresh(ClockPair { wall: *now, awake: *now }))
        .collect();
    assert_eq!(fresh, [100, 200]);
    let current = TokenSlot::new(true);
    current.set(token("a"), None, i64::MAX, None);
    let from = current.latest().as_ref().unwrap().fresh_from;
    assert!((SET_BACK..SET_BACK + 60).contains(&(glance().wall - from)), "{from}");
}

#[test]
fn a_dead_token_stays_dead_when_the_wall_clock_is_set_back_to_before_its_end() {
    let at = glance();
    // Fresh for an hour by the wall clock. Since then the system has run for two hours, and that
    // clock was set back by as much.
    let mut held = HeldToken::new(token("a"), None, at.wall + 3_600, None);
    assert!(held.is_fresh(at));
    (held.fresh_until_boot, held.ends_at_boot) =
        (held.fresh_until_boot - 7_200, held.ends_at_boot.saturating_sub(7_200));
    let set_back = ClockPair { wall: at.wall, awake: at.awake + 7_200 };
    assert!(!held.is_fresh(set_back));
    assert!(!held.is_fresh(ClockPair { wall: at.wall - 200, awake: at.awake + 7_200 }));
}

#[test]
fn a_clock_that_is_put_right_by_a_little_costs_a_look_at_the_other_clock_and_nothing_else() {
    let at = glance();
    let mut held = HeldToken::new(token("a"), None, at.wall + 3_600, None);
    let later = ClockPair { wall: at.wall + 60, awake: at.awake };
    assert!(held.is_fresh(later), "it is fresh by the clock that nobody sets, too");
    assert_eq!(held.offset, later.offset(), "and from then on the cheap clocks do");
}

#[test]
fn a_copy_is_looked_at_again_once_the_clock_shows_another_tick() {
    let (now, wall) = (tick(), glance().wall);
    let mut held = HeldToken::new(token("a"), None, wall + 3_600, None);
    // It has expired meanwhile, which cannot be noticed within the tick in which it was fresh.
    held.fresh_until = wall - 1;
    let mut copy = ThreadCopy { of: Weak::new(), generation: 1, held, seen: now };
    assert!(copy.is_fresh(&Clock::system(), now));
    let mut later = tick();
    while later == now {
        later = tick();
    }
    assert!(
        !copy.is_fresh(&Clock::system(), later) && copy.seen == now,
        "what is not fresh is not noted as seen"
    );
    copy.held.fresh_until = wall + 3_600;
    assert!(copy.is_fresh(&Clock::system(), later) && copy.seen == later);
}

#[test]
fn the_same_token_lives_no_longer_for_being_put_in_hand_again_by_another_clock() {
    let at = glance();
    let ends = |left: i64| {
        let expiry = Timestamp::from_unix(at.wall + left);
        Token::new(AccessToken::new("a"), Some(expiry))
    };
    let (rules, any) = (FreshnessRules::default(), Lifetime::ZERO);
    let hand = TokenSlot::new(true);
    hand.set(ends(5), None, at.wall + 5, None);
    assert_eq!(hand.good(&rules, any), None);
    assert!(hand.is_known_dead(&ends(3_600), &rules));
    // By a clock that was set back, it seems to have one more hour.
    hand.set(ends(3_600), None, at.wall + 3_600, None);
    assert_eq!(hand.good(&rules, any), None);
    assert!(hand.is_known_dead(&ends(3_600), &rules));
    assert!(!hand.is_known_dead(&token("another"), &rules));
    hand.set(token("another"), None, i64::MAX, None);
    assert_eq!(hand.good(&rules, any), Some(token("another")));
}

#[test]
fn a_fresh_token_is_handed_out_to_every_thread_and_a_new_one_replaces_it_everywhere() {
    let current = Arc::new(TokenSlot::new(true));
    assert_eq!(current.fresh(), None);
    current.set(token("one"), None, i64::MAX, None);
    assert_eq!(current.fresh(), Some(token("one")));
    let there = Arc::clone(&current);
    let seen = std::thread::spawn(move || {
        (there.fresh(), there.set(token("two"), None, i64::MAX, None)).0
    });
    assert_eq!(seen.join().unwrap(), Some(token("one")));
    assert_eq!(current.fresh(), Some(token("two")));
}

#[test]
fn a_token_past_its_time_is_not_fresh_but_still_the_latest() {
    let current = TokenSlot::new(true);
    current.set(token("old"), None, 0, None);
    assert_eq!(current.fresh(), None);
    assert_eq!(current.latest_token(), Some(token("old")));
}

#[test]
fn what_was_found_earlier_does_not_replace_what_was_put_in_hand_since() {
    let current = TokenSlot::new(true);
    let since = Some(current.generation());
    current.set(token("new"), None, i64::MAX, None);
    current.set(token("old"), None, i64::MAX, since);
    assert_eq!(current.fresh(), Some(token("new")));
}

#[test]
fn what_is_let_go_of_is_nobodys_any_more_unless_there_is_something_newer() {
    let current = TokenSlot::new(true);
    current.set(token("old"), None, i64::MAX, None);
    assert_eq!(current.fresh(), Some(token("old")));
    let since = current.generation();
    current.set(token("new"), None, i64::MAX, None);
    current.clear(since);
    assert_eq!(current.fresh(), Some(token("new")));
    current.clear(current.generation());
    assert_eq!((current.fresh(), current.latest_token()), (None, None));
}

#[test]
fn sources_do_not_see_each_others_tokens_however_many_there_are() {
    let all: Vec<_> = (0..COPIES + 3).map(|_| TokenSlot::new(true)).collect();
    for round in 0..3 {
        for (at, current) in all.iter().enumerate() {
            let name = format!("{round}-{at}");
            current.set(token(&name), None, i64::MAX, None);
            assert_eq!(current.fresh(), Some(token(&name)));
        }
        for (at, current) in all.iter().enumerate() {
            assert_eq!(current.fresh(), Some(token(&format!("{round}-{at}"))));
        }
    }
}

#[test]
fn copies_of_a_source_that_is_gone_are_dropped_by_the_next_miss() {
    let gone = TokenSlot::new(true);
    gone.set(token("gone"), None, i64::MAX, None);
    assert!(gone.fresh().is_some());
    drop(gone);
    let next = TokenSlot::new(true);
    next.set(token("next"), None, i64::MAX, None);
    assert!(next.fresh().is_some());
    COPIES_HERE.with_borrow(|copies| assert!(copies.iter().all(|copy| copy.of.strong_count() > 0)));
}

#[test]
fn while_the_two_cheap_clocks_agree_no_other_is_looked_at() {
    let mut held = held(100, 200);
    // By the time since boot it would have expired.
    (held.fresh_until_boot, held.offset) = (i64::MIN, 30);
    assert!(held.is_fresh(ClockPair { wall: 150, awake: 120 - JITTER }));
    assert!(!held.is_fresh(ClockPair { wall: 150, awake: 119 - JITTER }));
}

#[test]
fn each_thread_has_one_copy_of_its_own_for_each_source() {
    let copies = || COPIES_HERE.with_borrow(Vec::len);
    std::thread::spawn(move || {
        let (one, other) = (TokenSlot::new(true), TokenSlot::new(true));
        let shared = token("a");
        one.set(shared.clone(), None, i64::MAX, None);
        let own = one.fresh().unwrap();
        let text = |token: &Token| token.access_token().expose().as_ptr();
        assert_ne!(text(&own), text(&shared), "its count of owners would be everybody's");
        assert_eq!(text(&one.fresh().unwrap()), text(&own));
        other.set(token("b"), None, i64::MAX, None);
        other.fresh().unwrap();
        one.set(token("c"), None, i64::MAX, None);
        one.fresh().unwrap();
        assert_eq!(copies(), 2);
        drop(other);
        one.set(token("d"), None, i64::MAX, None);
        one.fresh().unwrap();
        assert_eq!(copies(), 1, "a copy ends with its source");
    })
    .join()
    .unwrap();
}

#[test]
fn one_source_of_many_takes_no_place_from_those_that_keep_copies() {
    let (one, many) = (TokenSlot::new(true), (0..COPIES * 2).map(|_| TokenSlot::new(false)));
    one.set(token("one"), None, i64::MAX, None);
    assert_eq!(one.fresh(), Some(token("one")));
    for (at, hand) in many.enumerate() {
        let name = token(&at.to_string());
        assert_eq!(hand.fresh(), None);
        hand.set(name.clone(), None, i64::MAX, None);
        assert_eq!(hand.fresh(), Some(name));
        hand.set(token("over"), None, 0, None);
        assert_eq!(hand.fresh(), None);
    }
    COPIES_HERE.with_borrow(|copies| {
        assert!(copies.len() == 1 && copies[0].of.as_ptr() == one.address());
    });
}
