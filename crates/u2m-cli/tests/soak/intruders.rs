//! Another program that stores a newer login, or removes this one, in the middle of a refresh. What it did stays done.

use crate::chance::Rounds;
use crate::common::{Running, eventually, in_an_hour, ran};
use crate::desk::Desk;
use crate::processes::workers;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use u2m_testkit::{Endpoint, Fault, IssuedTokens, Times};

/// The stores that other programs write too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    Keyring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Login,
    Logout,
    /// `u2m login` itself.
    OwnLogin,
    /// `u2m logout` itself.
    OwnLogout,
}

impl Place {
    fn mode(self) -> &'static str {
        match self {
            Self::File => "plaintext",
            Self::Keyring => "secure",
        }
    }

    /// The refresh token that is stored.
    fn stored(self, desk: &Desk) -> Option<String> {
        let entry = match self {
            Self::File => {
                let whole: Value =
                    serde_json::from_slice(&fs::read(desk.world.cache()).ok()?).ok()?;
                whole["tokens"]["dev"].clone()
            }
            Self::Keyring => {
                let item: Value = serde_json::from_str(&desk.service.lookup("dev")).ok()?;
                item["token"].clone()
            }
        };
        entry["refresh_token"].as_str().map(str::to_owned)
    }

    /// As Databricks' own programs do it.
    fn log_in(self, desk: &Desk) -> IssuedTokens {
        if self == Self::Keyring {
            return desk.seed(3600);
        }
        let tokens = desk.world.sign_in();
        change(desk, |entries| {
            entries["dev"] = json!({
                "access_token": tokens.access_token(), "token_type": "Bearer",
                "refresh_token": tokens.refresh_token().unwrap(), "expiry": in_an_hour(),
            });
        });
        tokens
    }

    fn log_out(self, desk: &Desk) {
        match self {
            Self::File => {
                change(desk, |entries| drop(entries.as_object_mut().unwrap().remove("dev")))
            }
            Self::Keyring => {
                let attributes = ["clear", "service", "databricks-cli", "username", "dev"];
                desk.service.secret_tool(&attributes, "");
            }
        }
    }
}

fn change(desk: &Desk, change: impl FnOnce(&mut Value)) {
    let cache = desk.world.cache();
    let mut whole: Value = serde_json::from_slice(&fs::read(&cache).unwrap()).unwrap();
    change(&mut whole["tokens"]);
    let temporary = cache.with_file_name(".token-cache-go.tmp");
    fs::write(&temporary, whole.to_string()).unwrap();
    fs::rename(&temporary, &cache).unwrap();
}

fn run(place: Place, deed: Deed) -> Option<Option<String>> {
    let desk = Desk::new()?.profile();
    let mode = Some(place.mode());
    let old = match place {
        Place::File => desk.world.seed("dev", -5),
        Place::Keyring => desk.seed(-5),
    };
    desk.world.server.reconfigure(u2m_testkit::Settings::with_revocation);
    desk.world.server.inject(
        Endpoint::Token,
        Times::Once,
        Fault::delay(Duration::from_millis(600)),
    );
    let running = Running::start(desk.command("token dev", mode));
    eventually("the refresh is sent", || desk.world.server.counts().refreshes == 1);
    std::thread::sleep(Duration::from_millis(200));
    let newer = match deed {
        Deed::Login => Some(place.log_in(&desk)),
        Deed::Logout => {
            place.log_out(&desk);
            None
        }
        Deed::OwnLogin => {
            let ran = desk.login(mode);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            None
        }
        Deed::OwnLogout => {
            let ran = ran(desk.command("logout --profile dev --auto-approve", mode));
            assert_eq!(ran.code, Some(0), "{ran:?}");
            None
        }
    };
    let said = running.done();
    let start = Instant::now();
    while !workers(desk.world.home()).is_empty() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let stored = place.stored(&desk);
    let is_alive = stored.as_deref().is_some_and(|token| desk.world.server.is_refreshable(token));
    let is_right = match deed {
        Deed::Login => {
            stored.as_deref() == newer.as_ref().and_then(IssuedTokens::refresh_token)
                && said.code == Some(0)
        }
        Deed::OwnLogin => {
            is_alive && said.code == Some(0) && stored.as_deref() != old.refresh_token()
        }
        // What was bought for a login that is gone is given back, too.
        Deed::Logout => {
            stored.is_none() && said.code != Some(0) && !desk.world.server.is_login_alive()
        }
        Deed::OwnLogout => stored.is_none() && !desk.world.server.is_login_alive(),
    };
    let is_right = is_right && desk.world.server.counts().reuse_detections == 0;
    Some((!is_right).then(|| {
        format!(
            "{place:?}, {deed:?}: stored {}, alive {is_alive}, {said:?}, {:?}",
            stored.is_some(),
            desk.world.server.counts()
        )
    }))
}

#[test]
fn what_another_program_does_to_a_login_in_the_middle_of_our_refresh_stays_done() {
    let rounds = Rounds::or(1);
    let deeds = [Deed::Login, Deed::Logout, Deed::OwnLogin, Deed::OwnLogout];
    let mut wrong = Vec::new();
    for place in [Place::File, Place::Keyring] {
        for deed in deeds {
            let Some(outcomes) =
                rounds.run(3, |_, _| run(place, deed)).into_iter().collect::<Option<Vec<_>>>()
            else {
                return;
            };
            wrong.extend(outcomes.into_iter().flatten());
        }
    }
    eprintln!(
        "{} refreshes with another program in their middle: {} wrong",
        rounds.count * 8,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
