//! Which lines are compiled on this machine, outside of tests and fuzzing: what other lines do, no test here can tell.

use super::report::Mutant;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::RangeInclusive;

/// What is configured: the lines of `rustc --print cfg`, and the features.
pub(super) struct Here(BTreeSet<String>);

/// What is left out of a file: lines, and the modules that such lines name, as paths without their ending.
#[derive(Debug, Default, PartialEq, Eq)]
struct Away {
    lines: Vec<RangeInclusive<usize>>,
    modules: Vec<String>,
}

impl Here {
    pub(super) fn new(cfg: &str, features: &[&str]) -> Self {
        let features = features.iter().map(|name| format!("feature=\"{name}\""));
        Self(cfg.lines().map(String::from).chain(features).collect())
    }

    /// Those of `all` whose line is compiled here.
    pub(super) fn only(
        &self,
        all: Vec<Mutant>,
        read: impl Fn(&str) -> io::Result<String>,
    ) -> io::Result<Vec<Mutant>> {
        let files: BTreeSet<&str> = all.iter().map(|mutant| mutant.file.as_str()).collect();
        // The files that declare modules have changes of their own only where they hold code, too.
        let declaring: BTreeSet<String> = files.iter().flat_map(|file| parents(file)).collect();
        let mut away = BTreeMap::new();
        for file in files.into_iter().map(String::from).chain(declaring) {
            let source = match read(&file) {
                Ok(source) => source,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let found = self.away(&file, &source);
            away.insert(file, found);
        }
        let gone = |file: &str, line: usize| {
            let modules = away.values().flat_map(|away| &away.modules);
            let mut modules = modules.flat_map(|path| [format!("{path}.rs"), format!("{path}/")]);
            modules.any(|path| file == path || path.ends_with('/') && file.starts_with(&path))
                || away
                    .get(file)
                    .is_some_and(|away| away.lines.iter().any(|all| all.contains(&line)))
        };
        let kept: Vec<bool> = all.iter().map(|mutant| !gone(&mutant.file, mutant.line)).collect();
        Ok(all.into_iter().zip(kept).filter_map(|(mutant, kept)| kept.then_some(mutant)).collect())
    }

    /// What `#[cfg(…)]` leaves out of `source`, as rustfmt lays it out: an item ends where a line is indented as its
    /// first one and closes.
    fn away(&self, file: &str, source: &str) -> Away {
        let lines: Vec<&str> = source.lines().collect();
        let mut away = Away::default();
        for (at, line) in lines.iter().enumerate() {
            let Some(predicate) = line.trim_start().strip_prefix("#[cfg(") else { continue };
            let predicate = predicate.strip_suffix(")]").unwrap_or(predicate);
            if self.holds(predicate) {
                continue;
            }
            let indent = indent(line);
            let first =
                (at + 1..lines.len()).find(|next| !lines[*next].trim_start().starts_with('#'));
            let Some(first) = first else { continue };
            let closes = |line: &str| line.ends_with([';', ',', '}']);
            let last = (first..lines.len())
                .find(|next| indent == self::indent(lines[*next]) && closes(lines[*next]))
                .unwrap_or(lines.len() - 1);
            away.lines.push(at + 1..=last + 1);
            let path =
                lines[at..first].iter().find_map(|line| line.trim().strip_prefix("#[path = \""));
            let path = path.and_then(|path| path.strip_suffix(".rs\"]"));
            let name =
                lines[first].trim().split_once("mod ").and_then(|(_, it)| it.strip_suffix(';'));
            away.modules.extend(name.map(|name| match path {
                Some(path) => format!("{}/{path}", file.rsplit_once('/').map_or("", |it| it.0)),
                None => format!("{}/{name}", folder_of_modules(file)),
            }));
        }
        away
    }

    /// Whether a predicate of `cfg` is true.
    fn holds(&self, predicate: &str) -> bool {
        let predicate = predicate.trim().trim_end_matches(',');
        let inner = |name: &str| predicate.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(all) = inner("all") {
            parts(all).into_iter().all(|part| self.holds(part))
        } else if let Some(any) = inner("any") {
            parts(any).into_iter().any(|part| self.holds(part))
        } else if let Some(not) = inner("not") {
            !self.holds(not)
        } else {
            self.0.contains(&predicate.replace(" = ", "="))
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The parts of a list, whose commas in parentheses are its parts' own.
fn parts(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut parts: Vec<&str> = list
        .split(|char| {
            match char {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            char == ',' && depth == 0
        })
        .collect();
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Where the modules that a file declares are.
fn folder_of_modules(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    match name {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    }
}

/// The files that may declare the module of `file`, or one that it is in.
fn parents(file: &str) -> Vec<String> {
    let mut parents = Vec::new();
    let mut folder = file;
    while let Some((above, _)) = folder.rsplit_once('/') {
        parents.extend([
            format!("{above}/mod.rs"),
            format!("{above}/lib.rs"),
            format!("{above}.rs"),
        ]);
        folder = above;
    }
    parents
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "debug_assertions\ntarget_os=\"linux\"\ntarget_vendor=\"unknown\"\nunix\n";

    fn linux() -> Here {
        Here::new(LINUX, &["redis"])
    }

    #[test]
    fn predicates_are_those_of_the_compiler() {
        for (predicate, holds) in [
            ("unix", true),
            ("windows", false),
            ("test", false),
            ("fuzzing", false),
            ("target_os = \"linux\"", true),
            ("feature = \"redis\"", true),
            ("feature = \"keyring\"", false),
            (
                "not(any(target_os = \"macos\", windows, all(unix, not(target_vendor = \"apple\"))))",
                false,
            ),
            ("not(all(test, unix))", true),
            ("any()", false),
            ("all()", true),
        ] {
            assert_eq!(linux().holds(predicate), holds, "{predicate}");
        }
    }

    #[test]
    fn an_item_is_left_out_from_its_attribute_to_its_end() {
        let source = "\
use a;
#[cfg(windows)]
#[inline]
fn one(
    a: u8,
) -> u8 {
    a
}

#[cfg(unix)]
fn two() {}

impl X {
    #[cfg(test)]
    const A: u8 = 1;
    fn three() {}
}

#[cfg(target_os = \"macos\")]
mod apple;
#[cfg(not(unix))]
#[path = \"disk/other.rs\"]
mod platform;
";
        let modules = vec!["src/disk/apple".to_owned(), "src/disk/other".to_owned()];
        assert_eq!(
            linux().away("src/disk.rs", source),
            Away { lines: vec![2..=8, 14..=15, 19..=20, 21..=23], modules }
        );
    }

    #[test]
    fn changes_elsewhere_are_not_drawn() {
        let mutant = |file: &str, line| Mutant { name: String::new(), file: file.into(), line };
        let all = vec![
            mutant("src/key/apple.rs", 1),
            mutant("src/key/apple/deep.rs", 1),
            mutant("src/key/apples.rs", 1),
            mutant("src/disk.rs", 2),
            mutant("src/disk.rs", 3),
            mutant("src/disk/other.rs", 9),
        ];
        let read = |file: &str| match file {
            "src/key/mod.rs" => Ok("#[cfg(windows)]\nmod apple;\nmod apples;\n".to_owned()),
            "src/disk.rs" => Ok("#[cfg(not(unix))]\nmod other;\nfn f() {}\n".to_owned()),
            "src/key/apple.rs" | "src/key/apples.rs" => Ok(String::new()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let kept = linux().only(all, read).unwrap();
        assert_eq!(kept, [mutant("src/key/apples.rs", 1), mutant("src/disk.rs", 3)]);
    }
}
