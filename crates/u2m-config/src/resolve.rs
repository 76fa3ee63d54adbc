//! Merges flags, environment variables and a profile into one configuration, by one rule.
//!
//! 1. [`select`] determines the profile and the host.
//! 2. If there is a profile, however it was chosen, it decides its host, its ids and how to
//!    authenticate. The environment supplies credentials that the profile lacks, and a host with
//!    its ids if the profile has none. Variables that would redirect the profile
//!    (`DATABRICKS_WORKSPACE_ID`, `DATABRICKS_AUTH_TYPE`, …) are not read at all.
//! 3. For everything else, such as clusters, paths and limits, the environment takes precedence.

mod auth_type;
mod error;
mod told;
mod value;

pub use auth_type::{AUTH_TYPES, AuthType};
pub use error::ResolveError;
pub use value::{Value, ValueSource};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use u2m_core::{Host, HostHints, Sanitized};

use crate::attributes::truth;
use crate::select::{HostFrom, NamedHost, SelectionVariables};
use crate::{
    Attribute, ChooseError, ChosenBy, ChosenProfile, ConfigFile, Purpose, Selection, SelectionArgs,
    ValueKind, select,
};
use auth_type::is_switched_off;

/// Attributes whose variables would redirect a profile to another target, or override what it says.
const NEVER_BESIDE_A_PROFILE: &[&str] =
    &["account_id", "audience", "auth_type", "cloud", "discovery_url", "workspace_id"];

/// The configuration of a program, with the source of each value. [`resolve`] returns it.
#[derive(Clone, Debug)]
pub struct Resolved {
    values: Vec<Value>,
    profile: Option<ChosenProfile>,
    host: Option<Host>,
    /// Whether `workspace_id = none` was configured: there is explicitly no workspace.
    is_without_workspace: bool,
    /// Whether the default variable holds an ID token, and the profile has no complete credentials
    /// that would take precedence.
    holds_id_token: bool,
}

impl Resolved {
    /// Returns all values that are set, in the order of [`Attribute::ALL`].
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Returns the value of a key, and where it comes from.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.iter().find(|value| value.attribute().key() == key)
    }

    /// Returns the text of a value, even if it is secret.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.value(key).map(Value::expose)
    }

    /// Returns the profile, if one was chosen.
    pub fn profile(&self) -> Option<&ChosenProfile> {
        self.profile.as_ref()
    }

    /// Returns the host, if there is one.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Returns the scopes, sorted and without duplicates. Empty if none are set.
    pub fn scopes(&self) -> Vec<&str> {
        self.get("scopes").map(|scopes| scopes.split(',').collect()).unwrap_or_default()
    }
}

/// Determines the configuration of a program from flags, the environment and the profile file.
///
/// `env` looks up an environment variable; an empty one counts as unset. `path` is where `file` was
/// read from. Nothing else is read.
///
/// # Errors
///
/// Fails if it is ambiguous which profile to use or how to authenticate, or if a value is invalid.
///
/// ```
/// use std::ffi::OsString;
/// use u2m_config::{ConfigFile, SelectionArgs, ValueSource, resolve};
/// let file = ConfigFile::parse("[dev]\nhost = https://a.example\n")?;
/// let env = |name: &str| (name == "DATABRICKS_TOKEN").then(|| OsString::from("dapi"));
/// let given = SelectionArgs { profile: Some("dev"), ..SelectionArgs::default() };
/// let found = resolve(&given, &env, &file, "/home/a/.databrickscfg".as_ref())?;
/// assert_eq!(found.value("host").map(|host| host.source().kind()), Some("config file"));
/// assert_eq!(found.value("token").map(|token| token.source()), Some(&ValueSource::Variable("DATABRICKS_TOKEN")));
/// assert_eq!(found.auth_type(false), Some("pat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve(
    given: &SelectionArgs<'_>,
    env: &dyn Fn(&str) -> Option<OsString>,
    file: &ConfigFile,
    path: &Path,
) -> Result<Resolved, ResolveError> {
    let selection = select(given, env, file, Purpose::Configuration)?;
    if given.host_needs_profile {
        refuse_without_profile(&selection, file)?;
    }
    let section = selection.section(file).is_some();
    let section = selection.profile().filter(|_| section).map(ChosenProfile::name);
    let mut pile = GatheredValues {
        section,
        file,
        path,
        variables: SelectionVariables::new(env),
        values: BTreeMap::new(),
        is_without_workspace: false,
        holds_id_token: false,
    };
    pile.fill(given, selection.host.as_ref())?;
    if let Some(profile) = selection.profile() {
        pile.put("profile", profile.name(), named_by(profile));
    }
    pile.refuse_unknown_type()?;
    pile.refuse_many_methods()?;
    let (is_without_workspace, holds_id_token) = (pile.is_without_workspace, pile.holds_id_token);
    let values = pile.values.into_values().collect();
    let (profile, host) = (selection.profile().cloned(), selection.host().cloned());
    Ok(Resolved { values, profile, host, is_without_workspace, holds_id_token })
}

