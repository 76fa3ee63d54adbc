//! Completion and the manual, by the programs that read them. A shell that is not here is passed over.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use common::{U2M, World};
use std::process::{Command, Output};

fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("U2M_REQUIRE_ALL").is_none(), "no {program} here");
    if !found {
        eprintln!("no {program} here: what is for it is not tested");
    }
    found
}

/// A world with profiles, and `u2m` in its PATH.
fn world() -> World {
    let world = World::new();
    world.write(
        ".databrickscfg",
        "[dev]\nhost = https://dev.example\n\n[two words]\nhost = https://two.example\n\n[bare]\nk = v\n",
    );
    world
}

fn run_in(world: &World, shell: &str, args: &[&str]) -> Output {
    let folder = std::path::Path::new(U2M).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell);
    command.args(args).env_clear().env("HOME", world.home()).env("PATH", path);
    command.output().unwrap()
}

fn said(output: &Output) -> Vec<String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_profiles() {
    if !is_here("bash") {
        return;
    }
    let world = world();
    let complete = |words: &str| {
        let script = format!(
            "source <(u2m completion bash); COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); \
             _u2m; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        said(&run_in(&world, "bash", &["-ec", &script]))
    };
    assert_eq!(complete("u2m tok"), ["token"]);
    assert_eq!(complete("u2m auth token --force"), ["--force-refresh"]);
    assert_eq!(complete("u2m token -p ''"), ["dev", r"two\ words"]);
    assert_eq!(complete("u2m token --output = j"), ["json"]);
}

#[test]
fn zsh_takes_the_script_and_completes() {
    if !is_here("zsh") {
        return;
    }
    let script = "autoload -U compinit; compinit -u; source <(u2m completion zsh); \
                  _describe() { print -l -- \"${(@P)2}\" }; words=(u2m token -p d); CURRENT=4; _u2m";
    let said = said(&run_in(&world(), "zsh", &["-fc", script]));
    assert_eq!(said, ["dev:https://dev.example"]);
}

#[test]
fn zsh_is_given_names_of_which_it_loses_nothing() {
    if !is_here("zsh") {
        return;
    }
    let world = World::new();
    world.write(".databrickscfg", "[a:b\\c]\nhost = https://dev.example\n");
    let script = "compdef() { :; }; source <(u2m completion zsh); \
                  _describe() { print -rl -- \"${(@P)2}\" }; words=(u2m token -p a); CURRENT=4; _u2m";
    assert_eq!(said(&run_in(&world, "zsh", &["-fc", script])), [r"a\:b\\c:https://dev.example"]);
}

#[test]
fn fish_completes_with_what_a_word_means() {
    if !is_here("fish") {
        return;
    }
    let script =
        "u2m completion fish | source; complete -C 'u2m tok'; complete -C 'u2m token -p d'";
    let said = said(&run_in(&world(), "fish", &["-c", script]));
    assert_eq!(
        said,
        ["token\tprint a token, refreshed when it is time", "dev\thttps://dev.example"]
    );
}

#[test]
fn a_profile_file_that_cannot_be_read_completes_to_nothing_and_says_nothing() {
    let world = World::new();
    world.write(".databrickscfg", "[broken\n");
    let output = run_in(&world, U2M, &["completion", "words", "--", "token", ""]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn the_manual_is_written_and_its_reader_has_nothing_to_object() {
    let world = World::new();
    let folder = world.path("man1");
    let output = run_in(&world, U2M, &["man", "--to", folder.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty());
    let pages: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.len() > 10, "{pages:?}");
    if !is_here("groff") {
        return;
    }
    for page in pages {
        let mut groff = Command::new("groff");
        groff.args(["-ww", "-man", "-Tutf8"]).arg(&page);
        // Pages of several names lead to one, from the folder above.
        let shown = groff.current_dir(world.home()).output().unwrap();
        let objections = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert_eq!(objections, "", "{}", page.display());
        assert!(String::from_utf8_lossy(&shown.stdout).contains("u2m"), "{}", page.display());
    }
}
