//! Sources of the key of the encrypted file.

use crate::error::StoreError;
use crate::seal::SealKey;
use crate::sidecar::{SidecarFiles, disk, locks, temp_file};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The time limit for a program to print the key.
const PATIENCE: Duration = Duration::from_secs(10);

/// The maximum length of a key as text.
const LIMIT: u64 = 4 << 10;

/// Where the key of an [`EncryptedFileStore`](crate::EncryptedFileStore) comes from. A store reads it once, when the first
/// login is encrypted or decrypted.
///
/// ```
/// use u2m_cache::{SealKey, SealKeySource};
/// let sources = [
///     SealKeySource::File("/run/keys/u2m.key".into()),
///     SealKeySource::Command(vec!["pass".into(), "show".into(), "u2m".into()]),
///     SealKeySource::Bytes(SealKey::from_bytes([7; 32])),
/// ];
/// assert_eq!(format!("{:?}", sources[1]), r#"Command("pass", ..)"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealKeySource {
    /// A file that only its owner can read, with the key in base64 or as 64 hexadecimal digits. It is created when the first
    /// login is encrypted. Keep it apart from the encrypted file, or the encryption protects nothing.
    File(PathBuf),
    /// A program and its arguments. It must print the key in one of these formats within 10 seconds. It is run without a
    /// shell and with empty standard input. Its standard error is not shown.
    Command(Vec<String>),
    /// A key that the calling program obtained itself.
    Bytes(SealKey),
    /// The operating system's keyring. The key is created there when the first login is encrypted.
    #[cfg(feature = "keyring")]
    Keyring {
        /// The service name of the keyring item.
        service: String,
    },
}

impl fmt::Debug for SealKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            // The arguments may contain secrets.
            Self::Command(words) => {
                write!(f, "Command({:?}, ..)", words.first().map_or("", String::as_str))
            }
            Self::Bytes(key) => f.debug_tuple("Bytes").field(key).finish(),
            #[cfg(feature = "keyring")]
            Self::Keyring { service } => f.debug_tuple("Keyring").field(service).finish(),
        }
    }
}

impl SealKeySource {
    /// Returns the key for the encrypted file at `path`. Creates a new key only if `may_be_new` is set.
    pub(crate) fn key(&self, path: &Path, may_be_new: bool) -> Result<SealKey, StoreError> {
        match self {
            Self::File(file) => match read(file)? {
                Some(key) => Ok(key),
                None if may_be_new => create(file),
                None => {
                    Err(StoreError::MissingKey { key: file.as_path().into(), path: path.into() })
                }
            },
            Self::Command(words) => run(words, PATIENCE),
            Self::Bytes(key) => Ok(key.clone()),
            #[cfg(feature = "keyring")]
            Self::Keyring { service } => crate::keyring::seal_key::key(service, path, may_be_new),
        }
    }

    /// Checks that a key for a new file at `path` exists or can be created, without creating one.
    pub(crate) fn prove(&self, path: &Path) -> Result<(), StoreError> {
        let _ = path;
        match self {
            Self::File(file) => prove(file),
            Self::Command(words) => run(words, PATIENCE).map(drop),
            Self::Bytes(_) => Ok(()),
            #[cfg(feature = "keyring")]
            Self::Keyring { service } => crate::keyring::seal_key::prove(service, path),
        }
    }
}

/// Checks that a key file exists or can be created.
fn prove(file: &Path) -> Result<(), StoreError> {
    if read(file)?.is_some() {
        return Ok(());
    }
    let beside = SidecarFiles::new(file.to_owned());
    match beside.folder().is_dir() {
        true => temp_file::TempFile::new(file, beside.prefix(), LIMIT, false).map(drop),
        false => disk::check_creatable(beside.folder()),
    }
}

fn read(file: &Path) -> Result<Option<SealKey>, StoreError> {
    disk::read_key(file)?.map(|bytes| parse(&bytes, file)).transpose()
}

fn parse(bytes: &[u8], from: &Path) -> Result<SealKey, StoreError> {
    let text = std::str::from_utf8(bytes).ok();
    let key = text.and_then(|text| SealKey::parse(text).ok());
    key.ok_or_else(|| StoreError::BadKey { from: from.into() })
}

