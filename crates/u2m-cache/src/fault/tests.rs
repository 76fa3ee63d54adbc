//! Every operation that a change of the store comes to is made to fail in every way, and the process is killed at each:
//! the change is there or an error was returned and the old state is whole, and the next attempt succeeds.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod errors;
mod kills;
mod locks;
mod mounts;
#[cfg(all(feature = "encrypted", feature = "keyring"))]
mod moves;
mod order;
mod power;
mod trips;

use crate::fault;
use crate::{Claim, FileStore, Notice, StoreError, TokenStore};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LockResult, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;
use u2m_core::{
    AccessToken, Binding, CacheKey, Host, HostPin, PinnedBy, RefreshFailure, RefreshFailureKind,
    RefreshToken, Session, Timestamp,
};
use url::Url;

/// What is done to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// The first login of all.
    FirstLogin,
    /// A login beside others.
    NewLogin,
    /// A login in the place of one at another host.
    AnotherHost,
    /// Lock, proof, save.
    Refresh,
    /// The same, of a cache that is a link to another folder.
    RefreshOfLink,
    Delete,
    /// A login into a damaged cache.
    Damaged,
    /// A refresh that failed is remembered.
    Note,
    /// What a logout does after the entry is gone.
    Clear,
    /// The first login of all, into an empty cache that is mounted by itself.
    FirstLoginOfMount,
    /// A refresh, of such a cache.
    RefreshOfMount,
    /// A logout, of such a cache.
    DeleteOfMount,
    /// A login into such a cache that is damaged.
    DamagedMount,
}

const STORIES: [Story; 13] = [
    Story::FirstLogin,
    Story::NewLogin,
    Story::AnotherHost,
    Story::Refresh,
    Story::RefreshOfLink,
    Story::Delete,
    Story::Damaged,
    Story::Note,
    Story::Clear,
    Story::FirstLoginOfMount,
    Story::RefreshOfMount,
    Story::DeleteOfMount,
    Story::DamagedMount,
];

impl Story {
    /// The same of a cache that can be replaced.
    fn plain(self) -> Self {
        match self {
            Self::FirstLoginOfMount => Self::FirstLogin,
            Self::RefreshOfMount => Self::Refresh,
            Self::DeleteOfMount => Self::Delete,
            Self::DamagedMount => Self::Damaged,
            plain => plain,
        }
    }

    fn is_of_mount(self) -> bool {
        self.plain() != self
    }
}

/// Longer than anything honest takes.
const LONG: Duration = Duration::from_secs(60);

/// Who starts processes has it alone: a process that is being started holds, for a moment, all files that are open here, and
/// the locks on them.
static STAGE: Stage = Stage(RwLock::new(()));

struct Stage(RwLock<()>);

impl Stage {
    /// Alone.
    fn lock(&self) -> LockResult<RwLockWriteGuard<'_, ()>> {
        self.0.write()
    }

    /// Beside others that start no processes.
    fn share(&self) -> LockResult<RwLockReadGuard<'_, ()>> {
        self.0.read()
    }
}

/// The logins that are looked at.
const NAMES: [&str; 4] = ["dev", "new", "other", "plain"];

fn key(name: &str) -> CacheKey {
    CacheKey::new(name)
}

fn session(name: &str) -> Session {
    Session::new(AccessToken::new(format!("at-{name}")))
        .with_refresh_token(RefreshToken::new(format!("rt-{name}")))
        .with_expiry(Timestamp::from_unix(4_070_908_800))
}

/// A login at an issuer that a person named, of which the record is waited for, too.
fn bound(name: &str, host: &str) -> Session {
    let login = at_databricks(name, host);
    let binding = login.binding.clone().unwrap().with_issuer_named(true);
    login.with_binding(binding)
}

fn at_databricks(name: &str, host: &str) -> Session {
    let endpoint = Url::parse(&format!("{host}/oidc/v1/token")).unwrap();
    let host = Host::parse(host).unwrap();
    session(name)
        .with_binding(Binding::new(format!("{host}/oidc"), endpoint, "databricks-cli", host))
        .with_issued_at(Timestamp::from_unix(7))
}

fn refresh_failure(of: &str) -> RefreshFailure {
    let kind = RefreshFailureKind::transient(&format!("no answer to {of}"));
    RefreshFailure::new(session(of).fingerprint(), Timestamp::from_unix(7), kind)
}

/// What can be seen of a store: each login, and whether the file can be read at all.
type View = Vec<Result<Option<Session>, ()>>;

/// A folder with a cache in it, and the user's runtime folder.
struct Scene {
    story: Story,
    folder: TempDir,
    runtime: TempDir,
    before: View,
    bytes: Option<Vec<u8>>,
}

/// How far an act came.
#[derive(Debug, PartialEq, Eq)]
enum RecordedFailure {
    Early(String),
    AtProof(String),
    AtSave(String),
}

fn temporary() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What a story finds, made once and kept in memory: putting it into a new folder takes a tenth of the time.
struct Template {
    /// In the order in which they are made, with paths below the folder.
    things: Vec<(PathBuf, Thing)>,
    before: View,
    bytes: Option<Vec<u8>>,
}

