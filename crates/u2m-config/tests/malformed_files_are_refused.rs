//! One malformed line spoils the file, and the error shows where without showing what.
#![allow(clippy::unwrap_used)]

use std::error::Error;

use u2m_config::{ConfigError, ConfigFile, Editor, SyntaxFault};

fn fault(text: &str) -> (usize, SyntaxFault) {
    let error = ConfigFile::parse(text).unwrap_err();
    (error.line(), error.fault())
}

#[test]
fn each_fault_has_a_name_and_a_line() {
    assert_eq!(fault("[a\n"), (1, SyntaxFault::UnclosedSection));
    assert_eq!(fault("[p]\n\nnovalue\n"), (3, SyntaxFault::NoSeparator));
    assert_eq!(fault("[p]\n=x\n"), (2, SyntaxFault::EmptyKey));
    assert_eq!(fault("[p]\n\"\" = x\n"), (2, SyntaxFault::EmptyKey));
    assert_eq!(fault("[]\n"), (1, SyntaxFault::EmptySection));
    assert_eq!(fault("[p]\nk = `x\ny\n"), (2, SyntaxFault::UnclosedValueQuote));
    assert_eq!(fault("[p]\nk = \"\"\"x\n"), (2, SyntaxFault::UnclosedValueQuote));
    assert_eq!(fault("[p]\n`k = x\n"), (2, SyntaxFault::UnclosedKeyQuote));
}

#[test]
fn no_error_shows_the_content_of_the_line() {
    for text in ["dapi-secret\n", "[dapi-secret\n", "k = `dapi-secret\n", "`dapi-secret\n"] {
        let error = ConfigFile::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("dapi"), "{error}");
    }
}

#[test]
fn reading_names_the_file_and_passes_the_line_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, "[p]\ndapi-secret\n").unwrap();
    let error = ConfigFile::read(&path).unwrap_err();
    assert!(matches!(error, ConfigError::Malformed { .. }));
    assert!(error.to_string().contains("cfg"));
    assert_eq!(error.source().unwrap().to_string(), "line 2: there is no = between key and value");
}

#[test]
fn a_malformed_file_is_not_edited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, "[p\n").unwrap();
    let error = Editor::new(&path)
        .edit(|draft| draft.merge_profile("q", &[("host", "h")], &[]))
        .unwrap_err();
    assert!(matches!(error, ConfigError::Malformed { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), b"[p\n");
}

#[test]
fn a_file_that_is_far_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, "#".repeat(u2m_config::SIZE_LIMIT + 1)).unwrap();
    assert!(matches!(ConfigFile::read(&path), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn a_lone_triple_quote_at_the_end_is_read_and_not_written_below() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let text = "[p]\nk = \"\"\"";
    std::fs::write(&path, text).unwrap();
    assert_eq!(ConfigFile::read(&path).unwrap().get("p", "k"), Some("\"\"\""));
    // With a line below it, all that follows would be its value.
    let edit = Editor::new(&path).edit(|draft| draft.merge_profile("q", &[("host", "h")], &[]));
    let Err(ConfigError::Malformed { source, .. }) = edit else { panic!("{edit:?}") };
    assert_eq!((source.line(), source.fault()), (2, SyntaxFault::UnclosedValueQuote));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_file_of_ten_megabytes_is_neither_read_nor_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let text = "[p]\nhost = https://a.example\n".repeat(400_000);
    std::fs::write(&path, &text).unwrap();
    let error = ConfigFile::read(&path).unwrap_err();
    assert!(error.to_string().ends_with("cfg is larger than 1048576 bytes"), "{error}");
    let edit = Editor::new(&path).edit(|draft| draft.merge_profile("q", &[("host", "h")], &[]));
    assert!(matches!(edit, Err(ConfigError::TooLarge { .. })));
    assert!(std::fs::read_to_string(&path).unwrap() == text);
    assert!(!folder.path().join("cfg.bak").exists());
}

#[test]
fn no_edit_makes_a_file_too_large_to_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let text = format!("[p]\nhost = h\n{}\n", "#".repeat(u2m_config::SIZE_LIMIT - 20));
    std::fs::write(&path, &text).unwrap();
    let edit = Editor::new(&path).edit(|draft| draft.merge_profile("q", &[("host", "h")], &[]));
    assert!(matches!(edit, Err(ConfigError::TooLarge { .. })));
    assert!(std::fs::read_to_string(&path).unwrap() == text);
}

#[test]
fn an_edit_keeps_what_is_doubled_and_marks_and_windows_line_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(
        &path,
        "\u{feff}[p]\r\nhost = 1\r\nhost = 2\r\n[q]\r\nk = v\r\n[p]\r\nk = 1\r\n",
    )
    .unwrap();
    Editor::new(&path).edit(|draft| draft.merge_profile("p", &[("host", "3")], &[])).unwrap();
    let expected = "\u{feff}[p]\r\nhost = 1\r\nhost = 3\r\n[q]\r\nk = v\r\n[p]\r\nk = 1\r\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn an_edit_may_make_a_file_as_large_as_one_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let beginning = "[p]\nhost = h\n";
    for (size, fits) in [(u2m_config::SIZE_LIMIT - 1, true), (u2m_config::SIZE_LIMIT, false)] {
        std::fs::write(
            &path,
            beginning.to_owned() + &"#".repeat(size - beginning.len() - 1) + "\n",
        )
        .unwrap();
        let edit =
            Editor::new(&path).edit(|draft| draft.merge_profile("p", &[("host", "hh")], &[]));
        assert_eq!(edit.is_ok(), fits, "{edit:?}");
        assert_eq!(
            ConfigFile::read(&path).unwrap().get("p", "host"),
            Some(["h", "hh"][usize::from(fits)])
        );
    }
}

#[test]
fn what_could_not_be_written_is_known_before_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let editor = Editor::new(folder.path().join("cfg"));
    editor.prove_profile("dev", &[("host", "h")]).unwrap();
    let name = editor.prove_profile("a]b", &[("host", "h")]);
    assert!(matches!(name, Err(ConfigError::RefusedName { .. })), "{name:?}");
    let value = editor.prove_profile("dev", &[("host", "h\n[b]")]);
    assert!(matches!(value, Err(ConfigError::RefusedValue { .. })), "{value:?}");
    let nowhere = Editor::new(folder.path().join("gone/cfg")).prove_profile("dev", &[]);
    assert!(matches!(nowhere, Err(ConfigError::DirectoryMissing { .. })), "{nowhere:?}");
}

#[test]
fn a_file_that_cannot_be_replaced_for_any_other_reason_is_not_written_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, "[p]\nhost = h\n").unwrap();
    std::fs::create_dir(folder.path().join("cfg.tmp")).unwrap();
    let edit = Editor::new(&path).edit(|draft| draft.merge_profile("p", &[("host", "hh")], &[]));
    assert!(matches!(edit, Err(ConfigError::Io { .. })), "{edit:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[p]\nhost = h\n");
}
