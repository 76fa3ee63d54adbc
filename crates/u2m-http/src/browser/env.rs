//! The environment that determines how a browser is opened.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The kind of system, which determines how a URL is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Platform {
    /// Linux, the BSDs and similar systems.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
    /// Linux inside Windows (WSL), with the browser of Windows.
    Wsl,
}

/// A snapshot of the environment variables, and the platform.
#[derive(Clone)]
pub struct BrowserEnv {
    platform: Platform,
    vars: BTreeMap<OsString, OsString>,
}

impl BrowserEnv {
    /// Creates an environment from the given variables. A browser gets those that it is known to
    /// need, and those that `U2M_BROWSER_ENV` names, separated by commas. It gets no others,
    /// because any of them may hold a secret.
    ///
    /// ```
    /// use u2m_http::{BrowserEnv, Platform};
    /// let env = BrowserEnv::new(Platform::Linux, [("DISPLAY", ":0"), ("PATH", "/usr/bin")]);
    /// assert_eq!(env.platform(), Platform::Linux);
    /// ```
    pub fn new<N, V>(platform: Platform, vars: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Self {
            platform,
            vars: vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }

    /// Captures the environment variables and the platform of this process.
    ///
    /// ```
    /// let env = u2m_http::BrowserEnv::current();
    /// println!("{:?}", env.platform());
    /// ```
    pub fn current() -> Self {
        let mut env = Self::new(Platform::Linux, std::env::vars_os());
        let kernel = || std::fs::read_to_string("/proc/version").unwrap_or_default();
        env.platform = env.platform_on(std::env::consts::OS, kernel);
        env
    }

    /// Returns the platform for an operating system and its kernel version text.
    fn platform_on(&self, system: &str, kernel: impl FnOnce() -> String) -> Platform {
        match system {
            "macos" => Platform::MacOs,
            "windows" => Platform::Windows,
            "linux" if self.says_wsl() || is_of_wsl(&kernel()) => Platform::Wsl,
            _ => Platform::Linux,
        }
    }

    /// Returns the platform.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    fn says_wsl(&self) -> bool {
        self.get("WSL_DISTRO_NAME").is_some() || self.get("WSL_INTEROP").is_some()
    }

    /// Returns the value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let matches = |have: &OsStr| match self.platform {
            Platform::Windows => have.eq_ignore_ascii_case(name),
            _ => have == name,
        };
        let found = self.vars.iter().find(|(have, _)| matches(have));
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// Returns whether nobody would see a window that is opened here.
    pub(super) fn is_headless(&self) -> bool {
        match self.platform {
            Platform::Linux => {
                self.get("DISPLAY").is_none() && self.get("WAYLAND_DISPLAY").is_none()
            }
            // In an SSH session, the screen is not the user's.
            Platform::MacOs | Platform::Windows => self.get("SSH_CONNECTION").is_some(),
            Platform::Wsl => false,
        }
    }

    /// Finds a program: a path as it is, a bare name in the folders of PATH. Relative folders in
    /// PATH are skipped, so that the current folder cannot determine what is run.
    pub(super) fn find(&self, program: &OsStr) -> Option<PathBuf> {
        let path = Path::new(program);
        if path.components().count() > 1 || path.is_absolute() {
            return is_program(path).then(|| path.to_owned());
        }
        let folders =
            std::env::split_paths(self.get("PATH")?).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(program)).find_map(|path| match self.platform {
            Platform::Windows if path.extension().is_none() => {
                Some(path.with_extension("exe")).filter(|path| is_program(path))
            }
            _ => Some(path).filter(|path| is_program(path)),
        })
    }

    /// Returns all variables.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.vars.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

/// Shows only the platform, because the values of variables may be secrets.
impl fmt::Debug for BrowserEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserEnv").field("platform", &self.platform).finish_non_exhaustive()
    }
}

