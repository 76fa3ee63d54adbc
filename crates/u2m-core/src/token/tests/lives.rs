//! How much life a token has to have left: for a host that refuses the last of it, and for a caller who needs more.

use super::*;

/// A login to a workspace on Azure, one that a discovery login came upon included.
fn on_azure(left: i64) -> [Shelf; 2] {
    let azure = || host("https://adb-1.2.azuredatabricks.net");
    let token_url = Url::parse("https://adb-1.2.azuredatabricks.net/oidc/v1/token").unwrap();
    let issuer = "https://adb-1.2.azuredatabricks.net/oidc";
    let bound = || Binding::new(issuer, token_url.clone(), "databricks-cli", azure());
    let discovered = Target::discovery(ProfileName::parse("dev").unwrap());
    [Target::workspace(azure()), discovered].map(|target| {
        let mut shelf = Shelf::holding(Some(session("old", left).with_binding(bound())));
        shelf.request = TokenRequest::new(target);
        shelf
    })
}

#[test]
fn k14_a_token_in_its_last_40_seconds_is_handed_out_to_nobody_on_azure() {
    for (left, is_kept) in [(40, true), (39, false)] {
        for shelf in on_azure(left) {
            let issued = shelf.failing(TransportFailureKind::NotSent).ask(Ask::Usable);
            assert_eq!(issued.is_ok(), is_kept, "{left} s");
        }
        let elsewhere = Shelf::with(left).failing(TransportFailureKind::NotSent).ask(Ask::Usable);
        assert!(elsewhere.is_ok());
    }
}
