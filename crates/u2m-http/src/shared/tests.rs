use super::board::{FetchOutcome, RUNTIMES};
use super::clock::now;
use super::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use u2m_core::{Lifetime, Moment, Timestamp, WhichToken};

/// A source whose fetches return what the test sends, when it sends it.
#[derive(Debug)]
struct Scripted {
    fetches: AtomicUsize,
    next: Mutex<Receiver<Result<Fetched<&'static str>, &'static str>>>,
}

type Script = Sender<Result<Fetched<&'static str>, &'static str>>;

fn scripted(renewal: Renewal) -> (SharedToken<Scripted>, Script) {
    let (send, receive) = channel();
    let source = Scripted { fetches: AtomicUsize::new(0), next: Mutex::new(receive) };
    (SharedToken::new(source, ShareRules::default().with_renewal(renewal)), send)
}

impl Fetch for Scripted {
    type Error = &'static str;

    fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> FetchOutcome<Self> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.next.lock().unwrap().recv().expect("the script has ended")
    }

    fn broken(&self, why: FetchAborted) -> &'static str {
        match why {
            FetchAborted::Panicked => "panicked",
            _ => "broken",
        }
    }

    fn out_of_time(&self, _: &TokenCriteria) -> FetchOutcome<Self> {
        Err("out of time")
    }

    fn may_stand_in(&self, error: &&'static str) -> bool {
        *error == "away"
    }
}

fn token(name: &str, left: i64) -> Token {
    Token::new(AccessToken::new(name), Some(now().plus(Lifetime::from_seconds(left))))
}

/// Returns a token that is valid for 200 more seconds, but no longer fresh.
fn stale(name: &str) -> Fetched<&'static str> {
    Fetched::renewed(token(name, 200)).fresh_until(Timestamp::from_unix(now().unix() - 1))
}

fn name(token: &Token) -> &str {
    token.access_token().expose()
}

#[test]
fn a_stale_token_is_handed_out_at_once_while_one_fetch_runs_behind() {
    let (shared, script) = scripted(Renewal::Behind);
    shared.put(&stale("old"));
    for _ in 0..20 {
        assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "old");
    }
    script.send(Ok(Fetched::renewed(token("new", 3_600)))).unwrap();
    while shared.is_fetching() {
        std::thread::yield_now();
    }
    assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "new");
    assert_eq!(shared.source().fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn what_fails_for_one_who_waits_leaves_the_token_in_hand() {
    let (shared, script) = scripted(Renewal::Wait);
    shared.put(&Fetched::renewed(token("old", 3_600)));
    script.send(Err("ended")).unwrap();
    assert_eq!(shared.ask_blocking(WhichToken::Newer(None)).unwrap_err(), "ended");
    assert_eq!(shared.fresh().as_ref().map(name), Some("old"));
}

#[test]
fn one_who_waits_gets_the_old_token_where_the_source_could_not_say_and_only_then() {
    for (ask, error, expected) in [
        (WhichToken::Usable, "away", Ok("old")),
        (WhichToken::Usable, "ended", Err("ended")),
        (WhichToken::Newer(None), "away", Err("away")),
        (WhichToken::Newer(None), "ended", Err("ended")),
    ] {
        let (shared, script) = scripted(Renewal::Wait);
        shared.put(&stale("old"));
        script.send(Err(error)).unwrap();
        let outcome = shared.ask_blocking(ask);
        assert_eq!(outcome.as_ref().map(name).map_err(|error| *error), expected);
    }
}

#[test]
fn what_was_kept_is_handed_out_unless_it_is_dead_by_the_clock_that_nobody_sets() {
    for (left, expected) in [(200, Ok("old")), (1, Err("ended"))] {
        let (shared, script) = scripted(Renewal::Wait);
        let old = Fetched::renewed(token("old", left));
        shared.put(&old.clone().fresh_until(Timestamp::from_unix(now().unix() - 1)));
        script.send(Ok(Fetched { came: FetchedFrom::Kept("ended"), ..old })).unwrap();
        let outcome = shared.ask_blocking(WhichToken::Usable);
        assert_eq!(outcome.as_ref().map(name).map_err(|error| *error), expected, "{left}");
    }
}

#[test]
fn a_task_with_a_time_of_its_own_is_answered_within_it() {
    let (send, receive) = channel();
    let source = Scripted { fetches: AtomicUsize::new(0), next: Mutex::new(receive) };
    let rules = ShareRules::default().with_wait(Some(Duration::from_secs(60)));
    let shared = SharedToken::new(source, rules);
    send.send(Ok(Fetched::renewed(token("new", 3_600)))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(name(&runtime.block_on(shared.ask(WhichToken::Usable)).unwrap()), "new");
}

#[test]
fn a_token_that_is_let_go_of_is_in_nobodys_hand() {
    let (shared, script) = scripted(Renewal::Behind);
    shared.put(&Fetched::renewed(token("old", 3_600)));
    assert_eq!(name(&shared.fresh().unwrap()), "old");
    shared.forget();
    assert!(shared.fresh().is_none());
    script.send(Ok(Fetched::renewed(token("new", 3_600)))).unwrap();
    assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "new");
}

#[test]
fn a_caller_that_has_to_wait_gets_the_new_token_and_others_the_old_one_meanwhile() {
    let (shared, script) = scripted(Renewal::Wait);
    shared.put(&stale("old"));
    let first = shared.clone();
    let first = std::thread::spawn(move || first.ask_blocking(WhichToken::Usable).unwrap());
    while !shared.is_fetching() {
        std::thread::yield_now();
    }
    assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "old");
    script.send(Ok(Fetched::renewed(token("new", 3_600)))).unwrap();
    assert_eq!(name(&first.join().unwrap()), "new");
}

