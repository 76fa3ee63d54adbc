//! The setting, else `DEFAULT` with a host, else nothing.
#![allow(clippy::unwrap_used)]

use u2m_config::ConfigFile;

fn default_of(text: &str) -> Option<String> {
    ConfigFile::parse(text).unwrap().default_profile().map(ToOwned::to_owned)
}

#[test]
fn the_setting_comes_first() {
    let text = "[DEFAULT]\nhost = d\n[x]\nhost = h\n[__settings__]\ndefault_profile = x\n";
    assert_eq!(default_of(text).as_deref(), Some("x"));
}

#[test]
fn a_setting_that_points_nowhere_is_reported_rather_than_replaced() {
    let file =
        ConfigFile::parse("[DEFAULT]\nhost = d\n[__settings__]\ndefault_profile = gone\n").unwrap();
    assert_eq!(file.default_profile(), Some("gone"));
    assert!(file.profile("gone").is_none());
}

#[test]
fn without_a_setting_default_needs_a_host() {
    assert_eq!(default_of("[DEFAULT]\nhost = d\n[x]\nhost = h\n").as_deref(), Some("DEFAULT"));
    assert_eq!(default_of("[DEFAULT]\naccount_id = 1\n[x]\nhost = h\n"), None);
    assert_eq!(default_of("[DEFAULT]\nhost =\n"), None);
}

#[test]
fn profiles_of_other_names_are_never_chosen() {
    assert_eq!(default_of("[x]\nhost = h\n"), None);
    assert_eq!(default_of("[x]\nhost = h\n[y]\nhost = i\n"), None);
}

#[test]
fn an_empty_or_reserved_setting_counts_as_unset() {
    assert_eq!(default_of("[__settings__]\ndefault_profile =\n"), None);
    let text = "[__settings__]\ndefault_profile = __settings__\n[DEFAULT]\nhost = d\n";
    assert_eq!(default_of(text).as_deref(), Some("DEFAULT"));
}

#[test]
fn a_missing_file_names_none_and_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    assert_eq!(ConfigFile::read(&path).unwrap().default_profile(), None);
    assert!(!path.exists());
}

#[test]
fn one_profile_is_offered_and_never_taken() {
    // Content; who is the default; who is offered to a person.
    let cases = [
        ("[a]\nhost = h\n[b]\nhost = i\n[__settings__]\ndefault_profile = b\n", Some("b"), None),
        ("[a]\nhost = h\n", None, Some("a")),
        ("[a]\nhost = h\n[b]\nhost = i\n", None, None),
        ("[DEFAULT]\nhost = d\n[a]\nhost = h\n", Some("DEFAULT"), None),
        ("[DEFAULT]\ncluster_id = 1\n[a]\nhost = h\n", None, Some("a")),
        ("[a]\nhost = h\n[__settings__]\ndefault_profile = __settings__\n", None, Some("a")),
        ("", None, None),
    ];
    for (text, default, offered) in cases {
        let file = ConfigFile::parse(text).unwrap();
        assert_eq!((file.default_profile(), file.only_profile()), (default, offered), "{text}");
    }
}
