//! DUAL-5: a profile without a login of its own is served from its host's, where nobody else's it could be.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, name, runtime};
use std::ffi::OsString;
use std::fs;
use u2m::config::{ConfigFile, Environment};
use u2m::store::{CacheKey, TokenStore};
use u2m::{Builder, PersistentAuth, ProfileName, TokenError};

/// What `dev` is opened as, in a profile file with this much behind it.
fn open(world: &World, more: &str) -> Builder {
    let text = format!("[dev]\nhost = {}\n{more}", world.server.base_url());
    let config = ConfigFile::parse(text).unwrap();
    let env = |name: &str| match name {
        "DATABRICKS_AUTH_STORAGE" => Some(OsString::from("plaintext")),
        "U2M_TOKEN_CACHE" => Some(world.file().into_os_string()),
        "HOME" | "USERPROFILE" => Some(world.folder().as_os_str().to_owned()),
        _ => None,
    };
    let around = Environment { env: &env, config: &config };
    Builder::for_profile("dev", &around).unwrap()
}

fn dev() -> CacheKey {
    CacheKey::new("dev")
}

fn notices(auth: &PersistentAuth) -> Vec<String> {
    auth.take_notices().into_iter().map(|notice| notice.text).collect()
}

#[test]
fn the_host_s_login_serves_its_only_profile_with_a_notice_and_is_not_copied() {
    let world = World::new();
    let of_host = world.seed(1800);
    let before = fs::read_to_string(world.file()).unwrap();
    let auth = open(&world, "").build().unwrap();
    for _ in 0..3 {
        assert_eq!(name(&auth.blocking().token().unwrap()), name(&of_host));
        assert_eq!(name(&runtime().block_on(auth.token()).unwrap()), name(&of_host));
        assert_eq!(name(&auth.blocking().stored().unwrap().unwrap()), name(&of_host));
    }
    let told = notices(&auth);
    let host = world.key();
    let sentence = format!(
        "the login 'dev' is not stored; the one that an older program stored for '{host}' is used. To keep one of its own, log in \
         with 'dev'"
    );
    assert_eq!(told, [sentence], "once");
    assert_eq!(fs::read_to_string(world.file()).unwrap(), before);
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn what_has_run_out_is_renewed_under_the_host_s_key_and_nowhere_else() {
    for is_async in [false, true] {
        let world = World::expired();
        let auth = open(&world, "").build().unwrap();
        let token = match is_async {
            false => auth.blocking().token().unwrap(),
            true => runtime().block_on(auth.token()).unwrap(),
        };
        world.assert_refreshed(1);
        world.assert_alive();
        assert_eq!(name(&world.stored().token()), name(&token));
        assert!(world.store().load(&dev()).unwrap().is_none(), "it is not copied");
        // The next process finds what this one has saved.
        let again = open(&world, "").build().unwrap().blocking().token().unwrap();
        assert_eq!(name(&again), name(&token));
        world.assert_refreshed(1);
    }
}

#[test]
fn a_forced_refresh_renews_it_and_a_rejected_token_is_replaced() {
    let world = World::new();
    let old = world.seed(1800);
    let auth = open(&world, "").build().unwrap().blocking();
    let first = auth.refresh_rejected(&old).unwrap();
    assert_ne!(name(&first), name(&old));
    world.assert_refreshed(1);
    assert_eq!(name(&auth.token().unwrap()), name(&first));
}

#[test]
fn a_login_of_its_own_counts_from_the_moment_that_it_is_stored() {
    let world = World::new();
    let of_host = world.seed(1800);
    let auth = open(&world, "").build().unwrap();
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&of_host));
    let own = world.seed_as(&dev(), 1800);
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&own));
    assert_eq!(name(&runtime().block_on(auth.token()).unwrap()), name(&own));
    // One that is there and bad is not passed over.
    let text = fs::read_to_string(world.file()).unwrap();
    let bad = text.replacen(&format!("\"{}\"", own.access_token().expose()), "7", 1);
    assert_ne!(bad, text);
    fs::write(world.file(), bad).unwrap();
    let auth = open(&world, "").build().unwrap();
    let error = auth.blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::Store(_)), "{error}");
    assert!(notices(&auth).is_empty());
}

#[test]
fn where_another_profile_names_the_host_it_may_be_another_person_s() {
    let world = World::new();
    world.seed(1800);
    let url = world.server.base_url().to_owned();
    for more in [
        format!("[prod]\nhost = {url}/\n"),
        format!("[bot]\nhost = {url}\ntoken = t\n"),
        "token = t\n".to_owned(),
    ] {
        let error = open(&world, &more).build().unwrap().blocking().token().unwrap_err();
        assert!(matches!(error, TokenError::NotFound), "{more}: {error}");
    }
    let elsewhere = open(&world, "[prod]\nhost = https://b.example\n").build().unwrap();
    assert!(elsewhere.blocking().token().is_ok());
}

#[test]
fn it_can_be_switched_off_and_on() {
    let world = World::new();
    let of_host = world.seed(1800);
    let off = open(&world, "").with_host_key_fallback(false).build().unwrap();
    assert!(matches!(off.blocking().token(), Err(TokenError::NotFound)));
    let target = world.target().with_profile(ProfileName::parse("dev").unwrap());
    let builder = || PersistentAuth::builder(target.clone()).with_store(world.store());
    assert!(matches!(builder().build().unwrap().blocking().token(), Err(TokenError::NotFound)));
    let on = builder().with_host_key_fallback(true).build().unwrap();
    assert_eq!(name(&on.blocking().token().unwrap()), name(&of_host));
    assert!(on.blocking().close(std::time::Duration::from_secs(1)));
}

#[test]
fn where_there_is_no_login_at_all_none_is_found_and_nothing_is_said() {
    let world = World::new();
    let auth = open(&world, "").build().unwrap();
    assert!(matches!(auth.blocking().token(), Err(TokenError::NotFound)));
    assert!(notices(&auth).is_empty() && !world.file().exists());
}
