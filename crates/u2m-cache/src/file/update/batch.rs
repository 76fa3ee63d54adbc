//! Changes several entries at once: since a file is read and written as a whole, once is enough for all of them.

use super::{FileStoreInner, ReplaceRule, TRIES, is_here};
use crate::error::StoreError;
use crate::file::codec::DecodedEntry;
use crate::file::document::{CacheDocument, MemberChange, parse};
use crate::sidecar::record_file::Sidecar;
use crate::sidecar::temp_file::UpdateReserve;
use crate::sidecar::{Lasts, disk};
use u2m_core::{CacheKey, Fingerprint, Session};
use zeroize::Zeroizing;

/// What a batch does to entries, decided from what the file holds at that moment.
#[derive(Default)]
struct Changes<'a> {
    /// The change of each entry.
    texts: Vec<(String, Option<Zeroizing<String>>)>,
    /// What is recorded in the side file first.
    records: Vec<(&'a str, &'a Session)>,
}

impl FileStoreInner {
    /// Like `load` for several entries.
    pub(in crate::file) fn load_all(
        &self,
        keys: &[CacheKey],
    ) -> Vec<Result<Option<Session>, StoreError>> {
        let Ok(text) = self.text().map(Zeroizing::new) else { return self.each(keys) };
        let Ok(document) = self.sound(&text) else { return self.each(keys) };
        // Read after the tokens: a writer puts the side file in place before them.
        let known = self.codec.has_sidecar().then(|| self.beside.sidecar());
        let load = |key: &CacheKey| {
            let Some(raw) = document.entry(key.as_str()) else { return Ok(None) };
            let stored = self.codec.read(&self.beside.path, &document, key.as_str(), raw)?;
            let complete = |session| match &known {
                Some(known) => known.complete(key.as_str(), session),
                None => session,
            };
            Ok(stored.session().map(complete))
        };
        keys.iter().map(load).collect()
    }

    /// Repeats the operation one by one, so that each result reports what is wrong with the file.
    fn each(&self, keys: &[CacheKey]) -> Vec<Result<Option<Session>, StoreError>> {
        keys.iter().map(|key| self.load(key)).collect()
    }

    /// Inserts or replaces several entries. New ones are saved in one write. Entries that need more checks are saved one by
    /// one.
    pub(in crate::file) fn save_all(
        &self,
        logins: &[(CacheKey, Session)],
    ) -> Vec<Result<(), StoreError>> {
        let mut done = vec![false; logins.len()];
        if logins.len() > 1 && self.mirrors.is_empty() {
            let changed = self.change(|document| {
                let mut changes = Changes::default();
                self.codec.prove(&self.beside.path, document)?;
                for (at, (key, session)) in logins.iter().enumerate() {
                    done[at] = document.entry(key.as_str()).is_none();
                    if done[at] {
                        let text =
                            self.codec.write(key.as_str(), &DecodedEntry::default(), session)?;
                        changes.texts.push((key.as_str().to_owned(), Some(text)));
                        changes.records.push((key.as_str(), session));
                    }
                }
                Ok(changes)
            });
            if changed.is_err() {
                // The saves that follow report what is wrong.
                done.fill(false);
            }
        }
        let one = |(at, (key, session)): (usize, &(CacheKey, Session))| match done[at] {
            true => Ok(()),
            false => self.save(key, session),
        };
        logins.iter().enumerate().map(one).collect()
    }

