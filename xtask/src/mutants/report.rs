//! What cargo-mutants lists and finds, and the table of it.

use crate::run::Failure;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write;

/// A change to one place of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Where it is and what it is, in one line.
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: usize,
}

impl Mutant {
    fn of(value: &Value) -> Option<Self> {
        Some(Self {
            name: value["name"].as_str()?.into(),
            file: value["file"].as_str()?.into(),
            line: value["span"]["start"]["line"].as_u64()?.try_into().ok()?,
        })
    }
}

/// The changes of `cargo mutants --list --json`.
pub(super) fn listed(json: &str) -> Result<Vec<Mutant>, Failure> {
    let all: Vec<Value> = serde_json::from_str(json)?;
    let all: Option<Vec<Mutant>> = all.iter().map(Mutant::of).collect();
    let mut all = all.ok_or("cargo-mutants lists something that is no change")?;
    // It visits some places twice.
    let mut seen = HashSet::new();
    all.retain(|mutant| seen.insert(mutant.name.clone()));
    Ok(all)
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MutantFate {
    /// A test failed.
    Caught,
    /// Every test passed.
    Missed,
    /// The tests hung, which somebody would notice.
    Hung,
    /// It does not compile.
    Unviable,
}

/// A change that was tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) fate: MutantFate,
}

impl Found {
    /// Whether this is of that change, and no test noticed it.
    pub(super) fn let_through(&self, mutant: &Mutant) -> bool {
        self.fate == MutantFate::Missed && self.name == mutant.name
    }
}

/// Takes what a later round found in the place of what an earlier one did.
pub(super) fn later(found: &mut Vec<Found>, now: Vec<Found>) {
    for newer in now {
        match found.iter_mut().find(|known| known.name == newer.name) {
            Some(known) => *known = newer,
            None => found.push(newer),
        }
    }
}

/// What `outcomes.json` tells of each change.
pub(super) fn found(json: &str) -> Result<Vec<Found>, Failure> {
    let all: Value = serde_json::from_str(json)?;
    let outcomes = all["outcomes"].as_array().ok_or("cargo-mutants tells no outcomes")?;
    let mut found: Vec<Found> = Vec::new();
    for outcome in outcomes {
        // The other scenario is the unchanged tree.
        let Some(name) = outcome["scenario"]["Mutant"]["name"].as_str() else { continue };
        let fate = match outcome["summary"].as_str() {
            Some("CaughtMutant") => MutantFate::Caught,
            Some("MissedMutant") => MutantFate::Missed,
            Some("Timeout") => MutantFate::Hung,
            Some("Unviable") => MutantFate::Unviable,
            other => return Err(format!("{name}: cargo-mutants says {other:?}").into()),
        };
        if !found.iter().any(|known| known.name == name) {
            found.push(Found { name: name.into(), fate });
        }
    }
    Ok(found)
}

/// How an area did.
pub(super) struct Score {
    pub(super) area: &'static str,
    pub(super) found: Vec<Found>,
}

impl Score {
    fn count(&self, fate: MutantFate) -> usize {
        self.found.iter().filter(|found| found.fate == fate).count()
    }

    fn viable(&self) -> usize {
        self.found.len() - self.count(MutantFate::Unviable)
    }

    /// How many of a hundred were noticed; all of none.
    pub(super) fn percent(&self) -> f64 {
        let missed = self.count(MutantFate::Missed);
        match self.viable() {
            0 => 100.0,
            viable => 100.0 * (viable - missed) as f64 / viable as f64,
        }
    }
}

