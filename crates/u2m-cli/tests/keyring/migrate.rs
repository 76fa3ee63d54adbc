//! Moving a login between the stores (KEY-8, MODE-1): it works afterwards, it is in one place, and the settings know it.

use crate::common::{Ran, printed_token, ran};
use crate::desk::Desk;
use serde_json::Value;
use u2m_testkit::IssuedTokens;

/// Where `storage show` says that the login `dev` is; each with whether it is used.
fn places(desk: &Desk) -> Vec<(String, bool)> {
    let shown = desk.shown(None);
    let place = |login: &Value| {
        assert_eq!((&login["key"], &login["renewable"]), (&"dev".into(), &true.into()), "{shown}");
        (login["storage"].as_str().unwrap().to_owned(), login["used"] == true)
    };
    shown["logins"].as_array().unwrap().iter().map(place).collect()
}

fn assert_at(desk: &Desk, store: &str) {
    assert_eq!(places(desk), [(store.to_owned(), true)]);
    let text = desk.run("storage show", None).stdout;
    let row = text.lines().find(|line| line.trim_start().starts_with("dev ")).unwrap();
    assert!(row.contains(store) && row.ends_with("yes"), "{text}");
}

fn move_to(desk: &Desk, line: &str) -> Ran {
    let ran = desk.run(line, None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("Moved the login dev from "), "{}", ran.stderr);
    ran
}

/// The login works, fresh and expired.
fn assert_works(desk: &Desk, refreshes: u64) {
    desk.token("token dev", None);
    desk.token("token dev --force-refresh", None);
    assert_eq!(desk.world.server.counts().refreshes, refreshes);
    assert_eq!(desk.world.server.counts().rejected, 0);
}

/// A login in the keyring that is pinned there and half an hour old: a forced refresh of it has to ask the server.
fn signed_in(desk: &Desk) -> IssuedTokens {
    let ran = desk.login(None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    desk.seed(1800)
}

/// A file is empty of `dev`, or not there.
fn assert_not_in(desk: &Desk, name: &str) {
    let path = desk.world.path(name);
    assert!(!path.exists() || !desk.world.read(name).contains("\"dev\""), "{name}");
}

const SEALED: &str = ".databricks/token-cache.sealed.json";
const FILE: &str = ".databricks/token-cache.json";

#[test]
fn key_8_a_login_moves_into_the_keyring_and_back_and_the_settings_follow() {
    let Some(desk) = Desk::new() else { return };
    let config =
        format!("[dev]\nhost = {}\n\n[__settings__]\nauth_storage = plaintext\n", desk.world.url());
    desk.world.write(".databrickscfg", &config);
    let tokens = desk.world.seed("dev", 1800);
    assert_at(&desk, "plaintext");

    move_to(&desk, "storage migrate --to secure dev");
    assert_at(&desk, "secure");
    assert_not_in(&desk, FILE);
    desk.assert_in_no_file(&[tokens.access_token(), tokens.refresh_token().unwrap()]);
    assert_eq!(desk.token("token dev", None), tokens.access_token());
    assert_works(&desk, 1);

    move_to(&desk, "storage migrate --to plaintext dev");
    assert_at(&desk, "plaintext");
    assert_eq!((desk.items(), desk.service.lookup("dev").as_str()), (0, ""));
    desk.world.assert_alive("dev");
    // Less than five seconds may have passed since the last forced refresh, which would count.
    desk.token("token dev", None);

    let again = desk.run("storage migrate --to plaintext dev", None);
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (Some(0), "The login dev is kept in plaintext already.\n")
    );
}

#[test]
fn key_8_all_logins_move_and_the_setting_for_all_follows() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    signed_in(&desk);
    move_to(&desk, "storage migrate --to plaintext --all");
    assert_at(&desk, "plaintext");
    assert_eq!(desk.setting().as_deref(), Some("plaintext"));
    assert_works(&desk, 1);
    assert_eq!(desk.items(), 0);
}

