//! Asking whose login it is that a keyring keeps.

use crate::desk::Desk;
use serde_json::Value;

#[test]
fn a_login_in_the_keyring_is_described_by_where_it_is_and_never_shown() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    let tokens = desk.seed(1800);
    let before = desk.item("dev");
    let ran = desk.run("describe dev -o json", None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["token_storage"]["mode"], "secure");
    assert_eq!(json["token_storage"]["location"], "OS keyring (service: databricks-cli)");
    assert_eq!(json["token_storage"]["source"], "default");
    assert_eq!(json["username"], "fake.user@example.com");

    let listed = desk.run("profiles -o json", None);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let row = &listed["profiles"][0];
    assert_eq!((&row["valid"], &row["storage"]), (&true.into(), &"secure".into()), "{row}");
    for secret in [tokens.access_token(), tokens.refresh_token().unwrap()] {
        assert!(!ran.stdout.contains(secret) && !listed.to_string().contains(secret));
    }
    assert_eq!(desk.item("dev"), before, "to look changes nothing");
}

#[test]
fn without_a_keyring_the_store_that_is_used_is_told() {
    let Some(desk) = Desk::without_keyring() else { return };
    let desk = desk.profile();
    let ran = desk.run("describe dev --exit-zero", Some("secure"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("Unable to authenticate: "), "{}", ran.stdout);
    let ran = desk.run("describe dev", Some("secure"));
    assert_eq!(ran.code, Some(7), "a store that was asked for by name and fails: {}", ran.stderr);
}
