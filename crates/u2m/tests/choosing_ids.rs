//! The account and the workspace of a login: who names them, who goes first, and the name that is made of them.
#![allow(clippy::unwrap_used)]

#[path = "common/saying.rs"]
mod saying;

use saying::choose;
use u2m::config::{ChooseError, LoginChoice, choose_for_login};
use u2m::databricks::HostMetadata;

fn login(line: &str, env: &[(&str, &str)], config: &str) -> Result<LoginChoice, ChooseError> {
    choose(line, env, config, choose_for_login)
}

fn metadata(json: &str) -> HostMetadata {
    let mut metadata = HostMetadata::default();
    let field = |name: &str| {
        let rest = json.split_once(&format!("{name}="))?.1;
        Some(rest.split(' ').next().unwrap().to_owned())
    };
    metadata.oidc_endpoint = field("oidc");
    metadata.account_id = field("account");
    metadata.workspace_id = field("workspace");
    metadata
}

/// A login, after the host has said something of itself.
fn settled(
    line: &str,
    env: &[(&str, &str)],
    config: &str,
    host_says: &str,
) -> Result<LoginChoice, ChooseError> {
    choose(line, env, config, |said, around| {
        let mut choice = choose_for_login(said, around)?;
        choice.settle(&metadata(host_says), around)?;
        Ok(choice)
    })
}

const UNIFIED: &str = "oidc=https://a.example/oidc/accounts/{account_id}";

#[test]
fn ids_come_from_what_is_said_then_the_profile_then_the_host_then_the_environment() {
    let config = "[p]\nhost = https://a.example\nworkspace_id = 7\naccount_id = own\n[q]\nhost = https://a.example\n";
    let env = [("DATABRICKS_WORKSPACE_ID", "9"), ("DATABRICKS_ACCOUNT_ID", "stray")];
    for (line, host_says, workspace, account) in [
        ("profile=p workspace=5", "workspace=8 account=h", Some("5"), Some("own")),
        ("profile=p account=own", "workspace=8", Some("7"), Some("own")),
        ("profile=p account=other", "workspace=8", Some("8"), Some("other")),
        ("profile=q", "workspace=8 account=h", Some("8"), Some("h")),
        ("profile=q host=https://a.example?o=3", "workspace=8", Some("3"), None),
        ("profile=q", "", Some("9"), None),
        ("profile=q", UNIFIED, Some("9"), Some("stray")),
        ("profile=q workspace=none", "workspace=8", Some("8"), None),
    ] {
        let choice = settled(line, &env, config, host_says).unwrap();
        assert_eq!(
            (choice.workspace_id.as_deref(), choice.account.as_ref().map(|id| id.as_str())),
            (workspace, account),
            "{line}, {host_says}"
        );
    }
    assert!(matches!(settled("profile=q", &[], config, UNIFIED), Err(ChooseError::NoAccount(_))));
    assert!(matches!(
        login("profile=q workspace=a/b", &[], config),
        Err(ChooseError::WorkspaceId(_))
    ));
    assert!(matches!(
        login("workspace=1", &[], ""),
        Err(ChooseError::FlagNeedsHost("workspace-id"))
    ));
}

/// A profile without a host, or of another one, has no ids to hand on.
#[test]
fn ids_are_inherited_only_where_the_host_is_the_same() {
    let config = "[p]\nworkspace_id = 7\naccount_id = own\n";
    let choice = settled("profile=p host=https://a.example", &[], config, "").unwrap();
    assert_eq!((choice.workspace_id, choice.account), (None, None));
}

#[test]
fn an_account_wide_profile_stays_one() {
    for none in ["", "workspace_id = none\n"] {
        let config = format!("[p]\nhost = https://a.example\naccount_id = acc\n{none}");
        let env = [("DATABRICKS_WORKSPACE_ID", "9")];
        let choice = settled("profile=p", &env, &config, UNIFIED).unwrap();
        assert!(choice.is_account_wide && choice.workspace_id.is_none());
        assert!(!settled("profile=p account=b", &[], &config, UNIFIED).unwrap().is_account_wide);
    }
}

