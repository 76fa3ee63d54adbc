//! Which profile and which host are meant: the same for whoever asks, but for what a machine signs in with.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use u2m_config::{ChooseError, ConfigFile, Purpose, Selection, SelectionArgs, select};

/// `profile=…`, `host=…`, `account=…`, `workspace=…`, or a word alone.
fn given(line: &str) -> SelectionArgs<'_> {
    let mut given = SelectionArgs::default();
    for word in line.split_whitespace() {
        match word.split_once('=') {
            Some(("profile", value)) => given.profile = Some(value),
            Some(("host", value)) => given.host = Some(value),
            Some(("account", value)) => given.account_id = Some(value),
            Some(("workspace", value)) => given.workspace_id = Some(value),
            _ => given.either = Some(word),
        }
    }
    given
}

fn selected(
    line: &str,
    env: &[(&str, &str)],
    file: &str,
    purpose: Purpose,
) -> Result<Selection, ChooseError> {
    let env = |name: &str| {
        env.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    select(&given(line), &env, &ConfigFile::parse(file).unwrap(), purpose)
}

/// The name of the profile, the name of the host, and the account; `-` where there is none.
fn told(selection: &Result<Selection, ChooseError>) -> String {
    match selection {
        Ok(selection) => {
            let profile = selection.profile().map_or("-", |profile| profile.name());
            let host = selection.host().map_or("-", |host| host.name());
            format!("{profile} {host} {}", selection.account_id().unwrap_or("-"))
        }
        Err(error) => error.to_string(),
    }
}

/// What is meant for both purposes.
fn both(line: &str, env: &[(&str, &str)], file: &str) -> String {
    let login = told(&selected(line, env, file, Purpose::Login));
    assert_eq!(told(&selected(line, env, file, Purpose::Configuration)), login, "{line}");
    login
}

const FILE: &str = "[a]\nhost = a.example\naccount_id = 1\n[b.example]\ncluster_id = c\n[bare]\nscopes = sql\n\
                    [twin-1]\nhost = t.example\nworkspace_id = 1\n[twin-2]\nhost = t.example\nworkspace_id = 2\n\
                    [corp]\nu2m_issuer = https://id.example\nu2m_client_id = c\n";

#[test]
fn a_word_is_a_profile_or_a_host_and_never_both() {
    for (line, meant) in [
        ("a", "a a.example 1"),
        ("b.example", "- b.example -"),
        ("profile=b.example host=b.example", "b.example b.example -"),
        ("corp", "corp - -"),
        ("bare", "bare - -"),
        ("https://a.example/?a=7", "- a.example 7"),
        ("host=A.example:443", "a a.example 1"),
        ("host=t.example/?o=2", "twin-2 t.example -"),
        ("host=t.example workspace=1", "twin-1 t.example -"),
        ("host=t.example workspace=3", "- t.example -"),
        ("t.example", "twin-1 and twin-2 match t.example"),
        ("", "- - -"),
    ] {
        assert_eq!(both(line, &[], FILE), meant, "{line}");
    }
}

#[test]
fn an_unknown_name_is_told_in_one_sentence_wherever_it_stands() {
    for (line, env) in [
        ("twin-3", &[][..]),
        ("profile=twin-3", &[]),
        ("", &[("DATABRICKS_CONFIG_PROFILE", "twin-3")]),
        ("", &[("DATABRICKS_CONFIG_PROFILE", "twin-3"), ("DATABRICKS_HOST", "a.example")]),
    ] {
        let sentence = "no matching profile found: \"twin-3\"; did you mean twin-1 or twin-2?";
        assert_eq!(both(line, env, FILE), sentence, "{line} {env:?}");
    }
    let reserved = "__settings__ is a reserved section name and cannot be a profile";
    assert_eq!(both("profile=__settings__", &[], FILE), reserved);
}

#[test]
fn a_name_beside_a_flag_of_a_host_is_the_name_of_a_login() {
    for (line, env) in [
        ("profile=new host=a.example", &[][..]),
        ("host=a.example", &[("DATABRICKS_CONFIG_PROFILE", "new")]),
    ] {
        let selection = selected(line, env, FILE, Purpose::Login).unwrap();
        assert_eq!(told(&Ok(selection.clone())), "new a.example -", "{line}");
        assert!(selection.section(&ConfigFile::parse(FILE).unwrap()).is_none());
        assert_eq!(both(line, env, FILE), "new a.example -");
    }
}

#[test]
fn the_environment_gives_a_host_to_a_profile_that_has_none_and_to_no_other() {
    let env = [("DATABRICKS_HOST", "e.example?a=url"), ("DATABRICKS_ACCOUNT_ID", "env")];
    assert_eq!(both("profile=bare", &env, FILE), "bare e.example env");
    assert_eq!(both("profile=bare", &env[..1], FILE), "bare e.example url");
    assert_eq!(both("profile=a", &env, FILE), "a a.example 1");
    assert_eq!(both("profile=twin-1", &env, FILE), "twin-1 t.example -");
    assert_eq!(both("profile=corp", &env, FILE), "corp - -");
    assert_eq!(both("", &env, FILE), "- e.example env");
}

#[test]
fn a_default_that_is_not_there_is_passed_over_for_the_default_section() {
    let settings = "[__settings__]\ndefault_profile = gone\n";
    assert_eq!(both("", &[], &format!("{FILE}{settings}")), "- - -");
    let default = "[DEFAULT]\nhost = d.example\n";
    assert_eq!(both("", &[], &format!("{default}{FILE}{settings}")), "DEFAULT d.example -");
    let issuer = "[DEFAULT]\nu2m_issuer = https://id.example\nu2m_client_id = c\n";
    assert_eq!(both("", &[], issuer), "DEFAULT - -");
}

#[test]
fn what_a_machine_signs_in_with_is_a_configuration_and_no_login() {
    let file = "[pat]\nhost = a.example\ntoken = t\n[m2m]\nhost = b.example\nclient_id = c\nclient_secret = s\n\
                [dev]\nhost = c.example\n[bot]\nhost = c.example\ntoken = t\n";
    let told =
        |line: &str, env: &[(&str, &str)], purpose| told(&selected(line, env, file, purpose));
    for (line, configured, login) in [
        ("host=a.example", "pat a.example -", "- a.example -"),
        ("host=b.example", "m2m b.example -", "- b.example -"),
        // A person's goes first.
        ("host=c.example", "dev c.example -", "dev c.example -"),
        ("profile=m2m", "m2m b.example -", "m2m b.example -"),
    ] {
        assert_eq!(told(line, &[], Purpose::Configuration), configured, "{line}");
        assert_eq!(told(line, &[], Purpose::Login), login, "{line}");
    }
    let env = [("DATABRICKS_HOST", "c.example"), ("DATABRICKS_TOKEN", "t")];
    assert_eq!(told("", &env, Purpose::Configuration), "- c.example -");
    assert_eq!(told("", &env, Purpose::Login), "dev c.example -");
}

#[test]
fn several_profiles_of_machines_are_a_question_for_configurations_alone() {
    let file = "[one]\nhost = a.example\ntoken = t\n[two]\nhost = a.example\ntoken = t\n";
    let said = |purpose| told(&selected("host=a.example", &[], file, purpose));
    assert_eq!(said(Purpose::Configuration), "one and two match a.example");
    assert_eq!(said(Purpose::Login), "- a.example -");
}

#[test]
fn a_host_that_is_none_is_told_by_who_named_it() {
    let file = "[bad]\nhost = my workspace\n";
    let of_profile = "the host of profile bad cannot be used";
    assert_eq!(both("profile=bad", &[], file), of_profile);
    let of_variable = "the host from DATABRICKS_HOST environment variable cannot be used";
    assert_eq!(both("", &[("DATABRICKS_HOST", "my workspace")], file), of_variable);
    assert!(both("host=my", &[], file).starts_with("- my"));
    let error = selected("host=http://a.example", &[], file, Purpose::Login).unwrap_err();
    assert!(matches!(error, ChooseError::Host(_)), "{error}");
}

#[test]
fn a_selection_is_empty_only_where_neither_a_profile_nor_a_host_is_meant() {
    for purpose in [Purpose::Login, Purpose::Configuration] {
        for line in ["a", "profile=a", "host=a.example", "host=c.example"] {
            assert!(!selected(line, &[], FILE, purpose).unwrap().is_empty(), "{line}");
        }
    }
    assert!(Selection::default().is_empty());
}
