//! Which way of authenticating a configuration leads to, and where it leads two ways.
#![allow(clippy::unwrap_used)]

mod common;

use std::error::Error;

use common::world;
use u2m_config::{AUTH_TYPES, ResolveError};

const PAT: &str = "[p]\nhost = https://p.example\ntoken = canary\n";

fn auth_type(keys: &str, has_login: bool) -> Option<String> {
    let found = world(&format!("[p]\nhost = p.example\n{keys}"), &[]).profile("p").unwrap();
    found.auth_type(has_login).map(str::to_owned)
}

#[test]
fn a_second_complete_method_from_the_environment_is_an_error_that_names_both() {
    let env = [("DATABRICKS_CLIENT_ID", "c"), ("DATABRICKS_CLIENT_SECRET", "canary")];
    let error = world(PAT, &env).profile("p").unwrap_err();
    assert!(matches!(error, ResolveError::ManyMethods(_)));
    assert_eq!(
        error.to_string(),
        "more than one authorization method configured: oauth and pat (oauth from DATABRICKS_CLIENT_ID environment variable, \
         pat from /home/a/.databrickscfg config file); remove one, or choose one with auth_type"
    );
    assert!(!format!("{error:?}").contains("canary"));
}

#[test]
fn parts_of_another_method_are_no_second_method_beside_a_complete_profile() {
    let env = [("DATABRICKS_CLIENT_ID", "c"), ("ARM_TENANT_ID", "t"), ("DATABRICKS_USERNAME", "u")];
    let found = world(PAT, &env).profile("p").unwrap();
    assert_eq!(found.auth_type(false), Some("pat"));
    assert!(
        ["client_id", "azure_tenant_id", "username"].iter().all(|key| found.get(key).is_none())
    );
}

#[test]
fn the_environment_completes_what_a_profile_begins() {
    let env = [("DATABRICKS_CLIENT_SECRET", "s"), ("DATABRICKS_CLIENT_ID", "other")];
    let found = world("[p]\nhost = p.example\nclient_id = c\n", &env).profile("p").unwrap();
    assert_eq!((found.get("client_id"), found.get("client_secret")), (Some("c"), Some("s")));
    assert_eq!(found.auth_type(false), Some("oauth-m2m"));
}

#[test]
fn two_methods_of_one_profile_are_an_error_unless_it_chooses() {
    let both = format!("{PAT}username = u\npassword = canary\n");
    let error = world(&both, &[]).profile("p").unwrap_err().to_string();
    assert!(error.starts_with("more than one authorization method configured: basic and pat"));
    let found = world(&format!("{both}auth_type = basic\n"), &[]).profile("p").unwrap();
    assert_eq!(found.auth_type(false), Some("basic"));
}

#[test]
fn two_methods_of_the_environment_are_an_error_unless_it_chooses() {
    let env = [("DATABRICKS_HOST", "e.example"), ("DATABRICKS_TOKEN", "t"), ("ARM_CLIENT_ID", "c")];
    let error = world("", &env).nothing_said().unwrap_err().to_string();
    assert!(error.starts_with("more than one authorization method configured: azure and pat"));
    let chosen = [&env[..], &[("DATABRICKS_AUTH_TYPE", "pat")]].concat();
    assert_eq!(world("", &chosen).nothing_said().unwrap().auth_type(false), Some("pat"));
}

#[test]
fn a_switch_that_is_off_is_no_method() {
    let found = world(&format!("{PAT}azure_use_msi = false\n"), &[]).profile("p").unwrap();
    assert_eq!(found.auth_type(false), Some("pat"));
}

