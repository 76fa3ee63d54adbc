//! The cache file for host metadata: read on demand, replaced as a whole, and safe to lose.

use crate::clock::now;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use u2m_core::{Fingerprint, Host, HostMetadata};

/// How long an answer stays valid, in seconds; the next constant is for no answer.
const GOOD: i64 = 3600;
const SILENT: i64 = 60;

/// Room for hundreds of hosts. A larger file was not written by this code.
const LIMIT: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct DirectoryFile {
    path: PathBuf,
    /// Whether its folder is for caches only and is created if it is missing.
    makes_folder: bool,
    /// Makes the writers of this process take turns, so that none overwrites what another has just stored.
    turn: Mutex<()>,
}

/// What hosts have answered, by host name, and which ones have not, by [`silence`].
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct KeptAnswers {
    hosts: BTreeMap<String, KeptAnswer>,
}

#[derive(Deserialize, Serialize)]
struct KeptAnswer {
    /// When it was asked, in Unix seconds.
    asked_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<HostMetadata>,
}

impl KeptAnswer {
    /// An entry from the future was written with another clock, so its age is unknown.
    fn is_good(&self) -> bool {
        let limit = if self.metadata.is_some() { GOOD } else { SILENT };
        (0..limit).contains(&now().unix().saturating_sub(self.asked_at))
    }
}

impl DirectoryFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, makes_folder: false, turn: Mutex::default() }
    }

    /// A file in a folder for caches.
    pub(super) fn in_cache(folder: &Path, name: &str) -> Self {
        Self { makes_folder: true, ..Self::at(folder.join(name)) }
    }

    /// Returns what is stored about `host`: its metadata, or that it gave none over this route. `None` if nothing valid is
    /// stored.
    pub(super) fn get(&self, host: &Host, way: &Fingerprint) -> Option<Option<HostMetadata>> {
        let mut kept = read(&self.path)?;
        kept.hosts.retain(|_, entry| entry.is_good());
        let said = kept.hosts.remove(host.as_str()).and_then(|entry| entry.metadata);
        match said {
            Some(said) => Some(Some(said)),
            None => kept.hosts.contains_key(&silence(host, way)).then_some(None),
        }
    }

    /// Stores what `host` answered, if possible. No answer never replaces an answer.
    pub(super) fn put(&self, host: &Host, way: &Fingerprint, said: Option<&HostMetadata>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = read(&self.path).unwrap_or_default();
        kept.hosts.retain(|_, entry| entry.is_good());
        let entry = KeptAnswer { asked_at: now().unix(), metadata: said.cloned() };
        let name = said.map_or_else(|| silence(host, way), |_| host.as_str().to_owned());
        kept.hosts.insert(name, entry);
        // If it cannot be stored, it is asked again next time.
        if self.makes_folder {
            let _ = make_folder(self.path.parent().unwrap_or(Path::new(".")));
        }
        let _ = write(&self.path, &kept);
    }
}

/// The key for "no answer over this route". It contains a blank, which no host name does.
fn silence(host: &Host, way: &Fingerprint) -> String {
    format!("{host} {}", way.as_str())
}

