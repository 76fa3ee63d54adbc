//! Finds the session bus. It is never started just to get a token (gh#7582): if there is none, nothing is requested.

use crate::keyring::KeyringError;
use rustix::net::SocketAddrUnix;
use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Returns the address of the session bus from this process's environment.
pub(super) fn session_bus() -> Result<String, KeyringError> {
    of(&|name| env::var_os(name))
}

fn of(env: &dyn Fn(&str) -> Option<OsString>) -> Result<String, KeyringError> {
    let set = |name| env(name).filter(|value| !value.is_empty());
    if let Some(address) = set("DBUS_SESSION_BUS_ADDRESS") {
        let address = address.into_string().map_err(|_| KeyringError::NoBus)?;
        // libdbus would run dbus-launch for it.
        let is_launched =
            address.split(';').any(|part| part.trim_start().starts_with("autolaunch:"));
        return if is_launched { Err(KeyringError::NoBus) } else { Ok(address) };
    }
    let folder = set("XDG_RUNTIME_DIR").ok_or(KeyringError::NoBus)?;
    let path = Path::new(&folder).join("bus");
    let is_socket = path.metadata().is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket { Ok(format!("unix:path={}", escaped(&path))) } else { Err(KeyringError::NoBus) }
}

/// Returns the socket of an address, or `None` if it is not a plain socket of this machine.
pub(super) fn socket(address: &str) -> Option<SocketAddrUnix> {
    let (kind, rest) = address.split(';').next()?.split_once(':')?;
    let value = |name: &str| {
        rest.split(',').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
    };
    if kind != "unix" {
        return None;
    }
    if let Some((_, path)) = value("path") {
        return SocketAddrUnix::new(unescaped(path)?).ok();
    }
    #[cfg(target_os = "linux")]
    if let Some((_, name)) = value("abstract") {
        return SocketAddrUnix::new_abstract_name(&unescaped(name)?).ok();
    }
    None
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let byte = if byte == b'%' { digit()? * 16 + digit()? } else { byte.into() };
        out.push(u8::try_from(byte).ok()?);
    }
    Some(out)
}

/// Decodes a path in an address (D-Bus specification, "Server Addresses").
fn escaped(path: &Path) -> String {
    let mut out = String::new();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'/' | b'.' | b'\\' | b'*' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn bus(variables: &[(&str, &str)]) -> Option<String> {
        let env = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        };
        of(&env).ok()
    }

    #[test]
    fn an_address_in_the_environment_is_taken_and_one_that_launches_a_bus_is_none() {
        let of = |address| bus(&[("DBUS_SESSION_BUS_ADDRESS", address)]);
        assert_eq!(of("unix:path=/run/bus").as_deref(), Some("unix:path=/run/bus"));
        for none in ["", "autolaunch:", "unix:path=/gone;autolaunch:scope=*user"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn a_plain_socket_is_found_in_its_address_and_other_transports_are_left_to_the_library() {
        let at = |address: &str| Some(socket(address)?.path()?.into_owned());
        let path = at("unix:path=/tmp/a%20b,guid=00;tcp:host=x").unwrap();
        assert_eq!(path.to_bytes(), b"/tmp/a b");
        #[cfg(target_os = "linux")]
        assert_eq!(socket("unix:abstract=/tmp/x").unwrap().abstract_name(), Some(&b"/tmp/x"[..]));
        for other in
            ["tcp:host=localhost,port=1", "unixexec:path=ssh", "unix:path=%2", "unix:path=%zz", ""]
        {
            assert!(socket(other).is_none(), "{other}");
        }
    }

    #[test]
    fn without_an_address_only_a_socket_in_the_runtime_folder_counts() {
        let folder = tempfile::Builder::new().prefix("with space").tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        let found = || bus(&[("DBUS_SESSION_BUS_ADDRESS", ""), ("XDG_RUNTIME_DIR", name)]);
        assert_eq!(bus(&[]), None);
        assert_eq!(found(), None);
        let path = folder.path().join("bus");
        std::fs::write(&path, "").unwrap();
        assert_eq!(found(), None);
        std::fs::remove_file(&path).unwrap();
        let _socket = UnixListener::bind(&path).unwrap();
        let address = found().unwrap();
        assert!(address.starts_with("unix:path=/") && address.ends_with("/bus"), "{address}");
        assert!(address.contains("with%20space"), "{address}");
    }
}
