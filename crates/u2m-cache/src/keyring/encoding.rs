//! The encoding of a secret in each system's keyring: as go-keyring, which Databricks' CLI uses, writes and reads it.

use crate::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BASE64: &[u8] = b"go-keyring-base64:";
const HEX: &[u8] = b"go-keyring-encoded:";

/// How values are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Unchanged: Linux, the BSDs, Windows.
    Plain,
    /// In base64 after a prefix: macOS.
    Apple,
}

impl Encoding {
    /// The encoding of this operating system.
    pub(crate) const HERE: Self =
        if cfg!(target_vendor = "apple") { Self::Apple } else { Self::Plain };

    pub(crate) fn encode(self, secret: &[u8]) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Plain => Zeroizing::new(secret.to_vec()),
            Self::Apple => {
                let text = Zeroizing::new(STANDARD.encode(secret));
                Zeroizing::new([BASE64, text.as_bytes()].concat())
            }
        }
    }

    /// Decodes a value. Returns `None` for a prefix that something else follows.
    pub(crate) fn decode(self, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if self == Self::Plain {
            return Some(Zeroizing::new(value.to_vec()));
        }
        let value = value.trim_ascii();
        match (value.strip_prefix(BASE64), value.strip_prefix(HEX)) {
            (Some(text), _) => STANDARD.decode(text).ok().map(Zeroizing::new),
            (_, Some(text)) => hex::decode(text),
            _ => Some(Zeroizing::new(value.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"token":{"access_token":"at-demo","token_type":"Bearer","refresh_token":"rt-demo","expiry":"2026-03-10T21:33:09.123456789Z","expires_in":3600}}"#;
    const APPLE: &str = "go-keyring-base64:eyJ0b2tlbiI6eyJhY2Nlc3NfdG9rZW4iOiJhdC1kZW1vIiwidG9rZW5fdHlwZSI6IkJlYXJlciIsInJlZnJlc2hfdG9rZW4iOiJydC1kZW1vIiwiZXhwaXJ5IjoiMjAyNi0wMy0xMFQyMTozMzowOS4xMjM0NTY3ODlaIiwiZXhwaXJlc19pbiI6MzYwMH19";

    #[test]
    fn on_linux_and_windows_the_bytes_stand_as_they_are() {
        assert_eq!(*Encoding::Plain.encode(ENTRY.as_bytes()), ENTRY.as_bytes());
        assert_eq!(*Encoding::Plain.decode(ENTRY.as_bytes()).unwrap(), ENTRY.as_bytes());
        let odd = b" go-keyring-base64:%% ";
        assert_eq!(*Encoding::Plain.decode(odd).unwrap(), odd);
    }

    #[test]
    fn on_macos_they_stand_in_base64_behind_gos_prefix() {
        assert_eq!(*Encoding::Apple.encode(ENTRY.as_bytes()), APPLE.as_bytes());
        assert_eq!(*Encoding::Apple.decode(APPLE.as_bytes()).unwrap(), ENTRY.as_bytes());
        let with_newline = format!("{APPLE}\n");
        assert_eq!(*Encoding::Apple.decode(with_newline.as_bytes()).unwrap(), ENTRY.as_bytes());
    }

    #[test]
    fn on_macos_older_forms_are_read_and_broken_ones_are_said_to_be() {
        assert_eq!(*Encoding::Apple.decode(b"go-keyring-encoded:7b7D0a").unwrap(), b"{}\n");
        assert_eq!(*Encoding::Apple.decode(b" {} \n").unwrap(), b"{}");
        for broken in ["go-keyring-base64:*", "go-keyring-encoded:7", "go-keyring-encoded:7g"] {
            assert!(Encoding::Apple.decode(broken.as_bytes()).is_none(), "{broken}");
        }
    }
}
