//! A refresh outlives its caller: it runs in a process of its own, which is not killed along.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod common;

use common::{
    Running, World, eventually, printed_token, slow, without_room, workers, world_of_dev as world,
};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use u2m::process::Detached;
use u2m::source::RefreshFailure;
use u2m::store::{CacheKey, EntryLock, FileStore, Session, StoreAddress, StoreError, TokenStore};
use u2m::{Host, PersistentAuth, ProfileName, Target, blocking};

/// How the server of the reference's users behaves at its best, and how long it takes.
const LATENCY: Duration = Duration::from_millis(50);

/// Up to `most`, by chance.
fn some_time(most: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish();
    most.mul_f64((chance % 10_000) as f64 / 10_000.0)
}

/// Ends callers in the middle of forced refreshes, at random moments, and counts the logins that are dead afterwards.
fn end_callers(what: &str, times: usize, end: fn(&Running)) {
    // Each round is mostly a wait for the small process, which looks after its login for some seconds.
    let lanes = 10;
    let share = |_| {
        std::thread::spawn(move || {
            let world = world();
            slow(&world, LATENCY);
            let mut ended = 0;
            for round in 0..times / lanes {
                // A login of an hour ago: a forced refresh has to ask the server.
                world.seed("dev", 5);
                let mut command = world.command("token dev --force-refresh");
                command.process_group(0);
                let sent = world.server.counts().refreshes;
                let running = Running::start(command);
                // At any moment, and every other time at one at which the server is at work, however slow this machine is.
                if round % 2 == 0 {
                    eventually("the refresh is sent", || world.server.counts().refreshes > sent);
                }
                std::thread::sleep(some_time(if round % 2 == 0 { LATENCY } else { LATENCY * 2 }));
                end(&running);
                ended += usize::from(running.end(Duration::from_secs(20)).1.code != Some(0));
                eventually("the login is alive, and the cache can be read", || {
                    let refresh = world.stored("dev").refresh_token.unwrap();
                    world.server.is_refreshable(refresh.expose())
                        && workers(world.home()).is_empty()
                });
            }
            let counts = world.server.counts();
            assert_eq!((counts.rejected, counts.reuse_detections), (0, 0), "{counts:?}");
            let ran = world.run("token dev --force-refresh");
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            (ended, counts.refreshes)
        })
    };
    let lanes: Vec<_> = (0..lanes).map(share).collect();
    let (mut ended, mut refreshes) = (0, 0);
    for lane in lanes {
        let (more, sent) = lane.join().unwrap();
        (ended, refreshes) = (ended + more, refreshes + sent);
    }
    eprintln!(
        "{times} forced refreshes, {ended} ended by {what} before their result, {refreshes} requests, 0 logins dead"
    );
    assert!(ended > times / 10 && refreshes > 20, "the moments were not random");
}

#[test]
fn a_caller_killed_at_any_moment_leaves_a_living_login() {
    end_callers("kill -9", 100, |running| running.signal("KILL"));
}