/// A line for each area, and then each change that nobody noticed.
pub(super) fn table(scores: &[Score], seed: u64) -> String {
    let mut table = format!(
        "| area, seed {seed:<6} | viable | caught | hung | missed | unviable | noticed |\n"
    );
    table.push_str("|---|---|---|---|---|---|---|\n");
    for score in scores {
        let [caught, hung, missed, unviable] =
            [MutantFate::Caught, MutantFate::Hung, MutantFate::Missed, MutantFate::Unviable]
                .map(|fate| score.count(fate));
        // Writing to a text cannot fail.
        let _ = writeln!(
            table,
            "| {:<17} | {:>6} | {caught:>6} | {hung:>4} | {missed:>6} | {unviable:>8} | {:>5.1} % |",
            score.area,
            score.viable(),
            score.percent(),
        );
    }
    for found in scores.iter().flat_map(|score| &score.found) {
        if found.fate == MutantFate::Missed {
            let _ = write!(table, "\nmissed: {}", found.name);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_where_each_change_is() {
        let one = r#"{"name": "a/b.rs:7:9: replace f with ()", "file": "a/b.rs", "package": "a", "span": {"start": {"line": 7, "column": 9}, "end": {"line": 7, "column": 12}}}"#;
        let [mutant] = listed(&format!("[{one}, {one}]")).unwrap().try_into().unwrap();
        assert_eq!((mutant.file.as_str(), mutant.line), ("a/b.rs", 7));
        assert_eq!(mutant.name, "a/b.rs:7:9: replace f with ()");
        assert!(listed(r#"[{"name": "x"}]"#).is_err());
    }

    #[test]
    fn every_outcome_but_the_unchanged_trees_counts() {
        let one = |name: &str, summary: &str| {
            format!(r#"{{"scenario": {{"Mutant": {{"name": "{name}"}}}}, "summary": "{summary}"}}"#)
        };
        let json = |outcomes: &[String]| format!(r#"{{"outcomes": [{}]}}"#, outcomes.join(","));
        let found = found(&json(&[
            r#"{"scenario": "Baseline", "summary": "Success"}"#.into(),
            one("a", "CaughtMutant"),
            one("b", "MissedMutant"),
            one("c", "Timeout"),
            one("d", "Unviable"),
            one("a", "CaughtMutant"),
        ]));
        let fates: Vec<_> = found.unwrap().into_iter().map(|found| found.fate).collect();
        assert_eq!(
            fates,
            [MutantFate::Caught, MutantFate::Missed, MutantFate::Hung, MutantFate::Unviable]
        );
        assert!(super::found(&json(&[one("e", "Failure")])).is_err());
        assert!(super::found("{}").is_err());
    }

    #[test]
    fn the_last_round_has_the_last_word() {
        let one = |name: &str, fate| Found { name: name.into(), fate };
        let mut found = vec![
            one("a", MutantFate::Caught),
            one("b", MutantFate::Missed),
            one("c", MutantFate::Missed),
        ];
        later(&mut found, vec![one("b", MutantFate::Caught), one("c", MutantFate::Missed)]);
        let fates: Vec<_> = found.iter().map(|found| found.fate).collect();
        assert_eq!(fates, [MutantFate::Caught, MutantFate::Caught, MutantFate::Missed]);
        let mutant = |name: &str| Mutant { name: name.into(), file: String::new(), line: 1 };
        assert!(found[2].let_through(&mutant("c")) && !found[2].let_through(&mutant("b")));
        assert!(!found[0].let_through(&mutant("a")));
    }

    #[test]
    fn the_table_counts_and_names_what_was_missed() {
        let found = |fate, count: usize| {
            (0..count).map(move |at| Found { name: format!("f.rs:{at}: {fate:?}"), fate })
        };
        let all = found(MutantFate::Caught, 17)
            .chain(found(MutantFate::Hung, 1))
            .chain(found(MutantFate::Missed, 2));
        let score =
            Score { area: "core", found: all.chain(found(MutantFate::Unviable, 5)).collect() };
        assert!((score.percent() - 90.0).abs() < 1e-9);
        let table = table(&[score, Score { area: "u2m", found: Vec::new() }], 7);
        let row = "| core              |     20 |     17 |    1 |      2 |        5 |  90.0 % |\n";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("seed 7 "), "{table}");
        assert!(table.ends_with("\nmissed: f.rs:0: Missed\nmissed: f.rs:1: Missed"), "{table}");
    }
}
