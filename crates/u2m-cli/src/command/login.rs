//! `u2m login`: a browser, a person, a saved login, a saved profile.

use crate::advice;
use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::person::{Terminal, can_paste};
use crate::{guard, output, place};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use u2m::{
    BrowserError, Builder, Editor, Host, HostMetadata, IssuerTrust, LOGIN_CLEARS, LoginChoice,
    PersistentAuth, ReqwestTransport, Scopes, SignedIn, StorageMode, Surroundings, blocking,
    browser_fn, chain, choose_for_login,
};

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    if args.paste && !can_paste() {
        let text = "--paste needs a terminal to read the address from, and there is none here; leave it out, and open the \
                    address that is shown in a browser of this machine";
        return Err(Failure::new(Class::Usage, text));
    }
    let (path, config) = place::config()?;
    let around = Surroundings { env: &place::env, config: &config };
    let choice = choose_for_login(&args.said(), &around)
        .map_err(|error| advice::choice(&error, &path, &config, name))?;
    let storage = place::storage_with_person(&config, Some(choice.profile.as_str()))?;
    guard::watch_signals();
    let metadata = match choice.host.as_ref().filter(|_| choice.is_open()) {
        Some(host) => blocking::ask_host(&ReqwestTransport::new(), host),
        None => HostMetadata::default(),
    };
    let scopes = args.scopes.as_deref().map(Scopes::split).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.unwrap_or_else(|| choice.scopes.clone());
    let builder = PersistentAuth::builder(choice.target(&metadata))
        .with_store(storage.store().clone())
        .with_scopes(scopes.clone());
    let builder = with_discovery(with_manners(builder, args, &choice), args, &choice)?;
    let auth = builder.build().map_err(|error| advice::build(&error))?;
    let outcome = auth.blocking().challenge();
    for notice in auth.take_notices() {
        output::note(&format!("Warning: {}", notice.text));
    }
    let signed_in = outcome.map_err(|error| advice::login(&error, &choice, name))?;
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
    let pin = storage.to_pin(auth.cache_key());
    save_profile(&path, &choice, &signed_in, &scopes, pin)
}

fn with_manners(builder: Builder, args: &Args, choice: &LoginChoice) -> Builder {
    let place = match &choice.host {
        Some(host) => host.to_string(),
        None => discovery_host().unwrap_or_else(|| "login.databricks.com".to_owned()),
    };
    let no_browser = args.no_browser || args.paste;
    let person = Terminal {
        place,
        no_browser: no_browser || place::env("BROWSER").is_some_and(|value| value == "none"),
        paste: args.paste,
        is_reading: AtomicBool::new(false),
    };
    let mut builder = builder.with_person(person);
    if no_browser {
        builder = builder.with_browser(browser_fn(|_| async { Err(BrowserError::Disabled) }));
    }
    if let Some(port) = args.port.or_else(callback_port) {
        builder = builder.with_port(port);
    }
    match args.timeout {
        Some(timeout) => builder.with_login_timeout(timeout),
        None => builder,
    }
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
    let builder = builder.with_trust(trust);
    Ok(match discovery_host() {
        Some(host) => builder.with_discovery_host(host),
        None => builder,
    })
}

/// Writes the profile: the keys of this login, without the credentials of another kind that SDKs would trip over.
pub(crate) fn save_profile(
    path: &Path,
    choice: &LoginChoice,
    signed_in: &SignedIn,
    scopes: &Scopes,
    pin: Option<StorageMode>,
) -> Result<(), Failure> {
    let target = signed_in.target();
    let host = target.host().map(ToString::to_string).unwrap_or_default();
    let account = target.account_id().map(ToString::to_string).unwrap_or_default();
    let (workspace, scopes) = (
        choice.workspace_id.clone().unwrap_or_default(),
        scopes.iter().collect::<Vec<_>>().join(","),
    );
    let values = [
        ("host", host.as_str()),
        ("account_id", &account),
        ("workspace_id", &workspace),
        ("scopes", &scopes),
        ("auth_type", "databricks-cli"),
    ];
    let values: Vec<_> = values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let mut clear = LOGIN_CLEARS.to_vec();
    if choice.host.is_none() {
        // What belonged to the host before must not lead to the wrong place on this one.
        clear.extend(["account_id", "workspace_id", "cluster_id", "serverless_compute_id"]);
    }
    let name = choice.profile.as_str();
    let saved = Editor::new(path).edit(|draft| {
        draft.merge_profile(name, &values, &clear)?;
        pin.map_or(Ok(()), |mode| draft.set_setting("auth_storage", mode.as_str()))
    });
    saved.map_err(|error| {
        let text = format!(
            "signed in to {host}, and the login is stored under '{name}', but the profile could not be saved: {}",
            chain(&error)
        );
        Failure::new(Class::Other, text)
    })?;
    output::note(&format!("Signed in to {host}."));
    output::note(&format!("Profile {name} was successfully saved in {}.", place::shown(path)));
    Ok(())
}