#[test]
fn the_first_method_with_all_its_parts_is_taken() {
    let complete = [
        ("pat", "token = t\n"),
        ("basic", "username = u\npassword = p\n"),
        ("oauth-m2m", "client_id = c\nclient_secret = s\n"),
        ("metadata-service", "metadata_service_url = http://127.0.0.1/\n"),
        (
            "github-oidc",
            "client_id = c\nactions_id_token_request_url = u\nactions_id_token_request_token = t\n",
        ),
        ("env-oidc", "oidc_token_env = X\n"),
        ("file-oidc", "databricks_id_token_filepath = /x\n"),
        (
            "github-oidc-azure",
            "azure_client_id = c\nazure_tenant_id = t\nactions_id_token_request_url = u\nactions_id_token_request_token = t\n",
        ),
        ("azure-msi", "azure_use_msi = true\n"),
        (
            "azure-client-secret",
            "azure_client_id = c\nazure_client_secret = s\nazure_tenant_id = t\n",
        ),
        ("azure-cli", "azure_workspace_resource_id = /x\n"),
        ("google-credentials", "google_credentials = {}\n"),
        ("google-id", "google_service_account = a\n"),
    ];
    let place = |name| AUTH_TYPES.iter().position(|known| *known == name).unwrap();
    for (name, keys) in complete {
        assert_eq!(auth_type(keys, false).as_deref(), Some(name), "{keys}");
        // A login comes before all that stands behind it in the chain.
        let first = if place(name) < place("databricks-cli") { name } else { "databricks-cli" };
        assert_eq!(auth_type(keys, true).as_deref(), Some(first), "{keys}");
    }
    assert!(complete.is_sorted_by_key(|(name, _)| place(name)));
}

#[test]
fn half_a_method_is_none() {
    for keys in ["username = u\n", "client_id = c\n", "azure_tenant_id = t\n", ""] {
        assert_eq!(auth_type(keys, false).as_deref(), Some("databricks-cli"), "{keys}");
    }
}

#[test]
fn without_a_host_there_is_nobody_to_authenticate_to() {
    let found = world("", &[("DATABRICKS_TOKEN", "t")]).nothing_said().unwrap();
    assert_eq!(found.auth_type(true), None);
}

#[test]
fn a_client_without_a_secret_goes_with_every_id_token_and_with_no_other_credential() {
    let host = ("DATABRICKS_HOST", "e.example");
    let client = ("DATABRICKS_CLIENT_ID", "c");
    let of_env = |more: &[(&'static str, &'static str)]| {
        let found = world("", &[&[host, client], more].concat()).nothing_said();
        found
            .map(|found| found.auth_type(false).map(str::to_owned))
            .map_err(|error| error.to_string())
    };
    let file = ("DATABRICKS_OIDC_TOKEN_FILEPATH", "/x");
    assert_eq!(of_env(&[file]), Ok(Some("file-oidc".to_owned())));
    assert_eq!(of_env(&[("DATABRICKS_OIDC_TOKEN_ENV", "X")]), Ok(Some("env-oidc".to_owned())));
    assert_eq!(of_env(&[("DATABRICKS_OIDC_TOKEN", "canary")]), Ok(Some("env-oidc".to_owned())));
    let conflict = |more: &[_], both: &str| {
        let error = of_env(more).unwrap_err();
        assert!(
            error.starts_with(&format!("more than one authorization method configured: {both} (")),
            "{error}"
        );
    };
    conflict(&[file, ("DATABRICKS_CLIENT_SECRET", "canary")], "file-oidc and oauth");
    conflict(&[file, ("DATABRICKS_TOKEN", "canary")], "file-oidc and oauth and pat");
    conflict(&[("DATABRICKS_TOKEN", "canary")], "oauth and pat");
    let two = of_env(&[file, ("DATABRICKS_OIDC_TOKEN_ENV", "X")]).unwrap_err();
    assert!(
        two.starts_with("more than one authorization method configured: env-oidc and file-oidc ("),
        "{two}"
    );
    let profile = "[p]\nhost = p.example\nclient_id = c\n";
    let found = world(profile, &[file]).profile("p").unwrap();
    assert_eq!((found.auth_type(false), found.get("client_id")), (Some("file-oidc"), Some("c")));
}

#[test]
fn an_id_token_in_the_usual_variable_is_enough_unless_the_profile_has_a_way_of_its_own() {
    let env = [("DATABRICKS_HOST", "e.example"), ("DATABRICKS_OIDC_TOKEN", "canary")];
    let found = world("[dev]\nhost = e.example\n", &env).nothing_said().unwrap();
    assert_eq!((found.auth_type(false), found.profile()), (Some("env-oidc"), None));
    assert!(!format!("{found:?}").contains("canary"));
    assert_eq!(
        found.auth_type(true),
        Some("databricks-cli"),
        "a login stands before it in the chain"
    );
    let profile = |keys: &str| {
        let found =
            world(&format!("[p]\nhost = p.example\n{keys}"), &env[1..]).profile("p").unwrap();
        found.auth_type(false).map(str::to_owned).unwrap()
    };
    assert_eq!(profile(""), "env-oidc");
    assert_eq!(profile("token = t\n"), "pat");
    assert_eq!(profile("azure_workspace_resource_id = /x\n"), "azure-cli");
    assert_eq!(profile("auth_type = databricks-cli\n"), "databricks-cli");
}

