//! `u2m login`: a browser, a person, a saved login, a saved profile.

mod choose;
pub(crate) mod manners;
mod places;
mod save;

pub(crate) use choose::{host, profile_and_host};

use crate::args::{Args, Format};
use crate::command::login_issuer;
use crate::failure::{Class, Failure};
use crate::{advice, events, guard, output, place, prompt};
use choose::ChosenTarget;
use places::ProfilePlaces;
use save::SavedLogin;
use u2m::config::{CA_FILE_KEY, ConfigFile, Editor, Environment, LoginChoice};
use u2m::login::LoginError;
use u2m::{Builder, ChallengeError, PersistentAuth, Scopes};

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    if args.events {
        events::turn_on();
    }
    check(args)?;
    let (path, config) = place::config()?;
    let around = Environment { env: &place::env, config: &config };
    // A word that names no store is reported before anything is asked.
    place::storage_with_person(&config, None)?;
    // Nor is anybody sent to a browser for a profile that cannot be saved.
    Editor::new(&path).prove()?;
    let ChosenTarget { choice, metadata } = choose::login(args, &path, &around, name)?;
    if args.device && choice.host.is_none() {
        let text = format!(
            "--device needs to know where to sign in: {name} login --device --host <url>, or --issuer <url> --client-id <id>"
        );
        return Err(Failure::new(Class::Usage, text));
    }
    let is_meant = args.events || args.web;
    if choice.host.is_none() && choice.is_suggested && !prompt::is_allowed() && !is_meant {
        // A script that says nothing has most likely forgotten something, and would wait for a person who is not there.
        let text = format!(
            "no host to sign in to was named, and there is no terminal to ask at. Run: {name} login --host <url>, or, to choose \
             the workspace in the browser: {name} login --web"
        );
        return Err(Failure::new(Class::Usage, text));
    }
    let storage = place::storage_with_person(&config, Some(choice.profile.as_str()))?;
    guard::watch_signals();
    let scopes = args.scopes.as_deref().map(Scopes::split).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.unwrap_or_else(|| choice.scopes.clone());
    let ca_file = choice.ca_file.as_ref().and_then(|path| path.to_str()).unwrap_or_default();
    let known = [("scopes", &*scopes.iter().collect::<Vec<_>>().join(",")), (CA_FILE_KEY, ca_file)];
    manners::prove(&path, choice.profile.as_str(), &known)?;
    let builder = PersistentAuth::builder(choice.target(&metadata))
        .with_store(storage.store().clone())
        .with_scopes(scopes.clone());
    let builder = choice.ca_file.iter().cloned().fold(builder, Builder::with_ca_file);
    let place = match &choice.host {
        Some(host) => host.to_string(),
        None => discovery_host().unwrap_or_else(|| "login.databricks.com".to_owned()),
    };
    let (builder, person) = manners::with_terminal(builder, args, place);
    let builder = with_settings(builder, args, &choice, &config)?;
    let builder = with_discovery(builder.with_trust(manners::trust(args)?), args, &choice);
    let auth = builder.build().map_err(|error| advice::build(&error))?;
    let host = choice.host.as_ref().map(|host| format!(" --host {host}")).unwrap_or_default();
    let profile = advice::quoted(choice.profile.as_str());
    let again = format!("{name} login{host} --profile {profile}");
    let signed_in =
        manners::sign_in(&auth, args, &person, &again, |error| match (error, &choice.host) {
            (ChallengeError::Login(LoginError::NoDeviceLogin), Some(host)) => {
                login_issuer::no_device(host.as_str(), &format!("--host {host}"), name)
            }
            _ => advice::login(error, &choice, name),
        })?;
    let mut places = ProfilePlaces::find(args, &choice, &config, &signed_in);
    let trouble = places.choose(args, &choice, &signed_in).err();
    let saved = SavedLogin {
        path: &path,
        choice: &choice,
        signed_in: &signed_in,
        scopes: &scopes,
        places: &places,
        storage: &storage,
        key: auth.cache_key(),
        default: config.default_profile().map(str::to_owned),
    };
    saved.write()?;
    // What could not be chosen is no reason to lose the login, and the profile that leads to it.
    if let Some(failure) = trouble {
        return Err(failure);
    }
    if events::are_on() {
        events::saved(&saved.report());
    }
    match args.format {
        Some(Format::Json) => output::result(output::json(&saved.report()) + "\n"),
        _ => Ok(()),
    }
}

/// What cannot be meant, before anything is asked.
fn check(args: &Args) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::new(Class::Usage, text));
    if args.configure_cluster && args.configure_serverless {
        return usage("--configure-cluster and --configure-serverless cannot be combined");
    }
    if args.client_id.is_some() {
        return usage("--client-id goes with --issuer");
    }
    manners::check(args)
}

/// What SDKs' own settings say: of the environment first, then of the profile.
fn with_settings(
    mut builder: Builder,
    args: &Args,
    choice: &LoginChoice,
    config: &ConfigFile,
) -> Result<Builder, Failure> {
    let set = |variable: &str, key: &str| {
        let given = |text: &String| !text.is_empty();
        let of_env = place::env(variable).and_then(|value| value.into_string().ok()).filter(given);
        let of_profile = || config.get(choice.profile.as_str(), key).map(str::to_owned);
        of_env.map(|value| (variable.to_owned(), value)).or_else(|| {
            of_profile().filter(given).map(|value| (format!("{key} of the profile"), value))
        })
    };
    let port = match args.port {
        Some(port) => Some(port),
        None => match set("DATABRICKS_OAUTH_CALLBACK_PORT", "oauth_callback_port") {
            Some((source, text)) => match text.parse() {
                Ok(0) | Err(_) => {
                    let text = format!("{source} is not a port (1 to 65535)");
                    return Err(Failure::new(Class::Usage, text));
                }
                Ok(port) => Some(port),
            },
            None => None,
        },
    };
    if let Some(port) = port {
        builder = builder.with_port(port);
    }
    let no_refresh = set("DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN", "disable_oauth_refresh_token");
    if no_refresh.is_some_and(|(_, value)| matches!(&*value, "true" | "True" | "TRUE" | "1" | "t"))
    {
        builder = builder.without_offline_access();
    }
    Ok(builder)
}

fn discovery_host() -> Option<String> {
    place::env("DATABRICKS_DISCOVERY_HOST")
        .and_then(|value| value.into_string().ok())
        .filter(|text| !text.is_empty())
}

fn with_discovery(mut builder: Builder, args: &Args, choice: &LoginChoice) -> Builder {
    if choice.host.is_some() {
        return builder;
    }
    if args.skip_workspace {
        builder = builder.with_account_picker();
    }
    match discovery_host() {
        Some(host) => builder.with_discovery_host(host),
        None => builder,
    }
}
