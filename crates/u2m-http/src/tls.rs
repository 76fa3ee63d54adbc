//! TLS for this crate's own client: its cryptography and its trusted certificates. Sets nothing for the process.

mod identity;
mod refused;
mod ring;
mod roots;

pub(crate) use identity::ClientIdentity;
pub use refused::CertificateProblem;

use crate::obstacle::Obstacle;
use refused::ReportingVerifier;
use roots::Roots;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use u2m_core::Sanitized;

/// The certificates that a client trusts.
pub(crate) enum TrustRoots<'a> {
    /// None: for connections without TLS.
    Nobody,
    /// Those of the system or those that the environment names, these, and those in these files.
    System { extra: &'a [CertificateDer<'static>], files: &'a [PathBuf] },
}

/// Returns the cryptography of clients that were not given another provider.
pub(crate) fn own_provider() -> Arc<CryptoProvider> {
    static OWN: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(OWN.get_or_init(|| Arc::new(ring::provider())))
}

/// Like [`own_provider`], for a client that has a certificate of its own.
pub(crate) fn own_signing_provider() -> Arc<CryptoProvider> {
    Arc::new(ring::signing_provider())
}

/// Returns the TLS configuration of a client.
///
/// # Errors
/// Fails if the provider has no cipher suites, if there are no certificates to trust, or if the key
/// of the client's own certificate cannot be used.
pub(crate) fn config(
    provider: &Arc<CryptoProvider>,
    trust: &TrustRoots<'_>,
    identity: Option<&ClientIdentity>,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<ClientConfig, Obstacle> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Obstacle::Handshake(error.to_string()))?;
    let builder = match trust {
        TrustRoots::Nobody => builder.with_root_certificates(RootCertStore::empty()),
        TrustRoots::System { extra, files } => {
            let mut extra = extra.to_vec();
            for file in *files {
                extra.extend(ca_file(file)?);
            }
            let roots = Roots::gather(provider, &extra, env).map_err(Obstacle::NoAuthorities)?;
            let verifier = ReportingVerifier {
                inner: roots.verifier,
                notes: roots.troubles,
                named: roots.named,
            };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain(), identity.key())
            .map_err(|error| Obstacle::Identity(error.to_string()))?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads the certificates in a file that was configured for a client.
///
/// # Errors
/// Fails if the file cannot be read, or if it contains no usable certificate.
pub(crate) fn ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, Obstacle> {
    let wrong =
        |why: String| Obstacle::CaFile { path: Sanitized::new(&path.to_string_lossy()), why };
    let found = roots::read(path).map_err(wrong)?;
    let found: Vec<_> = found.into_iter().map(CertificateDer::from).collect();
    let mut store = RootCertStore::empty();
    let (good, _) = store.add_parsable_certificates(found.iter().cloned());
    match good {
        0 => Err(wrong("holds no certificate that can be read".to_owned())),
        _ => Ok(found),
    }
}

/// Reads the certificates in a PEM bundle.
///
/// # Errors
/// Fails if a PEM section is malformed or not a valid certificate.
pub(crate) fn certificates(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(bundle).collect();
    let found = found.map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    for one in &found {
        store.add(one.clone()).map_err(|error| error.to_string())?;
    }
    Ok(found)
}
