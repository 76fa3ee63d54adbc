//! Moves of a login between the three stores, with kills, files that may not grow, and callers beside them: every caller gets
//! a token at every moment, and afterwards the login is in one place.

use crate::chance::{Chance, Rounds};
use crate::common::{Ran, Running, ran};
use crate::desk::Desk;
use crate::processes::workers;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const STORES: [&str; 3] = ["plaintext", "encrypted", "secure"];

/// Where a store is named besides: the move comes to the setting last, if it comes so far.
const NAMED: [Option<&str>; 3] = [None, Some("[dev]"), Some("[__settings__]")];

/// What happens to a move.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Kill(Duration),
    /// No file may grow beyond a few blocks: what a full disk says, in other words.
    NoRoom(u32),
    None,
}

fn command(desk: &Desk, line: &str) -> Command {
    let mut command = desk.command(line, None);
    command.env("U2M_STORAGE_KEY_FILE", desk.world.path("storage.key"));
    command
}

fn migrate(desk: &Desk, to: &str, trouble: Trouble) -> Ran {
    let line = format!("storage migrate --to {to} dev");
    match trouble {
        Trouble::None => ran(command(desk, &line)),
        Trouble::Kill(at) => {
            let running = Running::start(command(desk, &line));
            std::thread::sleep(at);
            running.signal("KILL");
            running.done()
        }
        Trouble::NoRoom(blocks) => {
            let plain = command(desk, &line);
            let mut limited = Command::new("sh");
            let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
            limited.args(["-c", &script]).arg(plain.get_program()).args(plain.get_args());
            limited
                .env_clear()
                .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
            limited.current_dir(desk.world.home()).stdin(std::process::Stdio::null());
            ran(limited)
        }
    }
}

/// The stores in which a login `dev` stands, whatever is recorded.
fn places(desk: &Desk) -> Vec<&'static str> {
    let in_file = |name: &str| {
        let path = desk.world.path(name);
        path.exists() && desk.world.read(name).contains("\"dev\"")
    };
    let is_there = |store: &&str| match *store {
        "plaintext" => in_file(".databricks/token-cache.json"),
        "encrypted" => in_file(".databricks/token-cache.sealed.json"),
        _ => !desk.service.lookup("dev").is_empty(),
    };
    STORES.into_iter().filter(is_there).collect()
}

/// The store that the profile file names for the login.
fn store_of(desk: &Desk) -> Option<String> {
    let config = u2m::config::ConfigFile::read(desk.world.config()).unwrap();
    let own = config.get("dev", "auth_storage");
    own.or_else(|| config.setting("auth_storage")).map(str::to_owned)
}

fn trouble(chance: &mut Chance) -> Trouble {
    match chance.below(5) {
        0 | 1 => Trouble::Kill(chance.between(Duration::ZERO, Duration::from_millis(80))),
        2 => Trouble::NoRoom(chance.below(6) as u32),
        _ => Trouble::None,
    }
}

/// A login and some moves of it; how many callers there were, and what was wrong.
fn run(mut chance: Chance, moves: usize) -> Option<(usize, Vec<String>)> {
    let desk = Desk::new()?;
    let named = *chance.one_of(&NAMED);
    let says = |section| match named {
        Some(named) if named == section => "auth_storage = plaintext\n",
        _ => "",
    };
    let config = ["[__settings__]", "[dev]"].map(|section| format!("{section}\n{}", says(section)));
    desk.world
        .write(".databrickscfg", &format!("{}host = {}\n", config.concat(), desk.world.url()));
    desk.world.seed("dev", 1800);
    let (is_over, mut wrong) = (AtomicBool::new(false), Vec::new());
    let callers = std::thread::scope(|scope| {
        let call = |pause: u64| {
            let (mut count, mut wrong) = (0, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                let ran = ran(command(&desk, "token dev"));
                count += 1;
                if ran.code != Some(0) {
                    wrong.push(format!(
                        "a caller: {ran:?}, named by {named:?}, places {:?}",
                        places(&desk)
                    ));
                }
                std::thread::sleep(Duration::from_millis(pause));
            }
            (count, wrong)
        };
        let callers = [3, 7].map(|pause| scope.spawn(move || call(pause)));
        for _ in 0..moves {
            let (to, trouble) = (*chance.one_of(&STORES), trouble(&mut chance));
            let ran = migrate(&desk, to, trouble);
            if matches!(trouble, Trouble::None) && ran.code != Some(0) {
                wrong.push(format!("a move to {to}: {ran:?}"));
            }
            if chance.below(3) == 0 {
                // A token of some minutes ago, so that it is really fetched.
                let ran = crate::common::ran(command(&desk, "token dev --force-refresh"));
                if ran.code != Some(0) {
                    wrong.push(format!("a refresh after a move to {to} ({trouble:?}): {ran:?}"));
                }
            }
        }
        // A repeated move finishes.
        let to = *chance.one_of(&STORES);
        let last = migrate(&desk, to, Trouble::None);
        is_over.store(true, Ordering::Relaxed);
        let found = places(&desk);
        if last.code != Some(0) || found != [to] {
            wrong.push(format!("after the last move, to {to}: {last:?}, it is in {found:?}"));
        }
        let says = store_of(&desk);
        if says.as_deref() != named.map(|_| to) {
            wrong.push(format!("after the last move, to {to}: {named:?} names {says:?}"));
        }
        callers.map(|caller| caller.join().unwrap())
    });
    let count = callers.iter().map(|(count, _)| count).sum();
    wrong.extend(callers.into_iter().flat_map(|(_, wrong)| wrong));
    let start = Instant::now();
    while !workers(desk.world.home()).is_empty() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let last = ran(command(&desk, "token dev --force-refresh"));
    let counts = desk.world.server.counts();
    if last.code != Some(0) || (counts.rejected, counts.reuse_detections) != (0, 0) {
        wrong.push(format!("the login at the end: {last:?}, {counts:?}"));
    }
    Some((count, wrong))
}

#[test]
fn every_caller_finds_a_login_that_is_moved_and_it_is_in_one_place_afterwards() {
    const MOVES: usize = 5;
    let rounds = Rounds::or(4);
    let outcomes = rounds.run(4, |_, chance| run(chance, MOVES));
    let Some(outcomes) = outcomes.into_iter().collect::<Option<Vec<_>>>() else { return };
    let callers: usize = outcomes.iter().map(|(count, _)| count).sum();
    let wrong: Vec<_> = outcomes.into_iter().flat_map(|(_, wrong)| wrong).collect();
    eprintln!(
        "seed {}: {} moves between three stores, {callers} callers beside them, {} things wrong",
        rounds.seed,
        rounds.count * (MOVES + 1),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
