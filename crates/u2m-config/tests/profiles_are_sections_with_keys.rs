//! What counts as a profile, and which profiles belong to a host.
#![allow(clippy::unwrap_used)]

use u2m_config::ConfigFile;
use u2m_core::Host;

fn names(file: &ConfigFile) -> Vec<&str> {
    file.profiles().iter().map(|profile| profile.name()).collect()
}

#[test]
fn the_settings_are_no_profile_even_with_a_host() {
    let file = ConfigFile::parse("[__settings__]\nhost = h\n[a]\nhost = h\n").unwrap();
    assert_eq!(names(&file), ["a"]);
    assert!(file.profile("__settings__").is_none());
    assert_eq!(file.setting("host"), Some("h"));
}

#[test]
fn a_profile_without_host_is_listed_and_an_empty_section_is_not() {
    let file = ConfigFile::parse("[DEFAULT]\n\n[a]\naccount_id = 1\n").unwrap();
    assert_eq!(names(&file), ["a"]);
    assert!(file.profile("DEFAULT").is_none());
}

#[test]
fn a_profile_says_what_signing_in_needs() {
    let text = "[a]\nhost = h\naccount_id = 1\nworkspace_id = 2\nscopes = sql, jobs\nauth_type = oauth-m2m\n\
                client_id = c\nclient_secret = s\n";
    let file = ConfigFile::parse(text).unwrap();
    let a = file.profile("a").unwrap();
    assert_eq!((a.host(), a.account_id(), a.workspace_id()), (Some("h"), Some("1"), Some("2")));
    assert_eq!((a.auth_type(), a.scopes()), (Some("oauth-m2m"), vec!["sql", "jobs"]));
    assert!(a.has_client_credentials() && !a.is_for_users());
}

#[test]
fn profiles_of_a_host_are_found_under_every_spelling() {
    let text = "[1]\nhost = https://a.example\n[2]\nhost = https://A.EXAMPLE:443/\n[3]\nhost = a.example/x?o=1\n\
                [4]\nhost = https://b.example\n[5]\nhost = not a host\n[6]\naccount_id = 1\n";
    let file = ConfigFile::parse(text).unwrap();
    let host = Host::parse("https://a.example").unwrap();
    let found: Vec<_> = file.profiles_on(&host).iter().map(|profile| profile.name()).collect();
    assert_eq!(found, ["1", "2", "3"]);
}

#[test]
fn only_profiles_for_users_belong_to_a_host() {
    let text = "[pat]\nhost = a.example\ntoken = t\n[bot]\nhost = a.example\nclient_id = c\nclient_secret = s\n\
                [az]\nhost = a.example\nauth_type = azure-cli\n[me]\nhost = a.example\nauth_type = databricks-cli\ntoken =\n";
    let file = ConfigFile::parse(text).unwrap();
    let host = Host::parse("https://a.example").unwrap();
    let found: Vec<_> = file.profiles_on(&host).iter().map(|profile| profile.name()).collect();
    assert_eq!(found, ["me"]);
}