#[test]
fn a_workspace_is_wanted_where_an_account_is_known_and_nothing_else() {
    let profile = |more: &str| format!("[p]\nhost = https://a.example\naccount_id = acc\n{more}");
    for (line, config, host_says, expected) in [
        ("host=a.example account=acc", "", UNIFIED, true),
        ("host=a.example", "", "account=acc", true),
        ("host=a.example", "", "", false),
        ("host=a.example account=acc workspace=7", "", UNIFIED, false),
        ("host=a.example account=acc", "", "workspace=7", false),
        ("host=https://accounts.cloud.databricks.com account=acc", "", "", false),
        ("host=accounts-dod.cloud.databricks.mil account=acc", "", "", false),
        ("profile=p", &*profile(""), UNIFIED, false),
        ("profile=p", &*profile("workspace_id = none\n"), UNIFIED, false),
        ("profile=p account=other", &*profile(""), UNIFIED, true),
    ] {
        let choice = settled(line, &[], config, host_says).unwrap();
        assert_eq!(choice.wants_workspace(), expected, "{line}, {config}, {host_says}");
    }
    assert!(!login("profile=new", &[], "").unwrap().wants_workspace());
}

#[test]
fn a_name_is_suggested_that_is_not_another_workspaces_or_accounts() {
    let config = "[a]\nhost = https://a.example\nworkspace_id = 7\naccount_id = acc\n[DEFAULT]\nhost = https://d.example\n";
    for (line, host_says, expected) in [
        ("host=a.example workspace=7", "account=acc", "a"),
        ("host=a.example workspace=8", "account=acc", "a-2"),
        ("host=a.example", "workspace=7 account=other", "a"),
        ("host=a.example account=other", "workspace=7", "a-2"),
        ("host=a.example account=x", UNIFIED, "ACCOUNT-x"),
        ("host=a.example account=x workspace=1", UNIFIED, "a-2"),
    ] {
        let choice = settled(line, &[], config, host_says).unwrap();
        assert_eq!(choice.profile.as_str(), expected, "{line}, {host_says}");
        assert!(choice.is_suggested);
    }
    assert_eq!(login("", &[], config).unwrap().profile.as_str(), "DEFAULT-2");
    assert_eq!(login("", &[], "[DEFAULT]\nscopes = sql\n").unwrap().profile.as_str(), "DEFAULT");
}

#[test]
fn a_suggested_profile_that_is_there_already_hands_on_what_it_has() {
    let config = "[a]\nhost = https://a.example\nscopes = sql\naccount_id = acc\n[ACCOUNT-x]\nhost = https://a.example\naccount_id = x\n\
                  scopes = jobs\n[DEFAULT]\nscopes = files\n";
    let same = settled("host=a.example", &[], config, UNIFIED).unwrap();
    assert_eq!((same.profile.as_str(), same.scopes.to_string().as_str()), ("a", "sql"));
    assert!(same.is_suggested && same.is_account_wide);
    let other = settled("host=a.example account=x", &[], config, UNIFIED).unwrap();
    assert_eq!((other.profile.as_str(), other.scopes.to_string().as_str()), ("ACCOUNT-x", "jobs"));
    assert!(!other.wants_workspace());
    let bare = login("", &[], config).unwrap();
    assert_eq!((bare.profile.as_str(), bare.scopes.to_string().as_str()), ("DEFAULT", "files"));
}

/// Nobody has named it, so nobody wants its credentials gone.
#[test]
fn a_profile_of_another_kind_is_never_suggested() {
    for credentials in ["token = dapi", "client_id = c\nclient_secret = s", "auth_type = azure-cli"]
    {
        let config =
            format!("[a]\nhost = https://a.example\n{credentials}\n[DEFAULT]\n{credentials}\n");
        assert_eq!(login("a.example", &[], &config).unwrap().profile.as_str(), "a-2");
        assert_eq!(login("", &[], &config).unwrap().profile.as_str(), "DEFAULT-2");
        assert_eq!(login("profile=a", &[], &config).unwrap().profile.as_str(), "a");
    }
}
