//! What is Databricks' own: hosts, what a host says of itself, and the API calls that signing in needs.

mod api;
mod host;
mod host_metadata;

pub use api::{
    AccountWorkspace, ApiAccess, ApiError, ApiErrorResponse, AwaitingApiResponse, Cluster,
    ClusterPage, CurrentUser, Principal,
};
pub use host::{Host, HostError, HostHints};
pub use host_metadata::{HostMetadata, HostMetadataLookup};
