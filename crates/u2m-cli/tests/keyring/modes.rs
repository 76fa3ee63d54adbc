//! Where a login goes when nobody says where: to the keyring if there is one, else to the file, and it stays found.

use crate::common::{eventually, printed_token, ran};
use crate::desk::{Desk, sign_in};

const AUTO: Option<&str> = None;

#[test]
fn fall_1_a_login_goes_to_the_keyring_and_that_is_pinned() {
    let Some(desk) = Desk::new() else { return };
    let ran = desk.login(AUTO);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Warning"), "{}", ran.stderr);
    assert_eq!(desk.setting().as_deref(), Some("secure"));
    assert_eq!(desk.items(), 1);
    assert!(!desk.world.cache().exists());
    desk.token("token dev", AUTO);
    assert_eq!(desk.shown(AUTO)["source"], "auth_storage in [__settings__] section of config file");
}

#[test]
fn fall_2_t25_without_a_bus_it_goes_to_the_file_says_so_in_one_line_and_that_is_pinned() {
    let Some(desk) = Desk::new() else { return };
    let ran = sign_in(desk.off_the_bus("login --host {URL} --profile dev", AUTO));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let warnings: Vec<_> = ran.stderr.lines().filter(|line| line.contains("Warning")).collect();
    assert_eq!(warnings.len(), 1, "{}", ran.stderr);
    assert!(warnings[0].contains("unencrypted in "), "{}", warnings[0]);
    assert_eq!(desk.setting().as_deref(), Some("plaintext"));
    desk.world.assert_alive("dev");
    // The bus that comes later changes nothing: the choice was made.
    desk.token("token dev", AUTO);
    let again = desk.login(AUTO);
    assert_eq!((again.code, desk.items()), (Some(0), 0), "{}", again.stderr);
    assert!(!again.stderr.contains("Warning"), "it was said once: {}", again.stderr);
}

#[test]
fn fall_4_a_bus_without_a_keyring_is_no_keyring_too() {
    let Some(desk) = Desk::without_keyring() else { return };
    let ran = desk.login(AUTO);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("no keyring answers"), "{}", ran.stderr);
    desk.world.assert_alive("dev");
}

#[test]
fn t25_a_keyring_that_was_asked_for_by_name_is_never_replaced_by_the_file() {
    let Some(desk) = Desk::new() else { return };
    let ran =
        ran(desk.off_the_bus("login --host {URL} --profile dev --no-browser", Some("secure")));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("Nobody was asked to sign in"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("/authorize"), "{}", ran.stderr);
    assert!(!desk.world.cache().exists() && !desk.world.config().exists());
}

/// A login in the file of before, and a newer one in the keyring; how the latter became known is told by `mode`.
fn older_and_newer(mode: Option<&str>) -> Option<(Desk, String)> {
    let desk = Desk::new()?.profile();
    let older = desk.world.seed("dev", 1800);
    let ran = desk.login(mode);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    Some((desk, older.access_token().to_owned()))
}

#[test]
fn fall_3_without_a_bus_a_login_of_the_keyring_is_an_error_and_never_the_older_one_of_the_file() {
    let Some((desk, older)) = older_and_newer(AUTO) else { return };
    for pinned in [true, false] {
        if !pinned {
            // The settings are somebody else's again; what u2m has recorded still tells.
            desk.world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", desk.world.url()));
        }
        let newer = desk.token("token dev", AUTO);
        assert_ne!(newer, older);
        let ran = ran(desk.off_the_bus("token dev", AUTO));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("no session bus"), "{}", ran.stderr);
    }
    eventually("nothing was refreshed", || desk.world.server.counts().refreshes == 0);
}

#[test]
fn mode_1_a_login_in_the_other_store_is_named_with_the_way_to_move_it() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    let kept = desk.world.seed("dev", 1800);
    let ran = desk.run("token dev", Some("secure"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("u2m storage migrate --to secure dev"), "{}", ran.stderr);
    // Without a word it is found where it is.
    assert_eq!(printed_token(&desk.run("token dev", AUTO).stdout), kept.access_token());
}