/// Reads only a regular file of a reasonable size. A damaged file counts as missing.
fn read(path: &Path) -> Option<KeptAnswers> {
    fs::symlink_metadata(path).ok().filter(|meta| meta.is_file())?;
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// A reader sees either the old file or the new one. The content is not worth an fsync.
fn write(path: &Path, kept: &KeptAnswers) -> io::Result<()> {
    let text = serde_json::to_vec(kept).map_err(|_| io::ErrorKind::InvalidData)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // A leftover of an earlier process with the same number.
    let _ = fs::remove_file(&temporary);
    let written = options.open(&temporary).and_then(|mut file| file.write_all(&text));
    let outcome = written.and_then(|()| fs::rename(&temporary, path));
    if outcome.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Host {
        Host::parse(&format!("https://{name}.example")).unwrap()
    }

    fn way(words: &str) -> Fingerprint {
        Fingerprint::of_text(words)
    }

    fn metadata() -> HostMetadata {
        serde_json::from_str(r#"{"host_type": "unified", "cloud": "AWS"}"#).unwrap()
    }

    fn file() -> (tempfile::TempDir, DirectoryFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = DirectoryFile::at(folder.path().join("hosts.json"));
        (folder, file)
    }

    /// Makes every entry older.
    fn age(file: &DirectoryFile, seconds: i64) {
        let mut kept = read(&file.path).unwrap();
        kept.hosts.values_mut().for_each(|entry| entry.asked_at -= seconds);
        write(&file.path, &kept).unwrap();
    }

    #[test]
    fn an_answer_is_good_for_an_hour_and_none_for_a_minute() {
        let (_folder, file) = file();
        assert_eq!(file.get(&host("a"), &way("direct")), None);
        file.put(&host("a"), &way("direct"), Some(&metadata()));
        file.put(&host("b"), &way("direct"), None);
        assert_eq!(file.get(&host("a"), &way("direct")), Some(Some(metadata())));
        assert_eq!(file.get(&host("b"), &way("direct")), Some(None));
        age(&file, 61);
        assert_eq!(
            (file.get(&host("a"), &way("direct")), file.get(&host("b"), &way("direct"))),
            (Some(Some(metadata())), None)
        );
        age(&file, 3600);
        assert_eq!(file.get(&host("a"), &way("direct")), None);
        age(&file, -20_000);
        assert_eq!(file.get(&host("a"), &way("direct")), None, "written by a clock that is ahead");
        file.put(&host("c"), &way("direct"), None);
        assert_eq!(read(&file.path).unwrap().hosts.len(), 1, "what is old is dropped");
    }

    #[test]
    fn silence_is_kept_for_the_way_on_which_it_was_met_and_an_answer_for_all() {
        let (_folder, file) = file();
        let (direct, proxy) = (way("direct"), way("proxy"));
        file.put(&host("a"), &direct, None);
        assert_eq!(file.get(&host("a"), &direct), Some(None));
        assert_eq!(file.get(&host("a"), &proxy), None, "nobody has asked there");
        file.put(&host("a"), &proxy, Some(&metadata()));
        file.put(&host("a"), &direct, None);
        for way in [&direct, &proxy] {
            assert_eq!(file.get(&host("a"), way), Some(Some(metadata())));
        }
        // An entry that does not name its route counts as missing.
        let before =
            format!(r#"{{"hosts": {{"https://b.example": {{"asked_at": {}}}}}}}"#, now().unix());
        fs::write(&file.path, before).unwrap();
        assert_eq!(file.get(&host("b"), &direct), None);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none_and_is_replaced() {
        let (folder, file) = file();
        let ages_ago = r#"{"hosts": {"https://a.example": {"asked_at": -9223372036854775808}}}"#;
        for junk in ["", "{", "[]", r#"{"hosts": 3}"#, "\u{0}", ages_ago] {
            fs::write(&file.path, junk).unwrap();
            assert_eq!(file.get(&host("a"), &way("direct")), None, "{junk}");
            file.put(&host("a"), &way("direct"), Some(&metadata()));
            assert_eq!(file.get(&host("a"), &way("direct")), Some(Some(metadata())), "{junk}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_file_of_more_than_a_mebibyte_is_nobodys() {
        let (_folder, file) = file();
        file.put(&host("a"), &way("direct"), Some(&metadata()));
        let text = fs::read_to_string(&file.path).unwrap();
        let room = usize::try_from(LIMIT).unwrap() - text.len();
        for (more, said) in [(0, Some(Some(metadata()))), (1, None)] {
            fs::write(&file.path, format!("{}{text}", " ".repeat(room + more))).unwrap();
            assert_eq!(file.get(&host("a"), &way("direct")), said, "{more} too many");
        }
    }

    #[cfg(unix)]
    #[test]
    fn it_is_private_and_a_link_in_its_place_is_replaced_and_not_followed() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, file) = file();
        let target = folder.path().join("other");
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, &file.path).unwrap();
        assert_eq!(file.get(&host("a"), &way("direct")), None);
        file.put(&host("a"), &way("direct"), None);
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
        let meta = fs::symlink_metadata(&file.path).unwrap();
        assert!(meta.is_file() && meta.permissions().mode() & 0o777 == 0o600);
    }

    #[test]
    fn a_folder_for_caches_is_made_for_this_user_alone() {
        let (folder, _) = file();
        let caches = folder.path().join("caches/u2m");
        let file = DirectoryFile::in_cache(&caches, "hosts.json");
        file.put(&host("a"), &way("direct"), None);
        assert_eq!(file.get(&host("a"), &way("direct")), Some(None));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&caches).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let (folder, _) = file();
        let file = DirectoryFile::at(folder.path().join("no/hosts.json"));
        file.put(&host("a"), &way("direct"), None);
        assert_eq!(file.get(&host("a"), &way("direct")), None);
    }
}
