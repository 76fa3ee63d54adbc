//! A keyring that goes away in the middle of a refresh and comes back. A login is lost only where that takes longer than a save
//! is tried, and then it is said.

use crate::chance::{Chance, Rounds};
use crate::common::{Running, ran};
use crate::desk::Desk;
use crate::processes::workers;
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, Times};

/// How the keyring goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// Its daemon dies, and another is started.
    Killed,
    /// Its daemon does nothing for a while.
    Stopped,
}

fn run(outage: Outage, mut chance: Chance, is_long: bool) -> Option<Option<String>> {
    let mut desk = Desk::new()?.profile();
    let mode = Some("secure");
    desk.seed(-5);
    desk.world.server.inject(
        Endpoint::Token,
        Times::Always,
        Fault::delay(Duration::from_millis(300)),
    );
    let longest = Duration::from_secs(if is_long { 20 } else { 3 });
    let (at, away) = (
        chance.between(Duration::ZERO, Duration::from_millis(500)),
        chance.scale(Duration::from_millis(100), longest),
    );
    let running = Running::start(desk.command("token dev", mode));
    std::thread::sleep(at);
    match outage {
        Outage::Killed => desk.service.kill_keyring(),
        Outage::Stopped => desk.service.signal_keyring("STOP"),
    }
    std::thread::sleep(away);
    match outage {
        Outage::Killed => desk.service.start_keyring(),
        Outage::Stopped => desk.service.signal_keyring("CONT"),
    }
    let said = running.end(Duration::from_secs(200)).1;
    let start = Instant::now();
    while !workers(desk.world.home()).is_empty() && start.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let is_alive = desk.is_alive();
    let again = ran(desk.command("token dev", mode));
    let is_right = is_alive && again.code == Some(0) && said.code != Some(4);
    let counts = desk.world.server.counts();
    Some((!is_right).then(|| {
        format!("{outage:?} after {at:?} for {away:?}: alive {is_alive}, {said:?}, then {again:?}, {counts:?}")
    }))
}

#[test]
fn a_keyring_that_is_away_for_a_while_loses_no_login() {
    let rounds = Rounds::or(2);
    let mut wrong = Vec::new();
    for outage in [Outage::Killed, Outage::Stopped] {
        let outcomes = rounds.run(4, |_, chance| run(outage, chance, rounds.is_long));
        let Some(outcomes) = outcomes.into_iter().collect::<Option<Vec<_>>>() else { return };
        wrong.extend(outcomes.into_iter().flatten());
    }
    eprintln!(
        "seed {}: {} outages of the keyring, {} wrong",
        rounds.seed,
        rounds.count * 2,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
