//! `u2m login`: a browser, a person, a saved login, a saved profile.

mod choose;
mod places;
mod save;

pub(crate) use choose::{host, profile_and_host};

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::person::{Terminal, can_paste};
use crate::{advice, events, guard, output, place};
use choose::Chosen;
use places::Places;
use save::Saved;
use std::time::Duration;
use u2m::{
    BrowserError, Builder, Host, IssuerTrust, LoginChoice, PersistentAuth, Scopes, SignedIn,
    Surroundings, browser_fn, chain,
};

/// How long a person has, unless they say otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    if args.events {
        events::turn_on();
    }
    check(args)?;
    let (path, config) = place::config()?;
    let around = Surroundings { env: &place::env, config: &config };
    // A word that names no store is reported before anything is asked.
    place::storage_with_person(&config, None)?;
    let Chosen { choice, metadata } = choose::login(args, &path, &around, name)?;
    let storage = place::storage_with_person(&config, Some(choice.profile.as_str()))?;
    guard::watch_signals();
    let scopes = args.scopes.as_deref().map(Scopes::split).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.unwrap_or_else(|| choice.scopes.clone());
    let builder = PersistentAuth::builder(choice.target(&metadata))
        .with_store(storage.store().clone())
        .with_scopes(scopes.clone());
    let (builder, person) = with_manners(builder, args, &choice);
    let builder = with_discovery(builder, args, &choice)?;
    let auth = builder.build().map_err(|error| advice::build(&error))?;
    let outcome = auth.blocking().challenge();
    person.end();
    for notice in auth.take_notices() {
        output::note(&format!("Warning: {}", notice.text));
    }
    let signed_in = outcome.map_err(|error| advice::login(&error, &choice, name))?;
    warn(&signed_in)?;
    let mut places = Places::find(args, &choice, &config, &signed_in);
    let trouble = places.choose(args, &choice, &signed_in).err();
    let saved = Saved {
        path: &path,
        choice: &choice,
        signed_in: &signed_in,
        scopes: &scopes,
        places: &places,
        storage: &storage,
        key: auth.cache_key(),
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
    if args.paste && !can_paste() {
        return usage(
            "--paste needs a terminal to read the address from, and there is none here; leave it out, and open the \
             address that is shown in a browser of this machine",
        );
    }
    Ok(())
}

fn warn(signed_in: &SignedIn) -> Result<(), Failure> {
    if let Some(failure) = signed_in.unsaved() {
        let text = format!("signed in, but the login could not be saved: {}", chain(failure));
        return Err(Failure::new(Class::Storage, text));
    }
    if !signed_in.missing_scopes().is_empty() {
        output::note(&format!(
            "Warning: these scopes were not granted: {}",
            signed_in.missing_scopes()
        ));
    }
    Ok(())
}

fn with_manners(builder: Builder, args: &Args, choice: &LoginChoice) -> (Builder, Terminal) {
    let place = match &choice.host {
        Some(host) => host.to_string(),
        None => discovery_host().unwrap_or_else(|| "login.databricks.com".to_owned()),
    };
    let no_browser = args.no_browser || args.paste;
    let timeout = args.timeout.unwrap_or(TIMEOUT);
    let is_none = place::env("BROWSER").is_some_and(|value| value == "none");
    let person = Terminal::new(place, no_browser || is_none, args.paste, timeout);
    let mut builder = builder.with_person(person.clone()).with_login_timeout(timeout);
    if no_browser {
        builder = builder.with_browser(browser_fn(|_| async { Err(BrowserError::Disabled) }));
    }
    if let Some(port) = args.port.or_else(callback_port) {
        builder = builder.with_port(port);
    }
    (builder, person)
}

/// A port that the SDKs' own setting names.
fn callback_port() -> Option<u16> {
    place::env("DATABRICKS_OAUTH_CALLBACK_PORT")
        .and_then(|value| value.into_string().ok())
        .and_then(|text| text.parse().ok())
        .filter(|port| *port != 0)
}

fn discovery_host() -> Option<String> {
    place::env("DATABRICKS_DISCOVERY_HOST")
        .and_then(|value| value.into_string().ok())
        .filter(|text| !text.is_empty())
}

fn with_discovery(builder: Builder, args: &Args, choice: &LoginChoice) -> Result<Builder, Failure> {
    if choice.host.is_some() {
        return Ok(builder);
    }
    let mut trust = IssuerTrust::databricks();
    for named in &args.allow_issuer {
        let wrong =
            |error: u2m::HostError| Failure::new(Class::Usage, format!("--allow-issuer: {error}"));
        trust = trust.with_host(Host::typed(named).map_err(wrong)?.0);
    }
    let mut builder = builder.with_trust(trust);
    if args.skip_workspace {
        builder = builder.with_account_picker();
    }
    Ok(match discovery_host() {
        Some(host) => builder.with_discovery_host(host),
        None => builder,
    })
}
