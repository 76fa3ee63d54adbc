//! `u2m login --issuer URL --client-id ID`: a login to any OAuth or OpenID Connect issuer.

use crate::advice;
use crate::args::{Args, Format};
use crate::command::login::manners;
use crate::failure::{Class, Failure};
use crate::person::Terminal;
use crate::{events, guard, output, place};
use serde_json::json;
use std::path::Path;
use u2m::config::{CA_FILE_KEY, ConfigFile, Editor, ISSUER_CLIENT_KEY, ISSUER_KEY, LOGIN_CLEARS};
use u2m::login::{ListenError, LoginError};
use u2m::oauth::MetadataError;
use u2m::store::StorageMode;
use u2m::text::{Sanitized, chain};
use u2m::{Builder, ChallengeError, PersistentAuth, ProfileName, Scopes, SignedIn, Target};

/// What to sign in to.
struct IssuerLogin {
    issuer: String,
    client_id: String,
    profile: ProfileName,
    scopes: Scopes,
    ca_file: Option<std::path::PathBuf>,
}

/// Whether a login is to an issuer by its name: on the command line, or in the profile that is named there.
pub(crate) fn is_meant(args: &Args) -> bool {
    if args.issuer.is_some() {
        return true;
    }
    let named = args.profile.as_deref().or(args.argument.as_deref());
    let named = named.filter(|_| args.host.is_none() && !args.wants_help);
    // What cannot be read is reported by the login itself.
    named.is_some_and(|name| {
        place::config().is_ok_and(|(_, config)| {
            config.profile(name).is_some_and(|profile| profile.issuer().is_some())
        })
    })
}

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    if args.events {
        events::turn_on();
    }
    manners::check(args)?;
    let (path, config) = place::config()?;
    let wanted = wanted(args, &config)?;
    manners::prove(&path, wanted.profile.as_str(), &wanted.values(&wanted.joined_scopes()))?;
    let storage = place::storage_with_person(&config, Some(wanted.profile.as_str()))?.for_issuer();
    guard::watch_signals();
    let (builder, person) = wanted.builder(args)?;
    let builder = builder.with_store(storage.store().clone());
    let auth = builder.build().map_err(|error| advice::build(&error))?;
    let (issuer, client_id) = (advice::quoted(&wanted.issuer), advice::quoted(&wanted.client_id));
    let words = format!("--issuer {issuer} --client-id {client_id}");
    let profile = advice::quoted(wanted.profile.as_str());
    let again = format!("{name} login {words} --profile {profile}");
    let signed_in = manners::sign_in(&auth, args, &person, &again, |error| match error {
        ChallengeError::Login(LoginError::NoDeviceLogin) => no_device(&wanted.issuer, &words, name),
        error => failed(error, &wanted.issuer, name),
    })?;
    wanted.save(args, &path, storage.to_pin(auth.cache_key()), &signed_in)
}

/// What to do where there is no device login.
pub(crate) fn no_device(place: &str, words: &str, name: &str) -> Failure {
    Failure::new(
        Class::Other,
        format!(
            "{} offers no device login: its metadata names no device_authorization_endpoint. To sign in with a browser on \
             another machine: {name} login --paste {words}",
            Sanitized::new(place)
        ),
    )
}

