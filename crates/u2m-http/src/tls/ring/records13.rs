//! Encrypts and decrypts records of TLS 1.3 (RFC 8446, 5.2).

use ring::aead::{self, Aad, LessSafeKey, UnboundKey};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

/// The length of the authentication tag in all three algorithms.
pub(super) const TAG: usize = 16;

/// Creates a key. If its length is not the one that rustls was told, returns `None`, and nothing is
/// encrypted or decrypted.
pub(super) fn key(algorithm: &'static aead::Algorithm, key: &AeadKey) -> Option<LessSafeKey> {
    UnboundKey::new(algorithm, key.as_ref()).ok().map(LessSafeKey::new)
}

pub(super) fn nonce(iv: &Iv, sequence: u64) -> aead::Nonce {
    aead::Nonce::assume_unique_for_key(Nonce::new(iv, sequence).0)
}

pub(super) struct Tls13Cipher(pub(super) &'static aead::Algorithm);

impl Tls13AeadAlgorithm for Tls13Cipher {
    fn encrypter(&self, given: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Tls13Record { key: key(self.0, &given), iv })
    }

    fn decrypter(&self, given: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Tls13Record { key: key(self.0, &given), iv })
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        // Only needed to pass connections to the kernel, which is not done here.
        Err(UnsupportedOperationError)
    }
}

struct Tls13Record {
    key: Option<LessSafeKey>,
    iv: Iv,
}

impl MessageEncrypter for Tls13Record {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let key = self.key.as_ref().ok_or(Error::EncryptError)?;
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);
        let aad = Aad::from(make_tls13_aad(length));
        key.seal_in_place_append_tag(nonce(&self.iv, sequence), aad, &mut payload)
            .map_err(|_| Error::EncryptError)?;
        // Every record claims to be one of TLS 1.2 (RFC 8446, 5.1).
        let version = ProtocolVersion::TLSv1_2;
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + 1 + TAG
    }
}

impl MessageDecrypter for Tls13Record {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let key = self.key.as_ref().ok_or(Error::DecryptError)?;
        let payload = &mut message.payload;
        if payload.len() < TAG {
            return Err(Error::DecryptError);
        }
        let aad = Aad::from(make_tls13_aad(payload.len()));
        let opened = key.open_in_place(nonce(&self.iv, sequence), aad, payload);
        let length = opened.map_err(|_| Error::DecryptError)?.len();
        payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}