#[test]
fn what_fails_behind_is_tried_again_after_a_while_or_told_to_the_next_who_asks() {
    let settle = |shared: &SharedToken<Scripted>| {
        while shared.is_fetching() {
            std::thread::yield_now();
        }
    };
    let (shared, script) = scripted(Renewal::Behind);
    shared.put(&stale("old"));
    script.send(Err("away")).unwrap();
    assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "old");
    settle(&shared);
    for _ in 0..5 {
        assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "old");
    }
    assert_eq!(shared.source().fetches.load(Ordering::SeqCst), 1, "it is left alone for a while");

    let (shared, script) = scripted(Renewal::Behind);
    shared.put(&stale("old"));
    script.send(Err("ended")).unwrap();
    assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "old");
    settle(&shared);
    script.send(Err("ended")).unwrap();
    assert_eq!(shared.ask_blocking(WhichToken::Usable).unwrap_err(), "ended");
}

#[test]
fn one_that_asks_for_another_token_does_not_get_the_one_it_rejected() {
    let (shared, script) = scripted(Renewal::Wait);
    shared.put(&Fetched::renewed(token("old", 3_600)));
    let old = shared.fresh().unwrap();
    assert!(shared.fresh_other(&old).is_none());
    script.send(Ok(Fetched::renewed(token("new", 3_600)))).unwrap();
    let new = shared.ask_blocking(WhichToken::Other(old.access_token().clone())).unwrap();
    assert_eq!(name(&new), "new");
    assert_eq!(shared.fresh_other(&old).as_ref().map(name), Some("new"));
    assert_eq!(shared.last_seen().as_ref().map(AccessToken::expose), Some("new"));
}

#[test]
fn a_caller_whose_time_is_over_leaves_the_fetch_alone() {
    let (send, receive) = channel();
    let source = Scripted { fetches: AtomicUsize::new(0), next: Mutex::new(receive) };
    let rules = ShareRules::default().with_wait(Some(Duration::from_millis(20)));
    let shared = SharedToken::new(source, rules);
    assert_eq!(shared.ask_blocking(WhichToken::Usable).unwrap_err(), "out of time");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(shared.ask(WhichToken::Usable)).unwrap_err(), "out of time");
    send.send(Ok(Fetched::renewed(token("late", 3_600)))).unwrap();
    while shared.is_fetching() {
        std::thread::yield_now();
    }
    assert_eq!(shared.fresh().as_ref().map(name), Some("late"));
    assert_eq!(shared.source().fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_in_a_source_is_told_as_one() {
    let (shared, script) = scripted(Renewal::Wait);
    drop(script);
    assert_eq!(shared.ask_blocking(WhichToken::Usable).unwrap_err(), "panicked");
}

/// A source that fetches as a task.
#[derive(Debug, Default)]
struct AsTask(AtomicUsize);

impl Fetch for AsTask {
    type Error = &'static str;

    fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> FetchOutcome<Self> {
        Err("it was to be a task")
    }

    fn task(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> Option<FetchFuture<&'static str>> {
        Some(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Fetched::renewed(token("a", 3_600)))
        }))
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