fn wanted(args: &Args, config: &ConfigFile) -> Result<IssuerLogin, Failure> {
    let usage = |text: String| Failure::new(Class::Usage, text);
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let of_databricks = [("host", &args.host), ("account-id", &args.account_id)];
    if let Some((flag, _)) = of_databricks.into_iter().find(|(_, value)| given(value).is_some()) {
        return Err(usage(format!(
            "--{flag} is for Databricks, and --issuer for others: leave one of them out"
        )));
    }
    let named = match (given(&args.argument), given(&args.profile)) {
        (Some(_), Some(_)) => {
            return Err(usage(
                "a profile cannot be named twice: leave the argument or --profile out".to_owned(),
            ));
        }
        (one, other) => one.or(other),
    };
    let known = named.as_deref().and_then(|name| config.profile(name));
    let own = known.as_ref().and_then(|profile| profile.issuer());
    let issuer = given(&args.issuer).or_else(|| own.map(|(issuer, _)| issuer.to_owned()));
    let issuer =
        issuer.ok_or_else(|| usage("--issuer needs the address of an issuer".to_owned()))?;
    let target = Target::issuer(issuer.as_str()).map_err(|error| usage(chain(&error)))?;
    let of_profile = own.filter(|(own, _)| *own == issuer).map(|(_, client)| client.to_owned());
    let client_id = given(&args.client_id).or(of_profile).ok_or_else(|| {
        usage(
            "--issuer needs --client-id: the id of a public client (one without a secret) that is registered there, with \
             PKCE and the redirect address http://localhost and any port, or http://localhost:PORT and --port PORT here"
                .to_owned(),
        )
    })?;
    let named = named.or_else(|| target.host().map(|host| host.name().to_owned()));
    let profile = ProfileName::parse(&named.unwrap_or_default());
    let profile = profile.map_err(|error| usage(chain(&error)))?;
    check_profile(config, &profile, &issuer)?;
    let scopes = args.scopes.as_deref().map(Scopes::split).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.unwrap_or_else(|| {
        known.filter(|_| own.is_some()).map(|known| Scopes::new(known.scopes())).unwrap_or_default()
    });
    let own_file = || config.profile(profile.as_str())?.ca_file().map(Into::into);
    let ca_file = args.ca_file.clone().or_else(own_file);
    Ok(IssuerLogin { issuer, client_id, profile, scopes, ca_file })
}

/// A profile that is for something else stays what it is.
fn check_profile(config: &ConfigFile, name: &ProfileName, issuer: &str) -> Result<(), Failure> {
    let Some(known) = config.profile(name.as_str()) else { return Ok(()) };
    let other = match known.issuer() {
        Some((own, _)) if own == issuer => return Ok(()),
        Some((own, _)) => own,
        None => match known.host() {
            Some(host) => host,
            None => return Ok(()),
        },
    };
    let text = format!(
        "profile {name} is for {}, not for {}: name another one with --profile",
        Sanitized::new(other),
        Sanitized::new(issuer)
    );
    Err(Failure::new(Class::Usage, text))
}

impl IssuerLogin {
    fn builder(&self, args: &Args) -> Result<(Builder, Terminal), Failure> {
        let usage = |text: String| Failure::new(Class::Usage, text);
        let target = Target::issuer(self.issuer.as_str()).map_err(|error| usage(chain(&error)))?;
        let mut builder = PersistentAuth::builder(target.with_profile(self.profile.clone()))
            .with_client_id(self.client_id.as_str())
            .with_scopes(self.scopes.clone())
            .with_trust(manners::trust(args)?);
        if !self.scopes.is_empty() {
            // What was said is what is asked for: not every issuer knows `offline_access`.
            builder = builder.without_offline_access();
        }
        builder = self.ca_file.iter().cloned().fold(builder, Builder::with_ca_file);
        if let Some(port) = args.port {
            builder = builder.with_port(port);
        }
        Ok(manners::with_terminal(builder, args, Sanitized::new(&self.issuer).to_string()))
    }

    fn joined_scopes(&self) -> String {
        self.scopes.iter().collect::<Vec<_>>().join(",")
    }

