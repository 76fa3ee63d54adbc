//! Laws of the one rule, over files and environments that nobody thought of.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsString;

use proptest::prelude::*;
use u2m_config::{
    Attribute, ConfigFile, ResolveError, Resolved, SelectionArgs, ValueKind, ValueSource, resolve,
};

type Values = BTreeMap<usize, String>;

/// Some values for some attributes; of hosts there are two, so that they meet.
fn values() -> impl Strategy<Value = Values> {
    let one = (0..Attribute::ALL.len()).prop_flat_map(|place| {
        let attribute = &Attribute::ALL[place];
        let text = match (attribute.key(), attribute.kind()) {
            ("host", _) => {
                prop_oneof![Just("https://a.example"), Just("b.example/?o=7&a=url")].boxed()
            }
            ("workspace_id", _) => prop_oneof![Just("1"), Just("none")].boxed(),
            ("auth_type", _) => prop_oneof![Just("pat"), Just("databricks-cli")].boxed(),
            ("scopes", _) => prop_oneof![Just("sql,jobs"), Just(",")].boxed(),
            (_, ValueKind::Bool) => prop_oneof![Just("true"), Just("0")].boxed(),
            (_, ValueKind::Integer) => Just("15").boxed(),
            (_, ValueKind::OneOf(words)) => prop::sample::select(words).boxed(),
            _ => prop_oneof![Just("canary-1"), Just("canary-2"), Just("")].boxed(),
        };
        (Just(place), text.prop_map(str::to_owned))
    });
    prop::collection::vec(one, 0..8).prop_map(|pairs| pairs.into_iter().collect())
}

struct World {
    file: ConfigFile,
    env: BTreeMap<&'static str, String>,
}

/// A file with the profile `p`, and another profile on each of the hosts.
fn world(profile: &Values, env: &Values, setting: &str) -> World {
    let mut text = "[p]\nmade_up = x\n".to_owned();
    for (place, value) in profile {
        text += &format!("{} = {value}\n", Attribute::ALL[*place].key());
    }
    text += &format!(
        "[other]\nhost = a.example\ntoken = canary-3\n[__settings__]\ndefault_profile = {setting}\n"
    );
    let named = |key: &str| key == "profile" || key == "config_file";
    let variable = |(place, value): (&usize, &String)| {
        let attribute = &Attribute::ALL[*place];
        let name = attribute.variables().first().filter(|_| !named(attribute.key()))?;
        Some((*name, value.clone()))
    };
    World { file: ConfigFile::parse(text).unwrap(), env: env.iter().filter_map(variable).collect() }
}

impl World {
    fn settle(&self, given: &SelectionArgs<'_>) -> Result<Resolved, ResolveError> {
        let env = |name: &str| self.env.get(name).map(OsString::from);
        resolve(given, &env, &self.file, "/cfg".as_ref())
    }
}

/// What was settled on, in words that do not say who named the profile.
fn told(outcome: &Result<Resolved, ResolveError>) -> Vec<String> {
    match outcome {
        Err(error) => vec![error.to_string()],
        Ok(found) => {
            let values = found.values().iter().filter(|value| value.attribute().key() != "profile");
            let words = |value: &u2m_config::Value| {
                format!("{}={} from {}", value.attribute().key(), value.expose(), value.source())
            };
            values.map(words).chain([format!("{:?}", found.auth_type(true))]).collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_makes_no_difference_who_names_a_profile(profile in values(), mut env in values(), setting in any::<bool>()) {
        let by_flag = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
        let expected = told(&world(&profile, &env, "").settle(&by_flag));
        let mut by_variable = world(&profile, &env, "");
        by_variable.env.insert("DATABRICKS_CONFIG_PROFILE", "p".to_owned());
        prop_assert_eq!(told(&by_variable.settle(&SelectionArgs::default())), expected);
        // The default counts where neither a host nor an Azure resource is named.
        if setting {
            env.retain(|place, _| {
                !["host", "azure_workspace_resource_id"].contains(&Attribute::ALL[*place].key())
            });
            let expected = told(&world(&profile, &env, "").settle(&by_flag));
            prop_assert_eq!(told(&world(&profile, &env, "p").settle(&SelectionArgs::default())), expected);
        }
    }

    #[test]
    fn every_value_stands_where_it_is_said_to_be_from(profile in values(), env in values(), named in any::<bool>()) {
        let world = world(&profile, &env, "other");
        let given = SelectionArgs { profile: named.then_some("p"), ..SelectionArgs::default() };
        let Ok(found) = world.settle(&given) else { return Ok(()) };
        let chosen = found.profile().map(|profile| profile.name().to_owned());
        for value in found.values() {
            let key = value.attribute().key();
            let there = match value.source() {
                ValueSource::Variable(name) => world.env.get(name).map(String::as_str),
                ValueSource::File(_) => world.file.get(chosen.as_deref().unwrap(), key).filter(|text| !text.is_empty()),
                ValueSource::Flag(_) | ValueSource::Derived => { prop_assert_eq!(key, "profile"); continue }
                other => panic!("{other}"),
            };
            match key {
                "host" => prop_assert!(there.unwrap().contains(found.host().unwrap().name())),
                "scopes" => prop_assert_eq!(value.expose(), "jobs,sql"),
                // These may stand in the URL of the host.
                "account_id" | "workspace_id" if there != Some(value.expose()) => {
                    prop_assert!(["url", "7"].contains(&value.expose()));
                    prop_assert_eq!(value.source(), found.value("host").unwrap().source());
                }
                _ => prop_assert_eq!(there, Some(value.expose())),
            }
        }
    }

    #[test]
    fn a_profile_keeps_its_host_its_ids_and_its_credentials(profile in values(), env in values()) {
        let given = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
        let Ok(found) = world(&profile, &env, "").settle(&given) else { return Ok(()) };
        for (place, text) in &profile {
            let attribute = &Attribute::ALL[*place];
            let is_own = attribute.method().is_some() || ["account_id", "auth_type"].contains(&attribute.key());
            if is_own && !text.is_empty() {
                prop_assert_eq!(found.get(attribute.key()), Some(&**text));
            }
        }
        prop_assert_ne!(found.get("workspace_id"), Some("none"));
    }

    #[test]
    fn no_secret_is_in_what_is_shown(profile in values(), env in values()) {
        let given = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
        let shown = match world(&profile, &env, "").settle(&given) {
            Ok(found) => {
                let secret = |value: &&u2m_config::Value| value.attribute().is_secret();
                found.values().iter().filter(secret).map(|value| format!("{value:?} {}", value.shown())).collect()
            }
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains("canary"), "{shown}");
    }
}
