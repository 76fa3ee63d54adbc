//! Kills, suspensions and time limits while a refresh is under way. No moment of them loses a login, but one: the small
//! process itself, killed between sending and saving.

use crate::chance::{Chance, Rounds};
use crate::common::{LONG, Running, World};
use crate::processes::{is_alive, quiet, signal, workers};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, Times};

/// How long the server takes for its answer, by which the old refresh token is spent already.
const DELAYS: [u64; 5] = [0, 50, 500, 5_000, 15_000];

/// What happens to a refresh.
#[derive(Clone, Copy, Debug)]
enum Event {
    KillCaller,
    KillWorker,
    /// A caller's own time limit.
    Limit(Duration),
    StopBoth(Duration),
    StopCaller(Duration),
    StopWorker(Duration),
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    delay: Duration,
    is_forced: bool,
    event: Event,
    /// How long after the server has the request; else, after the start.
    at: Duration,
    is_inside: bool,
}

#[derive(Debug)]
struct EditOutcome {
    plan: Plan,
    /// Whether it fell while the request was at the server.
    is_inside: bool,
    is_alive: bool,
    is_quiet: bool,
    code: Option<i32>,
    said: String,
}

fn plan(chance: &mut Chance, is_long: bool) -> Plan {
    let delays = if is_long { &DELAYS[..] } else { &DELAYS[1..3] };
    let delay = Duration::from_millis(*chance.one_of(delays));
    let longest = Duration::from_secs(if is_long { 60 } else { 2 });
    let pause = chance.scale(Duration::from_millis(100), longest);
    let event = match chance.below(9) {
        0 | 1 => Event::KillCaller,
        2 => Event::KillWorker,
        3 | 4 => {
            let longest = Duration::from_secs(if is_long { 30 } else { 1 });
            Event::Limit(chance.scale(Duration::from_millis(10), longest))
        }
        5 => Event::StopCaller(pause),
        6 | 7 => Event::StopWorker(pause),
        _ => Event::StopBoth(pause),
    };
    let is_inside = chance.below(3) > 0 && delay > Duration::ZERO;
    let longest = if is_inside { delay } else { delay + Duration::from_millis(100) };
    Plan {
        delay,
        is_forced: chance.below(2) == 0,
        event,
        at: chance.between(Duration::ZERO, longest),
        is_inside,
    }
}

fn run(plan: Plan) -> EditOutcome {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    if !plan.delay.is_zero() {
        world.server.inject(Endpoint::Token, Times::Always, Fault::delay(plan.delay));
    }
    // A login of an hour ago.
    let old = world.seed("dev", if plan.is_forced { 5 } else { -5 });
    let mut line = "token dev".to_owned();
    if plan.is_forced {
        line += " --force-refresh";
    }
    if let Event::Limit(limit) = plan.event {
        line += &format!(" --timeout {}ms", limit.as_millis());
    }
    let start = Instant::now();
    let mut running = Running::start(world.command(&line));
    if plan.is_inside {
        while world.server.counts().refreshes == 0 && running.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < LONG, "never sent: {plan:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(plan.at);
    let is_pending = || {
        world.server.counts().refreshes > 0
            && world.stored("dev").access_token.expose() == old.access_token()
    };
    let mut is_inside = is_pending();
    let caller = i32::try_from(running.child.id()).unwrap();
    let stopped = |ids: Vec<i32>, pause: Duration| {
        ids.iter().for_each(|id| signal(*id, Signal::STOP));
        std::thread::sleep(pause);
        ids.iter().for_each(|id| signal(*id, Signal::CONT));
    };
    match plan.event {
        Event::KillCaller => signal(caller, Signal::KILL),
        Event::KillWorker => {
            workers(world.home()).into_iter().for_each(|id| signal(id, Signal::KILL))
        }
        Event::Limit(_) => {}
        Event::StopCaller(pause) => stopped(vec![caller], pause),
        Event::StopWorker(pause) => stopped(workers(world.home()), pause),
        Event::StopBoth(pause) => {
            let both = workers(world.home()).into_iter().chain([caller]).collect();
            stopped(both, pause);
        }
    }
    let ran = running.end(Duration::from_secs(300)).1;
    if matches!(plan.event, Event::Limit(_)) {
        is_inside = is_pending();
    }
    let is_quiet = quiet(&world, Duration::from_secs(300));
    EditOutcome {
        plan,
        is_inside,
        is_alive: is_alive(&world, "dev"),
        is_quiet,
        code: ran.code,
        said: ran.stderr,
    }
}

#[test]
fn no_kill_no_suspension_and_no_time_limit_loses_a_login() {
    let rounds = Rounds::or(24);
    let outcomes = rounds.run(if rounds.is_long { 32 } else { 4 }, |_, mut chance| {
        run(plan(&mut chance, rounds.is_long))
    });
    let is_excused = |outcome: &&EditOutcome| matches!(outcome.plan.event, Event::KillWorker);
    let inside = outcomes.iter().filter(|outcome| outcome.is_inside).count();
    let dead: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_alive).collect();
    let excused = dead.iter().copied().filter(is_excused).count();
    let wrong: Vec<_> = dead.iter().copied().filter(|outcome| !is_excused(outcome)).collect();
    let restless: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_quiet).collect();
    eprintln!(
        "seed {}: {} runs, {inside} of them inside the request, {} dead logins, and {excused} whose small process was killed",
        rounds.seed,
        outcomes.len(),
        wrong.len()
    );
    assert!(wrong.is_empty() && restless.is_empty(), "{wrong:#?}\n{restless:#?}");
    assert!(inside * 10 >= outcomes.len() * 3, "the moments were not inside the request");
    // Whoever only waited too briefly is not told that the login is gone.
    for outcome in outcomes.iter().filter(|outcome| !is_excused(outcome)) {
        assert_ne!(outcome.code, Some(4), "{}", outcome.said);
    }
}
