//! A folder of stubs that write down what they are given. They are links to one script, so that none of them is being
//! written while another test starts a program.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each story uses what it needs")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use u2m_http::{Browser, BrowserEnv, BrowserError, Platform, SystemBrowser};
use url::Url;

pub(crate) struct Desktop {
    folder: TempDir,
    platform: Platform,
    vars: Vec<(OsString, OsString)>,
}

impl Desktop {
    /// A screen, and a PATH with these programs.
    pub(crate) fn new(platform: Platform, programs: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let mut desktop = Self { folder, platform, vars: Vec::new() };
        for program in programs {
            desktop.install(&desktop.bin().join(program));
        }
        let (bin, record) = (desktop.bin(), desktop.folder.path().to_owned());
        desktop.set("PATH", bin).set("RECORD", record).set("DISPLAY", ":0");
        desktop.set(
            "U2M_BROWSER_ENV",
            "RECORD,STUB_FAILS,STUB_FAILS_LATE,STUB_LISTENS,STUB_SPEAKS,STUB_STAYS",
        );
        desktop
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    pub(crate) fn install(&self, at: &Path) {
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stub/browser.sh"), at).unwrap();
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.vars.retain(|(have, _)| have != name);
        self.vars.push((name.into(), value.into()));
        self
    }

    pub(crate) fn env(&self) -> BrowserEnv {
        BrowserEnv::new(self.platform, self.vars.clone())
    }

    pub(crate) async fn open(&self, url: &str) -> Result<(), BrowserError> {
        SystemBrowser::with_env(self.env()).open(&Url::parse(url).unwrap()).await
    }

    /// What a stub was given, once it has run.
    pub(crate) fn given_to(&self, program: &str) -> Vec<String> {
        let record = self.record_of(program);
        record
            .lines()
            .filter_map(|line| line.strip_prefix("argument "))
            .map(str::to_owned)
            .collect()
    }

    /// Everything that a stub saw.
    pub(crate) fn record_of(&self, program: &str) -> String {
        let begun = Instant::now();
        loop {
            match fs::read_to_string(self.folder.path().join(program)) {
                Ok(record) => return record,
                Err(error) if begun.elapsed() > Duration::from_secs(5) => {
                    panic!("{program} did not run: {error}")
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The stubs that ran.
    pub(crate) fn ran(&self) -> Vec<String> {
        let entries =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap());
        let mut names: Vec<_> =
            names.filter(|name| name != "bin" && !name.ends_with(".new")).collect();
        names.sort_unstable();
        names
    }
}
