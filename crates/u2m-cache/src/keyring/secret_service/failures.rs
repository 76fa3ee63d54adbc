//! What the errors of the bus, of the service and of the library say about the keyring.

use crate::keyring::KeyringError;
use dbus_secret_service::Error;
use u2m_core::Sanitized;

/// What a failure of the library means.
pub(super) fn of_library(error: Error) -> KeyringError {
    match error {
        Error::Dbus(error) => {
            named(error.name().unwrap_or_default(), error.message().unwrap_or_default())
        }
        Error::Locked => KeyringError::Locked,
        Error::Prompt => KeyringError::Denied,
        Error::Unavailable => KeyringError::NoService,
        Error::NoResult => KeyringError::NoCollection,
        Error::Crypto(_) => KeyringError::broken("its answer cannot be decrypted"),
        _ => KeyringError::broken("its answer has an unknown form"),
    }
}

/// What an error with this name means.
pub(super) fn named(name: &str, text: &str) -> KeyringError {
    // The bus says the same of a service that hangs and of one that died, in other words.
    let is_silent = !text.to_lowercase().contains("disconnected");
    let text = || Sanitized::new(if text.is_empty() { name } else { text });
    match name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or(name) {
        "NoServer" | "FileNotFound" | "BadAddress" => KeyringError::NoBus,
        "ServiceUnknown" | "NameHasNoOwner" => KeyringError::NoService,
        spawn if spawn.starts_with("Spawn.") => KeyringError::NoService,
        "AccessDenied" | "AuthFailed" => KeyringError::Denied,
        "org.freedesktop.Secret.Error.IsLocked" => KeyringError::Locked,
        // The name of the operation is put in where it is known.
        "Timeout" | "TimedOut" => KeyringError::Timeout { operation: "call" },
        "NoReply" if is_silent => KeyringError::Timeout { operation: "call" },
        "NoReply" | "Disconnected" | "Failed" => KeyringError::Broken(text()),
        _ => KeyringError::Other(text()),
    }
}

/// Whether an item was removed by somebody else in the meantime.
pub(super) fn is_gone(error: &Error) -> bool {
    let Error::Dbus(error) = error else { return false };
    let name = error.name().unwrap_or_default();
    name == "org.freedesktop.Secret.Error.NoSuchObject"
        || ["UnknownObject", "UnknownMethod"]
            .contains(&name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fall_4_only_a_missing_bus_or_service_counts_as_no_keyring() {
        let of = |name: &str| named(&format!("org.freedesktop.DBus.Error.{name}"), "text");
        for absent in ["NoServer", "ServiceUnknown", "Spawn.ServiceNotFound"] {
            assert!(of(absent).is_absent_service(), "{absent}");
        }
        for there in ["AccessDenied", "NoReply", "Timeout", "Disconnected", "LimitsExceeded"] {
            assert!(!of(there).is_absent_service(), "{there}");
        }
        let locked = named("org.freedesktop.Secret.Error.IsLocked", "");
        assert!(matches!(locked, KeyringError::Locked));
        let died = "Message recipient disconnected from message bus without replying";
        let no_reply = |text| named("org.freedesktop.DBus.Error.NoReply", text);
        assert!(matches!(no_reply(died), KeyringError::Broken(_)));
        assert!(matches!(no_reply("Did not receive a reply."), KeyringError::Timeout { .. }));
        assert!(matches!(of_library(Error::Prompt), KeyringError::Denied));
    }
}
