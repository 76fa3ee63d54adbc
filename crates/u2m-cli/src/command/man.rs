//! `u2m man`: the manual, from the same tables as the help.

use crate::args::{Args, Command, WORDS};
use crate::failure::{Class, Failure};
use crate::prose::{self, Prose};
use crate::{help, output, place};
use roff::{Roff, bold, italic, roman};
use std::path::Path;

pub(crate) fn run(args: &Args, _: &str) -> Result<(), Failure> {
    let Some(folder) = args.to.as_deref().filter(|folder| !folder.is_empty()) else {
        return output::result(page(None));
    };
    let folder = Path::new(folder);
    let failed = |error: std::io::Error| {
        let text = format!("the pages cannot be written to {}: {error}", place::shown(folder));
        Failure::new(Class::Other, text)
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut written = 0;
    for (file, text) in pages() {
        std::fs::write(folder.join(file), text).map_err(failed)?;
        written += 1;
    }
    output::inform(&format!("{written} pages were written to {}.", place::shown(folder)));
    Ok(())
}

/// The files of the manual. Commands that are explained together share a page, which is found by the name of each.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("u2m.1".to_owned(), page(None))];
    for word in WORDS {
        let (file, whole) = (file(word.name), format!("{}.1", title(word.command)));
        if pages.iter().all(|(known, _)| *known != whole) {
            pages.push((whole.clone(), page(Some(word.command))));
        }
        if file != whole {
            pages.push((file, format!(".so man1/{whole}\n")));
        }
    }
    pages
}

fn file(name: &str) -> String {
    format!("u2m-{}.1", name.replace(' ', "-"))
}

fn title(command: Command) -> String {
    format!("u2m-{}", command.name().split(' ').next().unwrap_or_default())
}

fn page(command: Option<Command>) -> String {
    let title = command.map_or_else(|| "u2m".to_owned(), title);
    let version = concat!("u2m ", env!("CARGO_PKG_VERSION"));
    let Prose { purpose, more, examples } = command.map_or(prose::ALL, prose::of);
    let mut roff = Roff::new();
    roff.control("TH", [title.to_uppercase().as_str(), "1", "", version]);
    let about = command.map_or("sign in once, and give every program a fresh token", |command| {
        command.word().about
    });
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{title} - {about}"))]);
    roff.control("SH", ["SYNOPSIS"]);
    match command {
        Some(command) => {
            for usage in help::usages(command) {
                roff.control("P", []).text([bold("u2m "), roman(usage)]);
            }
        }
        None => {
            roff.text([bold("u2m"), roman(" COMMAND [PROFILE|HOST] [FLAGS]")]);
        }
    }
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(purpose.replace('\n', " "))]);
    match command {
        Some(command) => {
            roff.control("SH", ["OPTIONS"]);
            for flag in help::flags(command) {
                let (words, value) = (help::signature(flag), flag.value.unwrap_or_default());
                let words = words.strip_suffix(value).unwrap_or(&words);
                roff.control("TP", []).text([bold(words), italic(value)]);
                roff.text([roman(flag.about)]);
            }
        }
        None => {
            roff.control("SH", ["COMMANDS"]);
            for word in WORDS.iter() {
                roff.control("TP", [])
                    .text([bold(format!("u2m-{}(1)", word.name.replace(' ', "-")))]);
                roff.text([roman(word.about)]);
            }
        }
    }
    roff.control("SH", ["EXAMPLES"]);
    for (line, what) in examples {
        roff.control("TP", []).text([bold(format!("u2m {line}"))]);
        roff.text([roman(*what)]);
    }
    if !more.is_empty() {
        roff.control("SH", ["NOTES"]).control("nf", []).text([roman(more.trim_end())]);
        roff.control("fi", []);
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_flags() {
        let pages = pages();
        let login = &pages.iter().find(|(file, _)| file == "u2m-login.1").unwrap().1;
        assert!(login.contains(r"\-\-configure\-cluster"), "{login}");
        assert!(pages.iter().any(|(file, _)| file == "u2m-storage.1"));
        let is_link = |text: &str| text.starts_with(".so man1/u2m-");
        let is_page = |text: &str| text.contains(".SH SYNOPSIS") && text.contains(".SH EXAMPLES");
        assert!(pages.iter().all(|(_, text)| is_link(text) || is_page(text)));
        for name in ["env", "status", "storage-show", "storage-migrate", "ls", "whoami"] {
            assert!(pages.iter().any(|(file, _)| *file == format!("u2m-{name}.1")), "{name}");
        }
    }
}
