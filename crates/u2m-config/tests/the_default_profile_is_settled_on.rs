//! Which profile is used where none is named, and what is said of one that is not there.
#![allow(clippy::unwrap_used)]

mod common;

use common::{chosen, world};
use u2m_config::{ChooseError, ChosenBy, ResolveError};

fn is_unknown(error: &ResolveError) -> bool {
    matches!(error, ResolveError::Choose(ChooseError::UnknownProfile { .. }))
}

const TWO: &str = "[DEFAULT]\nhost = d.example\n[x]\nhost = x.example\n";

fn with_default(name: &str) -> String {
    format!("{TWO}[__settings__]\ndefault_profile = {name}\n")
}

#[test]
fn the_setting_beats_the_default_section() {
    let found = world(&with_default("x"), &[]).nothing_said().unwrap();
    assert_eq!(chosen(&found), Some("x"));
    assert_eq!(found.profile().unwrap().by(), ChosenBy::Default);
}

#[test]
fn an_empty_setting_leaves_the_default_section() {
    let found = world(&with_default(""), &[]).nothing_said().unwrap();
    assert_eq!((chosen(&found), found.get("host")), (Some("DEFAULT"), Some("https://d.example")));
}

#[test]
fn a_setting_that_names_no_profile_is_passed_over() {
    let found = world(&with_default("deleted-profile"), &[]).nothing_said().unwrap();
    assert_eq!((chosen(&found), found.get("host")), (Some("DEFAULT"), Some("https://d.example")));
    let text = "[x]\nhost = x.example\n[__settings__]\ndefault_profile = DEFAULT\n";
    assert_eq!(chosen(&world(text, &[]).nothing_said().unwrap()), None);
}

#[test]
fn the_settings_are_no_profile_whoever_asks_for_them() {
    let world_of = |variables: &[_]| world(&with_default("x"), variables);
    let by_flag = world_of(&[]).profile("__settings__").unwrap_err();
    let by_variable = world_of(&[("DATABRICKS_CONFIG_PROFILE", "__settings__")]).nothing_said();
    for error in [by_flag, by_variable.unwrap_err()] {
        assert!(error.to_string().contains("__settings__ is a reserved section name"), "{error}");
    }
    let found = world(&with_default("__settings__"), &[]).nothing_said().unwrap();
    assert_eq!(chosen(&found), Some("DEFAULT"));
}

#[test]
fn one_profile_alone_is_not_guessed() {
    let found = world("[x]\nhost = x.example\n", &[]).nothing_said().unwrap();
    assert_eq!((chosen(&found), found.host(), found.auth_type(true)), (None, None, None));
}

#[test]
fn a_named_profile_needs_a_file_and_a_default_does_not() {
    let nowhere = || world("", &[]).without_file();
    let error = nowhere().profile("p").unwrap_err().to_string();
    assert_eq!(error, "no matching profile found: \"p\"");
    assert_eq!(chosen(&nowhere().nothing_said().unwrap()), None);
}

#[test]
fn an_empty_section_is_no_profile() {
    let error = world("[p]\n", &[]).profile("p").unwrap_err();
    assert!(is_unknown(&error), "{error}");
}

#[test]
fn a_dotted_profile_inherits_nothing() {
    let text = "[a]\nhost = a.example\ntoken = t\n[a.b]\ncluster_id = 1\n";
    let found = world(text, &[]).profile("a.b").unwrap();
    assert_eq!(
        (found.host(), found.get("token"), found.get("cluster_id")),
        (None, None, Some("1"))
    );
}
