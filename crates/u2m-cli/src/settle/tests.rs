//! Every command's way from words, environment and profiles to whom it is about.

use crate::args::Args;
use crate::command::logout;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use u2m::config::{
    ChooseError, ConfigFile, Environment, Purpose, ResolveError, TargetArgs, choose_for_token,
    resolve, select,
};

const NAMES: [&str; 5] = ["dev", "DEFAULT", "b.example", "corp", "gone"];
const HOSTS: [&str; 4] = ["a.example", "https://B.example/", "c.example?a=2", "lone.example"];
const KEYS: [(&str, &str); 6] = [
    ("account_id", "1"),
    ("workspace_id", "7"),
    ("token", "t"),
    ("cluster_id", "c"),
    ("u2m_issuer", "https://id.example"),
    ("u2m_client_id", "cli"),
];
const CREDENTIALS: [&str; 3] =
    ["DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"];

fn maybe(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.4, prop::sample::select(texts).prop_map(str::to_owned))
}

fn file() -> impl Strategy<Value = String> {
    let keys = prop::collection::vec(prop::sample::select(&KEYS[..]), 0..3);
    let section = (prop::sample::select(&NAMES[..4]), maybe(&HOSTS), keys);
    (prop::collection::vec(section, 0..4), maybe(&NAMES)).prop_map(|(sections, default)| {
        let mut text = String::new();
        for (name, host, keys) in sections {
            text += &format!("[{name}]\n");
            text += &host.map(|host| format!("host = {host}\n")).unwrap_or_default();
            keys.iter().for_each(|(key, value)| text += &format!("{key} = {value}\n"));
        }
        let default = default.map(|name| format!("[__settings__]\ndefault_profile = {name}\n"));
        text + &default.unwrap_or_default()
    })
}

fn words() -> impl Strategy<Value = Args> {
    let either = prop_oneof![maybe(&NAMES), maybe(&HOSTS)];
    (either, maybe(&NAMES), maybe(&HOSTS), maybe(&["1", "2"])).prop_map(
        |(argument, profile, host, account_id)| Args {
            argument,
            profile,
            host,
            account_id,
            ..Args::default()
        },
    )
}

fn environment() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let credentials = prop::collection::vec(prop::sample::select(&CREDENTIALS[..]), 0..2);
    (maybe(&NAMES), maybe(&HOSTS), maybe(&["1"]), credentials).prop_map(
        |(profile, host, account, credentials)| {
            let named = [
                ("DATABRICKS_CONFIG_PROFILE", profile),
                ("DATABRICKS_HOST", host),
                ("DATABRICKS_ACCOUNT_ID", account),
            ];
            let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
            named.chain(credentials.into_iter().map(|name| (name, "x".to_owned()))).collect()
        },
    )
}

/// A profile and a host.
type Whom = (Option<String>, Option<String>);

fn reason(error: &ChooseError) -> String {
    error.to_string()
}

