//! `u2m token`: what SDKs call. A fresh token comes from the store alone.

mod ask;

use crate::advice::{self, TokenSubject};
use crate::args::{Args, Format};
use crate::failure::Failure;
use crate::settle::is_machine;
use crate::{guard, output, place};
use std::time::SystemTime;
use u2m::{
    CacheKey, ChooseError, ConfigFile, Detached, Environment, Host, SecretText, Storage, Target,
    TargetArgs, Timestamp, Token, TokenChoice, TokenError, blocking, choose_for_token,
};

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let obtained = obtain(args, &args.said(), name)?;
    print(&obtained.token, args.format)?;
    obtained.saved()
}

/// A token, and whose it is.
pub(super) struct ObtainedToken {
    pub(super) token: Token,
    pub(super) target: Target,
    pub(super) config: ConfigFile,
    auth: blocking::PersistentAuth,
    subject: TokenSubject,
}

impl ObtainedToken {
    /// Waits until what was bought for the token is saved, for as long as that is tried.
    ///
    /// # Errors
    /// It is not, and this process was the last that could: the token is good, and the login is lost.
    pub(super) fn saved(&self) -> Result<(), Failure> {
        match self.auth.close(guard::GRACE) {
            true => Ok(()),
            false => Err(advice::unsaved(&self.subject)),
        }
    }
}

/// A token of whoever is `said`, refreshed when it is time.
pub(super) fn obtain(args: &Args, said: &TargetArgs, name: &str) -> Result<ObtainedToken, Failure> {
    let (path, config) = place::config()?;
    let around = Environment { env: &place::env, config: &config };
    // A word that names no store is reported first, as the reference does.
    place::storage(&config, None)?;
    // Where nobody is signed in, and a machine could: whoever asks wants the token of the machine.
    let is_machine = || {
        u2m::resolve(&said.given(), &place::env, &config, &path)
            .is_ok_and(|found| is_machine(&found))
    };
    let unclear = |error: ChooseError| {
        let error = match error {
            ChooseError::NoProfiles | ChooseError::NoProfileChosen if is_machine() => {
                ChooseError::MachineEnvironment
            }
            error => error,
        };
        advice::unclear(&error, args, &path, &config, name)
    };
    let mut choice = match choose_for_token(said, &around) {
        Ok(choice) => choice,
        Err(error) => match ask::instead(args, &error, &config, name)? {
            Some(args) => return obtain(&args, &args.said(), name),
            None => return Err(unclear(error)),
        },
    };
    choice.ca_file = args.ca_file.clone().or(choice.ca_file);
    let profile = choice.target.profile().map(|name| name.as_str().to_owned());
    let storage = place::storage(&config, profile.as_deref())?;
    let store = storage.store();
    let ca_file = choice.ca_file.clone();
    let ask = |host: &Host| Some(blocking::ask_host(&place::transport(ca_file.as_deref()), host));
    let choice = choice.settled_in(store, ask);
    let subject = TokenSubject::new(&choice.target, name);
    let target = choice.target.clone();
    let describe = |choice: TokenChoice| {
        let builder = choice.builder().with_store(store.clone());
        let builder = match args.timeout {
            Some(timeout) => builder.with_wait(timeout),
            None => builder,
        };
        // A program that calls this one may end it at any moment.
        let builder = match Detached::this_program() {
            Ok(detached) => builder.with_detached_refresh(detached),
            Err(_) => builder,
        };
        builder.build().map(|auth| auth.blocking()).map_err(|error| advice::build(&error))
    };
    let auth = describe(choice)?;
    let outcome = token(&auth, args.force_refresh);
    output::warn_of(auth.asynchronous().take_notices());
    let token = outcome.map_err(|error| {
        if matches!(error, TokenError::NotFound) && is_machine() {
            return unclear(ChooseError::MachineEnvironment);
        }
        let failure = advice::token(&error, &subject, args.force_refresh);
        match error {
            TokenError::NotFound => {
                failure.with(&elsewhere(&storage, auth.asynchronous().cache_key(), name))
            }
            _ => failure,
        }
    })?;
    Ok(ObtainedToken { token, target, config, auth, subject })
}

/// Where else a login is that was not found where it was to be (HINT-1).
fn elsewhere(storage: &Storage, key: &CacheKey, name: &str) -> String {
    let chosen = storage.choice();
    let wanted = storage.home(key).filter(|_| !chosen.is_explicit()).unwrap_or(chosen.mode());
    let held = storage.store().holders(key);
    // The one that counts, if that is known: there may be older copies.
    let counts = storage.home(key).filter(|home| held.contains(home));
    let other = counts.into_iter().chain(held).find(|mode| *mode != wanted);
    let Some(other) = other else { return String::new() };
    format!(
        ". A login '{}' is kept in {}; to move it: {name} storage migrate --to {wanted} {}",
        u2m::Sanitized::new(key.as_str()),
        storage.location(other, &place::shown),
        advice::quoted(key.as_str())
    )
}

fn print(token: &Token, format: Option<Format>) -> Result<(), Failure> {
    match format {
        Some(Format::Text) => {
            let mut line = SecretText::with_capacity(token.access_token().expose().len() + 1);
            line.push_str(token.access_token().expose());
            line.push('\n');
            output::result(line.as_str())
        }
        _ => output::result(output::token_json(token, Timestamp::from(SystemTime::now()))),
    }
}

fn token(auth: &blocking::PersistentAuth, force: bool) -> Result<Token, TokenError> {
    if !force && let Some(token) = auth.stored()? {
        return Ok(token);
    }
    guard::watch_signals();
    if force { auth.force_refresh() } else { auth.token() }
}
