//! Advice on what was in the way of a request: a proxy, a certificate, a setting.

use std::error::Error;
use u2m::transport::{CertificateProblem, Obstacle};

/// What to do about it, where that is more than to look at the network.
pub(crate) fn through(error: &(dyn Error + 'static)) -> Option<&'static str> {
    Some(match Obstacle::among(error)? {
        Obstacle::ProxySetting(_) => {
            "Write it as http://HOST:PORT or socks5h://HOST:PORT, or unset it"
        }
        Obstacle::Proxy { .. } => {
            "Check the proxy and the variable that names it; NO_PROXY names hosts that need none"
        }
        Obstacle::NoAuthorities(_) => {
            "Install the system's CA certificates, or name a file of them with --ca-file"
        }
        Obstacle::CaFile { .. } => {
            "Name another with --ca-file, or correct u2m_ca_file in the profile"
        }
        Obstacle::Certificate(
            CertificateProblem::UnknownIssuer { .. } | CertificateProblem::SelfSigned { .. },
        ) => {
            "If a company or a proxy has issued it, get the certificate of its authority and name it with --ca-file"
        }
        Obstacle::Certificate(
            CertificateProblem::Expired { .. } | CertificateProblem::NotYetValid { .. },
        ) => "Check the clock of this machine; if it is right, the server needs a new certificate",
        Obstacle::Certificate(_) => "Check that the host is the right one",
        _ => return None,
    })
}

/// The same, or else to look at the network.
pub(crate) fn or_network(error: &(dyn Error + 'static)) -> &'static str {
    through(error).unwrap_or("Check the network and the host, then try again")
}
