//! The object that looks into freed memory: compiled, preloaded, and what it found, with whose it is.

use crate::common::U2M;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whose blocks are not ours to clear: the buffers through which bytes go to and from a socket. They hold the request's head
/// and body and the answer as they were sent, they are made and given back inside of these crates, and none of them lets its
/// caller do that or clears them. A call site is theirs if the innermost frame that names a crate at all, the standard library
/// aside, names one of these and none of ours.
const LIBRARIES: [&str; 10] = [
    "bytes",      // what an answer's pieces and a request's head are kept in
    "h2",         // frames of HTTP/2
    "http",       // a header's value
    "http_body",  // a body under way
    "httparse",   // an answer's head
    "hyper",      // what is read from and written to the connection
    "hyper_util", // the same
    "reqwest",    // a request until it is sent
    "ring",       // what is sealed and opened in place
    "rustls",     // records before and after their cipher
];

/// What names no owner: the standard library.
const STANDARD: [&str; 5] = ["alloc", "core", "std", "hashbrown", "__rustc"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Us,
    Library(&'static str),
}

/// A block that was given back with a secret in it.
#[derive(Debug)]
pub(crate) struct FoundLogin {
    /// `free`, or `realloc`.
    pub(crate) what: String,
    size: String,
    /// Which of the texts.
    which: String,
    /// From the innermost.
    pub(crate) frames: Vec<String>,
}

impl FoundLogin {
    pub(crate) fn owner(&self) -> Owner {
        owner(&self.frames)
    }
}

impl fmt::Display for FoundLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} of {} bytes, {:?}, text {}",
            self.what,
            self.size,
            self.owner(),
            self.which
        )?;
        let told = self.frames.iter().filter(|frame| !names(frame).is_empty());
        told.take(18).try_for_each(|frame| writeln!(f, "    {frame}"))
    }
}

/// Whose a block is that was given back in `frames`.
pub(crate) fn owner(frames: &[String]) -> Owner {
    for frame in frames {
        let mut names = names(frame);
        names.retain(|name| !STANDARD.contains(name));
        if names.is_empty() {
            continue;
        }
        let library = LIBRARIES.iter().find(|library| names.contains(library));
        return match library.filter(|_| !names.iter().any(|name| name.starts_with("u2m"))) {
            Some(library) => Owner::Library(library),
            None => Owner::Us,
        };
    }
    Owner::Us
}

/// The crates in a symbol: what stands before the first `::` of each of its paths.
fn names(symbol: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let ends = symbol.match_indices("::").map(|(at, _)| at);
    let heads = ends.filter_map(|end| {
        let start = symbol[..end].rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
        let name = &symbol[start..end];
        let is_head = !symbol[..start].ends_with(':')
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        is_head.then_some(name)
    });
    heads.collect()
}

pub(crate) struct Measure {
    folder: tempfile::TempDir,
}

impl Measure {
    /// Compiles the object that looks for `texts`; `None` where that cannot be done, which is said.
    pub(crate) fn new(texts: &[String]) -> Option<Self> {
        for program in ["cc", "addr2line"] {
            if Command::new(program).arg("--version").output().is_err() {
                let why =
                    format!("there is no '{program}', by which it is told who gives memory back");
                let must = std::env::var_os("U2M_REQUIRE_ALL").is_some_and(|value| value == "1");
                assert!(!must, "{why}");
                eprintln!("skipped: {why}");
                return None;
            }
        }
        let measure = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(measure.folder.path().join("secrets"), texts.join("\n")).unwrap();
        measure.compile("freed.c", &["-O1", "-shared", "-fPIC", "-o", "freed.so"]);
        Some(measure)
    }

    /// A program that gives back two blocks with its argument in them.
    pub(crate) fn control(&self) -> PathBuf {
        self.compile("control.c", &["-O0", "-o", "control"]);
        self.folder.path().join("control")
    }

    fn compile(&self, source: &str, args: &[&str]) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/freed").join(source);
        let mut command = Command::new("cc");
        command.current_dir(self.folder.path()).args(args).arg(&source).arg("-ldl");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn report(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    /// Has a program, and those that it starts, looked after.
    pub(crate) fn watch(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.folder.path().join("freed.so"));
        command
            .env("FREED_REPORT", self.report())
            .env("FREED_SECRETS", self.folder.path().join("secrets"));
    }

    /// What was found in `u2m` until now.
    pub(crate) fn found(&self) -> Vec<FoundLogin> {
        self.found_in(Path::new(U2M))
    }

    pub(crate) fn found_in(&self, program: &Path) -> Vec<FoundLogin> {
        // The object makes the file when it is loaded: without it nobody has looked.
        let report = std::fs::read_to_string(self.report()).expect("the object was loaded");
        let lines: Vec<Vec<&str>> =
            report.lines().map(|line| line.split_whitespace().collect()).collect();
        let places = |line: &[&'_ str]| -> Vec<String> {
            line.iter().skip(4).filter_map(|place| address(place)).collect()
        };
        let all: Vec<String> = lines.iter().flat_map(|line| places(line)).collect();
        let mut symbols = symbols(program, &all).into_iter();
        let found = |line: &Vec<&str>| FoundLogin {
            what: line[1].to_owned(),
            size: line[2].to_owned(),
            which: line[3].to_owned(),
            frames: symbols.by_ref().take(places(line).len()).flatten().collect(),
        };
        lines.iter().map(found).collect()
    }
}

/// Where in the program a frame is; `None` for one in a library.
fn address(place: &str) -> Option<String> {
    let (file, address) = place.rsplit_once('+')?;
    (!file.contains(".so")).then(|| address.to_owned())
}

/// For each address the functions that it is in, from the innermost: there are several where one was inlined.
fn symbols(program: &Path, addresses: &[String]) -> Vec<Vec<String>> {
    if addresses.is_empty() {
        return Vec::new();
    }
    let mut command = Command::new("addr2line");
    command.args(["-a", "-f", "-i", "-C", "-e"]).arg(program).args(addresses);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut symbols: Vec<Vec<String>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            symbols.push(Vec::new());
            continue;
        }
        // Behind each name stands its place in the source.
        lines.next();
        symbols.last_mut().unwrap().push(line.to_owned());
    }
    assert_eq!(symbols.len(), addresses.len());
    symbols
}
