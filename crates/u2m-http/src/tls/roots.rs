//! Gathers the certificates to trust: the system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
//! As in Go programs and OpenSSL, each of the two variables replaces one half of what the system
//! has. Files that were configured for this client are trusted in addition.

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use u2m_core::Sanitized;

/// The certificate verifier, and problems with the variables that configure it.
pub(crate) struct Roots {
    pub(crate) verifier: Arc<dyn ServerCertVerifier>,
    pub(crate) troubles: Vec<String>,
    /// The certificates that the user has configured, as opposed to the system's.
    pub(crate) named: Vec<CertificateDer<'static>>,
}

/// The files in which systems keep all authorities. The first one that exists is used. The list is Go's.
const FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The folders in which systems keep authorities in separate files.
const FOLDERS: &[&str] = &["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The maximum size of a bundle, larger than any real one.
const LIMIT: u64 = 32 << 20;

impl Roots {
    /// Gathers the certificates. `extra` is trusted in addition.
    ///
    /// # Errors
    /// Fails if there are no certificates to trust. The texts are the problems that were found.
    pub(crate) fn gather(
        provider: &Arc<CryptoProvider>,
        extra: &[CertificateDer<'static>],
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Vec<String>> {
        let set = |name| env(name).filter(|value| !value.is_empty());
        let (file, folders) = (set("SSL_CERT_FILE"), set("SSL_CERT_DIR"));
        let is_by_files = cfg!(all(unix, not(target_vendor = "apple"), not(target_os = "android")));
        if !is_by_files || file.is_none() && folders.is_none() {
            let verifier = platform(Arc::clone(provider), extra);
            let verifier = verifier.map_err(|_| Vec::<String>::new())?;
            return Ok(Self { verifier, troubles: Vec::new(), named: extra.to_vec() });
        }
        let (mut found, mut troubles) = (BTreeSet::new(), Vec::new());
        let mut named_here = extra.to_vec();
        match &file {
            Some(path) => match read(Path::new(path)) {
                Ok(certificates) => {
                    named_here.extend(certificates.iter().cloned().map(CertificateDer::from));
                    found.extend(certificates);
                }
                Err(why) => troubles.push(trouble("SSL_CERT_FILE", Path::new(path), &why)),
            },
            None => {
                let first = FILES.iter().find_map(|path| read(Path::new(path)).ok());
                found.extend(first.into_iter().flatten());
            }
        }
        let named = folders.as_deref().map(std::env::split_paths).into_iter().flatten();
        let named: Vec<PathBuf> = named.filter(|path| !path.as_os_str().is_empty()).collect();
        for path in &named {
            match read_folder(path) {
                Ok(certificates) => found.extend(certificates),
                Err(why) => troubles.push(trouble("SSL_CERT_DIR", path, &why)),
            }
        }
        if folders.is_none() {
            let usual = FOLDERS.iter().filter_map(|path| read_folder(Path::new(path)).ok());
            found.extend(usual.flatten());
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.into_iter().map(CertificateDer::from));
        store.add_parsable_certificates(extra.iter().cloned());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
        match verifier.build() {
            Ok(verifier) => Ok(Self { verifier, troubles, named: named_here }),
            Err(_) => Err(troubles),
        }
    }
}

fn platform(
    provider: Arc<CryptoProvider>,
    extra: &[CertificateDer<'static>],
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    #[cfg(not(target_os = "android"))]
    let verifier = Verifier::new_with_extra_roots(extra.iter().cloned(), provider)?;
    #[cfg(target_os = "android")]
    let verifier = {
        let _ = extra;
        Verifier::new(provider)?
    };
    Ok(Arc::new(verifier))
}

fn trouble(variable: &str, path: &Path, why: &str) -> String {
    format!("{variable} names {}, which {why}", Sanitized::new(&path.to_string_lossy()))
}

/// Reads the certificates in a file, or returns what is wrong with it, as the end of a sentence.
pub(crate) fn read(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let what = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let metadata = std::fs::metadata(path).map_err(|error| what(&error))?;
    // A pipe or a device may never end.
    match metadata.is_file() {
        true if metadata.len() > LIMIT => return Err("is too large".to_owned()),
        true => {}
        false if metadata.is_dir() => return Err("is a folder".to_owned()),
        false => return Err("is no file".to_owned()),
    }
    let text = std::fs::read(path).map_err(|error| what(&error))?;
    let found = CertificateDer::pem_slice_iter(&text).flatten();
    let found: Vec<Vec<u8>> = found.map(|one| one.as_ref().to_vec()).collect();
    match found.is_empty() {
        true if text.is_empty() => Err("is empty".to_owned()),
        true => Err("holds no certificate in PEM form".to_owned()),
        false => Ok(found),
    }
}

/// Reads the certificates of all files in a folder. Everything else in it is ignored.
fn read_folder(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let entries = std::fs::read_dir(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    let files = entries.filter_map(|entry| read(&entry.ok()?.path()).ok());
    Ok(files.flatten().collect())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn gather(vars: &[(&str, &Path)]) -> Result<Roots, Vec<String>> {
        let provider = super::super::own_provider();
        Roots::gather(&provider, &[], &|name| {
            let found = vars.iter().find(|(known, _)| *known == name);
            found.map(|(_, path)| path.as_os_str().to_owned())
        })
    }

    fn tests() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls")
    }

    #[test]
    fn each_variable_stands_in_for_its_own_half() {
        let empty = tempfile::tempdir().unwrap();
        let (file, nothing) = (tests().join("root.pem"), empty.path());
        assert!(gather(&[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", nothing)]).is_ok());
        assert!(gather(&[("SSL_CERT_DIR", &tests()), ("SSL_CERT_FILE", &file)]).is_ok());
        // What is wrong with one variable is reported, even if the other one supplies certificates.
        let missing = nothing.join("missing.pem");
        let found = gather(&[("SSL_CERT_DIR", &tests()), ("SSL_CERT_FILE", &missing)]).unwrap();
        let told = format!("SSL_CERT_FILE names {}, which is not there", missing.display());
        assert_eq!(found.troubles, [told]);
    }

    #[test]
    fn where_nobody_is_trusted_what_is_wrong_with_the_variables_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let (empty, other) = (at("empty.pem", ""), at("other.pem", "-----BEGIN KEY-----\n"));
        let nothing = folder.path().join("nothing");
        let of_size = |name: &str, size| {
            let path = at(name, "");
            std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
            path
        };
        let (largest, too_large) = (of_size("largest", LIMIT), of_size("too-large", LIMIT + 1));
        for (file, why) in [
            (&largest, "holds no certificate"),
            (&too_large, "is too large"),
            (&PathBuf::from("/dev/zero"), "is no file"),
            (&empty, "is empty"),
            (&other, "holds no certificate in PEM form"),
            (&nothing, "is not there"),
            (&folder.path().to_owned(), "is a folder"),
        ] {
            let troubles = gather(&[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", &nothing)]);
            let troubles = troubles.err().unwrap().join("; ");
            assert!(
                troubles.contains("SSL_CERT_FILE names ") && troubles.contains(why),
                "{troubles}"
            );
            assert!(troubles.contains("; SSL_CERT_DIR names "), "{troubles}");
        }
    }

    #[test]
    fn the_systems_own_way_is_gone_unless_a_variable_says_otherwise() {
        let verifier =
            |vars: &[(&str, &Path)]| gather(vars).map(|found| format!("{:?}", found.verifier));
        let named = verifier(&[("SSL_CERT_FILE", &tests().join("root.pem"))]).unwrap();
        assert!(named.starts_with("WebPkiServerVerifier"), "{named}");
        // The machine may have no authorities.
        if let Ok(usual) = verifier(&[]) {
            assert!(!usual.starts_with("WebPkiServerVerifier"), "{usual}");
        }
    }
}