enum Thing {
    Folder(fs::Permissions),
    File(fs::Permissions, Vec<u8>),
    /// To another thing.
    Link(PathBuf),
}

impl Template {
    /// The one of a story.
    fn of(story: Story) -> &'static Self {
        static ALL: [OnceLock<Template>; STORIES.len()] =
            [const { OnceLock::new() }; STORIES.len()];
        let at = STORIES.iter().position(|known| *known == story).unwrap();
        ALL[at].get_or_init(|| Self::new(story))
    }

    fn new(story: Story) -> Self {
        let folder = temporary();
        let file = folder.path().join("home/token-cache.json");
        let store = FileStore::at(&file);
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        if story == Story::RefreshOfLink {
            fs::create_dir(file.parent().unwrap()).unwrap();
            symlink(real.join("cache.json"), &file).unwrap();
        }
        if story.plain() != Story::FirstLogin {
            store.save(&key("dev"), &bound("dev", "https://a.example")).unwrap();
            store.save(&key("other"), &bound("other", "https://a.example")).unwrap();
            store.save(&key("plain"), &session("plain")).unwrap();
            // Some of what happens only now and then.
            private(&file.with_file_name(".token-cache-u2m-7.tmp"), "left by the dead");
            let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
            lock.note(&refresh_failure("dev")).unwrap();
        }
        if story == Story::FirstLoginOfMount {
            fs::create_dir(file.parent().unwrap()).unwrap();
            private(&file, "");
        }
        if story.plain() == Story::Damaged {
            fs::write(&file, fs::read_to_string(&file).unwrap() + "}").unwrap();
        }
        if story == Story::Clear {
            for at in 0..2 {
                private(&file.with_file_name(format!("token-cache.json.corrupt-{at}")), "rt-dev");
            }
        }
        if story.is_of_mount() {
            fs::write(file.with_extension(fault::MOUNT), "").unwrap();
        }
        let bytes = fs::read(&file).ok();
        let before = view(&store);
        let mut things = Vec::new();
        gather(folder.path(), folder.path(), &mut things);
        Self { things, before, bytes }
    }
}

/// Reads what is below a folder of a template.
fn gather(top: &Path, folder: &Path, things: &mut Vec<(PathBuf, Thing)>) {
    let below = |path: &Path| path.strip_prefix(top).unwrap().to_owned();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_symlink() {
            things.push((below(&path), Thing::Link(below(&fs::read_link(&path).unwrap()))));
        } else if meta.is_dir() {
            things.push((below(&path), Thing::Folder(meta.permissions())));
            gather(top, &path, things);
        } else {
            let bytes = fs::read(&path).unwrap();
            things.push((below(&path), Thing::File(meta.permissions(), bytes)));
        }
    }
}

impl Thing {
    fn put(&self, top: &Path, path: &Path) {
        match self {
            Self::Folder(mode) => {
                fs::create_dir(path).unwrap();
                fs::set_permissions(path, mode.clone()).unwrap();
            }
            Self::File(mode, bytes) => {
                fs::write(path, bytes).unwrap();
                // Written long ago: what is damaged is not being written.
                fs::File::options()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_modified(UNIX_EPOCH)
                    .unwrap();
                fs::set_permissions(path, mode.clone()).unwrap();
            }
            Self::Link(to) => symlink(top.join(to), path).unwrap(),
        }
    }
}

