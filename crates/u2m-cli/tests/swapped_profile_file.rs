//! A login that another program saved, and a profile file that names another host for it (T20): what the login shows of
//! itself, and what it was first used with, decide where it may go, and the file does not.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Running, World, free_port, now, printed_token, ran};
use std::process::Command;
use u2m::Host;
use u2m::source::Lifetime;
use u2m::text::format_local;
use u2m_testkit::{AccessTokenForm, IssuedTokens, RunningServer, Settings, follow_login};

/// The commands that use a login, each in its own way.
const USES: [&str; 6] = [
    "token dev",
    "token dev --force-refresh",
    "describe dev",
    "exec -p dev -- env",
    "env dev --with-token --format shell",
    "profiles",
];

struct Swap {
    world: World,
    /// The host that a swapped file names.
    other: RunningServer,
}

impl Swap {
    fn new(form: AccessTokenForm) -> Self {
        let world = World::with(Settings::new().with_access_token_form(form));
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        let other = RunningServer::start_with(Settings::new()).unwrap();
        world.write("swapped", &format!("[dev]\nhost = {}\n", other.base_url()));
        Self { world, other }
    }

    /// What another program saves of a login under these names.
    fn save(&self, names: &[&str], tokens: &IssuedTokens, left: i64) {
        let expiry = format_local(now().plus(Lifetime::from_seconds(left)));
        let entry = serde_json::json!({
            "access_token": tokens.access_token(),
            "token_type": "Bearer",
            "refresh_token": tokens.refresh_token().unwrap(),
            "expiry": expiry,
        });
        let entries: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), entry.clone())).collect();
        let text = serde_json::json!({"version": 1, "tokens": entries});
        self.world.write(".databricks/token-cache.json", &text.to_string());
    }

    /// A login of another program under these names.
    fn signed_in(&self, names: &[&str], left: i64) -> IssuedTokens {
        let tokens = self.world.sign_in();
        self.save(names, &tokens, left);
        tokens
    }

    fn swapped(&self, line: &str) -> Command {
        let mut command = self.world.command(line);
        command.env("DATABRICKS_CONFIG_FILE", self.world.path("swapped"));
        command
    }

    /// Every command refuses, says why, and gives no token to the other host or to anybody for it.
    fn assert_refused(&self, tokens: &IssuedTokens, why: &str) {
        for line in USES {
            let ran = ran(self.swapped(line));
            let said = format!("{}{}", ran.stdout, ran.stderr);
            if line == "profiles" {
                assert!(said.contains("NO"), "{said}");
            } else {
                assert_ne!(ran.code, Some(0), "{line}: {said}");
                assert!(said.contains(why), "{line}: '{why}' in {said}");
            }
            for secret in [tokens.access_token(), tokens.refresh_token().unwrap()] {
                assert!(!said.contains(secret), "{line}: {said}");
            }
        }
        let ran = ran(self.swapped("token dev"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("so its token was not used. Sign in"), "{}", ran.stderr);
        for seen in self.other.seen() {
            assert!(seen.header("authorization").is_none(), "{seen:?}");
            assert!(seen.parameter("refresh_token").is_none(), "{seen:?}");
        }
        assert_eq!(self.other.counts().refreshes + self.other.counts().rejected, 0);
    }

    fn assert_works(&self, line: &str) -> Ran {
        let ran = self.world.run(line);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        ran
    }

    fn side(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.world.path(".databricks/token-cache.u2m.json"));
        text.map_or(serde_json::Value::Null, |text| serde_json::from_str(&text).unwrap())
    }
}

#[test]
fn t20_a_token_that_names_its_issuer_is_given_to_no_other_host_from_the_first_use_on() {
    for left in [1800, -5] {
        let swap = Swap::new(AccessTokenForm::Jwt);
        let tokens = swap.signed_in(&["dev"], left);
        swap.assert_refused(&tokens, "its token names that issuer");
        assert!(swap.side()["first_use"].is_null(), "what was refused is no first use");
        let ran = swap.assert_works("token dev");
        assert_eq!(ran.stderr, "", "what shows where it belongs is worth no word");
    }
}

#[test]
fn t20_tokens_that_stand_under_a_hosts_name_too_are_given_to_no_other_host() {
    let swap = Swap::new(AccessTokenForm::Opaque);
    let tokens = swap.signed_in(&["dev", swap.world.url()], 1800);
    swap.assert_refused(&tokens, "its tokens are stored under that name too");
    assert_eq!(swap.assert_works("token dev").stderr, "");
    // Another program renews it under the profile's name alone, and nothing shows any more.
    let tokens = swap.signed_in(&["dev"], -5);
    swap.assert_refused(&tokens, "first used there");
}

