//! Chooses the programs to try, in order. Runs nothing.

use super::BrowserError;
use super::env::{BrowserEnv, Platform};
use super::words::{QuotingStyle, alternatives, split, with_url};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use url::Url;

/// A program that exists, and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenerCommand {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
}

/// The commands to try.
#[derive(Debug)]
pub(super) struct OpenerChoice {
    pub(super) commands: Vec<OpenerCommand>,
    /// Problems with the value of `BROWSER`.
    pub(super) problems: Vec<String>,
    /// The error if there is no command to try and no problem.
    pub(super) otherwise: BrowserError,
}

/// Finds the commands for this environment and URL.
pub(super) fn choose(env: &BrowserEnv, url: &Url) -> Result<OpenerChoice, BrowserError> {
    let wanted = env.get("BROWSER").unwrap_or_default().to_string_lossy();
    if wanted.trim() == "none" {
        return Err(BrowserError::Disabled);
    }
    let mut choice = OpenerChoice {
        commands: Vec::new(),
        problems: Vec::new(),
        otherwise: BrowserError::NoneFound,
    };
    choice.add_wanted(&wanted, env, url.as_str());
    if env.is_headless() {
        choice.otherwise = BrowserError::Headless;
    } else {
        choice.commands.extend(openers(env, url));
    }
    Ok(choice)
}

impl OpenerChoice {
    fn add_wanted(&mut self, wanted: &str, env: &BrowserEnv, url: &str) {
        let style = if env.platform() == Platform::Windows {
            QuotingStyle::Windows
        } else {
            QuotingStyle::Unix
        };
        for alternative in alternatives(wanted, style) {
            // A path with blanks but without quotes is a common mistake, and can mean nothing else.
            let as_it_is = Path::new(alternative)
                .is_absolute()
                .then(|| env.find(OsStr::new(alternative)))
                .flatten();
            let words = match as_it_is {
                Some(_) => Some(vec![alternative.to_owned()]),
                None => split(alternative, style),
            };
            let Some(mut words) = words.filter(|words| !words.is_empty()) else {
                self.problems.push("a quote in BROWSER is not closed".to_owned());
                continue;
            };
            let name = words.remove(0);
            match env.find(OsStr::new(&name)) {
                Some(program) => {
                    self.commands.push(OpenerCommand { program, arguments: with_url(words, url) })
                }
                None => self.problems.push(format!("{} was not found", shown(Path::new(&name)))),
            }
        }
    }
}

/// Returns the openers of the platform.
fn openers(env: &BrowserEnv, url: &Url) -> Vec<OpenerCommand> {
    let plain = |name: &str| {
        let program = env.find(OsStr::new(name))?;
        Some(OpenerCommand { program, arguments: vec![url.to_string()] })
    };
    match env.platform() {
        Platform::Linux => ["xdg-open", "x-www-browser", "www-browser", "sensible-browser"]
            .into_iter()
            .filter_map(plain)
            .collect(),
        Platform::MacOs => plain("open").into_iter().collect(),
        Platform::Windows => rundll32(env, url).into_iter().collect(),
        Platform::Wsl => [plain("wslview"), powershell(env, url), plain("xdg-open")]
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// Opens the program that the user has chosen for the scheme. Avoids `cmd /c start`, which
/// evaluates `&` and `%`.
fn rundll32(env: &BrowserEnv, url: &Url) -> Option<OpenerCommand> {
    let system = Path::new(env.get("SystemRoot")?).join("System32").join("rundll32.exe");
    let program = env.find(system.as_os_str())?;
    Some(OpenerCommand {
        program,
        arguments: vec!["url.dll,FileProtocolHandler".to_owned(), url.to_string()],
    })
}

/// PowerShell reads its arguments as a script, in which a URL would be evaluated. In the encoded
/// script, the URL is a quoted literal, in which only the quote itself has a meaning.
fn powershell(env: &BrowserEnv, url: &Url) -> Option<OpenerCommand> {
    const USUAL: &str = "/mnt/c/Windows/System32/WindowsPowerShell/v1.0/powershell.exe";
    let program = env.find(OsStr::new("powershell.exe")).or_else(|| env.find(OsStr::new(USUAL)))?;
    let script = format!("Start-Process -FilePath '{}'", url.as_str().replace('\'', "''"));
    let utf16: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let arguments = ["-NoProfile", "-NonInteractive", "-EncodedCommand", &STANDARD.encode(utf16)];
    Some(OpenerCommand { program, arguments: arguments.map(str::to_owned).to_vec() })
}

/// Returns the file name of a program, sanitized for a terminal.
pub(super) fn shown(program: &Path) -> u2m_core::Sanitized {
    u2m_core::Sanitized::new(&program.file_name().unwrap_or(program.as_os_str()).to_string_lossy())
}
