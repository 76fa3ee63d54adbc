//! Databricks specifics: hosts, host metadata, and the API calls that a login needs.

mod api;
mod host;
mod host_metadata;

pub use api::{
    AccountWorkspace, ApiAccess, ApiError, ApiErrorResponse, AwaitingApiResponse, Cluster,
    ClusterPage, CurrentUser, Principal,
};
pub use host::{Host, HostError, HostHints};
pub use host_metadata::{HostMetadata, HostMetadataLookup};
