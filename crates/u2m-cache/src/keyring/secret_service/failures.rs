//! The meaning of errors from the bus, the service and the library.

use crate::keyring::KeyringError;
use dbus_secret_service::Error;
use u2m_core::Sanitized;

/// Converts an error of the library.
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

/// Converts a D-Bus error by its name.
pub(super) fn named(name: &str, text: &str) -> KeyringError {
    // For a service that hangs and for one that died the bus returns the same error with different texts.
    let is_silent = !text.to_lowercase().contains("disconnected");
    let text = || Sanitized::new(if text.is_empty() { name } else { text });
    match name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or(name) {
        "NoServer" | "FileNotFound" | "BadAddress" => KeyringError::NoBus,
        "ServiceUnknown" | "NameHasNoOwner" => KeyringError::NoService,
        spawn if spawn.starts_with("Spawn.") => KeyringError::NoService,
        "AccessDenied" | "AuthFailed" => KeyringError::Denied,
        "org.freedesktop.Secret.Error.IsLocked" => KeyringError::Locked,
        // The caller fills in the name of the operation.
        "Timeout" | "TimedOut" => KeyringError::Timeout { operation: "call" },
        "NoReply" if is_silent => KeyringError::Timeout { operation: "call" },
        "NoReply" | "Disconnected" | "Failed" => KeyringError::Broken(text()),
        _ => KeyringError::Other(text()),
    }
}

/// Returns whether an item was removed by someone else meanwhile.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Dbus(error) if says_gone(error.name().unwrap_or_default()))
}

fn says_gone(name: &str) -> bool {
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

    #[test]
    fn what_the_library_says_is_told_in_our_words() {
        let of = |error| format!("{:?}", of_library(error));
        assert_eq!(of(Error::Locked), format!("{:?}", KeyringError::Locked));
        assert_eq!(of(Error::Unavailable), format!("{:?}", KeyringError::NoService));
        assert_eq!(of(Error::NoResult), format!("{:?}", KeyringError::NoCollection));
        assert!(of(Error::Crypto("x".into())).contains("decrypted"));
        assert!(of(Error::Parse).contains("unknown form"));
        let denied = |name: &str| named(&format!("org.freedesktop.DBus.Error.{name}"), "");
        for name in ["AccessDenied", "AuthFailed"] {
            assert!(matches!(denied(name), KeyringError::Denied), "{name}");
        }
    }

    #[test]
    fn an_item_that_is_gone_is_told_by_the_service_or_by_the_bus() {
        assert!(says_gone("org.freedesktop.Secret.Error.NoSuchObject"));
        assert!(says_gone("org.freedesktop.DBus.Error.UnknownObject"));
        assert!(says_gone("org.freedesktop.DBus.Error.UnknownMethod"));
        for other in ["", "UnknownObject", "org.freedesktop.DBus.Error.NoReply"] {
            assert!(!says_gone(other), "{other}");
        }
        assert!(!is_gone(&Error::Locked));
    }
}