    /// What the profile says; empty values are not written.
    fn values<'a>(&'a self, scopes: &'a str) -> [(&'static str, &'a str); 4] {
        let ca_file = self.ca_file.as_ref().and_then(|path| path.to_str()).unwrap_or_default();
        [
            (ISSUER_KEY, self.issuer.as_str()),
            (ISSUER_CLIENT_KEY, &self.client_id),
            ("scopes", scopes),
            (CA_FILE_KEY, ca_file),
        ]
    }

    /// Writes the profile, in keys that no other program knows: without a host it is nothing to Databricks' SDKs, which load
    /// only the profile that they are told.
    fn save(
        &self,
        args: &Args,
        path: &Path,
        pin: Option<StorageMode>,
        signed_in: &SignedIn,
    ) -> Result<(), Failure> {
        let (name, issuer) = (self.profile.as_str(), Sanitized::new(&self.issuer));
        let scopes = self.joined_scopes();
        let values = self.values(&scopes);
        let mut clear = LOGIN_CLEARS.to_vec();
        clear.extend(["auth_type", "account_id", "workspace_id", "scopes"]);
        let saved = Editor::new(path).edit(|draft| {
            draft.merge_profile(name, &values, &clear)?;
            pin.map_or(Ok(()), |mode| draft.set_setting("auth_storage", mode.as_str()))
        });
        saved.map_err(|error| {
            let text = format!(
                "signed in to {issuer}, and the login is stored under '{name}', but the profile could not be saved: {}",
                chain(&error)
            );
            Failure::new(Class::Other, text)
        })?;
        let report = json!({
            "profile": name,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "scopes": self.scopes.iter().collect::<Vec<_>>(),
            "asked_scopes": signed_in.asked_scopes().iter().collect::<Vec<_>>(),
            "granted_scopes": signed_in.granted_scopes().map(|all| all.iter().collect::<Vec<_>>()),
            "config_file": place::shown(path),
        });
        if events::are_on() {
            events::saved(&report);
        } else {
            let saved = format!("Profile {name} was successfully saved in {}.", place::shown(path));
            output::inform(&format!("Signed in to {issuer}{}.", manners::whom(signed_in)));
            output::inform(&saved);
        }
        match args.format {
            Some(Format::Json) => output::result(output::json(&report) + "\n"),
            _ => Ok(()),
        }
    }
}

/// What went wrong, and what to do: the advice for Databricks' hosts would lead elsewhere.
fn failed(error: &ChallengeError, issuer: &str, name: &str) -> Failure {
    let place = Sanitized::new(issuer);
    let text = match error {
        ChallengeError::Login(error) => {
            advice::denied(error, place.as_str()).unwrap_or_else(|| advice::told(error))
        }
        error => advice::told(error),
    };
    let text = advice::not_signed_in(&text);
    let say =
        |class, advice: &str| Failure::new(class, format!("{} {advice}", advice::stopped(&text)));
    let class = if error.is_transient() { Class::Network } else { Class::Other };
    match error {
        ChallengeError::Listen(cause) => match cause.as_ref() {
            ListenError::AllTaken { .. } => say(
                Class::Other,
                "End the program that holds it, name another with --port, or use --paste",
            ),
            _ => Failure::new(Class::Other, text),
        },
        ChallengeError::Store(_) => say(Class::Storage, "Nobody was asked to sign in"),
        ChallengeError::TimedOut(_) => {
            say(Class::Network, "Start again, or allow more time with --timeout")
        }
        ChallengeError::Login(LoginError::Endpoints(cause)) => match cause {
            MetadataError::EndpointElsewhere(..) => {
                say(class, "If that host belongs to the issuer, name it with --allow-issuer HOST")
            }
            MetadataError::WrongIssuer(_) | MetadataError::MissingMember("issuer") => say(
                class,
                "Write the issuer exactly as its metadata does, to the last slash; if its metadata is all the same that of the \
                 issuer that you mean, name the host that it gives its issuer (or else its own) with --allow-issuer HOST",
            ),
            _ if cause.is_transient() => {
                let check = "Check the network and the issuer, then try again";
                say(class, advice::way::through(error).unwrap_or(check))
            }
            _ => say(class, "Check that the issuer is the right one"),
        },
        ChallengeError::Login(LoginError::Exchange(_)) => {
            say(class, "Check that the client is a public one (no secret), then start again")
        }
        ChallengeError::Login(LoginError::CodeExpired) => say(class, "Start again for a new code"),
        ChallengeError::Login(LoginError::Denied(_)) => say(
            class,
            &format!(
                "If it was the scopes that were refused, ask for others: {name} login --scopes …"
            ),
        ),
        _ => Failure::new(class, text),
    }
}
