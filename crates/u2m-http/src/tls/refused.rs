//! Explains why a server's certificate was rejected, with its own message for each reason.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::sync::Arc;
use u2m_core::Sanitized;

/// The maximum number of names of a certificate that are shown.
const NAMES: usize = 3;

/// Why a server's certificate was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// It was not issued by a trusted authority. Often the issuer is a company's own authority, or
    /// a proxy that inspects TLS traffic.
    #[error(
        "its certificate is not from an authority that is trusted here{}{}",
        issuer.as_ref().map(|issuer| format!(": it was issued by {issuer}")).unwrap_or_default(),
        also(notes)
    )]
    UnknownIssuer {
        /// The issuer that the certificate names.
        issuer: Option<Sanitized>,
        /// Problems with the settings of trusted certificates.
        notes: Vec<String>,
    },
    /// It is self-signed, and not trusted.
    #[error(
        "its certificate is signed by itself, and by nobody who is trusted here{}",
        also(notes)
    )]
    SelfSigned {
        /// Problems with the settings of trusted certificates.
        notes: Vec<String>,
    },
    /// It has expired.
    #[error("its certificate has expired{}, by the clock of this machine", ago(*seconds, " ago"))]
    Expired {
        /// How many seconds ago it expired, if known.
        seconds: Option<u64>,
    },
    /// It is not valid yet.
    #[error("its certificate is not valid yet{}, by the clock of this machine", ago(*seconds, " to go"))]
    NotYetValid {
        /// The number of seconds until it becomes valid, if known.
        seconds: Option<u64>,
    },
    /// It is for another host.
    #[error("its certificate is for {}", other_names(names))]
    OtherName {
        /// The names that it is for.
        names: Vec<Sanitized>,
    },
    /// Its authority has revoked it.
    #[error("its certificate was revoked")]
    Revoked,
    /// Any other reason.
    #[error("its certificate is not acceptable: {0}")]
    Other(Sanitized),
}

fn also(notes: &[String]) -> String {
    notes.iter().map(|note| format!("; {note}")).collect()
}

fn ago(seconds: Option<u64>, end: &str) -> String {
    let Some(seconds) = seconds else { return String::new() };
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!(", {count} {unit}{plural}{end}")
}

fn other_names(names: &[Sanitized]) -> String {
    let shown: Vec<_> = names.iter().take(NAMES).map(Sanitized::as_str).collect();
    match (shown.is_empty(), names.len() > NAMES) {
        (true, _) => "another name".to_owned(),
        (false, false) => format!("another name: {}", shown.join(", ")),
        (false, true) => format!("other names: {} and more", shown.join(", ")),
    }
}

impl CertificateProblem {
    /// Finds the problem in the error of a failed connection.
    pub(crate) fn among(error: &Error) -> Option<&Self> {
        let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else {
            return None;
        };
        cause.downcast_ref()
    }

    fn of(error: &CertificateError, certificate: &CertificateDer<'_>, notes: &[String]) -> Self {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok();
        let foreign = |name: &String| {
            // The format of rustls: `DnsName("a.example")`.
            let inner = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
            Sanitized::new(inner.unwrap_or(name))
        };
        match error {
            CertificateError::UnknownIssuer => {
                let notes = notes.to_vec();
                match parsed {
                    Some(parsed) if parsed.issuer() == parsed.subject() => {
                        Self::SelfSigned { notes }
                    }
                    parsed => {
                        let issuer = parsed.and_then(|parsed| common_name(parsed.issuer()));
                        Self::UnknownIssuer { issuer, notes }
                    }
                }
            }
            CertificateError::Expired => Self::Expired { seconds: None },
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired { seconds: time.as_secs().checked_sub(not_after.as_secs()) }
            }
            CertificateError::NotValidYet => Self::NotYetValid { seconds: None },
            CertificateError::NotValidYetContext { time, not_before } => {
                Self::NotYetValid { seconds: not_before.as_secs().checked_sub(time.as_secs()) }
            }
            CertificateError::NotValidForName => Self::OtherName { names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::OtherName { names: presented.iter().map(foreign).collect() }
            }
            CertificateError::Revoked => Self::Revoked,
            // A self-signed certificate is usually marked as an authority's, which is not valid for a server.
            CertificateError::Other(_)
                if parsed.is_some_and(|parsed| parsed.issuer() == parsed.subject()) =>
            {
                Self::SelfSigned { notes: notes.to_vec() }
            }
            other => Self::Other(Sanitized::new(&other.to_string())),
        }
    }
}

/// Returns the common name in an X.500 name, else the organization.
fn common_name(name: &[u8]) -> Option<Sanitized> {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANIZATION: &[u8] = &[0x55, 4, 10];
    let value = |wanted: &[u8]| {
        let mut rest = name;
        // A set of pairs, each a sequence of an object identifier and a text.
        while let Some((set, after)) = element(rest) {
            rest = after;
            let pair = element(set).and_then(|(pair, _)| {
                let (id, after) = element(pair)?;
                Some((id, element(after)?.0))
            });
            if let Some((id, text)) = pair
                && id == wanted
            {
                return Some(Sanitized::new(&String::from_utf8_lossy(text)));
            }
        }
        None
    };
    value(COMMON_NAME).or_else(|| value(ORGANIZATION))
}