/// The same, whichever way a host was spelt.
fn untyped(error: &ChooseError) -> String {
    match error {
        ChooseError::Ambiguous { names, .. } => format!("{names:?}"),
        error => reason(error),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_command_is_about_one_profile_and_one_host(file in file(), args in words(), vars in environment()) {
        let config = ConfigFile::parse(file).unwrap();
        let lookup = |name: &str| vars.get(name).map(OsString::from);
        let around = Environment { env: &lookup, config: &config };
        let said = args.said();

        // `token` and `exec`.
        let of_token = |said| choose_for_token(said, &around).map(|choice| -> Whom {
            let issuer = choice.target.issuer_id().is_some();
            let host = choice.target.host().filter(|_| !issuer).map(ToString::to_string);
            (choice.target.profile().map(ToString::to_string), host)
        });
        let token = of_token(&said);
        // `describe` and `env`.
        let found = resolve(&said.given(), &lookup, &config, "/cfg".as_ref());
        let described = found.as_ref().map(|found| -> Whom {
            (found.profile().map(|profile| profile.name().to_owned()), found.host().map(ToString::to_string))
        });
        // `logout`, where something is said.
        let meant = logout::meant(&said);
        let out = select(&meant, &lookup, &config, Purpose::Login).map(|selection| -> Whom {
            (selection.profile().map(|profile| profile.name().to_owned()), selection.host().map(ToString::to_string))
        });

        let has_credentials = vars.keys().any(|name| CREDENTIALS.contains(name));
        let is_machine = |name: &Option<String>| {
            name.as_deref().and_then(|name| config.profile(name)).is_some_and(|profile| !profile.is_for_users())
        };
        match (&token, &described) {
            (Ok(token), Ok(described)) => {
                prop_assert_eq!(&token.1, &described.1);
                if token.0 != described.0 {
                    let is_complete = has_credentials && described.0.is_none();
                    prop_assert!(is_complete || token.0.is_none() && is_machine(&described.0), "{:?} {:?}", token, described);
                }
            }
            (Err(token), Err(ResolveError::Choose(described))) => prop_assert_eq!(reason(token), reason(described)),
            // What a configuration may be and a login may not, and the other way round.
            (Ok(token), Err(ResolveError::Choose(ChooseError::Ambiguous { .. }))) => prop_assert_eq!(&token.0, &None),
            (_, Err(ResolveError::ManyMethods(_))) => {}
            (Err(ChooseError::Ambiguous { .. }), Ok(described)) => prop_assert!(has_credentials && described.0.is_none()),
            (Err(ChooseError::NoProfiles | ChooseError::NoProfileChosen), Ok(described)) => {
                prop_assert_eq!(described, &(None, None));
            }
            (Err(ChooseError::NoHost(_)), Ok(described)) => prop_assert!(described.0.is_some() && described.1.is_none()),
            (Err(ChooseError::MachineProfile(_)), Ok(_)) => {}
            (token, described) => prop_assert!(false, "{token:?} {described:?}"),
        }

        // `env --with-token` prints the token that `token` prints, or none.
        if let Ok(found) = &found {
            let is_for_issuer = crate::told::is_for_issuer(found, &config);
            if is_for_issuer || found.host().is_some() {
                let lent = of_token(&TargetArgs::of(found, &config));
                prop_assert_eq!(lent.as_ref().map_err(untyped), token.as_ref().map_err(untyped));
            }
        }

        if said.given().names_something() {
            // Beside a host, `logout` takes a word for a profile's name; the others take none.
            match (&out, &token) {
                (Ok(out), Ok(token)) => prop_assert_eq!(out, token),
                (Ok(_), Err(ChooseError::ArgumentWithFlag(_))) => prop_assert!(said.either.is_some() && said.host.is_some()),
                (Ok(out), Err(ChooseError::NoHost(_))) => prop_assert!(out.0.is_some()),
                (Ok(_), Err(ChooseError::MachineProfile(_))) => {}
                (Err(out), Err(token)) if said.either.is_none() || said.host.is_none() => prop_assert_eq!(reason(out), reason(token)),
                (Err(_), Err(ChooseError::ArgumentWithFlag(_))) => {}
                (out, token) => prop_assert!(false, "{out:?} {token:?}"),
            }
        }
    }

    #[test]
    fn an_unknown_name_is_one_sentence_and_one_exit_code(file in file(), by_flag in any::<bool>()) {
        let config = ConfigFile::parse(file).unwrap();
        let path = "/cfg".as_ref();
        let name = Some("gone".to_owned());
        let args = match by_flag {
            true => Args { profile: name, ..Args::default() },
            false => Args { argument: name, ..Args::default() },
        };
        let said = args.said();
        let around = Environment { env: &|_| None, config: &config };
        let token = choose_for_token(&said, &around).unwrap_err();
        let Err(ResolveError::Choose(described)) = resolve(&said.given(), &|_| None, &config, path) else {
            panic!("it is unknown");
        };
        let out = select(&logout::meant(&said), &|_| None, &config, Purpose::Login).unwrap_err();
        let told: Vec<_> = [&token, &described, &out]
            .map(|error| crate::advice::choice(error, path, &config, "u2m"))
            .into_iter()
            .map(|failure| (failure.class.code(), failure.text))
            .collect();
        prop_assert!(told.iter().all(|one| one == &told[0]), "{:?}", told);
        prop_assert_eq!(told[0].0, 5);
        prop_assert!(told[0].1.starts_with("no matching profile found: \"gone\""), "{}", told[0].1);
    }
}
