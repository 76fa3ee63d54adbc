use std::collections::BTreeSet;

use super::*;
use crate::{CREDENTIAL_KEYS, LOGIN_CLEARS};

fn named(key: &str) -> &'static Attribute {
    Attribute::named(key).unwrap()
}

#[test]
fn no_key_and_no_variable_means_two_things() {
    let keys: Vec<_> = Attribute::ALL.iter().flat_map(Attribute::keys).collect();
    let variables: Vec<_> =
        Attribute::ALL.iter().flat_map(|attribute| attribute.variables()).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    assert_eq!(variables.iter().collect::<BTreeSet<_>>().len(), variables.len());
    assert_eq!(Attribute::ALL.len(), 51);
}

#[test]
fn what_a_login_clears_is_what_belongs_to_a_method() {
    let of_methods: BTreeSet<_> = Attribute::ALL
        .iter()
        .filter(|attribute| attribute.method().is_some())
        .flat_map(Attribute::keys)
        .collect();
    assert_eq!(of_methods, CREDENTIAL_KEYS.iter().copied().collect());
    assert!(named("audience").keys().any(|key| LOGIN_CLEARS.contains(&key)));
}

#[test]
fn new_keys_of_a_login_are_in_the_order_of_the_table() {
    let place = |key| Attribute::ALL.iter().position(|known| known.key() == key).unwrap();
    let fresh = [
        "host",
        "cluster_id",
        "serverless_compute_id",
        "account_id",
        "workspace_id",
        "scopes",
        "auth_type",
    ];
    assert!(fresh.is_sorted_by_key(|key| place(*key)));
}

#[test]
fn pythons_spellings_and_second_variables_are_known() {
    assert_eq!(named("oidc_token_filepath").key(), "databricks_id_token_filepath");
    assert_eq!(named("token_audience").key(), "audience");
    for name in ["DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"] {
        let found = Attribute::of_variable(name).unwrap();
        assert_eq!(found.key(), "databricks_id_token_filepath");
    }
    assert!(Attribute::of_variable("DATABRICKS_EXPERIMENTAL_IS_UNIFIED_HOST").is_none());
}

#[test]
fn every_credential_says_which_types_use_it() {
    for attribute in Attribute::ALL {
        if attribute.method().is_some() {
            assert!(!attribute.auth_types().is_empty(), "{attribute:?}");
        }
    }
    assert!(named("azure_client_id").is_for("azure-msi"));
    assert!(!named("azure_client_id").is_for("azure-cli"));
    assert!(named("databricks_cli_path").is_for("databricks-cli"));
    assert!(!named("databricks_cli_path").is_for("pat"));
    assert!(named("cluster_id").is_for("pat"));
}

#[test]
fn what_lets_its_reader_in_is_secret() {
    let secret: Vec<_> =
        Attribute::ALL.iter().filter(|known| known.is_secret()).map(Attribute::key).collect();
    let expected = [
        "metadata_service_url",
        "token",
        "password",
        "google_credentials",
        "azure_client_secret",
        "actions_id_token_request_token",
        "client_secret",
    ];
    assert_eq!(secret, expected);
}

#[test]
fn truth_has_six_spellings_each() {
    for yes in ["1", "t", "T", "TRUE", "true", "True"] {
        assert_eq!(truth(yes), Some(true), "{yes}");
        assert!(named("azure_use_msi").check(yes).is_ok());
    }
    for no in ["0", "f", "F", "FALSE", "false", "False"] {
        assert_eq!(truth(no), Some(false), "{no}");
    }
    for neither in ["yes", "on", "tRUE", " true", "2", ""] {
        let wrong = named("azure_use_msi").check(neither).unwrap_err();
        assert_eq!(wrong.to_string(), "it must be true or false");
    }
}

#[test]
fn numbers_are_decimal() {
    for good in ["0", "-1", "8020", "+5"] {
        assert!(named("retry_timeout_seconds").check(good).is_ok(), "{good}");
    }
    for bad in ["", "1.5", "0x10", "1_000", " 1", "99999999999999999999"] {
        let wrong = named("http_timeout_seconds").check(bad).unwrap_err();
        assert_eq!(wrong.expected(), ValueKind::Integer, "{bad}");
    }
}

#[test]
fn where_there_are_a_few_words_another_one_is_told_which() {
    let mode = named("federation_mode");
    for good in ["auto", "always", "never"] {
        assert!(mode.check(good).is_ok(), "{good}");
    }
    for bad in ["", "Auto", "always ", "sometimes"] {
        let wrong = mode.check(bad).unwrap_err();
        assert_eq!(wrong.to_string(), "it must be one of auto, always, never", "{bad}");
    }
    assert!(named("use_token_federation").check("auto").is_ok());
}

#[test]
fn what_federation_goes_by_stands_in_profiles_and_belongs_to_no_method() {
    assert_eq!(named("identity_federation_client_id").key(), "federation_client_id");
    let last = &Attribute::ALL[41..];
    assert_eq!(last[0].key(), "authorization_details");
    for attribute in last {
        assert!(attribute.is_stored() && attribute.method().is_none(), "{attribute:?}");
    }
    let found = Attribute::of_variable("DATABRICKS_DISABLE_ASYNC_TOKEN_REFRESH").unwrap();
    assert_eq!(found.key(), "disable_async_token_refresh");
}

#[test]
fn a_wrong_value_is_not_repeated() {
    let wrong = named("debug_headers").check("canary").unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("canary"));
}

#[test]
fn each_attribute_says_who_uses_it_and_where_it_may_stand() {
    assert!(named("host").auth_types().is_empty());
    assert_eq!(named("azure_client_id").auth_types(), ["azure-client-secret", "azure-msi"]);
    for (key, is_internal) in [("host", false), ("token", false), ("cloud", true), ("scopes", true)]
    {
        assert_eq!(named(key).is_internal(), is_internal, "{key}");
    }
    let elsewhere = Attribute::ALL.iter().filter(|attribute| !attribute.is_stored());
    assert_eq!(
        elsewhere.map(|attribute| attribute.key()).collect::<Vec<_>>(),
        ["profile", "config_file"]
    );
    assert_eq!(format!("{:?}", named("host")), "Attribute(host)");
}