#[test]
fn a_login_moves_into_the_encrypted_file_whose_key_is_in_the_keyring() {
    let Some(desk) = Desk::new() else { return };
    let tokens = signed_in(&desk);
    move_to(&desk, "storage migrate --to encrypted dev");
    assert_at(&desk, "encrypted");
    assert_eq!(desk.items(), 0, "the source is empty");
    assert!(desk.world.read(SEALED).contains("\"dev\""));
    desk.assert_in_no_file(&[tokens.access_token(), tokens.refresh_token().unwrap()]);
    assert_eq!(desk.token("token dev", None), tokens.access_token());
    assert_works(&desk, 1);

    move_to(&desk, "storage migrate --to secure dev");
    assert_at(&desk, "secure");
    assert_not_in(&desk, SEALED);
    desk.token("token dev", None);
    assert!(desk.is_alive());
}

#[test]
fn with_a_key_file_the_encrypted_file_needs_no_keyring() {
    let Some(mut desk) = Desk::new() else { return };
    let tokens = signed_in(&desk);
    let access = tokens.access_token();
    desk.world.write("storage.key", &"0123456789abcdef".repeat(4));
    let with_key = |line: &str| {
        let mut command = desk.command(line, None);
        command.env("U2M_STORAGE_KEY_FILE", desk.world.path("storage.key"));
        command
    };
    let moved = ran(with_key("storage migrate --to encrypted dev"));
    assert_eq!(moved.code, Some(0), "{}", moved.stderr);
    assert_eq!(desk.items(), 0);
    let token = ran(with_key("token dev"));
    assert_eq!(printed_token(&token.stdout), access, "{}", token.stderr);
    let without = desk.run("token dev", None);
    assert_eq!((without.code, without.stdout.as_str()), (Some(7), ""), "{}", without.stderr);
    desk.service.kill_keyring();
    let mut command = desk.off_the_bus("token dev --force-refresh", None);
    command.env("U2M_STORAGE_KEY_FILE", desk.world.path("storage.key"));
    let token = ran(command);
    assert_eq!(token.code, Some(0), "{}", token.stderr);
    assert_ne!(printed_token(&token.stdout), access);
}

#[test]
fn key_8_what_cannot_be_moved_stays_where_it_is() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    let tokens = desk.world.seed("dev", 1800);
    let before = desk.world.read(FILE);
    desk.service.lock();
    let ran = desk.run("storage migrate --to secure dev", None);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{}", ran.stderr);
    assert_eq!(desk.world.read(FILE), before);
    assert_eq!(desk.token("token dev", Some("plaintext")), tokens.access_token());
}

#[test]
fn fall_3_an_older_login_is_not_moved_in_the_place_of_one_that_cannot_be_asked_for() {
    let Some(mut desk) = Desk::new().map(Desk::profile) else { return };
    desk.world.seed("dev", 1800);
    let older = desk.world.read(FILE);
    signed_in(&desk);
    // As it is when another program has saved its own login in the file since.
    desk.world.write(FILE, &older);
    let newer = desk.service.lookup("dev");
    desk.world.write("storage.key", &"0123456789abcdef".repeat(4));
    for line in ["storage migrate --to encrypted dev", "storage migrate --to encrypted --all"] {
        match line.ends_with("dev") {
            true => desk.service.lock(),
            false => desk.service.kill_keyring(),
        }
        let mut command = desk.command(line, None);
        command.env("U2M_STORAGE_KEY_FILE", desk.world.path("storage.key"));
        // Nothing but what u2m has recorded says where the login is.
        desk.world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", desk.world.url()));
        let ran = ran(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{}", ran.stderr);
        assert!(!ran.stderr.contains("Moved") && !desk.world.path(SEALED).exists());
    }
    desk.service.start_keyring();
    assert_eq!((desk.service.lookup("dev"), desk.world.read(FILE)), (newer, older));
}
