//! The HTTP clients of this crate: one for each route, built on first use.

use super::answer::reasons;
use super::request_path::RequestPath;
use super::{ReqwestTransport, blocked, env};
use crate::metadata;
use crate::obstacle::Obstacle;
use crate::tls::{self, TrustRoots};
use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::ClientConfig;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{self, Handle};
use u2m_core::TransportFailure;

/// The interval of TCP keepalive probes. They show an idle connection to the network in between, and their number
/// ensures that the system does not close it before the caller stops waiting for the response.
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 40;

/// The maximum number of fields in a response head. Headers that proxies add must not cause the
/// loss of a login.
const FIELDS: usize = 1_000;

/// How many idle connections to a host are kept, if any, and for how long: shorter than servers keep theirs.
const IDLE: usize = 8;
const IDLE_FOR: Duration = Duration::from_secs(45);

/// For how many combinations of runtime and route connections are kept. Flights have their own
/// short-lived runtimes.
const KEPT: usize = 32;

/// The HTTP clients of a transport.
#[derive(Default)]
pub(super) struct ClientPool {
    /// One configuration without verified TLS and one with it. Reading the system's certificates
    /// takes longer than a request.
    tls: [OnceLock<Result<ClientConfig, Obstacle>>; 2],
    /// The clients that open a connection for each request.
    single: [OnceLock<Result<Client, Obstacle>>; RequestPath::COUNT],
    /// The clients with kept connections, most recently used last.
    kept: Mutex<Vec<(runtime::Id, usize, Client)>>,
}

impl ReqwestTransport {
    /// Returns the client for a route. If connections are kept, it is one that only this runtime uses.
    pub(super) fn client(
        &self,
        way: &RequestPath,
        keeps: bool,
    ) -> Result<Client, TransportFailure> {
        let number = way.number();
        if keeps && let Ok(runtime) = Handle::try_current() {
            let mut kept = self.clients.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let is_it =
                |one: &(runtime::Id, usize, Client)| (one.0, one.1) == (runtime.id(), number);
            let one = match kept.iter().position(is_it) {
                Some(at) => kept.remove(at),
                None => (runtime.id(), number, self.build(way, IDLE).map_err(blocked)?),
            };
            if kept.len() == KEPT {
                kept.remove(0);
            }
            kept.push(one.clone());
            return Ok(one.2);
        }
        let built = self.clients.single[number].get_or_init(|| self.build(way, 0));
        built.clone().map_err(blocked)
    }

    fn tls(&self, is_plain: bool) -> Result<ClientConfig, Obstacle> {
        let config = self.clients.tls[usize::from(!is_plain)].get_or_init(|| {
            let own = match self.identity {
                Some(_) => tls::own_signing_provider,
                None => tls::own_provider,
            };
            let provider = self.provider.clone().unwrap_or_else(own);
            match is_plain {
                // On these routes no certificate is ever verified.
                true => tls::config(&provider, &TrustRoots::Nobody, None, &env),
                false => {
                    let trust = TrustRoots::System { extra: &self.extra_ca, files: &self.ca_files };
                    tls::config(&provider, &trust, self.identity.as_ref(), &env)
                }
            }
        });
        config.clone()
    }

    fn build(&self, way: &RequestPath, idle: usize) -> Result<Client, Obstacle> {
        let tls = self.tls(way.is_plain())?;
        let client = self.builder(way, idle, tls).and_then(ClientBuilder::build);
        client.map_err(|error| Obstacle::Handshake(reasons(&error)))
    }

    fn builder(
        &self,
        way: &RequestPath,
        idle: usize,
        tls: ClientConfig,
    ) -> Result<ClientBuilder, reqwest::Error> {
        let ours = concat!("u2m/", env!("CARGO_PKG_VERSION"));
        let builder = Client::builder()
            .user_agent(self.user_agent.as_deref().unwrap_or(ours))
            .connect_timeout(self.connect_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .pool_max_idle_per_host(idle)
            .pool_idle_timeout(IDLE_FOR)
            .tcp_keepalive(PROBE)
            .tcp_keepalive_interval(PROBE)
            .tcp_keepalive_retries(PROBES)
            .http1_max_headers(FIELDS)
            // Features that a program enables in its own reqwest apply here too, unless they are disabled.
            .http1_only()
            .no_brotli()
            .no_deflate()
            .no_gzip()
            .no_zstd()
            .no_hickory_dns()
            .tls_backend_preconfigured(tls);
        // If no request follows on a connection, an unusual head cannot be mistaken for another response.
        let is_single = idle == 0;
        let builder = builder
            .http1_ignore_invalid_headers_in_responses(is_single)
            .http1_allow_spaces_after_header_name_in_responses(is_single)
            .http1_allow_obsolete_multiline_headers_in_responses(is_single);
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        let builder = builder.tcp_user_timeout(None);
        Ok(match way {
            RequestPath::LoopbackPlain | RequestPath::LoopbackTls => builder.no_proxy(),
            // The name is not resolved with DNS: whoever answered would receive what is meant for
            // this machine's own service.
            RequestPath::Metadata => metadata::NAMES
                .iter()
                .fold(builder.no_proxy(), |builder, name| builder.resolve(name, metadata::ADDRESS)),
            // If no variable names a proxy, macOS and Windows may have one configured.
            RequestPath::World if self.proxies().is_empty() => builder.https_only(true),
            RequestPath::World => builder.https_only(true).no_proxy(),
            RequestPath::Over(proxy) => {
                let proxy = reqwest::Proxy::all(proxy.url().clone())?;
                builder.https_only(true).no_proxy().proxy(proxy)
            }
        })
    }
}
