//! Searches for an issuer's metadata at each location where it may be.

use super::expected_issuer::ExpectedIssuer;
use super::metadata::{MetadataError, ServerMetadata, parse_metadata};
use crate::call::{AwaitsResponse, HttpCall, HttpRequest, Replay, TransportFailure};
use crate::issuer::{IssuerError, metadata_url, well_known_urls};
use crate::reply::Reply;
use crate::session::Binding;
use url::Url;

/// The locations left to try, and what a document must say to be believed.
#[derive(Clone, Debug)]
pub(crate) struct WellKnownSearch {
    expected: ExpectedIssuer,
    /// In reverse order: the next one is last.
    rest: Vec<Url>,
    is_issuer: bool,
    /// The first error that is more specific than a missing document.
    told: Option<MetadataError>,
}

/// The result at one location.
#[derive(Debug)]
pub(crate) enum WellKnownFound {
    Elsewhere(Url, WellKnownSearch),
    Server(ServerMetadata),
}

impl WellKnownSearch {
    /// A search at one location only.
    pub(crate) fn at(expected: ExpectedIssuer) -> Self {
        Self { expected, rest: Vec::new(), is_issuer: false, told: None }
    }

    /// A search at the locations of any issuer's metadata: OAuth's (RFC 8414 section 3.1), then OpenID Connect's.
    pub(crate) fn of_issuer(
        issuer: &str,
        expected: ExpectedIssuer,
    ) -> Result<(Url, Self), IssuerError> {
        let [oauth, openid] = well_known_urls(issuer)?;
        Ok((oauth, Self { expected, rest: vec![openid], is_issuer: true, told: None }))
    }

    /// A search for the metadata of an existing login: as for [`WellKnownSearch::of_issuer`], and at Databricks' location
    /// first, unless a person named the issuer and its endpoints do not have Databricks' layout.
    pub(crate) fn again(binding: &Binding) -> Result<(Url, Self), IssuerError> {
        let issuer = binding.issuer.as_str();
        let (oauth, mut search) = Self::of_issuer(issuer, binding.expected())?;
        let layout = format!("{}/v1/token", issuer.trim_end_matches('/'));
        if !binding.is_issuer_named || binding.token_endpoint.as_str() == layout {
            search.rest.push(oauth);
            return Ok((metadata_url(issuer)?, search));
        }
        Ok((oauth, search))
    }

    /// The request for the document at `url`.
    pub(crate) fn call<S: AwaitsResponse>(url: Url, state: S) -> HttpCall<S> {
        HttpCall::new(HttpRequest::get(url), Replay::Safe, state)
    }

    /// Takes the outcome of the request.
    pub(crate) fn read(
        mut self,
        outcome: Result<Reply, TransportFailure>,
    ) -> Result<WellKnownFound, MetadataError> {
        let error = match parse_metadata(outcome, &self.expected) {
            Ok(server) => return Ok(WellKnownFound::Server(server)),
            Err(error) => error,
        };
        if error.is_in_trouble() || !self.is_issuer {
            return Err(error);
        }
        if !matches!(error, MetadataError::NotSupported) {
            self.told.get_or_insert(error);
        }
        match self.rest.pop() {
            Some(url) => Ok(WellKnownFound::Elsewhere(url, self)),
            None => Err(self.told.unwrap_or(MetadataError::NoDocument)),
        }
    }
}