    /// Removes entries that are still in the given state. Returns for each whether that state is gone.
    pub(in crate::file) fn delete_states(
        &self,
        states: &[(CacheKey, Fingerprint)],
    ) -> Vec<Result<bool, StoreError>> {
        if self.text().is_ok_and(|text| Zeroizing::new(text).trim_ascii().is_empty()) {
            return states.iter().map(|_| Ok(true)).collect();
        }
        let has_sidecar = self.codec.has_sidecar();
        let known = if has_sidecar { self.beside.sidecar() } else { Sidecar::default() };
        let mut gone = vec![false; states.len()];
        let outcome = self.change(|document| {
            let mut changes = Changes::default();
            for (at, (key, state)) in states.iter().enumerate() {
                let Some(raw) = document.entry(key.as_str()) else {
                    gone[at] = true;
                    continue;
                };
                let there = match self.codec.read(&self.beside.path, document, key.as_str(), raw) {
                    // Whatever it is, it is not the given state.
                    Err(StoreError::BadEntry { .. } | StoreError::NewerEntry { .. }) => continue,
                    other => other?,
                };
                let found = there.session();
                gone[at] = found.as_ref().is_none_or(|found| found.fingerprint() == *state);
                if found.is_some() && gone[at] {
                    let copies = self.mirrors_of(document, &known, key, &there);
                    let names = copies.into_iter().chain([key.as_str()]);
                    changes.texts.extend(names.map(|name| (name.to_owned(), None)));
                }
            }
            Ok(changes)
        });
        match outcome {
            Ok(()) => gone.into_iter().map(Ok).collect(),
            // Each reports for itself what is wrong. None of them can have been removed.
            Err(error) if states.len() == 1 => vec![Err(error)],
            Err(_) => {
                let one = |state: &(CacheKey, Fingerprint)| {
                    self.delete_states(std::slice::from_ref(state)).swap_remove(0)
                };
                states.iter().map(one).collect()
            }
        }
    }

    /// Makes changes in one write, under the writers' lock, and retries if programs without a lock write meanwhile. A damaged
    /// file is left to changes of single entries.
    fn change<'a>(
        &self,
        mut decide: impl FnMut(&CacheDocument<'_>) -> Result<Changes<'a>, StoreError>,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.beside.folder())?;
        let mut writer = self.beside.writer()?;
        self.finish(&mut writer)?;
        self.sweep();
        let mut reserve = UpdateReserve::default();
        for tries in 1..=TRIES {
            let look = self.look_held(true)?;
            let parsed = parse(&look.text);
            self.check_form(&parsed)?;
            if let Some(why) = &parsed.broken {
                return Err(self.corrupt(why.clone()));
            }
            let changes = decide(&parsed.document)?;
            if changes.texts.is_empty() {
                return Ok(());
            }
            let texts: Vec<MemberChange<'_>> =
                changes.texts.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
            let is_saving = texts.iter().any(|(_, text)| text.is_some());
            self.record_all(&changes.records, &mut reserve)?;
            let head = self.codec.head(&parsed.document, is_saving)?;
            // Never overwrite what someone else has made of these entries meanwhile.
            let over = (ReplaceRule::Spent(&[]), tries == TRIES);
            if self.write(&texts, &head, (&look, &parsed), (&mut writer, &mut reserve), over)? {
                reserve.settle();
                self.forget_all(&texts, &mut reserve);
                return Ok(());
            }
        }
        Err(StoreError::LockTimeout { path: self.beside.path.as_path().into() })
    }

    /// Records the owner of the tokens, before they are written.
    fn record_all(
        &self,
        records: &[(&str, &Session)],
        reserve: &mut UpdateReserve,
    ) -> Result<(), StoreError> {
        if !self.codec.has_sidecar() || records.is_empty() {
            return Ok(());
        }
        let lasts = records.iter().map(|(_, session)| Lasts::of(session)).max();
        let lasts = lasts.unwrap_or(Lasts::Whatever);
        self.beside.change_sidecar_locked(reserve, lasts, |sidecar| {
            for (name, session) in records {
                sidecar.record(name, session, None);
            }
            true
        })
    }

    /// Removes the records of removed tokens, unless the login is in another store.
    fn forget_all(&self, texts: &[MemberChange<'_>], reserve: &mut UpdateReserve) {
        let mut gone = texts.iter().filter(|(_, text)| text.is_none()).map(|(name, _)| *name);
        if !self.codec.has_sidecar() {
            return;
        }
        let _ = self.beside.change_sidecar_locked(reserve, Lasts::Whatever, |sidecar| {
            gone.by_ref().fold(false, |is_news, name| {
                let is_about_nothing = sidecar.home(name).is_none_or(is_here);
                is_about_nothing && sidecar.forget(name) || is_news
            })
        });
    }
}
