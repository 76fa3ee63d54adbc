//! A named profile is the truth about its host, its ids and its credentials; the environment fills the gaps.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, chosen, told, world};
use u2m_config::{ChosenBy, SelectionArgs};

const FILE: &str = "config file";
const PATH: &str = "/home/a/.databrickscfg";

/// Every way to name the profile `p`.
fn named_in_every_way(
    file: &str,
    variables: &[(&'static str, &'static str)],
    check: impl Fn(World, SelectionArgs<'_>),
) {
    let flag = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
    check(world(file, variables), flag);
    let more = [variables, &[("DATABRICKS_CONFIG_PROFILE", "p")]].concat();
    check(world(file, &more), SelectionArgs::default());
    if variables.iter().all(|(name, _)| *name != "DATABRICKS_HOST") {
        let with_default = format!("{file}\n[__settings__]\ndefault_profile = p\n");
        check(world(&with_default, variables), SelectionArgs::default());
    }
}

#[test]
fn a_full_profile_beats_the_environment_of_another_workspace_however_it_is_named() {
    let file = "[p]\nhost = https://p.example\ntoken = of-p\n";
    let env = [("DATABRICKS_HOST", "https://e.example"), ("DATABRICKS_TOKEN", "of-e")];
    named_in_every_way(file, &env, |world, given| {
        let found = world.settle(given).unwrap();
        assert_eq!(told(&found, "host"), format!("https://p.example from {PATH} {FILE}"));
        assert_eq!(told(&found, "token"), format!("of-p from {PATH} {FILE}"));
        assert_eq!(found.auth_type(false), Some("pat"));
    });
    named_in_every_way(file, &[("DATABRICKS_TOKEN", "of-e")], |world, given| {
        assert_eq!(world.settle(given).unwrap().get("token"), Some("of-p"));
    });
}

#[test]
fn the_environment_fills_the_token_of_a_profile_with_a_host_alone() {
    let env = [("DATABRICKS_HOST", "https://e.example"), ("DATABRICKS_TOKEN", "of-e")];
    named_in_every_way("[p]\nhost = https://p.example\n", &env, |world, given| {
        let found = world.settle(given).unwrap();
        assert_eq!(told(&found, "host"), format!("https://p.example from {PATH} {FILE}"));
        assert_eq!(told(&found, "token"), "of-e from DATABRICKS_TOKEN environment variable");
    });
}

#[test]
fn the_environment_gives_a_profile_without_a_host_one() {
    let env = [("DATABRICKS_HOST", "https://e.example/?o=12")];
    named_in_every_way("[p]\ntoken = t\n", &env, |world, given| {
        let found = world.settle(given).unwrap();
        let from = "from DATABRICKS_HOST environment variable";
        assert_eq!(told(&found, "host"), format!("https://e.example {from}"));
        assert_eq!(told(&found, "workspace_id"), format!("12 {from}"));
    });
}

#[test]
fn the_account_in_a_profiles_own_spelling_of_its_host_is_the_profiles() {
    let env = [("DATABRICKS_HOST", "https://p.example"), ("DATABRICKS_ACCOUNT_ID", "of-e")];
    let world = world("[p]\nhost = https://p.example/?a=of-p\n", &env);
    let found = world.settle(SelectionArgs::default()).unwrap();
    assert_eq!(found.profile().unwrap().name(), "p");
    assert_eq!(told(&found, "account_id"), format!("of-p from {PATH} {FILE}"));
}

#[test]
fn a_host_of_the_environment_brings_its_ids_along() {
    let env = [
        ("DATABRICKS_HOST", "https://e.example/?o=12"),
        ("DATABRICKS_ACCOUNT_ID", "acc"),
        ("DATABRICKS_WORKSPACE_ID", "13"),
    ];
    named_in_every_way("[p]\ntoken = t\n", &env, |world, given| {
        let found = world.settle(given).unwrap();
        assert_eq!((found.get("account_id"), found.get("workspace_id")), (Some("acc"), Some("13")));
    });
    let own = world("[p]\ntoken = t\nworkspace_id = 1\n", &env).profile("p").unwrap();
    assert_eq!((own.get("account_id"), own.get("workspace_id")), (Some("acc"), Some("1")));
}

#[test]
fn no_variable_sends_a_profile_elsewhere_or_hides_its_method() {
    let env = [
        ("DATABRICKS_AUTH_TYPE", "basic"),
        ("DATABRICKS_ACCOUNT_ID", "stray"),
        ("DATABRICKS_WORKSPACE_ID", "stray"),
        ("DATABRICKS_DISCOVERY_URL", "https://stray.example"),
        ("DATABRICKS_TOKEN_AUDIENCE", "stray"),
        ("DATABRICKS_CLOUD", "stray"),
    ];
    named_in_every_way("[p]\nhost = https://p.example\ntoken = t\n", &env, |world, given| {
        let found = world.settle(given).unwrap();
        assert_eq!(found.auth_type(false), Some("pat"));
        for key in ["auth_type", "account_id", "workspace_id", "discovery_url", "audience", "cloud"]
        {
            assert_eq!(found.get(key), None, "{key}");
        }
    });
}

#[test]
fn an_account_console_without_an_account_takes_that_of_the_environment() {
    let env = [("DATABRICKS_ACCOUNT_ID", "acc")];
    let console = "[p]\nhost = https://accounts.cloud.databricks.com\n";
    named_in_every_way(console, &env, |world, given| {
        let found = world.settle(given).unwrap();
        assert_eq!(
            told(&found, "account_id"),
            "acc from DATABRICKS_ACCOUNT_ID environment variable"
        );
    });
    let own = world(&format!("{console}account_id = own\n"), &env).profile("p").unwrap();
    assert_eq!(own.get("account_id"), Some("own"));
}

#[test]
fn what_is_neither_host_nor_id_nor_credential_comes_from_the_environment_first() {
    let env = [("DATABRICKS_CLUSTER_ID", "of-e")];
    named_in_every_way(
        "[p]\nhost = a.example\ncluster_id = of-p\nwarehouse_id = w\n",
        &env,
        |world, given| {
            let found = world.settle(given).unwrap();
            assert_eq!(
                told(&found, "cluster_id"),
                "of-e from DATABRICKS_CLUSTER_ID environment variable"
            );
            assert_eq!(told(&found, "warehouse_id"), format!("w from {PATH} {FILE}"));
        },
    );
}

#[test]
fn a_complete_environment_is_not_mixed_with_the_default_profile() {
    let file = "[p]\nhost = https://e.example\nclient_id = c\nclient_secret = s\n[__settings__]\ndefault_profile = p\n";
    let env = [("DATABRICKS_HOST", "https://e.example"), ("DATABRICKS_TOKEN", "of-e")];
    let found = world(file, &env).nothing_said().unwrap();
    assert_eq!(chosen(&found), None);
    assert_eq!(told(&found, "host"), "https://e.example from DATABRICKS_HOST environment variable");
    assert_eq!((found.get("token"), found.get("client_id")), (Some("of-e"), None));
    let env = [("DATABRICKS_HOST", "https://e.example"), ("DATABRICKS_AUTH_TYPE", "azure-cli")];
    let found = world(file, &env).nothing_said().unwrap();
    assert_eq!((chosen(&found), found.auth_type(true)), (None, Some("azure-cli")));
    let env = [("DATABRICKS_AZURE_RESOURCE_ID", "/subscriptions/1")];
    assert_eq!(chosen(&world(file, &env).nothing_said().unwrap()), None);
}

#[test]
fn a_host_in_the_environment_selects_among_profiles_as_the_flag_does() {
    let file = "[a]\nhost = https://A.example:443/\ncluster_id = 1\n[b]\nhost = b.example\n\
                [__settings__]\ndefault_profile = b\n";
    let env = [("DATABRICKS_HOST", "a.example")];
    let by_variable = world(file, &env).nothing_said().unwrap();
    let by_flag = world(file, &[]).host("a.example").unwrap();
    for found in [&by_variable, &by_flag] {
        assert_eq!((chosen(found), found.get("cluster_id")), (Some("a"), Some("1")));
        assert_eq!(found.host().unwrap().as_str(), "https://a.example");
    }
    assert_eq!(by_variable.profile().unwrap().by(), ChosenBy::HostVariable);
    assert_eq!(by_flag.profile().unwrap().by(), ChosenBy::HostFlag);
    assert_eq!(told(&by_flag, "host"), "https://a.example from --host flag");
    let stranger = world(file, &[("DATABRICKS_HOST", "c.example")]).nothing_said().unwrap();
    assert_eq!((chosen(&stranger), stranger.auth_type(false)), (None, Some("databricks-cli")));
}

#[test]
fn several_profiles_of_a_host_are_told_apart_by_ids_and_by_the_default() {
    let file = "[a]\nhost = h.example\naccount_id = 1\n[b]\nhost = h.example\naccount_id = 2\nworkspace_id = 3\n\
                [c]\nhost = h.example\naccount_id = 2\nworkspace_id = 4\n";
    let world_of = |more: &str| world(&format!("{file}{more}"), &[]);
    let error = world_of("").host("h.example").unwrap_err().to_string();
    assert_eq!(error, "a and b and c match h.example");
    assert_eq!(chosen(&world_of("").host("h.example?a=1").unwrap()), Some("a"));
    assert_eq!(chosen(&world_of("").host("h.example?a=2&o=4").unwrap()), Some("c"));
    let default = world_of("[__settings__]\ndefault_profile = b\n");
    assert_eq!(chosen(&default.host("h.example").unwrap()), Some("b"));
    let given = SelectionArgs {
        host: Some("h.example"),
        account_id: Some("2"),
        workspace_id: Some("3"),
        ..SelectionArgs::default()
    };
    assert_eq!(chosen(&world_of("").settle(given).unwrap()), Some("b"));
    let env = [("DATABRICKS_HOST", "h.example"), ("DATABRICKS_ACCOUNT_ID", "1")];
    assert_eq!(chosen(&world(file, &env).nothing_said().unwrap()), Some("a"));
}

#[test]
fn a_flag_of_a_host_beside_a_profile_must_name_its_host() {
    let file = "[p]\nhost = https://p.example\n";
    for variables in [&[][..], &[("DATABRICKS_CONFIG_PROFILE", "p")]] {
        let world = world(file, variables);
        let profile = variables.is_empty().then_some("p");
        let given =
            SelectionArgs { profile, host: Some("https://e.example"), ..SelectionArgs::default() };
        let error = world.settle(given).unwrap_err().to_string();
        assert_eq!(error, "profile p is for https://p.example, not for https://e.example");
        let given = SelectionArgs { profile, host: Some("P.example/"), ..SelectionArgs::default() };
        assert_eq!(chosen(&world.settle(given).unwrap()), Some("p"));
    }
}

#[test]
fn a_host_that_no_profile_is_for_is_an_error_where_a_profile_is_needed() {
    let world = world("[p]\nhost = p.example\n[q]\nhost = q.example\n", &[]);
    let given = SelectionArgs {
        host: Some("e.example"),
        host_needs_profile: true,
        ..SelectionArgs::default()
    };
    let error = world.settle(given).unwrap_err().to_string();
    assert_eq!(error, "no profile is for https://e.example; there are: p, q");
    assert_eq!(chosen(&world.host("e.example").unwrap()), None);
}

#[test]
fn explicit_ids_beat_those_of_a_url() {
    let env = [("DATABRICKS_HOST", "e.example/?o=12&a=url"), ("DATABRICKS_ACCOUNT_ID", "own")];
    let found = world("", &env).nothing_said().unwrap();
    assert_eq!(told(&found, "account_id"), "own from DATABRICKS_ACCOUNT_ID environment variable");
    assert_eq!(told(&found, "workspace_id"), "12 from DATABRICKS_HOST environment variable");
    let found =
        world("[p]\nhost = p.example/?o=1&a=url\nworkspace_id = 2\n", &[]).profile("p").unwrap();
    assert_eq!((found.get("workspace_id"), found.get("account_id")), (Some("2"), Some("url")));
}

#[test]
fn the_placeholder_for_no_workspace_is_no_workspace() {
    let found = world("[p]\nhost = p.example\nworkspace_id = none\n", &[]).profile("p").unwrap();
    assert_eq!(found.get("workspace_id"), None);
    let env = [("DATABRICKS_HOST", "e.example"), ("DATABRICKS_WORKSPACE_ID", "none")];
    assert_eq!(world("", &env).nothing_said().unwrap().get("workspace_id"), None);
}

#[test]
fn flags_beat_everything_and_empty_ones_are_absent() {
    let file = "[p]\nhost = p.example\naccount_id = 1\n";
    let given =
        SelectionArgs { profile: Some("p"), account_id: Some("2"), ..SelectionArgs::default() };
    let found = world(file, &[]).settle(given).unwrap();
    assert_eq!(told(&found, "account_id"), "2 from --account-id flag");
    let empty = SelectionArgs {
        profile: Some(""),
        host: Some(""),
        account_id: Some(""),
        ..SelectionArgs::default()
    };
    let found = world(file, &[("DATABRICKS_CONFIG_PROFILE", "p")]).settle(empty).unwrap();
    assert_eq!(told(&found, "profile"), "p from DATABRICKS_CONFIG_PROFILE environment variable");
    assert_eq!(told(&found, "account_id"), format!("1 from {PATH} {FILE}"));
}

#[test]
fn empty_variables_and_values_are_absent() {
    let env =
        [("DATABRICKS_HOST", ""), ("DATABRICKS_TOKEN", ""), ("DATABRICKS_CONFIG_PROFILE", "")];
    let found =
        world("[p]\nhost = p.example\ntoken =\n[__settings__]\ndefault_profile = p\n", &env);
    let found = found.nothing_said().unwrap();
    assert_eq!((chosen(&found), found.get("token")), (Some("p"), None));
    assert_eq!(told(&found, "profile"), "p from dynamic configuration");
}

#[test]
fn pythons_spellings_are_read_and_the_usual_one_wins() {
    let text = "[p]\nhost = p.example\noidc_token_filepath = python\ntoken_audience = aud\n";
    let found = world(text, &[]).profile("p").unwrap();
    assert_eq!(found.get("databricks_id_token_filepath"), Some("python"));
    assert_eq!((found.get("audience"), found.auth_type(false)), (Some("aud"), Some("file-oidc")));
    let text = format!("{text}databricks_id_token_filepath = go\n");
    let found = world(&text, &[]).profile("p").unwrap();
    assert_eq!(found.get("databricks_id_token_filepath"), Some("go"));
}

#[test]
fn what_federation_goes_by_is_read_checked_and_told_with_its_source() {
    let text = "[p]\nhost = p.example\nidentity_federation_client_id = an-id\nfederation_mode = always\n\
                allowed_issuers = https://b.example, https://a.example\n";
    let env = [("DATABRICKS_DISABLE_ASYNC_TOKEN_REFRESH", "true")];
    let found = world(text, &env).profile("p").unwrap();
    for (key, told_as) in [
        ("federation_client_id", format!("an-id from {PATH} {FILE}")),
        ("federation_mode", format!("always from {PATH} {FILE}")),
        ("allowed_issuers", format!("https://a.example,https://b.example from {PATH} {FILE}")),
        (
            "disable_async_token_refresh",
            "true from DATABRICKS_DISABLE_ASYNC_TOKEN_REFRESH environment variable".to_owned(),
        ),
    ] {
        assert_eq!(told(&found, key), told_as);
    }
    let wrong = world(&text.replace("always", "often"), &[]).profile("p").unwrap_err();
    let why = std::error::Error::source(&wrong).map(ToString::to_string);
    assert!(wrong.to_string().starts_with("the value of federation_mode from"), "{wrong}");
    assert_eq!(why.as_deref(), Some("it must be one of auto, always, never"));
}

#[test]
fn scopes_are_sorted_and_each_is_there_once() {
    let text = "[p]\nhost = p.example\nscopes = sql, jobs,,sql clusters\n";
    let found = world(text, &[]).profile("p").unwrap();
    assert_eq!(found.get("scopes"), Some("clusters,jobs,sql"));
    assert_eq!(found.scopes(), ["clusters", "jobs", "sql"]);
    assert!(
        world("[p]\nhost = p.example\nscopes = ,\n", &[]).profile("p").unwrap().scopes().is_empty()
    );
}

#[test]
fn values_come_in_the_order_of_the_table() {
    let text = "[p]\nauth_type = pat\ntoken = t\nmade_up = x\naccount_id = 1\nhost = p.example\n";
    let found = world(text, &[("DATABRICKS_CONFIG_FILE", "/cfg")]).profile("p").unwrap();
    let keys: Vec<_> = found.values().iter().map(|value| value.attribute().key()).collect();
    assert_eq!(keys, ["host", "account_id", "token", "profile", "config_file", "auth_type"]);
    assert_eq!(told(&found, "profile"), "p from --profile flag");
}

#[test]
fn a_value_that_follows_from_something_else_takes_its_place_among_the_others() {
    let file = "[p]\nhost = p.example\ndatabricks_cli_path = old\nauth_type = pat\ntoken = t\n";
    let found = world(file, &[]).profile("p").unwrap().with_derived("databricks_cli_path", "new");
    let keys: Vec<_> = found.values().iter().map(|value| value.attribute().key()).collect();
    assert_eq!(keys, ["host", "token", "profile", "databricks_cli_path", "auth_type"]);
    assert_eq!(told(&found, "databricks_cli_path"), "new from dynamic configuration");
    assert_eq!(found.get("token"), Some("t"));
}

#[test]
fn a_secret_is_shown_as_asterisks_and_what_is_none_as_it_is() {
    let found = world("[p]\nhost = p.example\ntoken = canary\n", &[]).profile("p").unwrap();
    let shown = |key| found.value(key).map(|value| (value.shown(), format!("{value:?}"))).unwrap();
    let from = format!("from {PATH} {FILE}");
    assert_eq!(shown("token"), ("********", format!("token=\"********\" {from}")));
    let (host, debug) = shown("host");
    assert_eq!(debug, format!("host={host:?} {from}"));
    assert!(host.contains("p.example"));
}

#[test]
fn an_id_that_says_none_chooses_among_no_profiles() {
    let file = "[p]\nhost = p.example\nworkspace_id = 1\naccount_id = 2\n";
    for id in ["", "none"] {
        let given = SelectionArgs {
            host: Some("p.example"),
            workspace_id: Some(id),
            account_id: Some(id),
            ..SelectionArgs::default()
        };
        assert_eq!(chosen(&world(file, &[]).settle(given).unwrap()), Some("p"), "{id:?}");
    }
}
