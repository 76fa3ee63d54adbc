use super::*;

fn draft(text: &str) -> Draft {
    Draft::of(ConfigFile::parse(text).unwrap()).unwrap()
}

#[test]
fn a_refused_value_changes_nothing() {
    let mut draft = draft("[p]\ntoken = t\n");
    assert!(draft.merge_profile("p", &[("host", "h"), ("scopes", "a # b")], &["token"]).is_err());
    assert_eq!(draft.text(), draft.before().text());
}

#[test]
fn the_placeholder_for_no_workspace_goes_with_the_next_write() {
    let mut draft = draft("[p]\nhost = h\nworkspace_id = none\n");
    draft.merge_profile("p", &[("auth_type", "databricks-cli")], &[]).unwrap();
    assert_eq!(draft.text(), "[p]\nhost = h\nauth_type = databricks-cli\n");
}

#[test]
fn a_setting_made_first_still_gives_the_standard_beginning() {
    let mut draft = draft("");
    draft.set_setting("auth_storage", "secure").unwrap();
    draft.merge_profile("p", &[("host", "h")], &[]).unwrap();
    let rest = draft.text().strip_prefix(DEFAULT_COMMENT).unwrap();
    assert_eq!(
        rest,
        "\n[__settings__]\nauth_storage = secure\ndefault_profile = p\n\n[p]\nhost = h\n"
    );
}

#[test]
fn the_default_profile_must_exist() {
    let mut draft = draft("[p]\nhost = h\n");
    assert!(matches!(draft.set_default_profile("q"), Err(ConfigError::ProfileUnknown { .. })));
    draft.set_default_profile("p").unwrap();
    assert_eq!(draft.text(), "[p]\nhost = h\n\n[__settings__]\ndefault_profile = p\n");
}

#[test]
fn replaced_credentials_do_not_reach_the_backup() {
    let mut draft = draft("[p]\nhost = h\ntoken = old-secret\n");
    draft.merge_profile("p", &[("token", "new")], &[]).unwrap();
    assert_eq!(draft.backup(), "[p]\nhost = h\ntoken = REDACTED\n");
}
