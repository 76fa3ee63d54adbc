//! A home that the doctor looks over.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::unwrap_used)]

use crate::common::World;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use u2m::check::{Doctor, DoctorFinding, Severity};
use u2m::config::TargetArgs;
use u2m::store::{CacheKey, FileStore, TokenStore};
use u2m_testkit::Settings;

/// A server, and a home with a profile `dev` on it whose logins are in the shared file.
pub(crate) struct Home {
    pub(crate) world: World,
    pub(crate) folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home =
            Self { world: World::with(Settings::new()), folder: tempfile::tempdir().unwrap() };
        home.configure(&format!("[dev]\nhost = {}\n", home.world.server.base_url()));
        home
    }

    /// With a login that has so many seconds left.
    pub(crate) fn signed_in(left: i64) -> Self {
        let home = Self::new();
        home.store().save(&dev(), &home.world.session(left)).unwrap();
        home
    }

    pub(crate) fn configure(&self, text: &str) {
        let path = self.folder.path().join(".databrickscfg");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::at(self.folder.path().join(".databricks/token-cache.json"))
    }

    pub(crate) fn doctor(&self, more: &[(&str, &str)]) -> Doctor {
        let home = self.folder.path().to_str().unwrap();
        let mut env = vec![("HOME", home), ("DATABRICKS_AUTH_STORAGE", "plaintext")];
        env.extend(more);
        Doctor::new(env).with_program("u2m").with_timeout(Duration::from_secs(60))
    }

    pub(crate) fn examine(&self, more: &[(&str, &str)]) -> Vec<DoctorFinding> {
        self.doctor(more).with_said(said()).examine()
    }

    pub(crate) fn offline(&self, more: &[(&str, &str)]) -> Vec<DoctorFinding> {
        self.doctor(more).with_said(said()).offline().examine()
    }
}

pub(crate) fn dev() -> CacheKey {
    CacheKey::new("dev")
}

pub(crate) fn said() -> TargetArgs {
    TargetArgs { profile: Some("dev".into()), ..TargetArgs::default() }
}

pub(crate) fn all<'f>(findings: &'f [DoctorFinding], check: &str) -> Vec<&'f DoctorFinding> {
    findings.iter().filter(|one| one.check == check).collect()
}

#[track_caller]
pub(crate) fn one<'f>(findings: &'f [DoctorFinding], check: &str) -> (Severity, &'f str) {
    match all(findings, check).as_slice() {
        [one] => (one.level, one.text.as_str()),
        other => panic!("{check}: {other:?} of {findings:#?}"),
    }
}
