//! The meaning of the status codes of macOS and Windows. Only codes are used, never the texts with them, which are translated
//! (KEY-3).

use super::KeyringError;
use u2m_core::Sanitized;

/// Converts an `OSStatus` of the Security framework. `None` means that there is no such item.
#[cfg_attr(not(target_vendor = "apple"), allow(dead_code, reason = "tested everywhere"))]
pub(super) fn of_apple(status: i32) -> Option<KeyringError> {
    Some(match status {
        // errSecItemNotFound
        -25300 => return None,
        // errSecInteractionNotAllowed, errSecInteractionRequired, errSecAuthFailed: the keychain is locked, and nobody
        // can be asked, as over SSH.
        -25308 | -25315 | -25293 => KeyringError::Locked,
        // errSecUserCanceled, errSecWrPerm, errSecInvalidOwnerEdit, errSecNoAccessForItem, errSecReadOnly
        -128 | -61 | -25244 | -25243 | -25292 => KeyringError::Denied,
        // errSecNoSuchKeychain, errSecInvalidKeychain, errSecNoDefaultKeychain
        -25294 | -25295 | -25307 => KeyringError::NoCollection,
        // errSecNotAvailable
        -25291 => KeyringError::NoService,
        other => KeyringError::Other(Sanitized::new(&format!("the keychain answered {other}"))),
    })
}

/// Converts a Win32 error code of the Credential Manager. `None` means that there is no such item.
#[cfg_attr(not(windows), allow(dead_code, reason = "tested everywhere"))]
pub(super) fn of_windows(code: u32) -> Option<KeyringError> {
    Some(match code {
        // ERROR_NOT_FOUND
        1168 => return None,
        // ERROR_ACCESS_DENIED, ERROR_CANCELLED
        5 | 1223 => KeyringError::Denied,
        // ERROR_NO_SUCH_LOGON_SESSION: a service or an SSH session without the user's credentials.
        1312 => KeyringError::NoService,
        // RPC_S_CALL_FAILED, RPC_S_SERVER_UNAVAILABLE
        1726 | 1722 => KeyringError::broken("the Credential Manager does not run"),
        other => {
            KeyringError::Other(Sanitized::new(&format!("the Credential Manager answered {other}")))
        }
    })
}

/// Reads the code from the library's error text, which ends with it: the library's error type is private.
#[cfg_attr(not(windows), allow(dead_code, reason = "tested everywhere"))]
pub(super) fn of_windows_text(text: &str) -> KeyringError {
    let code = text.rsplit(' ').next().and_then(|code| code.parse().ok());
    code.and_then(of_windows).unwrap_or_else(|| KeyringError::Other(Sanitized::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_3_a_locked_keychain_over_ssh_is_locked_and_neither_absent_nor_no_service() {
        assert!(of_apple(-25300).is_none());
        for locked in [-25308, -25293] {
            let error = of_apple(locked).unwrap();
            assert!(matches!(error, KeyringError::Locked), "{error:?}");
            assert!(!error.is_absent_service());
            assert!(error.to_string().contains("unlock it"), "{error}");
        }
        assert!(matches!(of_apple(-128), Some(KeyringError::Denied)));
        assert!(matches!(of_apple(-25307), Some(KeyringError::NoCollection)));
        assert!(of_apple(-1).unwrap().to_string().contains("-1"));
    }

    #[test]
    fn key_3_windows_codes_are_told_apart() {
        assert!(of_windows(1168).is_none());
        assert!(matches!(of_windows(5), Some(KeyringError::Denied)));
        assert!(of_windows(1312).unwrap().is_absent_service());
        assert!(of_windows(87).unwrap().to_string().contains("87"));
        assert!(matches!(of_windows_text("Windows error code 5"), KeyringError::Denied));
        let named = of_windows_text("Windows ERROR_BAD_USERNAME");
        assert!(named.to_string().contains("ERROR_BAD_USERNAME"), "{named}");
    }
}
