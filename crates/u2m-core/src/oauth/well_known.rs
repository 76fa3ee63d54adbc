//! Looking for an issuer's metadata where it may stand, one place after the other.

use super::expected_issuer::ExpectedIssuer;
use super::metadata::{MetadataError, ServerMetadata, parse_metadata};
use crate::call::{AwaitsResponse, HttpCall, HttpRequest, Replay, TransportFailure};
use crate::issuer::{IssuerError, metadata_url, well_known_urls};
use crate::reply::Reply;
use crate::session::Binding;
use url::Url;

/// The places that are left, and what a document has to say to be believed.
#[derive(Clone, Debug)]
pub(crate) struct WellKnownSearch {
    expected: ExpectedIssuer,
    /// The next one last.
    rest: Vec<Url>,
    is_issuer: bool,
    /// What a place said that was not silent: more to the point than that the last one is empty.
    told: Option<MetadataError>,
}

/// What a place held.
#[derive(Debug)]
pub(crate) enum WellKnownFound {
    Elsewhere(Url, WellKnownSearch),
    Server(ServerMetadata),
}

impl WellKnownSearch {
    /// One place alone.
    pub(crate) fn at(expected: ExpectedIssuer) -> Self {
        Self { expected, rest: Vec::new(), is_issuer: false, told: None }
    }

    /// Where any issuer's metadata stands: OAuth's place (RFC 8414 section 3.1), then OpenID Connect's.
    pub(crate) fn of_issuer(
        issuer: &str,
        expected: ExpectedIssuer,
    ) -> Result<(Url, Self), IssuerError> {
        let [oauth, openid] = well_known_urls(issuer)?;
        Ok((oauth, Self { expected, rest: vec![openid], is_issuer: true, told: None }))
    }

    /// For the metadata of a login that there is: as [`WellKnownSearch::of_issuer`], and Databricks' place before the others, unless the
    /// issuer was named and its endpoints are not laid out as Databricks'.
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

    /// Takes what came of the request.
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