#[test]
fn an_interrupt_to_the_callers_whole_group_leaves_a_living_login() {
    end_callers("SIGINT to the group", 100, |running| {
        let group = format!("-{}", running.child.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    });
}

/// Reads `/proc/<id>/stat` from the field after the name: state, parent, group, session, terminal.
fn stat(process: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(process.join("stat")).unwrap();
    let rest = text.rsplit_once(") ").unwrap().1;
    rest.split(' ').map(str::to_owned).collect()
}

#[test]
fn t16_it_has_a_session_of_its_own_and_no_secret_in_its_arguments_or_environment() {
    let world = world();
    let tokens = world.seed("dev", 1800);
    slow(&world, Duration::from_secs(1));
    let running = Running::start(world.command("token dev --force-refresh"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let found = workers(world.home());
    let [process] = found.as_slice() else { panic!("{found:?}") };
    let (worker, caller) =
        (stat(process), stat(&PathBuf::from(format!("/proc/{}", running.child.id()))));
    let id = process.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!((&worker[2], &worker[3], worker[4].as_str()), (&id, &id, "0"), "leads its session");
    assert_ne!(worker[3], caller[3]);
    for name in ["cmdline", "environ"] {
        let text = String::from_utf8_lossy(&fs::read(process.join(name)).unwrap()).into_owned();
        for secret in [tokens.access_token(), tokens.refresh_token().unwrap()] {
            assert!(!text.contains(secret), "{name}");
        }
    }
    let ran = running.done();
    assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
    eventually("it is gone", || !process.exists());
}

#[test]
fn dual_1_a_login_that_is_copied_for_its_host_outlives_its_caller_with_its_copy() {
    let world = World::new();
    let profile = format!("[dev]\nhost = {}\nmirror_host_key = true\n", world.url());
    world.write(".databrickscfg", &profile);
    world.seed("dev", 1800);
    slow(&world, Duration::from_secs(1));
    let running = Running::start(world.command("token dev --force-refresh"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    assert_eq!(workers(world.home()).len(), 1, "it is a process of its own");
    running.signal("KILL");
    running.end(Duration::from_secs(20));
    eventually("it has saved", || workers(world.home()).is_empty());
    world.assert_alive("dev");
    world.assert_alive(world.url());
}

#[test]
fn its_signals_end_nothing_before_the_login_is_saved() {
    let world = world();
    let old = world.seed("dev", -5);
    slow(&world, Duration::from_secs(1));
    let running = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    for process in workers(world.home()) {
        for signal in ["-HUP", "-INT", "-TERM", "-QUIT", "-USR1", "-USR2", "-ALRM", "-IO"] {
            let id = process.file_name().unwrap();
            assert!(Command::new("kill").arg(signal).arg(id).status().unwrap().success());
        }
    }
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_ne!(world.stored("dev").access_token.expose(), old.access_token());
    world.assert_alive("dev");
}

#[test]
fn a_caller_of_one_that_is_killed_is_told_to_try_again() {
    let world = world();
    world.seed("dev", -5);
    slow(&world, Duration::from_secs(2));
    let running = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    for process in workers(world.home()) {
        let id = process.file_name().unwrap();
        assert!(Command::new("kill").arg("-KILL").arg(id).status().unwrap().success());
    }
    let ran = running.done();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("did not finish"), "{}", ran.stderr);
    assert!(ran.stderr.contains("It is not known whether the server"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("login is kept"), "{}", ran.stderr);
}

#[test]
fn a_fresh_token_starts_none() {
    let world = world();
    world.seed("dev", 1800);
    let strace = Command::new("strace")
        .args(["-f", "-e", "trace=execve,clone,clone3,fork,vfork", "-o"])
        .arg(world.path("trace"))
        .arg(common::U2M)
        .args(["token", "dev"])
        .env_clear()
        .envs([("HOME", world.home().to_str().unwrap()), ("DATABRICKS_AUTH_STORAGE", "plaintext")])
        .output();
    let Ok(output) = strace else {
        eprintln!("skipped: there is no strace here");
        return;
    };
    assert!(output.status.success());
    assert_eq!(world.read("trace").matches("execve(").count(), 1, "{}", world.read("trace"));
    for call in ["clone(", "clone3(", "fork("] {
        assert!(!world.read("trace").contains(call), "{}", world.read("trace"));
    }
}

/// The login `dev`, in a program of its own that has its refreshes carried out by `program`.
fn auth(
    world: &World,
    program: impl Into<PathBuf>,
    store: impl TokenStore + 'static,
) -> blocking::PersistentAuth {
    let target = Target::workspace(Host::parse(world.url()).unwrap());
    let target = target.with_profile(ProfileName::parse("dev").unwrap());
    let builder = PersistentAuth::builder(target).with_store(store);
    builder.with_detached_refresh(Detached::program(program)).build().unwrap().blocking()
}

/// A store whose locks stay, or whose saves fail, in this process alone.
#[derive(Clone, Debug)]
struct Odd {
    store: FileStore,
    are_locks_given: bool,
    is_full: Arc<AtomicBool>,
}

struct OddLock {
    of: Odd,
    lock: Box<dyn EntryLock>,
}

impl Odd {
    fn new(world: &World) -> Self {
        Self { store: world.store(), are_locks_given: true, is_full: Arc::default() }
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.is_full.load(Ordering::Relaxed) {
            true => Err(StoreError::NoHome),
            false => Ok(()),
        }
    }

    fn odd(&self, lock: Box<dyn EntryLock>) -> Box<dyn EntryLock> {
        Box::new(OddLock { of: self.clone(), lock })
    }
}

impl TokenStore for Odd {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.store.load(key)
    }
    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.check().and_then(|()| self.store.save(key, session))
    }
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.delete(key)
    }
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.store.keys()
    }
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        Ok(self.store.lock(key, patience)?.map(|lock| self.odd(lock)))
    }
    fn adopt(&self, key: &CacheKey, file: fs::File) -> Result<Box<dyn EntryLock>, StoreError> {
        self.store.adopt(key, file).map(|lock| self.odd(lock))
    }
    fn address(&self) -> Option<StoreAddress> {
        self.store.address()
    }
}