#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_sources_that_are_due_at_once_are_fetched_once_each_and_are_not_a_thousand_threads() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sources: Vec<_> =
        (0..1_000).map(|_| SharedToken::new(AsTask::default(), ShareRules::default())).collect();
    let before = threads();
    let asked: Vec<_> = sources
        .iter()
        .flat_map(|shared| [shared.clone(), shared.clone()])
        .map(|shared| runtime.spawn(async move { shared.ask(WhichToken::Usable).await }))
        .collect();
    while sources.iter().all(|shared| shared.source().0.load(Ordering::SeqCst) == 0) {
        assert!(threads() <= before + 64, "{} threads", threads());
    }
    for task in asked {
        assert_eq!(name(&runtime.block_on(task).unwrap().unwrap()), "a");
    }
    assert!(sources.iter().all(|shared| shared.source().0.load(Ordering::SeqCst) == 1));
}

#[test]
fn whoever_waited_for_a_task_of_a_runtime_that_ended_begins_it_anew_on_its_own() {
    let shared = SharedToken::new(AsTask::default(), ShareRules::default());
    let build = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (ends, stays) = (build(), build());
    let first = shared.clone();
    ends.spawn(async move { first.ask(WhichToken::Usable).await });
    while !shared.is_fetching() && shared.fresh().is_none() {
        std::thread::yield_now();
    }
    let second = shared.clone();
    let second = stays.spawn(async move { second.ask(WhichToken::Usable).await });
    ends.shutdown_background();
    assert_eq!(name(&stays.block_on(second).unwrap().unwrap()), "a");
}

/// A source whose fetches never end.
#[derive(Debug, Default)]
struct Endless(AtomicUsize);

impl Fetch for Endless {
    type Error = &'static str;

    fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> FetchOutcome<Self> {
        Err("it was to be a task")
    }

    fn task(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> Option<FetchFuture<&'static str>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Some(Box::pin(std::future::pending()))
    }

    fn broken(&self, why: FetchAborted) -> &'static str {
        match why {
            FetchAborted::NoThread(_) => "no thread",
            FetchAborted::Panicked => "panicked",
            FetchAborted::RuntimeEnded => "its runtime has ended",
        }
    }

    fn out_of_time(&self, _: &TokenCriteria) -> FetchOutcome<Self> {
        Err("out of time")
    }

    fn may_stand_in(&self, _: &&'static str) -> bool {
        false
    }
}

#[test]
fn a_task_is_begun_anew_a_few_times_where_every_runtime_has_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let gone = runtime.handle().clone();
    runtime.shutdown_background();
    let shared = SharedToken::new(Endless::default(), ShareRules::default());
    let _in_it = gone.enter();
    assert_eq!(shared.ask_blocking(WhichToken::Usable).unwrap_err(), "its runtime has ended");
    assert_eq!(shared.source().0.load(Ordering::SeqCst), 1 + RUNTIMES);
}

/// A source that keeps a token, which need not be fetched.
#[derive(Debug)]
struct Kept(Token);

impl Fetch for Kept {
    type Error = &'static str;

    fn stored(&self, _: &TokenCriteria) -> Result<Option<Fetched<&'static str>>, &'static str> {
        Ok(Some(Fetched::renewed(self.0.clone())))
    }

    fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> FetchOutcome<Self> {
        Err("there is one already")
    }

    fn broken(&self, _: FetchAborted) -> &'static str {
        "broken"
    }

    fn out_of_time(&self, _: &TokenCriteria) -> FetchOutcome<Self> {
        Err("out of time")
    }

    fn may_stand_in(&self, _: &&'static str) -> bool {
        false
    }
}

#[test]
fn a_token_that_the_source_keeps_is_handed_out_and_not_fetched() {
    let shared = SharedToken::new(Kept(token("kept", 3_600)), ShareRules::default());
    assert_eq!(name(&shared.ask_blocking(WhichToken::Usable).unwrap()), "kept");
    assert_eq!(shared.fresh().as_ref().map(name), Some("kept"));
    assert_eq!(shared.ask_blocking(WhichToken::Newer(None)).unwrap_err(), "there is one already");
    shared.forget();
    assert_eq!(shared.stored(WhichToken::Usable).unwrap().as_ref().map(name), Some("kept"));
}

#[test]
fn what_is_shared_is_shown_as_its_source() {
    let shared = SharedToken::new(Endless::default(), ShareRules::default());
    assert_eq!(format!("{shared:?}"), "SharedToken(Endless(0))");
}