/// Creates a key file, which is complete as soon as it is visible. If several processes do so at once, all use the first key.
fn create(file: &Path) -> Result<SealKey, StoreError> {
    let beside = SidecarFiles::new(file.to_owned());
    disk::create_folder(beside.folder())?;
    let lock = beside.sibling(".new.lock");
    let _maker = locks::take(&lock, PATIENCE)?
        .ok_or_else(|| StoreError::LockTimeout { path: lock.as_path().into() })?;
    temp_file::sweep(beside.folder(), &beside.prefix());
    if let Some(key) = read(file)? {
        return Ok(key);
    }
    let no_entropy = || StoreError::io("make a key for", file, std::io::ErrorKind::Other.into());
    let key = SealKey::generate().map_err(|_| no_entropy())?;
    let mut temporary = temp_file::TempFile::new(file, beside.prefix(), 0, true)?;
    temporary.fill(&key.to_text(), true)?;
    disk::put_new(&temporary.path, file)?;
    let _ = std::fs::remove_file(lock);
    Ok(key)
}

/// Runs the program that prints the key.
fn run(words: &[String], patience: Duration) -> Result<SealKey, StoreError> {
    let program = Path::new(words.first().map_or("", String::as_str));
    let failed = |why: String| StoreError::KeyProgram { program: program.into(), why };
    let end = Instant::now() + patience;
    let mut command = Command::new(program);
    command.args(words.iter().skip(1));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| failed(format!("it cannot be started ({error})")));
    let mut child = KeyProgram(child?);
    let output = child.0.stdout.take().ok_or_else(|| failed("it has no output".into()))?;
    let late = || failed(format!("it did not end within {} seconds", patience.as_secs()));
    let bytes = listen(output, end).map_err(|why| why.map_or_else(late, &failed))?;
    loop {
        match child.0.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) if status.success() => break,
            Some(status) => return Err(failed(format!("it failed ({status})"))),
            None if Instant::now() > end => return Err(late()),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    parse(&bytes, program)
}

/// Reads the program's output until it is closed. `Err(None)` means that this took too long.
fn listen(output: ChildStdout, end: Instant) -> Result<Zeroizing<Vec<u8>>, Option<String>> {
    let (send, receive) = mpsc::sync_channel(1);
    // This thread may outlive the wait: a child of the program may keep its output open.
    let body = move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 1));
        let read = output.take(LIMIT + 1).read_to_end(&mut bytes);
        let _ = send.send(read.map(|_| bytes));
    };
    let started = std::thread::Builder::new().name("u2m-key".into()).spawn(body);
    started.map_err(|error| Some(error.to_string()))?;
    let left = end.saturating_duration_since(Instant::now());
    let heard = receive.recv_timeout(left).map_err(|_| None)?;
    heard.map_err(|error| Some(error.to_string()))
}

/// A child process that is killed when this is dropped.
struct KeyProgram(Child);

impl Drop for KeyProgram {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const HEX: &str = "abababababababababababababababababababababababababababababababab";

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(String::from).to_vec()
    }

    #[test]
    fn a_programs_output_is_the_key() {
        for script in [&format!("echo {HEX}"), &format!("printf %s {HEX}; echo canary >&2; cat")] {
            assert!(run(&shell(script), PATIENCE).unwrap() == SealKey::from_bytes([0xab; 32]));
        }
    }

    #[test]
    fn t14_a_program_that_fails_says_how_and_shows_nothing_of_what_it_printed() {
        for (script, said) in [
            ("echo canary; exit 3", "exit status: 3"),
            ("echo canary", "is not a key"),
            ("echo canary >&2; false", "exit status: 1"),
            ("yes canary", "it failed"),
            ("exec >&-; exec sleep 1000", "did not end"),
            ("exec sleep 1000", "did not end"),
        ] {
            let error = run(&shell(script), Duration::from_secs(1)).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains(said) && !text.contains("canary"), "{script}: {text}");
        }
        for words in [vec![], vec!["/nonexistent/program".to_owned()]] {
            let error = run(&words, PATIENCE).err().unwrap();
            assert!(error.to_string().contains("cannot be started"), "{error}");
        }
    }

    #[test]
    fn what_a_program_left_running_is_not_waited_for() {
        let script = format!("sleep 4 & printf %s {HEX}");
        assert!(run(&shell(&script), Duration::from_secs(1)).is_err());
    }

    #[test]
    fn where_a_key_comes_from_is_shown_without_the_key_and_without_arguments() {
        let words = ["pass", "show", "canary"].map(String::from).to_vec();
        for (source, shown) in [
            (SealKeySource::File("/key".into()), "File(\"/key\")"),
            (SealKeySource::Command(words), "Command(\"pass\", ..)"),
        ] {
            assert_eq!(format!("{source:?}"), shown);
        }
        let bytes = format!("{:?}", SealKeySource::Bytes(SealKey::from_bytes([0xab; 32])));
        assert!(bytes.starts_with("Bytes(") && !bytes.contains("ab, ") && !bytes.contains("abab"));
    }
}
