//! Which test programs are run together: the ones that see most for their time before the others, the slow ones last.

use crate::run::Failure;
use std::fs;
use std::path::Path;

/// The names of the test programs in `folder`, in their order: each file is one, and each folder with a `main.rs`.
pub(super) fn programs(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    if !folder.is_dir() {
        return Ok(names);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_one = path.join("main.rs").is_file()
            || path.is_file() && path.extension().is_some_and(|end| end == "rs");
        if is_one {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Tests that are built and run together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// What cargo builds.
    pub(super) targets: Vec<String>,
    /// What the programs are told: which of their tests to leave out, or to run alone.
    pub(super) words: Vec<String>,
}

/// The rounds of an area: the unit tests with the `first` of `all` programs, then the programs that nobody named, then the
/// `last`, and then the unit tests that have `slow` in their name, which the first round leaves out.
pub(super) fn of(
    all: &[String],
    first: &[&str],
    last: &[&str],
    slow: Option<&str>,
) -> Result<Vec<Round>, Failure> {
    if let Some(gone) = first.iter().chain(last).find(|name| !all.iter().any(|one| one == *name)) {
        return Err(format!("there is no test program {gone} any more").into());
    }
    let is_in = |names: &[&str], one: &String| names.contains(&one.as_str());
    let of = |chosen: &dyn Fn(&String) -> bool| -> Vec<String> {
        all.iter().filter(|one| chosen(one)).map(|one| format!("--test={one}")).collect()
    };
    let mut programs = vec![
        of(&|one| is_in(first, one)),
        of(&|one| !is_in(first, one) && !is_in(last, one)),
        of(&|one| is_in(last, one)),
    ];
    if first.is_empty() {
        programs.remove(0);
    }
    programs[0].insert(0, "--lib".to_owned());
    programs.retain(|targets| !targets.is_empty());
    let mut rounds: Vec<Round> =
        programs.into_iter().map(|targets| Round { targets, words: Vec::new() }).collect();
    if let Some(slow) = slow {
        rounds[0].words = vec!["--skip".to_owned(), slow.to_owned()];
        rounds.push(Round { targets: vec!["--lib".to_owned()], words: vec![slow.to_owned()] });
    }
    Ok(rounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<String> {
        ["api", "killed", "login", "stale"].map(String::from).into()
    }

    fn targets(first: &[&str], last: &[&str]) -> Vec<Vec<String>> {
        let rounds = of(&all(), first, last, None).unwrap();
        assert!(rounds.iter().all(|round| round.words.is_empty()));
        rounds.into_iter().map(|round| round.targets).collect()
    }

    #[test]
    fn the_first_come_with_the_unit_tests_and_the_slow_ones_last() {
        let expected =
            [&["--lib", "--test=login"][..], &["--test=api", "--test=stale"], &["--test=killed"]];
        assert_eq!(targets(&["login"], &["killed"]), expected);
    }

    #[test]
    fn without_choice_all_are_one_round() {
        let expected = ["--lib", "--test=api", "--test=killed", "--test=login", "--test=stale"];
        assert_eq!(targets(&[], &[]), [expected]);
        assert_eq!(of(&[], &[], &[], None).unwrap()[0].targets, ["--lib"]);
    }

    #[test]
    fn slow_unit_tests_are_left_to_the_end() {
        let rounds = of(&all(), &["login"], &["killed"], Some("fault::")).unwrap();
        let words: Vec<_> = rounds.iter().map(|round| round.words.join(" ")).collect();
        assert_eq!(words, ["--skip fault::", "", "", "fault::"]);
        assert_eq!(rounds[3].targets, ["--lib"]);
    }

    #[test]
    fn a_program_that_is_gone_is_said() {
        for (first, last) in [(&["logon"][..], &[][..]), (&[], &["logon"])] {
            let error = of(&all(), first, last, None).unwrap_err();
            assert!(error.to_string().contains("logon"));
        }
    }

    #[test]
    fn files_and_folders_with_a_main_are_programs() {
        let folder = crate::run::target().join(format!("rounds-{}", std::process::id()));
        for path in ["common/mod.rs", "sealed/main.rs", "sealed/more.rs", "login.rs", "login.txt"] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(programs(&folder).unwrap(), ["login", "sealed"]);
        fs::remove_dir_all(&folder).unwrap();
        assert!(programs(&folder).unwrap().is_empty());
    }
}
