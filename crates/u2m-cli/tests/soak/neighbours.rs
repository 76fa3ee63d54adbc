//! Programs that share the token cache and know nothing of our locks.

use crate::chance::{Chance, Rounds};
use crate::common::{Ran, Running, World, in_an_hour};
use crate::processes::{is_alive, quiet};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, Rotation, Settings, Times};

const PROFILES: usize = 8;

fn world(settings: Settings) -> World {
    let world = World::with(settings);
    let profiles: String =
        (0..PROFILES).map(|at| format!("[p{at}]\nhost = {}\n", world.url())).collect();
    world.write(".databrickscfg", &profiles);
    world
}

fn read(cache: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(cache).ok()?).ok()
}

/// As Go's SDK writes: a temporary file in the same folder, renamed.
fn write(cache: &Path, whole: &Value, name: &str) {
    let temporary = cache.with_file_name(format!(".token-cache-{name}.tmp"));
    fs::write(&temporary, serde_json::to_string_pretty(whole).unwrap()).unwrap();
    fs::set_permissions(&temporary, PermissionsExt::from_mode(0o600)).unwrap();
    fs::rename(&temporary, cache).unwrap();
}

/// Loads, changes an entry of its own and writes the whole file, without any lock.
fn rewrite(cache: &Path, name: &str, chance: &mut Chance) {
    for round in 0..12 {
        let Some(mut whole) = read(cache) else { continue };
        whole["tokens"][name] = serde_json::json!({
            "access_token": format!("{name}-{round}"), "token_type": "Bearer",
            "expiry": in_an_hour(),
        });
        std::thread::sleep(chance.between(Duration::ZERO, Duration::from_millis(30)));
        write(cache, &whole, name);
        std::thread::sleep(chance.between(Duration::ZERO, Duration::from_millis(20)));
    }
}

#[test]
fn writers_without_a_lock_bring_no_spent_token_back_for_good() {
    let rounds = Rounds::or(2);
    let results = rounds.run(1, |at, mut chance| {
        let world = world(Settings::new());
        world.server.inject(
            Endpoint::Token,
            Times::Always,
            Fault::delay(Duration::from_millis(50)),
        );
        for at in 0..PROFILES {
            world.seed(&format!("p{at}"), 5);
        }
        let ran: Vec<Ran> = std::thread::scope(|scope| {
            for at in 0..PROFILES {
                let (cache, seed) = (world.cache(), chance.next());
                scope.spawn(move || rewrite(&cache, &format!("go-{at}"), &mut Chance::new(seed)));
            }
            let callers: Vec<_> = (0..PROFILES)
                .map(|at| world.command(&format!("token p{at} --force-refresh")))
                .map(|command| scope.spawn(move || Running::start(command).done()))
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert!(quiet(&world, Duration::from_secs(120)), "round {at} is never quiet");
        let dead: Vec<_> =
            (0..PROFILES).filter(|at| !is_alive(&world, &format!("p{at}"))).collect();
        let failed = ran.iter().filter(|ran| ran.code != Some(0)).count();
        (dead.len(), failed, world.server.counts().reuse_detections)
    });
    let sum = |of: fn(&(usize, usize, u64)) -> usize| results.iter().map(of).sum::<usize>();
    let (dead, failed, reuse) = (sum(|r| r.0), sum(|r| r.1), sum(|r| r.2 as usize));
    eprintln!(
        "seed {}: {} rounds of {PROFILES} u2m beside {PROFILES} writers: {dead} logins dead, {failed} callers without a token, {reuse} spent tokens sent",
        rounds.seed, rounds.count
    );
    assert_eq!((dead, failed, reuse), (0, 0, 0));
}

/// Another client of the same entry: it refreshes without a lock, and saves some time after its answer.
fn refresh(world: &World, name: &str, pause: Duration) {
    let cache = world.cache();
    let Some(before) = read(&cache) else { return };
    let Some(token) = before["tokens"][name]["refresh_token"].as_str() else { return };
    let form = format!("grant_type=refresh_token&client_id=databricks-cli&refresh_token={token}");
    let host = world.server.host();
    let mut server = TcpStream::connect(&host).unwrap();
    write!(
        server,
        "POST /oidc/v1/token HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let Ok(answer) = serde_json::from_str::<Value>(body) else { return };
    if answer["access_token"].is_null() {
        return;
    }
    std::thread::sleep(pause);
    let Some(mut whole) = read(&cache) else { return };
    for member in ["access_token", "refresh_token"] {
        whole["tokens"][name][member] = answer[member].clone();
    }
    whole["tokens"][name]["expiry"] = in_an_hour().into();
    write(&cache, &whole, name);
}

#[test]
fn nobody_is_told_to_sign_in_again_because_another_client_was_faster() {
    let rounds = Rounds::or(8);
    let results = rounds.run(4, |_, mut chance| {
        let world = world(Settings::new().with_rotation(Rotation::OnWithoutRevocation));
        world.seed("p0", -5);
        let (before, pause) = (
            chance.between(Duration::ZERO, Duration::from_millis(40)),
            chance.scale(Duration::from_millis(5), Duration::from_secs(1)),
        );
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(before);
                refresh(&world, "p0", pause);
            });
            Running::start(world.command("token p0")).done()
        });
        assert!(quiet(&world, Duration::from_secs(120)));
        (is_alive(&world, "p0"), ran, pause)
    });
    let dead = results.iter().filter(|result| !result.0).count();
    let wrong: Vec<_> =
        results.iter().filter(|result| result.0 && result.1.code == Some(4)).collect();
    eprintln!(
        "seed {}: {} rounds beside another client of the entry: {dead} logins dead, {} told to sign in again for nothing",
        rounds.seed,
        rounds.count,
        wrong.len()
    );
    assert!(wrong.is_empty() && dead == 0, "{wrong:?}");
}
