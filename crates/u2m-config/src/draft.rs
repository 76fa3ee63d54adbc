//! A profile file under change: what one command wants of it, gathered before anything is written.

use crate::document::IniDocument;
use crate::file::{DEFAULT, SETTINGS};
use crate::rules::{CREDENTIAL_KEYS, check_key, check_name, check_profile, check_value};
use crate::{ConfigError, ConfigFile, SyntaxError};

/// Stands first in a new file, above `[DEFAULT]`.
const DEFAULT_COMMENT: &str =
    "; The DEFAULT section is used when no profile is named.\n[DEFAULT]\n";

/// What the backup shows instead of a credential that the edit took away.
const REDACTED: &str = "REDACTED";

/// The profile file as it will be; [`Editor::edit`](crate::Editor::edit) hands it out and writes
/// it once, when the change is complete.
///
/// ```
/// use u2m_config::{Editor, LOGIN_CLEARS};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cfg");
/// Editor::new(&path).edit(|draft| {
///     draft.merge_profile("dev", &[("host", "https://a.example")], LOGIN_CLEARS)?;
///     draft.set_setting("auth_storage", "secure")
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Draft {
    before: ConfigFile,
    document: IniDocument,
    /// Whether nothing is worth keeping, so that a profile brings the standard beginning along.
    fresh: bool,
    /// Sections and keys whose old values must not reach the backup.
    cleared: Vec<(String, String)>,
}

impl Draft {
    /// Takes a file that lines can be added to. Where the last line has no end, readers take a lone `"""` for a value, and
    /// with a line below it for the beginning of a long one.
    pub(crate) fn of(before: ConfigFile) -> Result<Self, SyntaxError> {
        if !before.text().ends_with('\n') {
            ConfigFile::parse(format!("{}\n", before.text()))?;
        }
        let document = IniDocument::new(before.text());
        let fresh = document.is_blank();
        Ok(Self { before, document, fresh, cleared: Vec::new() })
    }

    /// The file as it was before this edit, read under the lock.
    pub fn before(&self) -> &ConfigFile {
        &self.before
    }

    /// Puts values into a profile, which is made if need be: first the keys in `clear` go, then
    /// the non-empty `values` are set in their order. All other keys stay as they are.
    ///
    /// Pass [`LOGIN_CLEARS`](crate::LOGIN_CLEARS) after a login. The first profile with a host
    /// also becomes the default profile. A `workspace_id` of `none`, a placeholder of the
    /// Databricks CLI that SDKs would send as it is, goes too.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RefusedName`], [`ConfigError::RefusedKey`] and [`ConfigError::RefusedValue`]
    /// for anything that readers of the file would disagree about; nothing changed then.
    pub fn merge_profile(
        &mut self,
        name: &str,
        values: &[(&str, &str)],
        clear: &[&str],
    ) -> Result<(), ConfigError> {
        check_profile(name, values)?;
        let values: Vec<_> =
            values.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
        let now = self.now();
        let first = !now.profiles().iter().any(|profile| profile.host().is_some());
        for key in clear {
            self.clear(name, key);
        }
        if now.get(name, "workspace_id") == Some("none") {
            self.clear(name, "workspace_id");
        }
        for (key, _) in &values {
            self.forget(name, key);
        }
        if self.fresh && name != DEFAULT {
            let rest = if self.document.is_blank() {
                String::new()
            } else {
                format!("\n{}", self.document.text())
            };
            self.document = IniDocument::new(DEFAULT_COMMENT.to_owned() + &rest);
        }
        self.fresh = false;
        self.document.set(name, &values);
        if first && self.now().profile(name).is_some_and(|profile| profile.host().is_some()) {
            self.document.set(SETTINGS, &[("default_profile", name)]);
        }
        Ok(())
    }

    /// Takes a profile out, with the comment right above it, and the default with it if that was
    /// this profile. `DEFAULT` loses its keys and keeps its header.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ProfileUnknown`] if there is no such profile.
    pub fn remove_profile(&mut self, name: &str) -> Result<(), ConfigError> {
        let now = self.now();
        if now.profile(name).is_none() {
            return Err(ConfigError::ProfileUnknown { name: name.to_owned() });
        }
        for key in CREDENTIAL_KEYS {
            self.forget(name, key);
        }
        self.document.remove_section(name);
        if now.setting("default_profile") == Some(name) {
            self.clear_setting("default_profile");
        }
        Ok(())
    }

    /// Makes a profile the one that is used when none is named.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ProfileUnknown`] if there is no such profile, and
    /// [`ConfigError::RefusedName`] if its name cannot be written as a value.
    pub fn set_default_profile(&mut self, name: &str) -> Result<(), ConfigError> {
        check_name(name)?;
        if self.now().profile(name).is_none() {
            return Err(ConfigError::ProfileUnknown { name: name.to_owned() });
        }
        self.document.set(SETTINGS, &[("default_profile", name)]);
        Ok(())
    }

    /// Sets a key of `[__settings__]`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RefusedKey`] and [`ConfigError::RefusedValue`], as for profiles.
    pub fn set_setting(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        check_key(key)?;
        check_value(key, value)?;
        self.document.set(SETTINGS, &[(key, value)]);
        Ok(())
    }

    /// Takes a key of `[__settings__]` out. The header stays.
    pub fn clear_setting(&mut self, key: &str) {
        self.document.remove(SETTINGS, key);
    }

    /// The new text.
    pub(crate) fn text(&self) -> &str {
        self.document.text()
    }

    /// Whether the new text holds a secret.
    pub(crate) fn holds_secret(&self) -> bool {
        self.now().holds_secret()
    }

    /// The old text without the credentials that this edit took away.
    pub(crate) fn backup(&self) -> String {
        let mut old = IniDocument::new(self.before.text());
        for (section, key) in &self.cleared {
            old.overwrite(section, key, REDACTED);
        }
        old.text().to_owned()
    }

    fn clear(&mut self, section: &str, key: &str) {
        self.forget(section, key);
        self.document.remove(section, key);
    }

    fn forget(&mut self, section: &str, key: &str) {
        if CREDENTIAL_KEYS.contains(&key) {
            self.cleared.push((section.to_owned(), key.to_owned()));
        }
    }

    /// The draft as a reader would see it.
    fn now(&self) -> ConfigFile {
        // Every operation keeps the text well-formed; tests/props.rs holds them to it.
        ConfigFile::parse(self.document.text()).expect("an edit keeps the text well-formed")
    }
}

#[cfg(test)]
#[path = "draft/tests.rs"]
mod tests;
