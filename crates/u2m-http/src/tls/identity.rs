//! The client's own certificate and its key.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use zeroize::Zeroize;

/// The certificate chain, the client's own certificate first, and its private key. Clones share both.
#[derive(Clone)]
pub(crate) struct ClientIdentity(Arc<ClientIdentityInner>);

struct ClientIdentityInner {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Drop for ClientIdentityInner {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl ClientIdentity {
    /// Reads both from one PEM bundle.
    ///
    /// # Errors
    /// Fails if one of them is missing or not valid PEM.
    pub(crate) fn read(pem: &[u8]) -> Result<Self, String> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(pem).collect();
        let chain = chain.map_err(|error| error.to_string())?;
        if chain.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
            pem::Error::NoItemsFound => "there is no private key without a passphrase in it".into(),
            error => error.to_string(),
        })?;
        Ok(Self(Arc::new(ClientIdentityInner { chain, key })))
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.chain.clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.0.key.clone_key()
    }
}
