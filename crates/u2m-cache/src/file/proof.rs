//! Checks that a save will work, made before a refresh token is used or the user is asked to sign in.

use super::FileStoreInner;
use super::document::parse;
use super::finish::is_written_in_place;
use crate::error::{DisplayPath, StoreError};
use crate::sidecar::temp_file::{SPARE, TempFile, UpdateReserve};
use crate::sidecar::{disk, in_place};
use std::fs::File;
use std::path::Path;
use u2m_core::CacheKey;

impl FileStoreInner {
    /// Reserves space for the next update, which is the file as it is now plus one entry, and checks that nothing else
    /// prevents it. `lock` is as in [`FileStoreInner::update`]. If the cache was just read under the entry's lock and
    /// `is_sound`, it is not read again.
    pub(super) fn reserve(
        &self,
        lock: &mut Option<File>,
        is_sound: bool,
    ) -> Result<UpdateReserve, StoreError> {
        disk::create_folder(self.beside.folder())?;
        let mut writer = self.beside.writer_on(lock.take())?;
        *lock = writer.keep();
        self.finish(&mut writer)?;
        self.sweep();
        if !is_sound {
            let look = self.look_held(true)?;
            let parsed = parse(&look.text);
            self.check_form(&parsed)?;
            self.codec.prove(&self.beside.path, &parsed.document)?;
        }
        let (path, side) = (disk::resolve(&self.beside.path)?, self.beside.sibling(".u2m.json"));
        self.check_put(&path)?;
        let room = |path: &Path, durable| {
            let len = disk::len(path)? + self.spare();
            disk::check_len(path, len, disk::READABLE)?;
            TempFile::new(path, self.beside.prefix(), len, durable)?.proven()
        };
        let side = self.codec.has_sidecar().then(|| room(&side, false)).transpose()?;
        Ok(UpdateReserve { cache: Some(room(&path, true)?), side, ..UpdateReserve::default() })
    }

    /// Checks that the text can be replaced, with another file or in place.
    fn check_put(&self, path: &Path) -> Result<(), StoreError> {
        match disk::check_replaceable(path) {
            Err(error) if in_place::is_needed(&error) => {
                in_place::prove(path, disk::len(path)? + self.spare())
            }
            other => other,
        }
    }

    /// Returns how much more space to reserve. An encrypted entry is larger than its login, and a copied one is stored twice.
    pub(super) fn spare(&self) -> u64 {
        let is_one = self.codec.has_sidecar() && self.mirrors.is_empty();
        if is_one { SPARE } else { SPARE * 2 }
    }

    /// Checks that there is space for a login under `key`, before the user is asked to sign in.
    pub(super) fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.beside.prove_notes(key)?;
        if !self.beside.folder().is_dir() {
            return self.codec.prove_new(&self.beside.path);
        }
        // A refresh checks everything else that saving needs.
        match self.reserve(&mut None, false) {
            Ok(_) | Err(StoreError::WouldBeTooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
        if is_written_in_place(&disk::resolve(&self.beside.path)?) {
            self.beside.notice_once(format!(
                "{} is mounted by itself: it is written as it stands, and programs elsewhere that have it too are not coordinated; \
                 mount its folder instead",
                DisplayPath::from(self.beside.path.as_path())
            ));
        }
        let len = disk::len(&self.beside.path)? + self.spare();
        if len <= disk::ROOMY || self.stored(key).is_ok_and(|there| there.is_some()) {
            return Ok(());
        }
        match self.text() {
            Ok(_) => disk::check_len(&self.beside.path, len, disk::ROOMY),
            // A damaged cache is set aside.
            Err(_) => Ok(()),
        }
    }
}
