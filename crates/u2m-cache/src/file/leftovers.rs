//! What a logout removes besides the entry: copies of damaged caches that may still contain its tokens, and temporary files
//! of writers that died.

use super::FileStoreInner;
use super::document::{parse, push_string};
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use crate::sidecar::disk;
use crate::sidecar::temp_file;
use std::fs;
use std::path::{Path, PathBuf};
use u2m_core::{CacheKey, SecretText};
use zeroize::Zeroizing;

impl FileStoreInner {
    /// Removes the files that may contain tokens of `key`, or of any login. Returns how many.
    pub(super) fn clear_leftovers(&self, key: Option<&CacheKey>) -> Result<usize, StoreError> {
        if !self.beside.folder().is_dir() {
            return Ok(0);
        }
        disk::check_folder(self.beside.folder())?;
        let path = disk::resolve(&self.beside.path)?;
        // If there is nothing to remove, nothing needs to be writable.
        if set_aside(&path)?.is_empty() && !self.has_temporaries() {
            return Ok(0);
        }
        let mut writer = self.beside.writer()?;
        self.finish(&mut writer)?;
        let mut removed = self.sweep();
        for aside in set_aside(&path)? {
            if may_hold(&aside, key)? {
                fault::at(FileOperation::Remove, || fs::remove_file(&aside))
                    .map_err(|error| StoreError::io("remove", &aside, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn has_temporaries(&self) -> bool {
        let target = disk::resolve(&self.beside.path).unwrap_or_else(|_| self.beside.path.clone());
        let there = target.parent().unwrap_or(Path::new("."));
        [self.beside.folder(), there].iter().any(|at| temp_file::has_any(at, &self.beside.prefix()))
    }

    /// Removes what killed writers left next to the cache and next to the file that it may link to. Returns how many files.
    /// The caller holds the writers' lock.
    pub(super) fn sweep(&self) -> usize {
        let target = disk::resolve(&self.beside.path).unwrap_or_else(|_| self.beside.path.clone());
        let there = target.parent().unwrap_or(Path::new("."));
        let mut removed = temp_file::sweep(self.beside.folder(), &self.beside.prefix());
        if there != self.beside.folder() {
            removed += temp_file::sweep(there, &self.beside.prefix());
        }
        removed
    }
}

/// Returns the files under which damaged caches at `path` were kept.
fn set_aside(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let start = format!("{}.corrupt-", path.file_name().unwrap_or_default().to_string_lossy());
    let entries = fault::at(FileOperation::ReadFolder, || fs::read_dir(folder))
        .map_err(|error| StoreError::io("look into", folder, error))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let ours = names.filter(|name| name.to_string_lossy().starts_with(&start));
    Ok(ours.map(|name| folder.join(name)).collect())
}

/// Returns whether a file that was set aside may contain tokens of `key`. Anything that is not this user's regular file is
/// left alone.
fn may_hold(aside: &Path, key: Option<&CacheKey>) -> Result<bool, StoreError> {
    let bytes = match disk::read(aside) {
        Ok(None) | Err(StoreError::NotAFile { .. } | StoreError::ForeignOwner { .. }) => {
            return Ok(false);
        }
        // A file that is too large to be read may hold anything.
        Err(StoreError::TooLarge { .. }) => return Ok(true),
        Ok(Some(found)) => Zeroizing::new(found.bytes),
        Err(error) => return Err(error),
    };
    let text = std::str::from_utf8(&bytes).ok();
    Ok(key.zip(text).is_none_or(|(key, text)| text_may_hold(text, key.as_str())))
}

fn text_may_hold(text: &str, key: &str) -> bool {
    let document = parse(text).document;
    let Some(last) = document.entries.iter().map(|(_, raw)| raw).next_back() else {
        // Nothing could be parsed, so it may be anyone's.
        return true;
    };
    let mut written = SecretText::new();
    push_string(&mut written, key);
    let is_named =
        document.entry(key).is_some() || text.contains(key) || text.contains(written.as_str());
    // After the damage an entry may begin in the middle, without its name.
    let end = last.as_ptr() as usize - text.as_ptr() as usize + last.len();
    let has_strings_behind = text[end..].contains('"') && parse(text).broken.is_some();
    is_named || has_strings_behind
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"version":1,"tokens":{"prod":{"access_token":"a"}}}"#;

    #[test]
    fn t28_a_damaged_file_is_kept_only_where_it_is_plain_that_it_is_about_others() {
        for text in
            [ONE.to_owned(), format!("{ONE}}}"), format!("{ONE}\n}}"), ONE.replace("}}}", "}")]
        {
            assert!(!text_may_hold(&text, "dev"), "{text}");
            assert!(text_may_hold(&text, "prod"), "{text}");
        }
        let behind = format!(r#"{ONE}ken":"a canary"}}}}"#);
        let cut = ONE.replace(r#"a"}}}"#, "");
        for text in ["", "garbage", "{", r#"{"version":1,"tokens":{}}"#, &behind, &cut] {
            assert!(text_may_hold(text, "dev"), "{text}");
        }
    }

    #[test]
    fn t28_a_key_is_found_however_it_is_written() {
        let text = ONE.replace("prod", r"https:\/\/a\u002eexample");
        assert!(text_may_hold(&text, "https://a.example"));
        let torn = format!(r#"{ONE}, "a\u0026b": {{"#);
        assert!(text_may_hold(&torn, "a&b"));
    }
}