fn refuse_without_profile(selection: &Selection, file: &ConfigFile) -> Result<(), ChooseError> {
    let named = selection.host.as_ref().filter(|named| named.from == HostFrom::Flag);
    match named.filter(|_| selection.section(file).is_none()) {
        Some(named) => Err(ChooseError::UnknownHost {
            host: named.host.clone(),
            names: file.profiles().iter().map(|known| Sanitized::new(known.name())).collect(),
        }),
        None => Ok(()),
    }
}

/// Returns where the name of the profile comes from, if it was given explicitly for this run.
fn named_by(profile: &ChosenProfile) -> ValueSource {
    match profile.by() {
        ChosenBy::Flag => ValueSource::Flag("--profile"),
        ChosenBy::Variable => ValueSource::Variable("DATABRICKS_CONFIG_PROFILE"),
        ChosenBy::HostFlag | ChosenBy::HostVariable | ChosenBy::Default => ValueSource::Derived,
    }
}

/// The values collected so far, keyed by their position in the table.
struct GatheredValues<'a> {
    section: Option<&'a str>,
    file: &'a ConfigFile,
    path: &'a Path,
    variables: SelectionVariables<'a>,
    values: BTreeMap<usize, Value>,
    is_without_workspace: bool,
    holds_id_token: bool,
}