fn is_of_wsl(kernel: &str) -> bool {
    kernel.to_ascii_lowercase().contains("-microsoft")
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t16_a_snapshot_shows_no_value() {
        let env = BrowserEnv::new(
            Platform::Linux,
            [("DATABRICKS_TOKEN", "canary"), ("BROWSER", "canary")],
        );
        assert!(!format!("{env:?}").contains("canary"));
    }

    #[test]
    fn brow_4_headless_depends_on_the_platform() {
        let headless =
            |platform, name: &str| BrowserEnv::new(platform, [(name, "x")]).is_headless();
        assert!(headless(Platform::Linux, "PATH") && !headless(Platform::Linux, "DISPLAY"));
        assert!(!headless(Platform::Linux, "WAYLAND_DISPLAY") && !headless(Platform::Wsl, "PATH"));
        assert!(headless(Platform::MacOs, "SSH_CONNECTION") && !headless(Platform::MacOs, "PATH"));
        assert!(BrowserEnv::new(Platform::Linux, [("DISPLAY", "")]).is_headless());
    }

    #[test]
    fn wsl_is_known_by_its_variables_or_its_kernel() {
        let wsl = "Linux version 5.15.167.4-Microsoft-standard-WSL2";
        let on = |name: &str, system, kernel: &str| {
            BrowserEnv::new(Platform::Linux, [(name, "x")])
                .platform_on(system, || kernel.to_owned())
        };
        assert_eq!(on("WSL_DISTRO_NAME", "linux", ""), Platform::Wsl);
        assert_eq!(on("WSL_INTEROP", "linux", ""), Platform::Wsl);
        assert_eq!(on("PATH", "linux", wsl), Platform::Wsl);
        assert_eq!(on("PATH", "linux", "Linux version 6.1.0 (microsoft)"), Platform::Linux);
        assert_eq!(on("WSL_INTEROP", "windows", wsl), Platform::Windows);
        assert_eq!(on("WSL_INTEROP", "macos", wsl), Platform::MacOs);
        assert_eq!(on("WSL_INTEROP", "freebsd", wsl), Platform::Linux);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_run_is_a_file_that_may_be_run() {
        let env = BrowserEnv::new(Platform::Linux, [("PATH", "/nowhere:/bin:/usr/bin")]);
        assert!(env.find(OsStr::new("sh")).is_some_and(|found| found.ends_with("sh")));
        for other in ["/etc/passwd", "/bin", "/nowhere/sh", "no-such-program"] {
            assert_eq!(env.find(OsStr::new(other)), None, "{other}");
        }
        assert_eq!(env.find(OsStr::new("/bin/sh")), Some(PathBuf::from("/bin/sh")));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_no_name_to_be_looked_up() {
        let env = BrowserEnv::new(Platform::Linux, [("PATH", "/")]);
        assert_eq!(env.find(OsStr::new("bin/sh")), None);
        assert_eq!(env.find(OsStr::new("/bin/sh")), Some(PathBuf::from("/bin/sh")));
    }

    #[test]
    fn a_program_of_windows_is_an_exe_unless_its_name_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tool.exe", "tool.cmd", "other.cmd"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let path = folder.path().as_os_str().to_owned();
        let env = BrowserEnv::new(Platform::Windows, [(OsString::from("Path"), path)]);
        for (program, found) in [
            ("tool", Some("tool.exe")),
            ("tool.exe", Some("tool.exe")),
            ("tool.cmd", Some("tool.cmd")),
            ("other.cmd", Some("other.cmd")),
            ("other", None),
            ("tool.com", None),
        ] {
            let found = found.map(|name| folder.path().join(name));
            assert_eq!(env.find(OsStr::new(program)), found, "{program}");
        }
    }

    #[test]
    fn variables_of_windows_have_no_case() {
        let env = BrowserEnv::new(Platform::Windows, [("SystemRoot", "C:\\Windows")]);
        assert!(env.get("SYSTEMROOT").is_some());
    }
}
