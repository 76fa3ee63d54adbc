//! `u2m env`: the configuration as variables of the environment, for programs that read nothing else.

mod shape;

use crate::args::Args;
use crate::command::token;
use crate::failure::{Class, Failure};
use crate::settle::settled;
use crate::{output, place, told};
use shape::EnvFormat;
use std::collections::BTreeMap;
use std::time::Duration;
use u2m::config::{Resolved, TargetArgs};
use zeroize::Zeroizing;

/// How long a host is waited for that is to say what it is. One that is silent is given up well before, and that is remembered.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let shape = match args.format {
        Some(_) if args.shape.is_none() => EnvFormat::Json,
        _ => EnvFormat::named(args.shape.as_deref())?,
    };
    let (path, config) = place::config()?;
    let found = settled(args, &path, &config, false, name)?;
    let is_for_issuer = told::is_for_issuer(&found, &config);
    // A token is for a host.
    let is_enough = found.host().is_some() || found.cloud(None).is_some() && !args.with_token;
    if !is_for_issuer && !is_enough {
        let text = "no host is configured: name a profile with --profile, or set DATABRICKS_HOST";
        return Err(Failure::new(Class::Unclear, text));
    }
    // Databricks' CLI hands on what the host says of itself. Nobody asks it for ours: a program that is told the host can.
    let shown = match args.stands_in && !args.with_token && !is_for_issuer {
        true => {
            let limit = args.timeout.unwrap_or(PATIENCE);
            let hosts = told::hosts(args, &found, &config);
            told::completed(&found, args, &hosts, Some(limit))
        }
        false => found.clone(),
    };
    let mut variables = of(&shown, args);
    if is_for_issuer {
        // What the environment says of Databricks is not this login's.
        variables.retain(|name, _| *name == "DATABRICKS_CONFIG_PROFILE");
    }
    let mut obtained = None;
    if args.with_token {
        let said = TargetArgs::of(&found, &config);
        let token = &obtained.insert(token::obtain(args, &said, name)?).token;
        let text = Zeroizing::new(token.access_token().expose().to_owned());
        variables.insert("DATABRICKS_TOKEN", text);
        // A program that finds the profile or its method as well would use those, and not the token.
        variables.insert("DATABRICKS_AUTH_TYPE", Zeroizing::new("pat".to_owned()));
        variables.remove("DATABRICKS_CONFIG_PROFILE");
    }
    output::result(shape.print(&variables)?)?;
    if shape == EnvFormat::Json && !args.stands_in {
        output::result("\n")?;
    }
    obtained.map_or(Ok(()), |obtained| obtained.saved())
}

/// What is configured, under each name of its variables. Secrets are there only if they are wished, and beside a token no
/// credential of another method is.
fn of(found: &Resolved, args: &Args) -> BTreeMap<&'static str, Zeroizing<String>> {
    let mut variables = BTreeMap::new();
    let mut hidden: Vec<&str> = Vec::new();
    for value in found.values() {
        let attribute = value.attribute();
        if args.with_token && attribute.method().is_some() {
            continue;
        }
        if attribute.is_secret() && !args.sensitive {
            hidden.extend(attribute.variables().first().copied());
            continue;
        }
        for variable in attribute.variables() {
            variables.insert(*variable, Zeroizing::new(value.expose().to_owned()));
        }
    }
    if let Some(auth_type) = found.auth_type(false) {
        variables.insert("DATABRICKS_AUTH_TYPE", Zeroizing::new(auth_type.to_owned()));
    }
    if !hidden.is_empty() {
        let names = hidden.join(", ");
        output::note(&format!("Left out: {names}. Pass --sensitive to print secrets."));
    }
    variables
}

impl EnvFormat {
    fn named(word: Option<&str>) -> Result<Self, Failure> {
        match word.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "json") => Ok(Self::Json),
            Some("shell") => Ok(Self::Shell),
            Some("dotenv") => Ok(Self::Dotenv),
            Some(_) => {
                let text = "the value of --format is not shell, json or dotenv";
                Err(Failure::new(Class::Usage, text))
            }
        }
    }
}
