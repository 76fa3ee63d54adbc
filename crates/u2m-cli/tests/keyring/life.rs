//! The life of a login in the keyring: from signing in to signing out.

use crate::common::ran;
use crate::desk::Desk;
use serde_json::Value;

const SECURE: Option<&str> = Some("secure");

/// The secrets of an item.
fn secrets(item: &Value) -> [String; 2] {
    ["access_token", "refresh_token"].map(|name| item["token"][name].as_str().unwrap().to_owned())
}

#[test]
fn key_1_a_login_lives_in_the_keyring_and_in_no_file_until_it_ends() {
    let Some(desk) = Desk::new() else { return };
    let ran = desk.login(SECURE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let first = desk.item("dev");
    let requests = || desk.world.server.counts().requests;

    let before = requests();
    let token = desk.token("token dev", SECURE);
    assert_eq!(requests(), before, "a fresh token needs nobody");
    assert_eq!(token, secrets(&first)[0]);

    desk.age(-5);
    let renewed = desk.token("token dev", SECURE);
    let second = desk.item("dev");
    assert_eq!((&renewed, desk.world.server.counts().refreshes), (&secrets(&second)[0], 1));
    assert_ne!(secrets(&second), secrets(&first));
    assert!(desk.is_alive());

    desk.age(3000);
    let forced = desk.token("token dev --force-refresh", SECURE);
    let third = desk.item("dev");
    assert_eq!(forced, secrets(&third)[0]);
    // Another forced refresh of just now may serve as the answer.
    assert!(desk.is_alive());

    let all = [secrets(&first), secrets(&second), secrets(&third)].concat();
    desk.assert_in_no_file(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(desk.items(), 1, "no probe and no older item is left");

    let out = desk.run("logout dev --auto-approve", SECURE);
    assert_eq!((out.code, out.stdout.as_str()), (Some(0), ""), "{}", out.stderr);
    assert!(out.stderr.starts_with("Logged out of profile \"dev\"."), "{}", out.stderr);
    assert_eq!((desk.service.lookup("dev").as_str(), desk.items()), ("", 0));
    desk.assert_in_no_file(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let gone = desk.run("token dev", SECURE);
    assert_eq!(gone.code, Some(3), "{}", gone.stderr);
}

#[test]
fn an_item_is_the_one_that_the_reference_would_write() {
    let Some(desk) = Desk::new() else { return };
    desk.login(SECURE);
    let text = desk.service.lookup("dev");
    let [access, refresh] = secrets(&desk.item("dev"));
    let expiry = desk.item("dev")["token"]["expiry"].as_str().unwrap().to_owned();
    let wanted = format!(
        r#"{{"token":{{"access_token":"{access}","token_type":"Bearer","refresh_token":"{refresh}","expiry":"{expiry}","expires_in":3600}}}}"#
    );
    assert_eq!(text, wanted);
    let found = desk.service.search(&["service", "databricks-cli", "username", "dev"]);
    assert!(found.contains("label = Password for 'dev' on 'databricks-cli'\n"), "{found}");
    let attributes = found.lines().filter(|line| line.starts_with("attribute."));
    let mut attributes: Vec<_> = attributes.collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["attribute.service = databricks-cli", "attribute.username = dev"]);
}

#[test]
fn a_login_of_the_references_own_program_is_read_and_renewed() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    let tokens = desk.seed(1800);
    assert_eq!(desk.token("token dev", SECURE), tokens.access_token());
    assert_eq!(desk.world.server.counts().requests, 0);
    // Without any word too: it is where the reference keeps its logins.
    assert_eq!(desk.token("token dev", None), tokens.access_token());

    let expired = desk.seed(-5);
    let renewed = desk.token("token dev", SECURE);
    assert_ne!(renewed, expired.access_token());
    assert_eq!(secrets(&desk.item("dev"))[0], renewed);
    assert_eq!((desk.items(), desk.world.server.counts().refreshes), (1, 1));
    desk.assert_in_no_file(&[&renewed, expired.access_token(), expired.refresh_token().unwrap()]);
}

#[test]
fn key_10_an_item_that_cannot_be_read_is_an_error_and_a_login_replaces_it() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    let item = ["store", "--label=x", "service", "databricks-cli", "username", "dev"];
    desk.service.secret_tool(&item, "{\"token\":");
    let ran = ran(desk.command("token dev", SECURE));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{}", ran.stderr);
    let ran = desk.login(SECURE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    desk.token("token dev", SECURE);
    assert_eq!(desk.items(), 1);
}