impl GatheredValues<'_> {
    /// Collects all values for this host.
    fn fill(
        &mut self,
        given: &SelectionArgs<'_>,
        host: Option<&NamedHost>,
    ) -> Result<(), ResolveError> {
        for (key, flag, text) in [
            ("account_id", "--account-id", given.account_id),
            ("workspace_id", "--workspace-id", given.workspace_id),
        ] {
            self.put(key, text.unwrap_or_default(), ValueSource::Flag(flag));
        }
        if let Some(named) = host.filter(|named| named.from == HostFrom::Flag) {
            self.put_host(named);
        }
        for attribute in Attribute::ALL.iter().filter(|attribute| attribute.method().is_none()) {
            match (self.section.is_some(), attribute.key()) {
                (_, "profile" | "host") => {}
                (false, _) => self.take_env(attribute)?,
                (true, key) if NEVER_BESIDE_A_PROFILE.contains(&key) => self.take_file(attribute),
                (true, _) => {
                    self.take_env(attribute)?;
                    self.take_file(attribute);
                }
            }
        }
        self.fill_credentials()?;
        if let Some(named) = host {
            self.settle_host(named)?;
        }
        // An account console cannot do anything without an account, so the variable cannot redirect the profile.
        if self.section.is_some() && host.is_some_and(|named| named.host.is_account_console()) {
            self.take_env_of("account_id")?;
        }
        self.tidy()
    }

    /// Collects the credentials of the profile, then those of the environment, which complete the profile's or
    /// replace them as a whole. If the profile's own credentials are complete, incomplete ones of another method,
    /// such as a stray tenant id, do not count as a second method.
    fn fill_credentials(&mut self) -> Result<(), ResolveError> {
        let credentials = || Attribute::ALL.iter().filter(|known| known.method().is_some());
        credentials().for_each(|attribute| self.take_file(attribute));
        let own: Vec<_> = self.methods().into_keys().collect();
        let is_settled = own.iter().any(|method| self.is_complete(method));
        let known: Vec<_> = self.values.keys().copied().collect();
        for attribute in credentials() {
            self.take_env(attribute)?;
        }
        self.holds_id_token = !is_settled && self.variables.holds_id_token();
        if is_settled {
            let strays: Vec<_> = self
                .methods()
                .into_keys()
                .filter(|method| !own.contains(method) && !self.is_complete(method))
                .collect();
            self.values.retain(|place, value| {
                known.contains(place)
                    || value.attribute().method().is_none_or(|method| !strays.contains(&method))
            });
        }
        Ok(())
    }

    /// Adds the host and the ids that belong to it.
    fn settle_host(&mut self, named: &NamedHost) -> Result<(), ResolveError> {
        // The host of the profile may contain an account id, which counts as if the profile set it
        // in a line of its own.
        let own = self.section.and_then(|section| self.file.profile(section));
        if let Some((_, hints)) = own.map(|own| own.parsed_host()).transpose()?.flatten() {
            self.put_ids(&hints, &ValueSource::File(self.path.to_owned()));
        }
        if matches!(named.from, HostFrom::Variable(_)) {
            // The variables were set for this host.
            self.take_env_of("account_id")?;
            self.take_env_of("workspace_id")?;
        }
        self.put_host(named);
        Ok(())
    }

    fn put_host(&mut self, named: &NamedHost) {
        let source = match named.from {
            HostFrom::Flag => ValueSource::Flag("--host"),
            HostFrom::Variable(name) => ValueSource::Variable(name),
            HostFrom::Profile => ValueSource::File(self.path.to_owned()),
        };
        self.put("host", named.host.as_str(), source.clone());
        self.put_ids(&named.hints, &source);
    }

    fn put_ids(&mut self, hints: &HostHints, source: &ValueSource) {
        let ids = [("account_id", &hints.account_id), ("workspace_id", &hints.workspace_id)];
        for (key, id) in ids {
            self.put(key, id.as_deref().unwrap_or_default(), source.clone());
        }
    }

    /// Checks every value, and sorts lists.
    fn tidy(&mut self) -> Result<(), ResolveError> {
        for value in self.values.values_mut() {
            let attribute = value.attribute();
            if let Err(source) = attribute.check(value.expose()) {
                let (key, from) = (attribute.key(), value.source().clone());
                return Err(ResolveError::WrongValue { key, from, source });
            }
            if attribute.kind() == ValueKind::List {
                let apart = |char: char| char == ',' || char.is_whitespace();
                let mut words: Vec<_> = value.expose().split(apart).collect();
                words.retain(|word| !word.is_empty());
                words.sort_unstable();
                words.dedup();
                *value = Value::new(attribute, &words.join(","), value.source().clone());
            }
        }
        self.values.retain(|_, value| !value.expose().is_empty());
        Ok(())
    }

    fn refuse_unknown_type(&self) -> Result<(), ResolveError> {
        match self.get("auth_type") {
            Some(value) if AuthType::named(value.expose()).is_none() => {
                Err(ResolveError::UnknownAuthType {
                    text: Sanitized::new(value.expose()),
                    from: value.source().clone(),
                })
            }
            _ => Ok(()),
        }
    }

    fn refuse_many_methods(&self) -> Result<(), ResolveError> {
        let mut methods = self.methods();
        // A client without a secret is the one that an ID token is exchanged for.
        let takes_client = |method: &&str| {
            *method == "oauth" || AuthType::named(method).is_some_and(AuthType::takes_id_token)
        };
        if self.get("client_secret").is_none() && methods.keys().all(takes_client) {
            methods.remove("oauth");
        }
        if methods.len() < 2 || self.get("auth_type").is_some() {
            return Ok(());
        }
        Err(ResolveError::ManyMethods(methods.into_iter().collect()))
    }

    /// Returns the methods that the credentials belong to, sorted, and where the first credential
    /// of each comes from.
    fn methods(&self) -> BTreeMap<&'static str, ValueSource> {
        let mut methods = BTreeMap::new();
        for value in self.values.values() {
            // A switch that is off does not count as a credential.
            let is_off = is_switched_off(value.attribute().key(), value.expose());
            if let Some(method) = value.attribute().method().filter(|_| !is_off) {
                methods.entry(method).or_insert_with(|| value.source().clone());
            }
        }
        methods
    }

    /// Returns whether a method has everything that it needs.
    fn is_complete(&self, method: &str) -> bool {
        let has = |keys: &[&str]| keys.iter().all(|key| self.get(key).is_some());
        match method {
            "basic" => has(&["username", "password"]),
            "oauth" => has(&["client_id", "client_secret"]),
            "azure" => {
                let is_machine = self.get("azure_use_msi").map(Value::expose).and_then(truth);
                has(&["azure_client_id", "azure_client_secret", "azure_tenant_id"])
                    || has(&["azure_workspace_resource_id"])
                    || is_machine == Some(true)
            }
            _ => true,
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(&place(key))
    }

    fn take_env_of(&mut self, key: &str) -> Result<(), ResolveError> {
        Attribute::named(key).map_or(Ok(()), |attribute| self.take_env(attribute))
    }

    fn take_env(&mut self, attribute: &'static Attribute) -> Result<(), ResolveError> {
        if let Some((text, name)) = self.variables.of(attribute)? {
            self.put(attribute.key(), &text, ValueSource::Variable(name));
        }
        Ok(())
    }

    fn take_file(&mut self, attribute: &'static Attribute) {
        let Some(section) = self.section.filter(|_| attribute.is_stored()) else { return };
        let mut found = attribute.keys().filter_map(|key| self.file.get(section, key));
        if let Some(text) = found.find(|text| !text.is_empty()) {
            self.put(attribute.key(), text, ValueSource::File(self.path.to_owned()));
        }
    }

    /// Adds a value, unless there is one already. The placeholder for an account without a
    /// workspace does not count as a value.
    fn put(&mut self, key: &str, text: &str, source: ValueSource) {
        if key == "workspace_id" && text == "none" {
            self.is_without_workspace = true;
            return;
        }
        if text.is_empty() {
            return;
        }
        if let Some(attribute) = Attribute::named(key) {
            self.values.entry(place(key)).or_insert_with(|| Value::new(attribute, text, source));
        }
    }
}

/// Returns the position of a key in the table.
fn place(key: &str) -> usize {
    Attribute::ALL.iter().position(|known| known.key() == key).unwrap_or(usize::MAX)
}
