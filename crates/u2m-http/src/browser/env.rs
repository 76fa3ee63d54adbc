//! The surroundings that decide how a browser is opened, as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// Kinds of systems, by how they open a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Platform {
    /// Linux, the BSDs and their like.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
    /// Linux inside Windows, where the browser is Windows' own.
    Wsl,
}

/// A snapshot of environment variables, and the platform.
#[derive(Clone)]
pub struct BrowserEnv {
    platform: Platform,
    vars: BTreeMap<OsString, OsString>,
}

impl BrowserEnv {
    /// Takes variables as given. A child gets these and no others, less the secrets among them.
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

    /// Takes the variables of this process.
    ///
    /// ```
    /// let env = u2m_http::BrowserEnv::current();
    /// println!("{:?}", env.platform());
    /// ```
    pub fn current() -> Self {
        let mut env = Self::new(Platform::Linux, std::env::vars_os());
        env.platform = match std::env::consts::OS {
            "macos" => Platform::MacOs,
            "windows" => Platform::Windows,
            "linux" if env.says_wsl() || is_wsl_kernel() => Platform::Wsl,
            _ => Platform::Linux,
        };
        env
    }

    /// The platform.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    fn says_wsl(&self) -> bool {
        self.get("WSL_DISTRO_NAME").is_some() || self.get("WSL_INTEROP").is_some()
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let matches = |have: &OsStr| match self.platform {
            Platform::Windows => have.eq_ignore_ascii_case(name),
            _ => have == name,
        };
        let found = self.vars.iter().find(|(have, _)| matches(have));
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// Whether a window that is opened here would be seen by nobody.
    pub(super) fn is_headless(&self) -> bool {
        match self.platform {
            Platform::Linux => {
                self.get("DISPLAY").is_none() && self.get("WAYLAND_DISPLAY").is_none()
            }
            // The screen is on somebody else's desk.
            Platform::MacOs | Platform::Windows => self.get("SSH_CONNECTION").is_some(),
            Platform::Wsl => false,
        }
    }

    /// Finds a program: a path as it is, a bare name on PATH. Relative entries of PATH are passed over, lest the current
    /// folder decide what is run.
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

    /// What a browser may see.
    pub(super) fn without_secrets(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let all = self.vars.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        all.filter(|(name, _)| !names_a_secret(name))
    }
}

/// Shows the names that count, and no value: values may be secrets.
impl fmt::Debug for BrowserEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserEnv").field("platform", &self.platform).finish_non_exhaustive()
    }
}

/// Whether a variable may hold a secret, by the words in its name: a browser needs none of them (T16).
fn names_a_secret(name: &OsStr) -> bool {
    const WORDS: [&str; 11] = [
        "ACCESS_KEY",
        "ACCOUNT_KEY",
        "API_KEY",
        "APIKEY",
        "CONNECTION_STRING",
        "CREDENTIAL",
        "PASSPHRASE",
        "PASSW",
        "PRIVATE_KEY",
        "SECRET",
        "TOKEN",
    ];
    // Lets a window come to the front under Wayland; worth nothing else.
    const HARMLESS: &str = "XDG_ACTIVATION_TOKEN";
    let name = name.to_string_lossy().to_ascii_uppercase();
    name != HARMLESS && WORDS.iter().any(|word| name.contains(word))
}

fn is_wsl_kernel() -> bool {
    std::fs::read_to_string("/proc/version")
        .is_ok_and(|version| version.to_ascii_lowercase().contains("-microsoft"))
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
    fn t16_secrets_are_known_by_their_names() {
        for secret in [
            "DATABRICKS_TOKEN",
            "DATABRICKS_CLIENT_SECRET",
            "DATABRICKS_PASSWORD",
            "DATABRICKS_AZURE_CLIENT_SECRET",
            "ARM_CLIENT_SECRET",
            "U2M_CLIENT_SECRET",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_CREDENTIALS",
            "PGPASSWORD",
            "MYSQL_PWD_PASSWORD",
            "npm_config__auth_token",
        ] {
            assert!(names_a_secret(OsStr::new(secret)), "{secret}");
        }
        for needed in [
            "PATH",
            "HOME",
            "DISPLAY",
            "XAUTHORITY",
            "XDG_ACTIVATION_TOKEN",
            "DBUS_SESSION_BUS_ADDRESS",
        ] {
            assert!(!names_a_secret(OsStr::new(needed)), "{needed}");
        }
    }

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
    fn variables_of_windows_have_no_case() {
        let env = BrowserEnv::new(Platform::Windows, [("SystemRoot", "C:\\Windows")]);
        assert!(env.get("SYSTEMROOT").is_some());
    }
}
