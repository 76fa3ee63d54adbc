//! Three machines share a login that has run out, and a hundred tasks of each want a token at the same moment.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;
#[path = "common/redis.rs"]
mod redis;
#[path = "../../u2m-cache/tests/common/redis_server.rs"]
mod redis_server;

#[path = "../../u2m-cache/tests/common/relay.rs"]
mod relay;

use common::{LONG, parse, report, runtime};
use redis::{LEASE_OF_OLD, SharedToken, inherited, open};
use relay::Relay;
use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use u2m::PersistentAuth;
use u2m::store::RedisStore;

/// `<shared|own|apart> <tasks>`
#[test]
fn worker() {
    common::work(|job, abroad| {
        let (kind, count) = job.split_once(' ').unwrap();
        let store = inherited();
        let build = |store| {
            let auth = PersistentAuth::builder(abroad.target.clone()).with_store(store);
            auth.build().unwrap()
        };
        let shared = build(store.clone());
        let auths: Vec<PersistentAuth> = (0..count.parse::<usize>().unwrap())
            .map(|_| match kind {
                "shared" => shared.clone(),
                "own" => build(store.clone()),
                _ => build(inherited()),
            })
            .collect();
        runtime().block_on(async {
            let ask = |auth: PersistentAuth| {
                tokio::spawn(async move {
                    let start = Instant::now();
                    (auth.token().await, start.elapsed())
                })
            };
            let tasks: Vec<_> = auths.into_iter().map(ask).collect();
            for task in tasks {
                let (outcome, took) = tokio::time::timeout(LONG, task).await.unwrap().unwrap();
                report(&outcome, took);
            }
        });
    });
}

/// All have the same new token, for one request, and the login lives.
fn tell(kind: &str) {
    let Some(shared) = SharedToken::expired(LEASE_OF_OLD) else { return };
    let shared = shared.late(Duration::from_millis(50));
    let mut machines: Vec<_> = (0..3).map(|_| shared.child(&format!("{kind} 100"))).collect();
    machines.iter_mut().for_each(|machine| machine.until("ready"));
    let start = Instant::now();
    machines.iter_mut().for_each(common::Child::go_on);
    let reports: Vec<String> = machines.into_iter().flat_map(common::Child::done).collect();
    let took = start.elapsed();
    assert_eq!(reports.len(), 300);
    let reports: Vec<_> = reports.iter().map(|report| parse(report)).collect();
    assert!(reports.iter().all(|(kind, ..)| *kind == "token"), "{reports:?}");
    let names: HashSet<&str> = reports.iter().map(|(_, _, name)| *name).collect();
    assert_eq!(names.len(), 1, "one token for all");
    shared.world.assert_refreshed(1);
    shared.assert_alive();
    let slowest = reports.iter().map(|(_, took, _)| took).max().unwrap();
    println!("3 x 100, {kind}: 300 tokens, 1 refresh, slowest task {slowest} ms, all {took:?}");
}

#[test]
fn refr_2_a23_3_machines_of_100_tasks_cost_one_refresh() {
    tell("shared");
}

#[test]
fn refr_2_a23_3_machines_of_100_tasks_with_objects_of_their_own_cost_one_refresh() {
    tell("own");
}

#[test]
fn refr_2_a23_3_machines_of_100_tasks_with_stores_of_their_own_cost_one_refresh() {
    tell("apart");
}

/// How long 500 tasks with an object each take, over the time of the server, in round trips of `each_way` there and back.
fn trips(each_way: Duration, at: impl Fn(&Relay) -> RedisStore) -> f64 {
    let Some(shared) = SharedToken::expired(LEASE_OF_OLD) else { return 0.0 };
    let request = Duration::from_millis(200);
    let shared = shared.late(request);
    let relay = Relay::to(shared.redis.port(), each_way);
    let auths: Vec<PersistentAuth> = (0..500)
        .map(|_| {
            let auth = PersistentAuth::builder(shared.world.target()).with_store(at(&relay));
            auth.build().unwrap()
        })
        .collect();
    let start = Instant::now();
    let tokens: HashSet<String> = runtime().block_on(async {
        let ask = |auth: PersistentAuth| tokio::spawn(async move { auth.token().await });
        let tasks: Vec<_> = auths.into_iter().map(ask).collect();
        let mut tokens = HashSet::new();
        for task in tasks {
            let token = tokio::time::timeout(LONG, task).await.unwrap().unwrap().unwrap();
            tokens.insert(format!("{:?}", token.expiry()) + token.access_token().expose());
        }
        tokens
    });
    let took = start.elapsed();
    assert_eq!(tokens.len(), 1, "one token for all");
    shared.world.assert_refreshed(1);
    shared.assert_alive();
    let trips = (took - request).as_secs_f64() / (each_way * 2).as_secs_f64();
    println!("500 tasks, {each_way:?} each way: {took:?}, {trips:.1} round trips");
    trips
}

#[test]
fn redis_5_500_tasks_with_an_object_each_have_a_token_soon_from_a_server_that_is_far_away() {
    let far = Duration::from_millis(100);
    let trips = trips(far, |relay| open(&relay.url(), LEASE_OF_OLD));
    // There are 7 round trips that need each other; the rest is what a busy machine takes for 500 threads.
    assert!(trips < 40.0, "{trips}");
}

#[test]
fn redis_5_500_tasks_with_an_object_each_do_not_fail_at_a_server_that_is_20_ms_away() {
    let store: OnceLock<RedisStore> = OnceLock::new();
    let each_way = Duration::from_millis(10);
    trips(each_way, |relay| open(&relay.url(), LEASE_OF_OLD));
    trips(each_way, |relay| store.get_or_init(|| open(&relay.url(), LEASE_OF_OLD)).clone());
}
