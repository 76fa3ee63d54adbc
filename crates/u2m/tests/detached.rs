//! A refresh in a process of its own: it is carried out there, with the caller's lock, and here where that process does not
//! begin. This program is both sides, and so it has a `main` of its own.
#![cfg_attr(not(unix), allow(unused))]
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::process::ExitCode;

/// What this program ends with where it was not taken for the small process.
const ORDINARY: u8 = 9;

fn main() -> ExitCode {
    if let Some(code) = u2m::process::serve_detached() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "ordinary" || word.starts_with("__")) {
        return ExitCode::from(ORDINARY);
    }
    #[cfg(unix)]
    stories::run(&words);
    ExitCode::SUCCESS
}

#[cfg(unix)]
mod stories {
    use super::ORDINARY;
    use super::common::{World, eventually, name};
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use u2m::process::Detached;
    use u2m::{PersistentAuth, TokenError};

    /// The word and the mark of the small process.
    const WORD: &str = "__u2m-refresh";
    const MARK: &str = "U2M_DETACHED_REFRESH";

    const ALL: &[(&str, fn())] = &[
        ("a_refresh_is_carried_out_there", a_refresh_is_carried_out_there),
        ("this_program_is_one_that_can_do_it", this_program_is_one_that_can_do_it),
        ("what_was_saved_is_looked_after_there", what_was_saved_is_looked_after_there),
        ("a_program_that_does_not_begin_spends_nothing", a_program_that_does_not_begin),
        ("a_program_that_began_and_does_not_answer_is_not_repeated", a_program_that_began),
        ("a_word_or_a_mark_alone_begins_nothing", a_word_or_a_mark_alone_begins_nothing),
    ];

    /// Those that `words` name, else all of them.
    pub(super) fn run(words: &[String]) {
        let is_named = |name: &str| words.iter().any(|word| name.contains(word.as_str()));
        let names_none = !ALL.iter().any(|(name, _)| is_named(name));
        let is_filter = words.iter().any(|word| !word.starts_with('-') && word.contains('_'));
        for (name, story) in ALL {
            if is_named(name) || names_none && !is_filter {
                println!("story {name}");
                story();
            }
        }
    }

    fn exe() -> String {
        std::env::current_exe().unwrap().to_str().unwrap().to_owned()
    }

    /// A shell that reads these lines, and is given the small process's word as `$0`.
    fn shell(script: &str) -> Detached {
        Detached::program("/bin/sh").with_words(["-c", script])
    }

    /// This program as the small process, whose answer is kept at `log`, and has a notice put in: only who takes that answer
    /// hears of it.
    fn this_program_with_a_notice(log: &Path) -> Detached {
        shell(&format!(
            r#"'{}' "$0" | {{
                read -r begun; echo "$begun"; read -r answer; echo "$answer" > '{}'
                echo "$answer" | sed 's/"notices":\[\]/"notices":["from over there"]/'
            }}"#,
            exe(),
            log.display()
        ))
    }

    fn auth(world: &World, detached: Detached) -> PersistentAuth {
        world.builder().with_detached_refresh(detached).build().unwrap()
    }

    fn notices(auth: &PersistentAuth) -> Vec<String> {
        auth.take_notices().into_iter().map(|notice| notice.text).collect()
    }

    fn a_refresh_is_carried_out_there() {
        let world = World::expired();
        let log = world.folder().join("answer");
        let auth = auth(&world, this_program_with_a_notice(&log));
        let token = auth.blocking().token().unwrap();
        assert_eq!(notices(&auth), ["from over there"]);
        world.assert_refreshed(1);
        assert_eq!(name(&world.stored().token()), name(&token));
        // The caller has no use for the refresh token.
        let stored = world.stored().refresh_token.unwrap();
        assert!(!fs::read_to_string(log).unwrap().contains(stored.expose()));
        // By force too.
        let next = auth.blocking().force_refresh().unwrap();
        assert_eq!((name(&world.stored().token()), notices(&auth).len()), (name(&next), 1));
        world.assert_refreshed(2);
        world.assert_alive();
    }

    fn this_program_is_one_that_can_do_it() {
        let world = World::expired();
        let auth = auth(&world, Detached::this_program().unwrap());
        let token = auth.blocking().token().unwrap();
        assert_eq!(name(&world.stored().token()), name(&token));
        world.assert_refreshed(1);
    }

    fn what_was_saved_is_looked_after_there() {
        let world = World::expired();
        let old = fs::read(world.file()).unwrap();
        let log = world.folder().join("answer");
        let auth = auth(&world, this_program_with_a_notice(&log));
        let token = auth.blocking().token().unwrap();
        assert_eq!(notices(&auth), ["from over there"]);
        // A program that knows no locks writes back what it had read.
        fs::write(world.file(), old).unwrap();
        eventually("the successor is back", || name(&world.stored().token()) == name(&token));
        world.assert_alive();
    }

    fn a_program_that_does_not_begin() {
        for detached in [
            Detached::program("/nonexistent/program"),
            shell("exit 1"),
            shell("read -r job; echo hello"),
            // It closes its output, and would live on.
            shell("read -r job; exec >&-; exec sleep 1000"),
        ] {
            let world = World::expired();
            let auth = auth(&world, detached);
            let token = auth.blocking().token().unwrap();
            assert_eq!(name(&world.stored().token()), name(&token));
            world.assert_refreshed(1);
        }
    }

    fn a_program_that_began() {
        for script in ["read -r job; echo begun", "read -r job; echo begun; echo '{'"] {
            let world = World::expired();
            let error = auth(&world, shell(script)).blocking().token().unwrap_err();
            assert!(matches!(error, TokenError::Unfinished), "{script}: {error:?}");
            assert_eq!(world.server.counts().requests, 0, "it may have been spent");
        }
    }

    fn a_word_or_a_mark_alone_begins_nothing() {
        let ends_with = |word: &str, mark: Option<&str>| {
            let mut command = Command::new(exe());
            command.arg(word).env_remove(MARK).envs(mark.map(|mark| (MARK, mark)));
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().unwrap().code()
        };
        assert_eq!(ends_with(WORD, None), Some(ORDINARY.into()));
        assert_eq!(ends_with("ordinary", Some("1")), Some(ORDINARY.into()));
        assert_eq!(ends_with(WORD, Some("1")), Some(1), "there is no job");
    }
}
