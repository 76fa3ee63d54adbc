//! Encrypts and decrypts records of TLS 1.2: AES-GCM (RFC 5288) and ChaCha20-Poly1305 (RFC 7905).

use super::records13::{TAG, key, nonce};
use ring::aead::{self, Aad, LessSafeKey};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, NONCE_LEN, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, UnsupportedOperationError, make_tls12_aad,
};
use rustls::{ConnectionTrafficSecrets, Error};

/// The length of the AES-GCM nonce part that is in the record, and of the part that is not.
const SHOWN: usize = 8;
const SALT: usize = NONCE_LEN - SHOWN;

/// The maximum length of a decrypted record (RFC 5246, 6.2.1).
const LONGEST: usize = 1 << 14;

/// AES-GCM: part of the nonce precedes each record.
pub(super) struct Gcm(pub(super) &'static aead::Algorithm);

impl Tls12AeadAlgorithm for Gcm {
    fn encrypter(&self, given: AeadKey, salt: &[u8], explicit: &[u8]) -> Box<dyn MessageEncrypter> {
        // The standard does not say how the explicit part is chosen. A start value from the key
        // block combined with the record number is never repeated.
        let mut iv = [0; NONCE_LEN];
        iv[..SALT].copy_from_slice(salt);
        iv[SALT..].copy_from_slice(explicit);
        Box::new(GcmRecord { key: key(self.0, &given), iv: Iv::new(iv), salt: [0; SALT] })
    }

    fn decrypter(&self, given: AeadKey, salt: &[u8]) -> Box<dyn MessageDecrypter> {
        let mut own = [0; SALT];
        own.copy_from_slice(salt);
        Box::new(GcmRecord { key: key(self.0, &given), iv: Iv::new([0; NONCE_LEN]), salt: own })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.0.key_len(),
            fixed_iv_len: SALT,
            explicit_nonce_len: SHOWN,
        }
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

struct GcmRecord {
    key: Option<LessSafeKey>,
    /// For encryption.
    iv: Iv,
    /// For decryption.
    salt: [u8; SALT],
}

impl MessageEncrypter for GcmRecord {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let key = self.key.as_ref().ok_or(Error::EncryptError)?;
        let length = self.encrypted_payload_len(message.payload.len());
        let nonce = nonce(&self.iv, sequence);
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_slice(&nonce.as_ref()[SALT..]);
        payload.extend_from_chunks(&message.payload);
        let aad = make_tls12_aad(sequence, message.typ, message.version, message.payload.len());
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut payload.as_mut()[SHOWN..])
            .map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(tag.as_ref());
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        SHOWN + length + TAG
    }
}

impl MessageDecrypter for GcmRecord {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let key = self.key.as_ref().ok_or(Error::DecryptError)?;
        let payload = &mut message.payload;
        let length = payload.len().checked_sub(SHOWN + TAG).ok_or(Error::DecryptError)?;
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT].copy_from_slice(&self.salt);
        nonce[SALT..].copy_from_slice(&payload[..SHOWN]);
        let aad = Aad::from(make_tls12_aad(sequence, message.typ, message.version, length));
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = key.open_within(nonce, aad, payload, SHOWN..);
        let length = opened.map_err(|_| Error::DecryptError)?.len();
        ended(message, length)
    }
}

/// ChaCha20-Poly1305: the nonce is derived from the record number, and is not part of the record.
pub(super) struct ChaCha;

impl Tls12AeadAlgorithm for ChaCha {
    fn encrypter(&self, given: AeadKey, iv: &[u8], _: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(ChaChaRecord { key: key(&aead::CHACHA20_POLY1305, &given), iv: Iv::copy(iv) })
    }

    fn decrypter(&self, given: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(ChaChaRecord { key: key(&aead::CHACHA20_POLY1305, &given), iv: Iv::copy(iv) })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape { enc_key_len: 32, fixed_iv_len: NONCE_LEN, explicit_nonce_len: 0 }
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

struct ChaChaRecord {
    key: Option<LessSafeKey>,
    iv: Iv,
}

impl MessageEncrypter for ChaChaRecord {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let key = self.key.as_ref().ok_or(Error::EncryptError)?;
        let length = message.payload.len();
        let mut payload = PrefixedPayload::with_capacity(self.encrypted_payload_len(length));
        payload.extend_from_chunks(&message.payload);
        let aad = Aad::from(make_tls12_aad(sequence, message.typ, message.version, length));
        key.seal_in_place_append_tag(nonce(&self.iv, sequence), aad, &mut payload)
            .map_err(|_| Error::EncryptError)?;
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + TAG
    }
}

impl MessageDecrypter for ChaChaRecord {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let key = self.key.as_ref().ok_or(Error::DecryptError)?;
        let payload = &mut message.payload;
        let length = payload.len().checked_sub(TAG).ok_or(Error::DecryptError)?;
        let aad = Aad::from(make_tls12_aad(sequence, message.typ, message.version, length));
        let opened = key.open_in_place(nonce(&self.iv, sequence), aad, payload);
        let length = opened.map_err(|_| Error::DecryptError)?.len();
        ended(message, length)
    }
}

/// Returns the decrypted message, which is only the first `length` bytes of the payload.
fn ended(
    mut message: InboundOpaqueMessage<'_>,
    length: usize,
) -> Result<InboundPlainMessage<'_>, Error> {
    if length > LONGEST {
        return Err(Error::PeerSentOversizedRecord);
    }
    message.payload.truncate(length);
    Ok(message.into_plain_message())
}