#[test]
fn t20_a_login_that_shows_nothing_stays_with_the_host_that_it_was_first_used_with() {
    for left in [1800, -5] {
        let swap = Swap::new(AccessTokenForm::Opaque);
        let tokens = swap.signed_in(&["dev"], left);
        let first = swap.assert_works("describe dev");
        let host = swap.world.url();
        let said = format!("from now on it is for {host} alone, as ");
        assert_eq!(first.stderr.matches(&said).count(), 1, "{}", first.stderr);
        if left < 0 {
            // What u2m has renewed is bound to its host as a login by u2m is.
            assert!(
                swap.side()["sessions"]["dev"].is_object() && swap.side()["first_use"].is_null()
            );
            swap.assert_refused(&tokens, host);
            continue;
        }
        assert_eq!(swap.side()["first_use"]["dev"]["host"], host);
        let before = swap.world.tree();
        for line in ["token dev", "exec -p dev -- true", "describe dev"] {
            assert_eq!(swap.assert_works(line).stderr, "", "it is said once: {line}");
        }
        assert_eq!(swap.world.tree(), before, "and written once");
        swap.assert_refused(&tokens, "first used there, as ");
        // Another program rotates the tokens: the name is tied, and not they.
        let tokens = swap.signed_in(&["dev"], -5);
        swap.assert_refused(&tokens, "first used there, as ");
        let ran = swap.assert_works("token dev");
        assert!(swap.world.server.is_active(&printed_token(&ran.stdout)));
        swap.assert_refused(&tokens, host);
    }
}

#[test]
fn t20_what_replaces_a_login_of_u2m_under_its_name_is_for_the_same_host() {
    let swap = Swap::new(AccessTokenForm::Opaque);
    swap.world.seed("dev", 1800);
    let side = swap.world.read(".databricks/token-cache.u2m.json");
    let tokens = swap.signed_in(&["dev"], 1800);
    swap.assert_refused(&tokens, "signed in to there before");
    assert_eq!(swap.assert_works("token dev").stderr, "");
    assert_eq!(swap.world.read(".databricks/token-cache.u2m.json"), side);
}

#[test]
fn signing_in_anew_is_how_a_person_says_that_another_host_is_right() {
    let swap = Swap::new(AccessTokenForm::Opaque);
    let tokens = swap.signed_in(&["dev"], 1800);
    swap.assert_works("token dev");
    swap.assert_refused(&tokens, "first used there");
    let mut command = swap.swapped("login --profile dev --no-browser");
    command.args(["--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    let signed_in = running.done();
    assert_eq!(signed_in.code, Some(0), "{}", signed_in.stderr);
    let ran = ran(swap.swapped("token dev"));
    assert!(swap.other.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
    assert!(swap.side()["first_use"].is_null());
}

#[test]
fn a_logout_forgets_what_a_login_was_first_used_with() {
    let swap = Swap::new(AccessTokenForm::Opaque);
    swap.signed_in(&["dev"], 1800);
    swap.assert_works("token dev");
    swap.assert_works("logout dev --auto-approve");
    assert!(swap.side()["first_use"].is_null(), "{}", swap.side());
    // What another program saves next may be for another host.
    let tokens = swap.other.sign_in("databricks-cli", "offline_access all-apis");
    swap.save(&["dev"], &tokens, 1800);
    assert_eq!(ran(swap.swapped("token dev")).code, Some(0));
}

#[test]
fn a_login_in_the_name_of_its_host_is_tied_by_that_and_needs_no_record() {
    let swap = Swap::new(AccessTokenForm::Opaque);
    let url = swap.world.url().to_owned();
    swap.signed_in(&[&url], 1800);
    swap.world.write(".databrickscfg", "");
    let before = swap.world.tree();
    assert_eq!(swap.assert_works("token --host {URL}").stderr, "");
    assert_eq!(swap.world.tree(), before);
    assert!(Host::parse(&url).is_ok());
}

#[test]
fn a_home_that_cannot_be_written_gives_the_token_and_says_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let swap = Swap::new(AccessTokenForm::Opaque);
    let tokens = swap.signed_in(&["dev"], 1800);
    let mut command = swap.world.command("token dev");
    if !swap.world.unprivileged(&mut command) {
        return;
    }
    let folder = swap.world.path(".databricks");
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o500)).unwrap();
    let ran = ran(command);
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(printed_token(&ran.stdout), tokens.access_token());
    assert!(swap.side().is_null());
}
