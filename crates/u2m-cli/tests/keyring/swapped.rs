//! A login that Databricks' CLI keeps in the keyring, and a profile file that names another host for it (T20).

use crate::common::ran;
use crate::desk::Desk;
use u2m_testkit::{AccessTokenForm, RunningServer};

#[test]
fn t20_an_item_of_another_program_stays_with_the_host_that_it_was_first_used_with() {
    let Some(desk) = Desk::new().map(Desk::profile) else { return };
    let form =
        |settings: u2m_testkit::Settings| settings.with_access_token_form(AccessTokenForm::Opaque);
    desk.world.server.reconfigure(form);
    desk.seed(1800);
    let other = RunningServer::start().unwrap();
    desk.world.write("swapped", &format!("[dev]\nhost = {}\n", other.base_url()));
    let first = desk.run("token dev", None);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stderr.contains("from now on it is for "), "{}", first.stderr);
    assert_eq!(desk.run("token dev", None).stderr, "", "it is said once");
    // The other program rotates the tokens, and the next are as good as expired.
    desk.seed(-5);
    for line in
        ["token dev", "describe dev", "exec -p dev -- env", "env dev --with-token --format shell"]
    {
        let mut command = desk.command(line, None);
        command.env("DATABRICKS_CONFIG_FILE", desk.world.path("swapped"));
        let ran = ran(command);
        assert_ne!(ran.code, Some(0), "{line}: {}", ran.stdout);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("first used there, as "), "{line}: {said}");
    }
    let sent = |seen: &u2m_testkit::Seen| {
        seen.header("authorization").is_some() || seen.parameter("refresh_token").is_some()
    };
    assert!(!other.seen().iter().any(sent));
    assert_eq!(desk.run("token dev", None).code, Some(0));
}
