//! Diagnoses this machine: the profile file, the store, the login, the network path to the host, the host's clock, and what a
//! login needs from the desktop.

mod desk;
mod finding;
mod login;
mod network;
mod profile;
mod programs;

pub use finding::{DoctorFinding, Severity};

use crate::choose::{Environment, TargetArgs, TokenChoice, choose_for_token};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use u2m_config::{ChooseError, ConfigFile, abbreviate, locate};
use u2m_core::{Sanitized, chain};

/// When every check has finished or is given up.
const LIMIT: Duration = Duration::from_secs(9);

/// Diagnoses this machine for one login and returns findings. It changes nothing: what it tests for writing is left as it was.
///
/// ```
/// use u2m::check::{Doctor, Severity};
/// # let home = tempfile::tempdir()?;
/// let doctor = Doctor::new([("HOME", home.path()), ("USERPROFILE", home.path())]).offline();
/// let findings = doctor.examine();
/// assert!(findings.iter().any(|one| one.check == "profile file" && one.level == Severity::Warn));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Doctor {
    env: BTreeMap<OsString, OsString>,
    said: TargetArgs,
    is_offline: bool,
    program: String,
    limit: Duration,
}

/// Hides the values of variables, which may be secrets.
impl std::fmt::Debug for Doctor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doctor").field("said", &self.said).finish_non_exhaustive()
    }
}

impl Doctor {
    /// Creates a doctor that uses these environment variables.
    ///
    /// ```
    /// let doctor = u2m::check::Doctor::new(std::env::vars_os());
    /// # let _ = doctor;
    /// ```
    pub fn new<N: Into<OsString>, V: Into<OsString>>(
        env: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self {
            env,
            said: TargetArgs::default(),
            is_offline: false,
            program: "u2m".to_owned(),
            limit: LIMIT,
        }
    }

    /// Sets which login to examine. By default it is the one that programs get when they name nothing.
    #[must_use]
    pub fn with_said(mut self, said: TargetArgs) -> Self {
        self.said = said;
        self
    }

    /// Sets the command that advice refers to, such as `databricks auth`.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Contacts no host.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.is_offline = true;
        self
    }

    /// Sets how long to wait for stores and servers together: 9 seconds by default.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.limit = timeout;
        self
    }

    /// Runs every check and returns the findings, within 10 seconds by default. Must not be called within an async runtime.
    pub fn examine(&self) -> Vec<DoctorFinding> {
        let end = Instant::now() + self.limit;
        let path = match locate(&|name| self.var_os(name)) {
            Ok(path) => path,
            Err(error) => {
                return vec![DoctorFinding::fail("profile file", chain(&error), "set HOME")];
            }
        };
        let config = match ConfigFile::read(&path) {
            Ok(config) => config,
            Err(error) => {
                let advice = "mend the file by hand; nothing else can be looked at before";
                return vec![DoctorFinding::fail("profile file", chain(&error), advice)];
            }
        };
        let ward = Arc::new(Examination { doctor: self.clone(), path, config });
        let mut findings = profile::look(&ward);
        let choice = ward.choose(&mut findings);
        let store = in_time({
            let (ward, choice) = (Arc::clone(&ward), choice.clone());
            move || login::look(&ward, choice.as_ref())
        });
        let network = choice.filter(|_| !self.is_offline).map(|choice| {
            let ward = Arc::clone(&ward);
            in_time(move || network::look(&ward, &choice))
        });
        let mut desk = desk::look(&ward);
        desk.extend(programs::look(&ward));
        findings.extend(answered(&store, end, "store"));
        findings.extend(desk::proxies(&ward));
        findings.extend(network.map(|out| answered(&out, end, "host")).unwrap_or_default());
        findings.extend(desk);
        findings
    }

    fn var_os(&self, name: &str) -> Option<OsString> {
        self.env.get(OsStr::new(name)).cloned()
    }
}

/// What is being examined.
struct Examination {
    doctor: Doctor,
    path: PathBuf,
    config: ConfigFile,
}

impl Examination {
    /// Returns a variable that is set and not empty.
    fn var(&self, name: &str) -> Option<String> {
        let value = self.doctor.var_os(name)?.to_string_lossy().into_owned();
        Some(value).filter(|value| !value.is_empty())
    }

    fn with_surroundings<T>(&self, work: impl FnOnce(&Environment<'_>) -> T) -> T {
        let env = |name: &str| self.doctor.var_os(name);
        work(&Environment { env: &env, config: &self.config })
    }

    /// Formats a path for display.
    fn shown(&self, path: &std::path::Path) -> String {
        let path = abbreviate(path, &|name| self.doctor.var_os(name));
        Sanitized::new(&path.to_string_lossy()).to_string()
    }

    fn choose(&self, findings: &mut Vec<DoctorFinding>) -> Option<TokenChoice> {
        let program = &self.doctor.program;
        let sign_in = format!("sign in: {program} login");
        let error =
            match self.with_surroundings(|around| choose_for_token(&self.doctor.said, around)) {
                Ok(choice) => return Some(choice),
                Err(error) => error,
            };
        let finding = match error {
            ChooseError::NoProfiles => DoctorFinding::warn("login", "there is none yet", sign_in),
            ChooseError::NoProfileChosen => {
                let advice = "name one with --profile, to look at its login";
                DoctorFinding::warn("login", "no profile is chosen", advice)
            }
            error => {
                DoctorFinding::fail("login", chain(&error), "name another with --profile or --host")
            }
        };
        findings.push(finding);
        None
    }
}

/// Runs a check on a thread of its own, so that one that hangs holds up nothing.
fn in_time(
    work: impl FnOnce() -> Vec<DoctorFinding> + Send + 'static,
) -> mpsc::Receiver<Vec<DoctorFinding>> {
    let (sender, out) = mpsc::channel();
    // If no thread can be started, nothing is sent.
    let _ =
        std::thread::Builder::new().name("u2m-doctor".into()).spawn(move || sender.send(work()));
    out
}

fn answered(
    out: &mpsc::Receiver<Vec<DoctorFinding>>,
    end: Instant,
    check: &'static str,
) -> Vec<DoctorFinding> {
    let left = end.saturating_duration_since(Instant::now());
    out.recv_timeout(left).unwrap_or_else(|_| {
        vec![DoctorFinding::fail(
            check,
            "did not answer in time",
            "try again, or look at it by itself",
        )]
    })
}
