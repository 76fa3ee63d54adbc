//! Reads attributes from environment variables.

use super::ChooseError;
use crate::Attribute;
use std::ffi::OsString;

/// The variable that holds an ID token, unless [`oidc_token_env`](Attribute) names another.
const ID_TOKEN: &str = "DATABRICKS_OIDC_TOKEN";

/// The environment variables of a program.
pub(crate) struct SelectionVariables<'a> {
    env: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> SelectionVariables<'a> {
    pub(crate) fn new(env: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { env }
    }

    /// Returns the value that the environment sets for a key, and the name of the variable.
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

    /// Returns whether the default variable holds an ID token. It is not an attribute, because its
    /// value is sent only to a token endpoint.
    pub(crate) fn holds_id_token(&self) -> bool {
        crate::variable(self.env, ID_TOKEN).is_some()
    }

    /// Returns whether the environment says how to authenticate, other than with a user's login.
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
