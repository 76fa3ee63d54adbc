//! Checks the network path to the host: its name, a connection, its certificate, its metadata, and its clock.

use super::{DoctorFinding, Examination, Severity, desk};
use crate::builder::usual_transport;
use crate::choose::TokenChoice;
use crate::clock::now;
use crate::runtime::OwnRuntime;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use u2m_core::{Host, HostMetadata, HttpResponse, TransportFailure, TransportFailureKind, chain};
use u2m_http::{ReqwestTransport, Transport};
use url::Url;

/// The limit for each of the three steps. A path that takes longer is not usable.
const STEP: Duration = Duration::from_millis(2_500);

/// With a clock that is further off than this, expired tokens look good.
const SKEW: u64 = 30;

pub(super) fn look(ward: &Examination, choice: &TokenChoice) -> Vec<DoctorFinding> {
    let Some(host) = choice.target.host() else { return Vec::new() };
    let Ok(url) = Url::parse(host.as_str()) else { return Vec::new() };
    let mut findings = Vec::new();
    let (way, is_by_proxy) = desk::way(ward, &url);
    findings.extend(way);
    if let Some(file) = &choice.ca_file {
        let text = format!("{} is trusted besides the system's", ward.shown(file));
        findings.push(match ReqwestTransport::check_ca_file(file) {
            Ok(()) => DoctorFinding::ok("certificates", text),
            Err(error) => {
                let advice = "name another with --ca-file, or correct u2m_ca_file in the profile";
                DoctorFinding::fail("certificates", error.to_string(), advice)
            }
        });
    }
    // Behind a proxy, the proxy looks up names and connects.
    if !is_by_proxy {
        match connect(&url) {
            Ok(text) => findings.push(DoctorFinding::ok("connection", text)),
            Err(finding) => {
                findings.push(finding);
                return findings;
            }
        }
    }
    let mut asked = ask(host, &url, choice.ca_file.as_deref());
    if choice.target.issuer_id().is_some() {
        // Only Databricks' hosts publish metadata. From other hosts, any answer proves a connection and nothing more.
        asked.retain(|one| one.check != "host" || one.level == Severity::Fail);
    }
    findings.extend(asked);
    findings
}

/// Looks up the host's addresses and connects to one of them.
fn connect(url: &Url) -> Result<String, DoctorFinding> {
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let (sender, found) = mpsc::channel();
    let wanted = name.clone();
    // The system's resolver has no deadline of its own.
    let resolve =
        move || sender.send((wanted.as_str(), port).to_socket_addrs().map(Vec::from_iter));
    let _ = std::thread::Builder::new().name("u2m-doctor-dns".into()).spawn(resolve);
    let advice = "check the host's spelling, the network and the VPN";
    let addresses: Vec<SocketAddr> = match found.recv_timeout(STEP) {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            return Err(DoctorFinding::fail(
                "name",
                format!("{name} is not found: {error}"),
                advice,
            ));
        }
        Err(_) => {
            let text = format!("no name server answered for {name} in time");
            return Err(DoctorFinding::fail("name", text, advice));
        }
    };
    let share = STEP / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
    let mut last = "it has no address".to_owned();
    for address in addresses.iter().take(4) {
        match TcpStream::connect_timeout(address, share) {
            Ok(_) => return Ok(format!("{name} port {port} is reached at {}", address.ip())),
            Err(error) => last = error.to_string(),
        }
    }
    let advice = "check the network, the VPN and the firewall, or set HTTPS_PROXY";
    Err(DoctorFinding::fail("connection", format!("{name} port {port}: {last}"), advice))
}

/// Asks the host for its metadata, once.
fn ask(host: &Host, url: &Url, ca_file: Option<&Path>) -> Vec<DoctorFinding> {
    let call = HostMetadata::lookup(host);
    let Some(transport) = usual_transport(ca_file) else { return Vec::new() };
    let send = async {
        tokio::time::timeout(STEP, transport.send(call.request()))
            .await
            .unwrap_or_else(|_| Err(TransportFailure::new(TransportFailureKind::TimedOut)))
    };
    let Ok(outcome) = OwnRuntime::default().block_on(send) else { return Vec::new() };
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => {
            let advice = "if a proxy or a company's certificate is in between, set HTTPS_PROXY or SSL_CERT_FILE, or sign in with \
                          --ca-file";
            return vec![DoctorFinding::fail("host", format!("{host}: {}", chain(&error)), advice)];
        }
    };
    let mut findings = Vec::new();
    if url.scheme() == "https" {
        findings.push(DoctorFinding::ok("certificate", "the host's certificate is trusted"));
    }
    findings.push(said(host, &answer));
    findings.extend(clock(&answer));
    findings
}

fn said(host: &Host, answer: &HttpResponse) -> DoctorFinding {
    match answer.status() {
        200..=299 => DoctorFinding::ok("host", format!("{host} says what it is")),
        404 => DoctorFinding::ok("host", format!("{host} answers, and says nothing about itself")),
        status @ (429 | 500..) => DoctorFinding::warn(
            "host",
            format!("{host} answers with status {status}"),
            "it may be in trouble: try again later",
        ),
        status => DoctorFinding::warn(
            "host",
            format!("{host} answers with status {status}"),
            "check that this is a Databricks host, and that no portal is in between",
        ),
    }
}

/// Compares this machine's clock with the host's.
fn clock(answer: &HttpResponse) -> Option<DoctorFinding> {
    let ahead = answer.date()?.until(now()).seconds();
    Some(match ahead.unsigned_abs() {
        0..=SKEW => DoctorFinding::ok("clock", "it agrees with the host's"),
        seconds => DoctorFinding::warn(
            "clock",
            format!(
                "it is {seconds} seconds {} the host's",
                if ahead > 0 { "ahead of" } else { "behind" }
            ),
            "set it, or let the system keep it: tokens end at the wrong time",
        ),
    })
}