impl Scene {
    fn new(story: Story) -> Self {
        let Template { things, before, bytes } = Template::of(story);
        let (folder, runtime) = (temporary(), temporary());
        things.iter().for_each(|(path, thing)| thing.put(folder.path(), &folder.path().join(path)));
        Self { story, folder, runtime, before: before.clone(), bytes: bytes.clone() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("home/token-cache.json")
    }

    /// Each login as it has to be afterwards.
    fn after(&self) -> View {
        let a = "https://a.example";
        let story = self.story.plain();
        let old = |name: &str| (story != Story::FirstLogin).then(|| name.to_owned());
        let dev = match story {
            Story::FirstLogin | Story::NewLogin | Story::Damaged => {
                old("dev").map(|n| bound(&n, a))
            }
            Story::AnotherHost => Some(bound("next", "https://b.example")),
            Story::Refresh | Story::RefreshOfLink => Some(bound("next", a)),
            Story::Delete => None,
            Story::Note | Story::Clear => Some(bound("dev", a)),
            Story::FirstLoginOfMount
            | Story::RefreshOfMount
            | Story::DeleteOfMount
            | Story::DamagedMount => unreachable!("it is of no mount"),
        };
        let new = is_new(self.story).then(|| bound("new", a));
        let (other, plain) =
            (old("other").map(|n| bound(&n, a)), old("plain").map(|n| session(&n)));
        vec![Ok(dev), Ok(new), Ok(other), Ok(plain)]
    }

    /// What is there is as before or as after, as `outcome` says; `None` is a process that was killed.
    fn check(&self, outcome: Option<&Result<(), RecordedFailure>>, notices: &[Notice], told: &str) {
        let now = view(&FileStore::at(self.file()));
        let mut after = self.after();
        let is_after = now == after || {
            // It is told that the endpoints of the new login could not be noted; the login itself is there.
            if notices.iter().any(|notice| notice.text.contains("could not be noted")) {
                let saved = if is_new(self.story) { 1 } else { 0 };
                if let Ok(Some(session)) = &mut after[saved] {
                    (session.binding, session.issued_at) = (None, None);
                    // To whoever reads it, it may be another program's: its name keeps it with the host of the login before.
                    let before = (!is_new(self.story)).then(|| Host::parse("https://a.example"));
                    let tie = |host| HostPin::new(host, PinnedBy::EarlierLogin);
                    session.ties = before.into_iter().flatten().map(tie).collect();
                }
            }
            now == after
        };
        let is_before = now == self.before && fs::read(self.file()).ok() == self.bytes;
        match outcome {
            Some(Ok(())) => assert!(is_after, "{told}: reported as done, found {now:?}"),
            Some(Err(error)) => assert!(is_before, "{told}: {error:?}, and found {now:?}"),
            None => assert!(is_after || is_before, "{told}: killed, found {now:?}"),
        }
        if self.story == Story::RefreshOfLink {
            assert!(fs::symlink_metadata(self.file()).unwrap().is_symlink(), "{told}: the link");
        }
        if self.story == Story::Note {
            let found = remembered(&FileStore::at(self.file()));
            let known = [None, Some(refresh_failure("dev")), Some(refresh_failure("next"))];
            assert!(known.contains(&found), "{told}: {found:?}");
            assert!(outcome != Some(&Ok(())) || found == Some(refresh_failure("next")), "{told}");
        }
    }

    /// Without a fault it is done, and nothing is left behind.
    fn check_next(&self, told: &str) {
        let store = FileStore::at(self.file());
        let runtime = Some(self.runtime.path().into());
        let (done, _) = fault::under(None, runtime, || act(self.story, &store));
        done.unwrap_or_else(|error| panic!("{told}: the next time {error:?}"));
        assert_eq!(view(&store), self.after(), "{told}: the next time");
        // A write of any login cleans up.
        store.save(&key("plain"), &session("plain")).unwrap();
        let left = leftovers(self.folder.path());
        assert!(left.is_empty(), "{told}: {left:?}");
    }
}

/// Whether the story adds a login.
fn is_new(story: Story) -> bool {
    matches!(story.plain(), Story::FirstLogin | Story::NewLogin | Story::Damaged)
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn view(store: &FileStore) -> View {
    NAMES.iter().map(|name| store.load(&key(name)).map_err(drop)).collect()
}

fn remembered(store: &FileStore) -> Option<RefreshFailure> {
    store.lock(&key("dev"), LONG).unwrap().unwrap().refresh_failure()
}

/// The temporary files below a folder.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            left.extend(leftovers(&entry.path()));
        } else if entry.file_name().to_string_lossy().ends_with(".tmp") {
            left.push(entry.path());
        }
    }
    left
}

fn act(story: Story, store: &FileStore) -> Result<(), RecordedFailure> {
    let early = |error: StoreError| RecordedFailure::Early(error.to_string());
    let a = "https://a.example";
    match story.plain() {
        Story::FirstLogin | Story::NewLogin | Story::Damaged => {
            store.save(&key("new"), &bound("new", a)).map_err(early)
        }
        Story::AnotherHost => {
            store.save(&key("dev"), &bound("next", "https://b.example")).map_err(early)
        }
        Story::Refresh | Story::RefreshOfLink => {
            let lock = store.lock(&key("dev"), LONG).map_err(early)?;
            let mut lock = lock.ok_or_else(|| RecordedFailure::Early("it is taken".into()))?;
            let _ = lock.refresh_failure();
            let of = session("dev").fingerprint();
            match lock.claim(&of, Duration::ZERO).map_err(early)? {
                // It was renewed already where it is waited for, and is saved again.
                Claim::Taken | Claim::Waited => {}
                other => return Err(RecordedFailure::Early(format!("{other:?}"))),
            }
            lock.prove_writable().map_err(|error| RecordedFailure::AtProof(error.to_string()))?;
            lock.save(&bound("next", a)).map_err(|error| RecordedFailure::AtSave(error.to_string()))
        }
        Story::Delete => store.delete(&key("dev")).map_err(early),
        Story::Note => {
            let lock = store.lock(&key("dev"), LONG).map_err(early)?;
            let mut lock = lock.ok_or_else(|| RecordedFailure::Early("it is taken".into()))?;
            lock.note(&refresh_failure("next")).map_err(early)
        }
        Story::Clear => store.clear_leftovers(&key("dev")).map(drop).map_err(early),
        Story::FirstLoginOfMount
        | Story::RefreshOfMount
        | Story::DeleteOfMount
        | Story::DamagedMount => unreachable!("it is of no mount"),
    }
}

/// Does `work` for each of `all`, as many at a time as there are processors.
fn side_by_side<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || all.get(next.fetch_add(1, Ordering::Relaxed));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let worker = || scope.spawn(|| std::iter::from_fn(take).map(&work).collect::<Vec<R>>());
        let workers: Vec<_> = (0..threads).map(|_| worker()).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}
