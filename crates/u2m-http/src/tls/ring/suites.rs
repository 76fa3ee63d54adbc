//! The cipher suites, in the order in which they are offered.

use super::hash::{HMAC_SHA256, HMAC_SHA384, Hash, SHA256, SHA384};
use super::records12::{ChaCha, Gcm};
use super::records13::Tls13Cipher;
use ring::aead;
use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, KeyExchangeAlgorithm};
use rustls::{
    CipherSuite, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

pub(super) static ALL: &[SupportedCipherSuite] = &[
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: gcm(CipherSuite::TLS13_AES_256_GCM_SHA384, &SHA384),
        hkdf_provider: &HkdfUsingHmac(&HMAC_SHA384),
        aead_alg: &Tls13Cipher(&aead::AES_256_GCM),
        quic: None,
    }),
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: gcm(CipherSuite::TLS13_AES_128_GCM_SHA256, &SHA256),
        hkdf_provider: &HkdfUsingHmac(&HMAC_SHA256),
        aead_alg: &Tls13Cipher(&aead::AES_128_GCM),
        quic: None,
    }),
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: chacha(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        hkdf_provider: &HkdfUsingHmac(&HMAC_SHA256),
        aead_alg: &Tls13Cipher(&aead::CHACHA20_POLY1305),
        quic: None,
    }),
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: gcm(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, &SHA384),
        prf_provider: &PrfUsingHmac(&HMAC_SHA384),
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: ECDSA,
        aead_alg: &Gcm(&aead::AES_256_GCM),
    }),
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: gcm(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, &SHA256),
        prf_provider: &PrfUsingHmac(&HMAC_SHA256),
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: ECDSA,
        aead_alg: &Gcm(&aead::AES_128_GCM),
    }),
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: chacha(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        prf_provider: &PrfUsingHmac(&HMAC_SHA256),
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: ECDSA,
        aead_alg: &ChaCha,
    }),
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: gcm(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, &SHA384),
        prf_provider: &PrfUsingHmac(&HMAC_SHA384),
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: RSA,
        aead_alg: &Gcm(&aead::AES_256_GCM),
    }),
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: gcm(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &SHA256),
        prf_provider: &PrfUsingHmac(&HMAC_SHA256),
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: RSA,
        aead_alg: &Gcm(&aead::AES_128_GCM),
    }),
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: chacha(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
        prf_provider: &PrfUsingHmac(&HMAC_SHA256),
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: RSA,
        aead_alg: &ChaCha,
    }),
];

static ECDSA: &[SignatureScheme] = &[
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
];

static RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

/// After 2^24 AES-GCM records under one key, confidentiality is no longer guaranteed
/// (draft-irtf-cfrg-aead-limits, 5.1.1).
const fn gcm(suite: CipherSuite, hash: &'static Hash) -> CipherSuiteCommon {
    CipherSuiteCommon { suite, hash_provider: hash, confidentiality_limit: 1 << 24 }
}

/// ChaCha20-Poly1305 has no such limit (draft-irtf-cfrg-aead-limits, 5.2.1).
const fn chacha(suite: CipherSuite) -> CipherSuiteCommon {
    CipherSuiteCommon { suite, hash_provider: &SHA256, confidentiality_limit: u64::MAX }
}