impl EntryLock for OddLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.refresh_failure()
    }
    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.note(refresh_failure)
    }
    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.lock.prove_writable()
    }
    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        self.of.check().and_then(|()| self.lock.save(session))
    }
    fn hand_over(self: Box<Self>) -> Option<fs::File> {
        let (lock, are_given) = (self.lock, self.of.are_locks_given);
        are_given.then(|| lock.hand_over()).flatten()
    }
}

#[test]
fn its_name_is_an_ordinary_word_to_everybody_else() {
    let world = world();
    for line in ["token __u2m-refresh", "__u2m-refresh", "token --profile __u2m-refresh"] {
        let mut command = world.command(line);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        let open = running.child.stdin.take();
        let ran = running.end(Duration::from_secs(20)).1;
        assert!(ran.code == Some(2) || ran.code == Some(5), "{line}: {ran:?}");
        assert!(ran.stderr.contains("__u2m-refresh"), "{line}: {}", ran.stderr);
        drop(open);
    }
}

#[test]
fn one_that_is_never_told_what_to_do_ends_by_itself() {
    let world = world();
    let mut command = world.command("__u2m-refresh");
    command.env("U2M_DETACHED_REFRESH", "1").stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut pipe = running.child.stdin.take().unwrap();
    std::io::Write::write_all(&mut pipe, b"{\"version\":1").unwrap();
    let ran = running.end(Duration::from_secs(40)).1;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    drop(pipe);
}

#[test]
fn a_pipe_that_somebody_else_holds_open_keeps_it_from_nothing() {
    let world = world();
    world.seed("dev", -5);
    let script = format!(
        "#!/bin/sh\nexec 3<&0\nmkfifo {fifo}\n{{ head -n 1 <&3; exec sleep 60; }} >{fifo} 2>/dev/null &\n\
         exec {program} \"$@\" <{fifo} 3<&-\n",
        fifo = world.path("fifo").display(),
        program = common::U2M
    );
    let program = world.script("held-open", &script);
    let start = Instant::now();
    let token = auth(&world, program, world.store()).token().unwrap();
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(world.server.is_active(token.access_token().expose()));
    world.assert_alive("dev");
}

#[test]
fn a_program_that_is_no_such_process_leaves_the_refresh_to_the_caller() {
    for program in ["/bin/true", "/bin/false", "/bin/echo", "/nonexistent/program"] {
        let world = world();
        world.seed("dev", -5);
        let token = auth(&world, program, world.store()).token();
        let token = token.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(world.server.is_active(token.access_token().expose()), "{program}");
        world.assert_alive("dev");
        assert_eq!(world.server.counts().refreshes, 1, "{program}");
    }
}

#[test]
fn where_locks_cannot_be_handed_over_and_none_can_be_started_the_caller_takes_the_lock_anew() {
    let world = world();
    world.seed("dev", -5);
    let store = Odd { are_locks_given: false, ..Odd::new(&world) };
    auth(&world, "/nonexistent/program", store.clone()).token().unwrap();
    world.assert_alive("dev");
    // One that can be started takes it itself.
    auth(&world, common::U2M, store).force_refresh().unwrap();
    world.assert_alive("dev");
}

