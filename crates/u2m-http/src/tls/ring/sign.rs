//! Signs with the key of a client's own certificate (RFC 8446 section 4.4.3), as rustls does with
//! its feature `ring`.

use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The first scheme of this list that the server offers is used, as in rustls.
const RSA: [(SignatureScheme, &dyn RsaEncoding); 6] = [
    (SignatureScheme::RSA_PSS_SHA512, &signature::RSA_PSS_SHA512),
    (SignatureScheme::RSA_PSS_SHA384, &signature::RSA_PSS_SHA384),
    (SignatureScheme::RSA_PSS_SHA256, &signature::RSA_PSS_SHA256),
    (SignatureScheme::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_SHA512),
    (SignatureScheme::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_SHA384),
    (SignatureScheme::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_SHA256),
];

/// A curve: how its keys sign, and the start of a PKCS#8 document (RFC 5958) up to the key (RFC 5915).
struct Curve {
    scheme: SignatureScheme,
    algorithm: &'static EcdsaSigningAlgorithm,
    prefix: &'static [u8],
}

const CURVES: [Curve; 2] = [
    Curve {
        scheme: SignatureScheme::ECDSA_NISTP256_SHA256,
        algorithm: &ECDSA_P256_SHA256_ASN1_SIGNING,
        // Version 0, and the identifiers of elliptic curves and of this curve.
        prefix: b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    },
    Curve {
        scheme: SignatureScheme::ECDSA_NISTP384_SHA384,
        algorithm: &ECDSA_P384_SHA384_ASN1_SIGNING,
        prefix: b"\x02\x01\x00\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
    },
];

