//! The profile file during an edit: all changes of one command, collected before anything is written.

use crate::document::IniDocument;
use crate::file::{DEFAULT, SETTINGS};
use crate::rules::{CREDENTIAL_KEYS, check_key, check_name, check_profile, check_value};
use crate::{ConfigError, ConfigFile, SyntaxError};

/// The first lines of a new file.
const DEFAULT_COMMENT: &str =
    "; The DEFAULT section is used when no profile is named.\n[DEFAULT]\n";

/// Replaces, in the backup, a credential that the edit removed.
const REDACTED: &str = "REDACTED";

/// The profile file during an edit. [`Editor::edit`](crate::Editor::edit) passes it to your closure
/// and writes it once, when the closure returns.
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
    /// Whether the file was blank, so that the first profile also writes the standard first lines.
    fresh: bool,
    /// Sections and keys whose old values must not be written to the backup.
    cleared: Vec<(String, String)>,
}

impl Draft {
    /// Creates a draft of a file that lines can be appended to. A last line without a line end can
    /// be a lone `"""`: readers take it for a value, but with a line below it for the start of a
    /// multi-line value.
    pub(crate) fn of(before: ConfigFile) -> Result<Self, SyntaxError> {
        if !before.text().ends_with('\n') {
            ConfigFile::parse(format!("{}\n", before.text()))?;
        }
        let document = IniDocument::new(before.text());
        let fresh = document.is_blank();
        Ok(Self { before, document, fresh, cleared: Vec::new() })
    }

    /// Returns the file as it was before this edit, read under the lock.
    pub fn before(&self) -> &ConfigFile {
        &self.before
    }

    /// Writes values into a profile, and creates the profile if it does not exist.
    ///
    /// First the keys in `clear` are removed, then the non-empty `values` are set in the given
    /// order. All other keys stay as they are.
    ///
    /// Pass [`LOGIN_CLEARS`](crate::LOGIN_CLEARS) after a login. The first profile with a host also
    /// becomes the default profile. A `workspace_id` of `none` is removed: it is a placeholder of
    /// Databricks' CLI that SDKs would send literally.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError::RefusedName`], [`ConfigError::RefusedKey`] or
    /// [`ConfigError::RefusedValue`] for anything that readers of the file would interpret
    /// differently. Nothing is changed then.
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

    /// Removes a profile, together with the comment right above it. If it was the default profile,
    /// the default is removed too. `DEFAULT` loses its keys but keeps its header.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError::ProfileUnknown`] if there is no such profile.
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

    /// Sets the default profile: the one that is used when the user names none.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError::ProfileUnknown`] if there is no such profile, and with
    /// [`ConfigError::RefusedName`] if its name cannot be written as a value.
    pub fn set_default_profile(&mut self, name: &str) -> Result<(), ConfigError> {
        check_name(name)?;
        if self.now().profile(name).is_none() {
            return Err(ConfigError::ProfileUnknown { name: name.to_owned() });
        }
        self.document.set(SETTINGS, &[("default_profile", name)]);
        Ok(())
    }

    /// Sets a key in `[__settings__]`.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError::RefusedKey`] or [`ConfigError::RefusedValue`], as for profiles.
    pub fn set_setting(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        check_key(key)?;
        check_value(key, value)?;
        self.document.set(SETTINGS, &[(key, value)]);
        Ok(())
    }

    /// Removes a key from `[__settings__]`. The header stays.
    pub fn clear_setting(&mut self, key: &str) {
        self.document.remove(SETTINGS, key);
    }

    /// Returns the new text.
    pub(crate) fn text(&self) -> &str {
        self.document.text()
    }

    /// Returns whether the new text holds a secret.
    pub(crate) fn holds_secret(&self) -> bool {
        self.now().holds_secret()
    }

    /// Returns the old text, with the credentials that this edit removed replaced.
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

    /// Parses the draft as a reader would see it.
    fn now(&self) -> ConfigFile {
        // Every operation keeps the text well-formed, which tests/props.rs checks.
        ConfigFile::parse(self.document.text()).expect("an edit keeps the text well-formed")
    }
}

#[cfg(test)]
#[path = "draft/tests.rs"]
mod tests;
