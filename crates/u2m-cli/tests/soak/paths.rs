//! One refresh token reached by two paths: under two names, through links, mounts and copies. It is spent once.

use crate::chance::Rounds;
use crate::common::{Ran, Running, World};
use crate::processes::{quiet, workers};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use u2m::store::{CacheKey, FileStore, Mirror, TokenStore};
use u2m_testkit::{Endpoint, Fault, Times};

/// A second way to the same login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The folder, mounted at another place in a namespace of its own.
    BindMount,
    Copy,
    FileLink,
    FolderLink,
    HardLink,
    /// The entry under the host's key, in one file with the profile's.
    HostKey,
    /// The same, kept alike by `mirror_host_key`.
    Mirror,
    /// The same file, named by a variable in another home.
    Named,
    OtherProfile,
}

const WAYS: [Way; 9] = [
    Way::BindMount,
    Way::Copy,
    Way::FileLink,
    Way::FolderLink,
    Way::HardLink,
    Way::HostKey,
    Way::Mirror,
    Way::Named,
    Way::OtherProfile,
];

impl Way {
    /// Whether the second path goes on seeing the file that the first one saves.
    fn sees_the_new_token(self) -> bool {
        !matches!(self, Self::Copy | Self::HardLink)
    }
}

fn private(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
}

/// Prepares a world, and the second command.
fn second(world: &World, way: Way) -> Option<Command> {
    let other = world.path("other-home");
    let (folder, cache) = (other.join(".databricks"), world.cache());
    private(&other);
    fs::copy(world.config(), other.join(".databrickscfg")).unwrap();
    let mut command = world.command("token dev");
    match way {
        Way::BindMount => {
            private(&folder);
            if !Command::new("unshare")
                .args(["-m", "true"])
                .status()
                .is_ok_and(|done| done.success())
            {
                return None;
            }
            let script = format!(
                "mount --bind '{}' '{}' && exec '{}' token dev",
                cache.parent()?.display(),
                folder.display(),
                crate::common::U2M
            );
            command = Command::new("unshare");
            command.args(["-m", "sh", "-c", &script]);
            world.surround(&mut command);
        }
        Way::Copy => {
            private(&folder);
            fs::copy(&cache, folder.join("token-cache.json")).unwrap();
        }
        Way::FileLink => {
            private(&folder);
            symlink(&cache, folder.join("token-cache.json")).unwrap();
        }
        Way::FolderLink => symlink(cache.parent()?, &folder).unwrap(),
        Way::HardLink => {
            private(&folder);
            fs::hard_link(&cache, folder.join("token-cache.json")).unwrap();
        }
        Way::HostKey | Way::Mirror => {
            fs::write(other.join(".databrickscfg"), "").unwrap();
            command = world.command("token --host {URL}");
        }
        Way::Named => {}
        Way::OtherProfile => command = world.command("token prod"),
    }
    match way {
        Way::OtherProfile => {}
        Way::HostKey | Way::Mirror => {
            command.env("DATABRICKS_CONFIG_FILE", other.join(".databrickscfg"));
        }
        Way::Named => {
            command.env("HOME", &other).env("U2M_TOKEN_CACHE", &cache);
        }
        _ => {
            command.env("HOME", &other);
        }
    }
    Some(command)
}

/// Two callers at once, by the two paths: how many were told that the login went elsewhere, and what was wrong. `None` where
/// this machine has no such path.
fn run(way: Way) -> Option<(usize, Option<String>)> {
    let world = World::new();
    let mirror = if way == Way::Mirror { "mirror_host_key = true\n" } else { "" };
    world.write(
        ".databrickscfg",
        &format!("[dev]\nhost = {url}\n{mirror}[prod]\nhost = {url}\n", url = world.url()),
    );
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(50)));
    let tokens = world.sign_in();
    if way == Way::Mirror {
        let dev = CacheKey::new("dev");
        world.keep("dev", -5, &tokens);
        let session = world.store().load(&dev).unwrap().unwrap();
        let store = world.store().with_mirror(dev.clone(), Mirror::to_host_of_login()).unwrap();
        store.save(&dev, &session).unwrap();
    } else {
        world.keep("dev", -5, &tokens);
    }
    match way {
        Way::HostKey => world.keep(world.url(), -5, &tokens),
        Way::OtherProfile => world.keep("prod", -5, &tokens),
        _ => {}
    }
    let second = second(&world, way)?;
    let callers = [Running::start(world.command("token dev")), Running::start(second)];
    let ran: Vec<Ran> = callers.into_iter().map(Running::done).collect();
    let start = Instant::now();
    while !(workers(world.home()).is_empty() && workers(&world.path("other-home")).is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(60), "{way:?} is never quiet");
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = quiet(&world, Duration::from_secs(60));
    let counts = world.server.counts();
    let caches: Vec<PathBuf> =
        vec![world.cache(), world.path("other-home/.databricks/token-cache.json")];
    let is_alive = caches.iter().filter(|cache| cache.is_file()).any(|cache| {
        let stored = FileStore::at(cache).load(&CacheKey::new("dev")).ok().flatten();
        let refresh = stored.and_then(|session| session.refresh_token);
        refresh.is_some_and(|token| world.server.is_refreshable(token.expose()))
    });
    let is_well = is_alive && (counts.refreshes, counts.rejected) == (1, 0);
    let without: Vec<_> = ran.iter().filter(|ran| ran.code != Some(0)).collect();
    let may_miss = usize::from(!way.sees_the_new_token());
    // Whoever goes without is told where the login went.
    let are_told = without.iter().all(|ran| ran.stderr.contains("token-cache"));
    let told = without.len();
    let wrong = !(is_well && are_told && told <= may_miss);
    Some((told, wrong.then(|| format!("{way:?}: alive {is_alive}, {counts:?}, {ran:#?}"))))
}

#[test]
fn whatever_path_leads_to_a_refresh_token_it_is_spent_once() {
    let rounds = Rounds::or(3);
    let (mut missing, mut told, mut wrong) = (Vec::new(), 0, Vec::new());
    for way in WAYS {
        let outcomes = rounds.run(4, |_, _| run(way));
        if outcomes.iter().any(Option::is_none) {
            missing.push(way);
        }
        let failed = wrong.len();
        for (count, problem) in outcomes.into_iter().flatten() {
            told += count;
            wrong.extend(problem);
        }
        eprintln!("{way:?}: {} rounds, {} wrong", rounds.count, wrong.len() - failed);
    }
    eprintln!("{told} callers were told where the login went; not possible here: {missing:?}");
    assert!(wrong.is_empty(), "{} wrong, the first: {}", wrong.len(), wrong[0]);
}
