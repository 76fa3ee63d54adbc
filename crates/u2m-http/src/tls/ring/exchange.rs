//! Key exchange: X25519, and ECDH on two NIST curves.

use ring::agreement::{self, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};

pub(super) static ALL: &[&dyn SupportedKxGroup] = &[
    &Group {
        name: NamedGroup::X25519,
        algorithm: &agreement::X25519,
        is_shaped: |key| key.len() == 32,
    },
    &Group {
        name: NamedGroup::secp256r1,
        algorithm: &agreement::ECDH_P256,
        is_shaped: is_uncompressed,
    },
    &Group {
        name: NamedGroup::secp384r1,
        algorithm: &agreement::ECDH_P384,
        is_shaped: is_uncompressed,
    },
];

/// TLS allows no other point format (RFC 8446, 4.2.8.2).
fn is_uncompressed(key: &[u8]) -> bool {
    key.first() == Some(&4)
}

#[derive(Clone, Copy, Debug)]
struct Group {
    name: NamedGroup,
    algorithm: &'static agreement::Algorithm,
    /// Whether a peer's key has the format that TLS requires. *ring* checks the key itself.
    is_shaped: fn(&[u8]) -> bool,
}

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let failed = |_| Error::from(GetRandomFailed);
        let private = EphemeralPrivateKey::generate(self.algorithm, &SystemRandom::new());
        let private = private.map_err(failed)?;
        let public = private.compute_public_key().map_err(failed)?;
        Ok(Box::new(Exchange { group: *self, private, public }))
    }

    fn name(&self) -> NamedGroup {
        self.name
    }
}

struct Exchange {
    group: Group,
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let odd = || Error::from(PeerMisbehaved::InvalidKeyShare);
        if !(self.group.is_shaped)(peer) {
            return Err(odd());
        }
        let peer = UnparsedPublicKey::new(self.group.algorithm, peer);
        agree_ephemeral(self.private, &peer, |secret| SharedSecret::from(secret)).map_err(|_| odd())
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn group(&self) -> NamedGroup {
        self.group.name
    }
}
