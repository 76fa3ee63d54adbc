//! A dot in a section name means nothing, in reading and in writing.
#![allow(clippy::unwrap_used)]

use u2m_config::{ConfigFile, Editor};

#[test]
fn a_dotted_section_reads_nothing_from_its_namesake() {
    let file = ConfigFile::parse("[a]\nhost = h\n[a.b]\naccount_id = 1\n").unwrap();
    assert_eq!(file.get("a.b", "host"), None);
    assert_eq!(file.profile("a.b").unwrap().host(), None);
}

#[test]
fn a_login_into_a_dotted_profile_leaves_its_namesake_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let before = "[a]\nhost = https://old.example\nauth_type = pat\n";
    std::fs::write(&path, before).unwrap();
    let values = [("host", "https://new.example"), ("auth_type", "databricks-cli")];
    Editor::new(&path).edit(|draft| draft.merge_profile("a.b", &values, &[])).unwrap();
    let after = std::fs::read_to_string(&path).unwrap();
    let added = "\n[a.b]\nhost      = https://new.example\nauth_type = databricks-cli\n";
    assert_eq!(after, format!("{before}{added}"));
}

#[test]
fn removing_a_dotted_profile_leaves_its_namesake_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, "[a]\nhost = h\n\n[a.b]\nhost = i\n").unwrap();
    Editor::new(&path).edit(|draft| draft.remove_profile("a.b")).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[a]\nhost = h\n");
}
