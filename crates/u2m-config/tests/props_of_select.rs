//! Laws of the one selection, over sections, flags and environments that nobody thought of.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use u2m_config::{
    ChooseError, ChosenBy, ConfigFile, Purpose, ResolveError, Resolved, Selection, SelectionArgs,
    resolve, select,
};

/// Names of sections: some look like hosts, and one is that of a host.
const NAMES: [&str; 5] = ["a", "b", "DEFAULT", "b.example", "c.example"];
const HOSTS: [&str; 5] =
    ["a.example", "https://B.example/", "b.example/?o=7", "c.example?a=2", "accounts.c.example"];
const KEYS: [(&str, &str); 9] = [
    ("account_id", "1"),
    ("account_id", "2"),
    ("workspace_id", "7"),
    ("token", "t"),
    ("client_id", "c"),
    ("client_secret", "s"),
    ("auth_type", "databricks-cli"),
    ("u2m_issuer", "https://id.example"),
    ("u2m_client_id", "cli"),
];
const VARIABLES: [(&str, &str); 6] = [
    ("DATABRICKS_ACCOUNT_ID", "1"),
    ("DATABRICKS_WORKSPACE_ID", "7"),
    ("DATABRICKS_TOKEN", "t"),
    ("DATABRICKS_CLIENT_ID", "c"),
    ("DATABRICKS_CLIENT_SECRET", "s"),
    ("DATABRICKS_AZURE_RESOURCE_ID", "/x"),
];

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn maybe<T: Strategy>(of: T) -> impl Strategy<Value = Option<T::Value>>
where
    T::Value: Clone,
{
    prop::option::weighted(0.4, of)
}

/// The text of a profile file.
fn file() -> impl Strategy<Value = String> {
    let key = prop::sample::select(&KEYS[..]);
    let section = (
        one_of(&NAMES),
        prop::option::weighted(0.7, one_of(&HOSTS)),
        prop::collection::vec(key, 0..3),
    );
    let default = maybe(prop_oneof![one_of(&NAMES), Just("gone".to_owned())]);
    (prop::collection::vec(section, 0..4), default).prop_map(|(sections, default)| {
        let mut text = String::new();
        for (name, host, keys) in sections {
            text += &format!("[{name}]\n");
            text += &host.map(|host| format!("host = {host}\n")).unwrap_or_default();
            keys.iter().for_each(|(key, value)| text += &format!("{key} = {value}\n"));
        }
        text + &default
            .map(|name| format!("[__settings__]\ndefault_profile = {name}\n"))
            .unwrap_or_default()
    })
}

#[derive(Clone, Debug)]
struct Words {
    either: Option<String>,
    profile: Option<String>,
    host: Option<String>,
    account: Option<String>,
}

fn words() -> impl Strategy<Value = Words> {
    let name = || prop_oneof![4 => one_of(&NAMES), 1 => Just("gone".to_owned())];
    let either = prop_oneof![name(), one_of(&HOSTS)];
    let account = maybe(prop_oneof![Just("1".to_owned()), Just("2".to_owned())]);
    (maybe(either), maybe(name()), maybe(one_of(&HOSTS)), account)
        .prop_map(|(either, profile, host, account)| Words { either, profile, host, account })
}

type Env = BTreeMap<&'static str, String>;

fn env() -> impl Strategy<Value = Env> {
    let name = prop_oneof![one_of(&NAMES), Just("gone".to_owned())];
    let rest = prop::collection::vec(prop::sample::select(&VARIABLES[..]), 0..3);
    (maybe(name), maybe(one_of(&HOSTS)), rest).prop_map(|(profile, host, rest)| {
        let rest = rest.into_iter().map(|(name, value)| (name, value.to_owned()));
        let profile = profile.map(|name| ("DATABRICKS_CONFIG_PROFILE", name));
        let host = host.map(|host| ("DATABRICKS_HOST", host));
        rest.chain(profile).chain(host).collect()
    })
}

/// Everything that a selection depends on.
struct World<'a> {
    words: &'a Words,
    env: &'a Env,
    file: ConfigFile,
}