#[test]
fn what_it_has_to_say_is_said_by_its_caller_once() {
    let world = world();
    world.seed("dev", -5);
    let side = world.path(".databricks/token-cache.u2m.json");
    fs::remove_file(&side).unwrap();
    fs::create_dir(&side).unwrap();
    let ran = world.run("token dev");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("belongs to could not be noted").count(), 1, "{}", ran.stderr);
}

#[test]
fn refr_4_what_it_could_not_save_is_saved_by_its_caller_later() {
    let world = world();
    world.seed("dev", -5);
    let auth = auth(&world, common::U2M, world.store());
    let ended = AtomicBool::new(false);
    let caller = || {
        let token = auth.token();
        ended.store(true, Ordering::Relaxed);
        token
    };
    let token = without_room(&world, caller, || {
        // For as long as the small process tries.
        while !ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let token = token.unwrap();
    assert!(world.server.is_active(token.access_token().expose()));
    let notices = auth.asynchronous().take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].text.contains("could not be saved"), "{notices:?}");
    let (cache, aside) = (world.cache(), world.path("aside"));
    if aside.exists() {
        fs::remove_dir(&cache).unwrap();
        fs::rename(&aside, &cache).unwrap();
    }
    // Whatever is called next saves it.
    assert!(auth.close(Duration::from_secs(10)));
    world.assert_alive("dev");
    assert_eq!(world.stored("dev").access_token.expose(), token.access_token().expose());
    assert!(world.stored("dev").binding.is_some());
}

#[test]
fn the_callers_own_input_is_not_handed_on_to_it() {
    let world = world();
    world.seed("dev", -5);
    slow(&world, Duration::from_secs(1));
    let mut command = world.command("token dev");
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut input = running.child.stdin.take().unwrap();
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let caller = format!("/proc/{}/fd/0", running.child.id());
    let Ok(caller) = fs::read_link(caller) else {
        return eprintln!("skipped: only root may look at another process's files");
    };
    for worker in workers(world.home()) {
        let fds = fs::read_dir(worker.join("fd")).unwrap().flatten();
        let shared = fds.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == caller)).count();
        assert_eq!(shared, 0, "it would read, or keep open, what is meant for somebody else");
    }
    let _ = std::io::Write::write_all(&mut input, b"for somebody else\n");
    assert_eq!(running.done().code, Some(0));
}

#[test]
fn a_login_that_is_still_to_be_saved_is_renewed_by_the_process_that_has_it() {
    let world = world();
    world.seed("dev", -5);
    let store = Odd::new(&world);
    let program = world.path("u2m");
    let auth = auth(&world, &program, store.clone());
    store.is_full.store(true, Ordering::Relaxed);
    auth.token().unwrap();
    std::os::unix::fs::symlink(common::U2M, &program).unwrap();
    auth.force_refresh().unwrap();
    let counts = world.server.counts();
    assert_eq!((counts.rejected, counts.reuse_detections), (0, 0), "{counts:?}");
    store.is_full.store(false, Ordering::Relaxed);
    assert!(auth.close(Duration::from_secs(10)));
    world.assert_alive("dev");
}

#[test]
fn its_deadline_does_not_come_between_a_request_and_its_save() {
    let world = world();
    world.seed("dev", -5);
    slow(&world, Duration::from_millis(300));
    let running = Running::start(world.command("token dev"));
    eventually("the refresh is sent", || world.server.counts().refreshes == 1);
    let lock = world.path(".databricks/token-cache.lock");
    let mut writer = match Command::new("flock").arg(lock).args(["sleep", "16"]).spawn() {
        Ok(writer) => writer,
        Err(error) => return eprintln!("skipped: there is no flock here ({error})"),
    };
    let ran = running.end(Duration::from_secs(50)).1;
    writer.wait().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    world.assert_alive("dev");
}
