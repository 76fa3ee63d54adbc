//! Comments, blank lines, quotes, alignment and order are the user's.
#![allow(clippy::unwrap_used)]

use u2m_config::{EditOutcome, Editor, LOGIN_CLEARS};

const LIVED_IN: &str = "\
\u{feff}# my profiles

; the fallback
[DEFAULT]   # here
host=https://d.example


[z]
  host : 'https://z.example'   ; was y
cluster_id = `1 # 2`
token = dapi-1 # old
made_up.key = \"\"\"a
b\"\"\"


[ odd ]
k = v \\
  w
[__settings__]
future = 1
# the end";

fn edited(before: &str, name: &str, values: &[(&str, &str)], clear: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, before).unwrap();
    Editor::new(&path).edit(|draft| draft.merge_profile(name, values, clear)).unwrap();
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn a_login_changes_the_lines_it_is_about() {
    let values = [("host", "https://new.example"), ("auth_type", "databricks-cli")];
    let expected = LIVED_IN
        .replace("'https://z.example'", "https://new.example")
        .replace("token = dapi-1 # old\n", "")
        .replace("b\"\"\"\n", "b\"\"\"\nauth_type = databricks-cli\n");
    assert_eq!(edited(LIVED_IN, "z", &values, LOGIN_CLEARS), expected);
}

#[test]
fn a_new_profile_is_added_below_the_last_comment() {
    let after = edited(LIVED_IN, "new", &[("host", "https://n.example")], LOGIN_CLEARS);
    assert_eq!(after, format!("{LIVED_IN}\n\n[new]\nhost = https://n.example\n"));
}

#[test]
fn windows_line_ends_stay() {
    let after = edited("[a]\r\nhost = 1 # c\r\n", "a", &[("host", "2"), ("scopes", "sql")], &[]);
    assert_eq!(after, "[a]\r\nhost = 2 # c\r\nscopes = sql\r\n");
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, LIVED_IN).unwrap();
    let before = path.metadata().unwrap().modified().unwrap();
    let same = [("host", "https://z.example"), ("cluster_id", "")];
    let outcome =
        Editor::new(&path).edit(|draft| draft.merge_profile("z", &same, &["absent"])).unwrap();
    assert_eq!(outcome, EditOutcome::Unchanged);
    assert_eq!(path.metadata().unwrap().modified().unwrap(), before);
    assert!(!folder.path().join("cfg.bak").exists());
}

#[test]
fn a_change_that_fails_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let failed = Editor::new(&path).edit(|draft| {
        draft.merge_profile("a", &[("host", "h")], &[])?;
        draft.remove_profile("b")
    });
    assert_eq!(failed.unwrap_err().to_string(), "there is no profile named \"b\"");
    assert!(!path.exists());
}
