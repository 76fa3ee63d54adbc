//! In the file, a login stands under its host's key too, where programs look that know no profiles.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/login.rs"]
mod sign_in;

use common::{World, now};
use sign_in::sign_in_by;
use u2m::source::Lifetime;
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::{HostMetadata, Settings};

fn sign_in(world: &World, line: &str) {
    let (_, ran) = sign_in_by(world, world.command(line));
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
}

fn run(world: &World, line: &str) {
    let ran = world.run(line);
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
}

/// Renews a login, which was made a minute ago: what was issued a moment ago counts as new.
fn refresh(world: &World, profile: &str) {
    let before = renewing(world, profile);
    let login = world.stored(profile).with_issued_at(now().plus(Lifetime::from_seconds(-60)));
    world.store().save(&CacheKey::new(profile), &login).unwrap();
    run(world, &format!("token {profile} --force-refresh"));
    assert_ne!(renewing(world, profile), before);
}

/// The refresh token under a key.
fn renewing(world: &World, key: &str) -> Option<String> {
    let login = world.store().load(&CacheKey::new(key)).unwrap()?;
    Some(login.refresh_token.unwrap().expose().to_owned())
}

/// Sets what a profile says of its copy.
fn mirror(world: &World, profile: &str, word: &str) {
    let text = world.read(".databrickscfg");
    let lines = text.lines().filter(|line| !line.starts_with("mirror_host_key"));
    let head = format!("[{profile}]");
    let line = |line: &str| match line == head {
        true => format!("{line}\nmirror_host_key = {word}\n"),
        false => format!("{line}\n"),
    };
    world.write(".databrickscfg", &lines.map(line).collect::<String>());
}

#[test]
fn dual_1_both_keys_hold_the_login_after_each_save_and_go_with_it() {
    for (settings, more, below) in [
        (Settings::new(), "", ""),
        (
            Settings::new().with_host_metadata(HostMetadata::unified("acc-1")),
            "--account-id acc-1 --skip-workspace",
            "/oidc/accounts/acc-1",
        ),
    ] {
        let world = World::with(settings);
        let key = format!("{}{below}", world.url());
        sign_in(&world, &format!("login --host {{URL}} --profile dev {more}"));
        let first = renewing(&world, "dev");
        assert_eq!(renewing(&world, &key), first);
        refresh(&world, "dev");
        let second = renewing(&world, "dev");
        assert!(first.is_some() && second.is_some());
        assert_eq!(renewing(&world, &key), second, "what was spent stands nowhere");
        run(&world, &format!("token --host {{URL}} {}", more.replace("--skip-workspace", "")));
        run(&world, "logout dev --auto-approve");
        assert_eq!((renewing(&world, "dev"), renewing(&world, &key)), (None, None));
    }
}

#[test]
fn dual_2_the_hosts_first_profile_has_its_key_until_another_ones_setting_moves_it() {
    let world = World::new();
    let url = world.url().to_owned();
    let at = |key: &str| renewing(&world, key);
    sign_in(&world, "login --host {URL} --profile dev");
    sign_in(&world, "login --host {URL} --profile prod");
    assert!(at("prod").is_some() && at("prod") != at("dev"));
    assert_eq!(at(&url), at("dev"));
    refresh(&world, "prod");
    assert_eq!(at(&url), at("dev"), "another one's refresh leaves it");
    run(&world, "logout prod --auto-approve");
    assert_eq!(at(&url), at("dev"), "and so does another one's end");
    world.assert_alive("dev");

    mirror(&world, "prod", "true");
    sign_in(&world, "login --host {URL} --profile prod");
    assert_eq!(at(&url), at("prod"));
    refresh(&world, "dev");
    assert_eq!(at(&url), at("prod"));
    run(&world, "logout dev --auto-approve");
    assert_eq!(at(&url), at("prod"));

    mirror(&world, "prod", "false");
    refresh(&world, "prod");
    assert_eq!(at(&url), None, "a copy that is not wished goes with the next save");
    world.assert_alive("prod");
}

#[test]
fn a_login_whose_profile_wants_no_copy_never_has_one() {
    let world = World::new();
    world.write(
        ".databrickscfg",
        &format!("[dev]\nhost = {}\nmirror_host_key = false\n", world.url()),
    );
    sign_in(&world, "login --profile dev");
    assert!(renewing(&world, "dev").is_some());
    assert_eq!(renewing(&world, world.url()), None);
}