enum KeyPair {
    Ecdsa(SignatureScheme, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Reads a private key of any supported kind.
pub(super) fn key(der: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, Error> {
    let pair = match der {
        PrivateKeyDer::Pkcs1(key) => {
            RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(KeyPair::Rsa)
        }
        PrivateKeyDer::Sec1(key) => CURVES.iter().find_map(|curve| {
            let body = [curve.prefix, &*element(0x04, key.secret_sec1_der())].concat();
            curve.read(&element(0x30, &Zeroizing::new(body)))
        }),
        PrivateKeyDer::Pkcs8(key) => {
            let der = key.secret_pkcs8_der();
            let rsa = || RsaKeyPair::from_pkcs8(der).ok().map(KeyPair::Rsa);
            let ecdsa = || CURVES.iter().find_map(|curve| curve.read(der));
            let ed25519 =
                || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(KeyPair::Ed25519);
            rsa().or_else(ecdsa).or_else(ed25519)
        }
        _ => None,
    };
    let unknown = || Error::General("the key is of no kind that is known".to_owned());
    pair.map(|pair| Arc::new(Key(Arc::new(pair))) as Arc<dyn SigningKey>).ok_or_else(unknown)
}

impl Curve {
    fn read(&self, der: &[u8]) -> Option<KeyPair> {
        let pair = EcdsaKeyPair::from_pkcs8(self.algorithm, der, &SystemRandom::new());
        pair.ok().map(|pair| KeyPair::Ecdsa(self.scheme, pair))
    }
}

/// Encodes a DER element (X.690 section 8.1) of less than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(content.len() + 4));
    match (high, low) {
        (0, short) if short < 0x80 => out.extend([tag, short]),
        (0, long) => out.extend([tag, 0x81, long]),
        (high, low) => out.extend([tag, 0x82, high, low]),
    }
    out.extend(content);
    out
}

struct Key(Arc<KeyPair>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = match &*self.0 {
            KeyPair::Ecdsa(scheme, _) => Some(*scheme),
            KeyPair::Ed25519(_) => Some(SignatureScheme::ED25519),
            KeyPair::Rsa(_) => RSA.iter().map(|(one, _)| *one).find(|one| offered.contains(one)),
        };
        let scheme = scheme.filter(|scheme| offered.contains(scheme))?;
        Some(Box::new(Signature { pair: Arc::clone(&self.0), scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match &*self.0 {
            KeyPair::Ecdsa(..) => SignatureAlgorithm::ECDSA,
            KeyPair::Ed25519(_) => SignatureAlgorithm::ED25519,
            KeyPair::Rsa(_) => SignatureAlgorithm::RSA,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.algorithm())
    }
}

struct Signature {
    pair: Arc<KeyPair>,
    scheme: SignatureScheme,
}

impl Signer for Signature {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::General("signing failed".to_owned());
        let random = SystemRandom::new();
        match &*self.pair {
            KeyPair::Ecdsa(_, pair) => {
                pair.sign(&random, message).map(|it| it.as_ref().to_vec()).map_err(failed)
            }
            KeyPair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            KeyPair::Rsa(pair) => {
                let mut out = vec![0; pair.public().modulus_len()];
                let known = RSA.iter().find(|(scheme, _)| *scheme == self.scheme);
                let (_, encoding) =
                    known.ok_or(Error::General("no scheme of such keys".to_owned()))?;
                pair.sign(*encoding, &random, message, &mut out).map(|()| out).map_err(failed)
            }
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:?})", self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{KeyPair, UnparsedPublicKey};
    use rustls::pki_types::pem::PemObject;

    fn generated() -> (Vec<u8>, Vec<u8>) {
        let random = SystemRandom::new();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &random).unwrap();
        (ed25519.as_ref().to_vec(), p384.as_ref().to_vec())
    }

    #[test]
    fn a_key_signs_by_the_one_scheme_that_it_has_and_only_where_that_is_offered() {
        let (ed25519, p384) = generated();
        let public = Ed25519KeyPair::from_pkcs8(&ed25519).unwrap().public_key().as_ref().to_vec();
        let read = key(&PrivateKeyDer::Pkcs8(ed25519.into())).unwrap();
        assert!(read.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256]).is_none());
        let signer = read.choose_scheme(&[SignatureScheme::ED25519]).unwrap();
        let signed = signer.sign(b"message").unwrap();
        UnparsedPublicKey::new(&signature::ED25519, public).verify(b"message", &signed).unwrap();
        let read = key(&PrivateKeyDer::Pkcs8(p384.into())).unwrap();
        assert_eq!(read.algorithm(), SignatureAlgorithm::ECDSA);
        assert!(read.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).is_none());
        assert!(read.choose_scheme(&[SignatureScheme::ECDSA_NISTP384_SHA384]).is_some());
    }

    #[test]
    fn a_key_of_rfc_5915_is_read_as_the_same_in_pkcs_8() {
        // The output of `openssl ecparam -genkey`: the key inside the PKCS#8 document, without the rest.
        let random = SystemRandom::new();
        for curve in CURVES {
            let whole = EcdsaKeyPair::generate_pkcs8(curve.algorithm, &random).unwrap();
            let whole = whole.as_ref();
            // For both curves the inner lengths take one byte each; the outer one takes two for the larger curve.
            let outer = if whole[1] < 0x80 { 2 } else { 3 };
            let at = outer + curve.prefix.len();
            let inner = if whole[at + 1] < 0x80 { 2 } else { 3 };
            let sec1 = whole[at + inner..].to_vec();
            assert_eq!(*element(0x30, &[curve.prefix, &*element(4, &sec1)].concat()), whole);
            let read = key(&PrivateKeyDer::Sec1(sec1.into())).unwrap();
            assert!(read.choose_scheme(&[curve.scheme]).is_some());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_no_key_is_shown() {
        assert!(key(&PrivateKeyDer::Pkcs8(vec![0; 32].into())).is_err());
        assert!(key(&PrivateKeyDer::Sec1(vec![0; 300].into())).is_err());
        let pem = include_bytes!("../../../tests/tls/rsa.key");
        let read = key(&PrivateKeyDer::from_pem_slice(pem).unwrap()).unwrap();
        let signer = read.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).unwrap();
        assert_eq!(format!("{read:?} {signer:?}"), "Key(RSA) Signature(RSA_PKCS1_SHA256)");
        assert!(!signer.sign(b"message").unwrap().is_empty());
    }
}