impl World<'_> {
    fn given(&self) -> SelectionArgs<'_> {
        SelectionArgs {
            either: self.words.either.as_deref(),
            profile: self.words.profile.as_deref(),
            host: self.words.host.as_deref(),
            account_id: self.words.account.as_deref(),
            ..SelectionArgs::default()
        }
    }

    fn select(&self, purpose: Purpose) -> Result<Selection, ChooseError> {
        let env = |name: &str| self.env.get(name).map(OsString::from);
        select(&self.given(), &env, &self.file, purpose)
    }

    fn resolve(&self) -> Result<Resolved, ResolveError> {
        let env = |name: &str| self.env.get(name).map(OsString::from);
        resolve(&self.given(), &env, &self.file, "/cfg".as_ref())
    }

    /// Whether the environment says how a machine signs in.
    fn has_credentials(&self) -> bool {
        let of_person = [
            "DATABRICKS_CONFIG_PROFILE",
            "DATABRICKS_HOST",
            "DATABRICKS_ACCOUNT_ID",
            "DATABRICKS_WORKSPACE_ID",
        ];
        self.env.keys().any(|name| !of_person.contains(name))
    }
}

fn names(selection: &Selection) -> (Option<&str>, Option<&str>) {
    let profile = selection.profile().map(|profile| profile.name());
    (profile, selection.host().map(|host| host.as_str()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_login_and_a_configuration_are_of_one_profile_and_one_host(file in file(), words in words(), env in env()) {
        let world = World { words: &words, env: &env, file: ConfigFile::parse(file).unwrap() };
        let (login, configured) = (world.select(Purpose::Login), world.select(Purpose::Configuration));
        match (login, configured) {
            (Ok(login), Ok(configured)) => {
                let is_complete = configured.profile().is_none() && world.has_credentials();
                if names(&login) != names(&configured) && !is_complete {
                    // The one profile of the host is a machine's, so that the login is the host's own.
                    let section = configured.section(&world.file).unwrap();
                    prop_assert!(!section.is_for_users() && login.profile().is_none());
                    prop_assert_eq!(login.host(), configured.host());
                }
                if configured.host().is_some() {
                    prop_assert_eq!(login.host(), configured.host());
                    if login.profile() == configured.profile() {
                        prop_assert_eq!(login.account_id(), configured.account_id());
                    }
                }
            }
            (Err(login), Err(configured)) => prop_assert_eq!(login.to_string(), configured.to_string()),
            // Of machines' profiles on one host none is a login.
            (Ok(login), Err(ChooseError::Ambiguous { .. })) => prop_assert_eq!(login.profile(), None),
            // A complete environment has no question for the file.
            (Err(ChooseError::Ambiguous { .. } | ChooseError::ProfileHost(..)), Ok(configured)) => {
                prop_assert!(world.has_credentials() && configured.profile().is_none());
            }
            (login, configured) => prop_assert!(false, "{login:?} {configured:?}"),
        }
    }

    #[test]
    fn what_is_resolved_is_what_was_selected(file in file(), words in words(), env in env()) {
        let world = World { words: &words, env: &env, file: ConfigFile::parse(file).unwrap() };
        match (world.select(Purpose::Configuration), world.resolve()) {
            (Ok(selection), Ok(resolved)) => {
                prop_assert_eq!(selection.profile(), resolved.profile());
                prop_assert_eq!(selection.host(), resolved.host());
                if selection.host().is_some() {
                    prop_assert_eq!(selection.account_id(), resolved.get("account_id"));
                }
            }
            (Err(selection), Err(resolved)) => prop_assert_eq!(selection.to_string(), resolved.to_string()),
            (Ok(_), Err(error)) => prop_assert!(matches!(error, ResolveError::ManyMethods(_)), "{}", error),
            (Err(error), Ok(_)) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn an_unknown_name_is_told_in_one_sentence(file in file(), words in words(), env in env()) {
        let world = World { words: &words, env: &env, file: ConfigFile::parse(file).unwrap() };
        let by_flag = words.profile.as_deref().or(words.either.as_deref());
        let named = by_flag.or(env.get("DATABRICKS_CONFIG_PROFILE").map(String::as_str));
        let is_alone = words.host.is_none() && (words.profile.is_none() || words.either.is_none());
        let is_unknown = named == Some("gone") && is_alone;
        for purpose in [Purpose::Login, Purpose::Configuration] {
            let outcome = world.select(purpose);
            if is_unknown {
                let sentence = outcome.unwrap_err().to_string();
                prop_assert!(sentence.starts_with("no matching profile found: \"gone\""), "{}", sentence);
            } else if let Err(ChooseError::UnknownProfile { name, .. }) = outcome {
                prop_assert!(named == Some(name.as_str()), "{}", name);
                prop_assert!(world.file.profile(name.as_str()).is_none());
            }
        }
    }

    #[test]
    fn a_profile_is_never_taken_for_another_host_than_its_own(file in file(), words in words(), env in env()) {
        let world = World { words: &words, env: &env, file: ConfigFile::parse(file).unwrap() };
        for purpose in [Purpose::Login, Purpose::Configuration] {
            let Ok(selection) = world.select(purpose) else { continue };
            let Some(section) = selection.section(&world.file) else { continue };
            if let Some((own, _)) = section.parsed_host().unwrap() {
                prop_assert_eq!(selection.host(), Some(&own));
            }
            if section.issuer().is_some() {
                prop_assert_eq!(selection.host(), None);
            }
        }
    }

    #[test]
    fn it_makes_no_difference_who_names_a_profile_or_a_host(file in file(), name in one_of(&NAMES), host in one_of(&HOSTS)) {
        let file = ConfigFile::parse(file).unwrap();
        let by = |given: SelectionArgs<'_>, variable: Option<(&str, &str)>| {
            let env = |asked: &str| variable.filter(|(known, _)| *known == asked).map(|(_, value)| OsString::from(value));
            select(&given, &env, &file, Purpose::Login).map(|selection| {
                let (profile, host) = names(&selection);
                (profile.map(str::to_owned), host.map(str::to_owned), selection.account_id().map(str::to_owned))
            })
        };
        let told = |outcome: Result<_, ChooseError>| outcome.map_err(|error| error.to_string().replace("DATABRICKS_HOST", "x"));
        let flag = by(SelectionArgs { profile: Some(&name), ..SelectionArgs::default() }, None);
        let variable = by(SelectionArgs::default(), Some(("DATABRICKS_CONFIG_PROFILE", &name)));
        prop_assert_eq!(told(flag.clone()), told(variable));
        if file.profile(&name).is_some_and(|profile| profile.leads_somewhere()) {
            prop_assert_eq!(told(flag), told(by(SelectionArgs { either: Some(&name), ..SelectionArgs::default() }, None)));
        }
        let flag = by(SelectionArgs { host: Some(&host), ..SelectionArgs::default() }, None);
        prop_assert_eq!(told(flag.clone()), told(by(SelectionArgs::default(), Some(("DATABRICKS_HOST", &host)))));
        prop_assert_eq!(told(flag), told(by(SelectionArgs { either: Some(&host), ..SelectionArgs::default() }, None)));
    }
}

#[test]
fn a_profile_says_how_it_was_chosen() {
    let file = ConfigFile::parse("[a]\nhost = a.example\n").unwrap();
    let given = SelectionArgs { host: Some("a.example"), ..SelectionArgs::default() };
    let by = |given: &SelectionArgs<'_>, env: &dyn Fn(&str) -> Option<OsString>| {
        let selection = select(given, env, &file, Purpose::Login).unwrap();
        selection.profile().unwrap().by()
    };
    assert_eq!(by(&given, &|_| None), ChosenBy::HostFlag);
    let env = |name: &str| (name == "DATABRICKS_HOST").then(|| "a.example".into());
    assert_eq!(by(&SelectionArgs::default(), &env), ChosenBy::HostVariable);
}
