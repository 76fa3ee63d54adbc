//! What the environment says, attribute by attribute.

use super::ChooseError;
use crate::Attribute;
use std::ffi::OsString;

/// The variable that holds an ID token where [`oidc_token_env`](Attribute) names no other.
const ID_TOKEN: &str = "DATABRICKS_OIDC_TOKEN";

/// The environment.
pub(crate) struct SelectionVariables<'a> {
    env: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> SelectionVariables<'a> {
    pub(crate) fn new(env: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { env }
    }

    /// The value that the environment gives to a key, and the variable that does.
    pub(crate) fn first(&self, key: &str) -> Result<Option<(String, &'static str)>, ChooseError> {
        Attribute::named(key).map_or(Ok(None), |attribute| self.of(attribute))
    }

    pub(crate) fn of(
        &self,
        attribute: &Attribute,
    ) -> Result<Option<(String, &'static str)>, ChooseError> {
        for &name in attribute.variables() {
            let Some(value) = crate::variable(self.env, name) else { continue };
            let value = value.into_string().map_err(|_| ChooseError::NotUtf8(name))?;
            return Ok(Some((value, name)));
        }
        Ok(None)
    }

    /// Whether the usual variable holds an ID token. It is no attribute: its value goes nowhere but to a token endpoint.
    pub(crate) fn holds_id_token(&self) -> bool {
        crate::variable(self.env, ID_TOKEN).is_some()
    }

    /// Whether the environment says how to authenticate, other than by a person's login.
    pub(super) fn authenticates(&self) -> Result<bool, ChooseError> {
        if let Some((auth_type, _)) = self.first("auth_type")?
            && auth_type != "databricks-cli"
        {
            return Ok(true);
        }
        for attribute in Attribute::ALL.iter().filter(|attribute| attribute.method().is_some()) {
            if self.of(attribute)?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.holds_id_token())
    }
}
