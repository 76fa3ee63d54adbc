//! `u2m login --device --host URL`: a login to Databricks without a browser on this machine, where the host offers it.

use crate::advice;
use crate::args::Args;
use crate::command::login::save_profile;
use crate::command::login_issuer::{failed, no_device, sign_in};
use crate::failure::{Class, Failure};
use crate::person::Terminal;
use crate::{guard, place};
use std::sync::atomic::AtomicBool;
use u2m::{
    ChallengeError, HostMetadata, LoginError, PersistentAuth, ReqwestTransport, Scopes,
    Surroundings, blocking, choose_for_login,
};

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    if args.client_id.is_some() {
        return Err(Failure::new(Class::Usage, "--client-id goes with --issuer"));
    }
    let (path, config) = place::config()?;
    let around = Surroundings { env: &place::env, config: &config };
    let choice = choose_for_login(&args.said(), &around)
        .map_err(|error| advice::choice(&error, &path, &config, name))?;
    let Some(host) = &choice.host else {
        let text = format!(
            "--device needs to know where to sign in: {name} login --device --host <url>, or --issuer <url> --client-id <id>"
        );
        return Err(Failure::new(Class::Usage, text));
    };
    let storage = place::storage_with_person(&config, Some(choice.profile.as_str()))?;
    guard::watch_signals();
    let metadata = match choice.is_open() {
        true => blocking::ask_host(&ReqwestTransport::new(), host),
        false => HostMetadata::default(),
    };
    let scopes = args.scopes.as_deref().map(Scopes::split).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.unwrap_or_else(|| choice.scopes.clone());
    let person = Terminal {
        place: host.to_string(),
        no_browser: true,
        paste: false,
        is_reading: AtomicBool::new(false),
    };
    let builder = PersistentAuth::builder(choice.target(&metadata))
        .with_store(storage.store().clone())
        .with_scopes(scopes.clone())
        .with_person(person);
    let builder = match args.timeout {
        Some(timeout) => builder.with_login_timeout(timeout),
        None => builder,
    };
    let auth = builder.build().map_err(|error| advice::build(&error))?;
    let signed_in = sign_in(&auth, true, |error| match error {
        ChallengeError::Login(LoginError::NoDeviceLogin) => {
            no_device(host.as_str(), &format!("--host {host}"), name)
        }
        ChallengeError::Login(LoginError::Endpoints(_)) => advice::login(error, &choice, name),
        error => failed(error, name),
    })?;
    save_profile(&path, &choice, &signed_in, &scopes, storage.to_pin(auth.cache_key()))
}
