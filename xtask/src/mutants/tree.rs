//! A copy of the sources to change lines in, which stays from run to run, so that little has to be built again.

use crate::run::{self, Failure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy, and the folder of what is built of it.
pub(super) struct Tree {
    path: PathBuf,
    built: PathBuf,
}

impl Tree {
    /// The copy for the job of this number in `folder`, as the sources are now: what git knows, or would know.
    pub(super) fn copied(folder: &Path, job: usize) -> Result<Self, Failure> {
        let folder = folder.join(format!("job-{job}"));
        let tree = Self { path: folder.join("tree"), built: folder.join("built") };
        let mut list = Command::new("git");
        list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let list = run::output(list.current_dir(run::root()))?;
        let names: BTreeSet<&str> = list.split('\0').filter(|name| !name.is_empty()).collect();
        mirror(&run::root(), &tree.path, &names)?;
        Ok(tree)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// cargo-mutants on a package of this copy.
    pub(super) fn mutants(&self, tool: &Path, package: &str) -> Command {
        let mut command = Command::new(tool);
        command.args(["mutants", "--no-config", "--package", package]).current_dir(&self.path);
        command.env("CARGO_TARGET_DIR", &self.built);
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "1");
        command
    }
}

/// Makes `to` hold the files `names` of `from`, and no other. A file that is the same already keeps its time, so that cargo
/// does not build it again.
fn mirror(from: &Path, to: &Path, names: &BTreeSet<&str>) -> Result<(), Failure> {
    for name in names {
        let (source, copy) = (from.join(name), to.join(name));
        // It is in git's index, and its deletion is not.
        if !source.is_file() {
            continue;
        }
        let bytes = fs::read(&source)?;
        if fs::read(&copy).is_ok_and(|old| old == bytes) {
            continue;
        }
        fs::create_dir_all(copy.parent().unwrap_or(to))?;
        fs::copy(&source, &copy).map_err(|error| format!("copying {name}: {error}"))?;
    }
    sweep(from, to, to, names)
}

fn sweep(from: &Path, to: &Path, folder: &Path, names: &BTreeSet<&str>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sweep(from, to, &path, names)?;
            continue;
        }
        let name = path.strip_prefix(to)?.to_string_lossy().replace('\\', "/");
        if !names.contains(name.as_str()) || !from.join(&name).is_file() {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn a_copy_is_what_the_sources_are_and_nothing_more() {
        let folder = run::target().join(format!("mirror-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("from/same", "1");
        write("from/src/changed", "new");
        write("from/ignored", "x");
        write("to/same", "1");
        write("to/src/changed", "old");
        write("to/src/gone", "x");
        let long_ago = SystemTime::UNIX_EPOCH;
        fs::File::options()
            .write(true)
            .open(to.join("same"))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        let names = BTreeSet::from(["same", "src/changed", "deleted"]);
        mirror(&from, &to, &names).unwrap();
        assert_eq!(fs::read_to_string(to.join("src/changed")).unwrap(), "new");
        assert_eq!(fs::metadata(to.join("same")).unwrap().modified().unwrap(), long_ago);
        assert!(!to.join("src/gone").exists() && !to.join("ignored").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