/// Returns the content of the first DER element, and the rest.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der.get(1..)? {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Verifies certificates with another verifier, and reports why one was rejected.
#[derive(Debug)]
pub(super) struct ReportingVerifier {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    /// Problems with the settings of trusted certificates.
    pub(super) notes: Vec<String>,
    /// The certificates that the user has configured.
    pub(super) named: Vec<CertificateDer<'static>>,
}

impl ReportingVerifier {
    /// Returns whether the server presents a certificate that the user has configured, as a server
    /// with a self-signed certificate does. By default, tools mark such certificates as those of an
    /// authority, and Go programs and OpenSSL accept them. This error is found after the validity
    /// period was checked and before the name is, so the name is checked here.
    ///
    fn is_named(
        &self,
        error: &Error,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
    ) -> Result<bool, Error> {
        let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else {
            return Ok(false);
        };
        let is_authority = cause.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity);
        if !is_authority || !self.named.iter().any(|named| named.as_ref() == certificate.as_ref()) {
            return Ok(false);
        }
        let parsed = webpki::EndEntityCert::try_from(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match parsed.verify_is_valid_for_subject_name(name) {
            Ok(()) => Ok(true),
            Err(_) => {
                let names = parsed.valid_dns_names().map(Sanitized::new).collect();
                let problem = CertificateProblem::OtherName { names };
                Err(CertificateError::Other(OtherError(Arc::new(problem))).into())
            }
        }
    }
}

impl ServerCertVerifier for ReportingVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.inner.verify_server_cert(certificate, intermediates, name, ocsp, now);
        let Err(error) = checked else { return checked };
        if self.is_named(&error, certificate, name)? {
            return Ok(ServerCertVerified::assertion());
        }
        Err(match error {
            Error::InvalidCertificate(why) => {
                let problem = CertificateProblem::of(&why, certificate, &self.notes);
                CertificateError::Other(OtherError(Arc::new(problem))).into()
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_that_fits() {
        let expired = |seconds| CertificateProblem::Expired { seconds }.to_string();
        for (seconds, text) in [
            (Some(1), ", 1 second ago"),
            (Some(150), ", 2 minutes ago"),
            (Some(90_000), ", 25 hours ago"),
            (Some(864_000), ", 10 days ago"),
            (None, ""),
        ] {
            let whole = format!("its certificate has expired{text}, by the clock of this machine");
            assert_eq!(expired(seconds), whole);
        }
    }

    #[test]
    fn the_name_of_an_issuer_is_found_and_odd_ones_are_none() {
        // O=Corp, CN=Corp Proxy
        let name = b"\x31\x0d\x30\x0b\x06\x03\x55\x04\x0a\x0c\x04Corp\x31\x13\x30\x11\x06\x03\x55\x04\x03\x0c\x0aCorp Proxy";
        assert_eq!(common_name(name).unwrap().as_str(), "Corp Proxy");
        assert_eq!(common_name(&name[..15]).unwrap().as_str(), "Corp");
        for cut in 0..14 {
            assert_eq!(common_name(&name[..cut]), None, "{cut}");
        }
        assert_eq!(common_name(b"\x31\x84\xff\xff\xff\xff\x30"), None);
    }

    #[test]
    fn a_few_names_are_shown_and_of_many_that_there_are_more() {
        let names = |count: usize| {
            let names = (0..count).map(|at| Sanitized::new(&format!("{at}.example"))).collect();
            CertificateProblem::OtherName { names }.to_string()
        };
        assert!(names(0).ends_with("for another name"));
        assert!(names(NAMES).ends_with("for another name: 0.example, 1.example, 2.example"));
        assert!(
            names(NAMES + 1).ends_with("for other names: 0.example, 1.example, 2.example and more")
        );
    }

    #[test]
    fn elements_of_der_tell_their_length_in_one_two_or_three_bytes() {
        for (der, found) in [
            (&[0x30, 1, 7, 8][..], Some((&[7][..], &[8][..]))),
            (&[0x30, 0x81, 1, 7, 8], Some((&[7], &[8]))),
            (&[0x30, 0x82, 0, 1, 7, 8], Some((&[7], &[8]))),
            (&[0x30, 0x83, 0, 0, 1, 7], None),
            (&[0x30, 2, 7], None),
            (&[0x30], None),
            (&[], None),
        ] {
            assert_eq!(element(der), found, "{der:?}");
        }
    }

    #[test]
    fn what_else_is_the_matter_is_told_as_it_is_unless_it_has_signed_itself() {
        use rustls::pki_types::pem::PemObject;
        let of = |name: &str| {
            let path =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name);
            let certificate = CertificateDer::from_pem_file(path).unwrap();
            let other = OtherError(Arc::new(std::io::Error::other("odd")));
            CertificateProblem::of(&CertificateError::Other(other), &certificate, &[])
        };
        assert!(matches!(of("self.pem"), CertificateProblem::SelfSigned { .. }));
        assert!(matches!(of("server.pem"), CertificateProblem::Other(_)));
    }
}
