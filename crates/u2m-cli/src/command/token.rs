//! `u2m token`: what SDKs call. A fresh token comes from the store alone.

mod ask;

use crate::advice::{self, TokenSubject};
use crate::args::{Args, Format};
use crate::failure::Failure;
use crate::settle::is_machine;
use crate::{guard, output, place, waiting};
use std::time::{Instant, SystemTime};
use u2m::config::{
    ChooseError, ConfigFile, Environment, TargetArgs, TokenChoice, choose_for_token,
};
use u2m::process::Detached;
use u2m::store::{CacheKey, Storage, StorageMode};
use u2m::text::SecretText;
use u2m::{Host, Target, Timestamp, Token, TokenError, blocking};

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let obtained = obtain(args, &args.said(), name)?;
    print(&obtained.token, args)?;
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
        u2m::config::resolve(&said.given(), &place::env, &config, &path)
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
    let ask = |host: &Host| {
        let what = format!("Waiting for the server: {host}");
        let ask = || blocking::ask_host(&place::transport(ca_file.as_deref()), host);
        Some(waiting::during(&what, None, ask))
    };
    let choice = choice.settled_in(store, ask);
    let subject = TokenSubject::new(&choice.target, name);
    output::explain(|| format!("Login: {}.", choice.target.cache_key()));
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
    let place = target.host().map(|host| format!(": {host}")).unwrap_or_default();
    let outcome = token(&auth, args, storage.choice().mode(), &place);
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
        u2m::text::Sanitized::new(key.as_str()),
        storage.location(other, &place::shown),
        advice::quoted(key.as_str())
    )
}

fn print(token: &Token, args: &Args) -> Result<(), Failure> {
    if args.format == Some(Format::Text) {
        let mut line = SecretText::with_capacity(token.access_token().expose().len() + 1);
        line.push_str(token.access_token().expose());
        line.push('\n');
        return output::result(line.as_str());
    }
    output::result(output::token_json(token, Timestamp::from(SystemTime::now())))?;
    // Databricks' CLI ends without one.
    if args.stands_in { Ok(()) } else { output::result("\n") }
}

fn token(
    auth: &blocking::PersistentAuth,
    args: &Args,
    mode: StorageMode,
    place: &str,
) -> Result<Token, TokenError> {
    if !args.force_refresh {
        let stored = match mode {
            // It may ask for a password, in a window that is behind others.
            StorageMode::Secure => {
                waiting::during("Waiting for the keyring", None, || auth.stored())
            }
            _ => auth.stored(),
        };
        if let Some(token) = stored? {
            output::explain(|| format!("Its token is good, {}.", left(&token)));
            return Ok(token);
        }
    }
    guard::watch_signals();
    let what = format!("Waiting for the server to renew the token{place}");
    let begun = Instant::now();
    let token = waiting::during(&what, args.timeout, || match args.force_refresh {
        true => auth.force_refresh(),
        false => auth.token(),
    })?;
    output::explain(|| {
        let took = begun.elapsed().as_millis();
        format!("Its token was renewed{place} within {took} ms, {}.", left(&token))
    });
    Ok(token)
}

fn left(token: &Token) -> String {
    let now = Timestamp::from(SystemTime::now());
    match token.expiry().map(|expiry| now.until(expiry).seconds()) {
        Some(seconds) => format!("and lives for {seconds} seconds"),
        None => "and does not say how long it lives".to_owned(),
    }
}