#[test]
fn github_s_variables_stand_before_the_id_token() {
    let env = [
        ("DATABRICKS_HOST", "e.example"),
        ("DATABRICKS_CLIENT_ID", "c"),
        ("DATABRICKS_OIDC_TOKEN", "canary"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "u"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
    ];
    assert_eq!(world("", &env).nothing_said().unwrap().auth_type(false), Some("github-oidc"));
}

#[test]
fn an_auth_type_that_does_not_exist_is_an_error_with_the_list() {
    let list = "pat, basic, oauth-m2m, databricks-cli, metadata-service, github-oidc, azure-devops-oidc, env-oidc, file-oidc, \
                github-oidc-azure, azure-msi, azure-client-secret, azure-cli, google-credentials, google-id, \
                external-browser, runtime-oauth, runtime, model-serving";
    let of_file = world("[p]\nhost = p.example\nauth_type = nope\n", &[]).profile("p").unwrap_err();
    assert_eq!(
        of_file.to_string(),
        format!(
            "auth_type \"nope\" from /home/a/.databrickscfg config file does not exist; there are: {list}"
        )
    );
    let env = [("DATABRICKS_HOST", "e.example"), ("DATABRICKS_AUTH_TYPE", "PAT")];
    let of_env = world("", &env).nothing_said().unwrap_err().to_string();
    assert!(
        of_env.starts_with(
            "auth_type \"PAT\" from DATABRICKS_AUTH_TYPE environment variable does not exist"
        ),
        "{of_env}"
    );
    // Beside a profile the variable is not read.
    assert!(world("[p]\nhost = p.example\n", &env).profile("p").is_ok());
    for known in AUTH_TYPES {
        let found = world("", &[env[0], ("DATABRICKS_AUTH_TYPE", known)]).nothing_said().unwrap();
        assert_eq!(found.auth_type(false), Some(*known));
    }
}

#[test]
fn switches_and_numbers_are_checked_and_not_repeated() {
    let wrong = |world: common::World| {
        let error = world.profile("p").unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(!format!("{error} {error:?} {cause}").contains("canary"));
        (error.to_string(), cause)
    };
    let of_file = wrong(world("[p]\nhost = p.example\nazure_use_msi = canary\n", &[]));
    assert_eq!(
        of_file.0,
        "the value of azure_use_msi from /home/a/.databrickscfg config file cannot be used"
    );
    assert_eq!(of_file.1, "it must be true or false");
    let of_env = wrong(world("[p]\nhost = p.example\n", &[("DATABRICKS_RATE_LIMIT", "canary")]));
    assert_eq!(
        of_env.0,
        "the value of rate_limit from DATABRICKS_RATE_LIMIT environment variable cannot be used"
    );
    assert_eq!(of_env.1, "it must be a whole number");
}

#[test]
fn a_host_that_is_none_is_reported_with_its_place() {
    let error = world("[p]\nhost = my workspace\n", &[]).profile("p").unwrap_err();
    assert_eq!(error.to_string(), "the host of profile p cannot be used");
    assert!(error.source().unwrap().to_string().starts_with("not a host: 'my workspace'"));
    let error = world("", &[("DATABRICKS_HOST", "e.example?o=1&w=2")]).nothing_said().unwrap_err();
    assert!(error.source().unwrap().to_string().contains("two different workspaces"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let file = u2m_config::ConfigFile::parse("").unwrap();
    let env = |name: &str| (name == "DATABRICKS_HOST").then(|| OsString::from_vec(vec![0xff]));
    let error = u2m_config::resolve(&Default::default(), &env, &file, "cfg".as_ref()).unwrap_err();
    assert_eq!(error.to_string(), "the value of DATABRICKS_HOST is not UTF-8");
}
