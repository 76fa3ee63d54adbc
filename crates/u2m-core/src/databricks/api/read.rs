//! Reads API responses: whatever is missing, odd or unknown is left out, without affecting the rest.

use crate::names::AccountId;
use crate::reply::Reply;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The user that a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrentUser {
    /// The user name: an email address for people, an id for service principals. The server chooses it: pass it through
    /// [`Sanitized`](crate::Sanitized) before showing it.
    pub user_name: String,
}

/// A workspace of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountWorkspace {
    /// The workspace's id: digits.
    pub id: String,
    /// The name; empty if it has none. The server chooses it: pass it through [`Sanitized`](crate::Sanitized) before showing
    /// it.
    pub name: String,
    /// The first label of its host name, on clouds that have one.
    pub deployment_name: Option<String>,
    /// The status, such as `RUNNING`.
    pub status: Option<String>,
}

/// The account and workspace that a token belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// The account's id.
    pub account_id: Option<String>,
    /// The workspace's id: digits; `None` for a token of the account.
    pub workspace_id: Option<String>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// The cluster's id.
    pub id: String,
    /// The name; empty if it has none. People choose it: pass it through [`Sanitized`](crate::Sanitized) before showing it.
    pub name: String,
    /// The state, such as `RUNNING` or `TERMINATED`.
    pub state: Option<String>,
    /// The runtime version, such as `15.4.x-scala2.12`.
    pub spark_version: Option<String>,
    /// The access mode: `USER_ISOLATION`, `SINGLE_USER` and others.
    pub data_security_mode: Option<String>,
    /// The user it is assigned to, if it is one user's.
    pub single_user_name: Option<String>,
}

/// A page of clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterPage {
    /// The clusters on this page.
    pub clusters: Vec<Cluster>,
    /// Pass this to get the next page; `None` if this is the last.
    pub next: Option<String>,
}

/// A text member, without the token that was sent, in case the server repeats it.
fn text(reply: &Reply, of: &Map<String, Value>, name: &str) -> Option<String> {
    of.get(name)?.as_str().filter(|text| !text.is_empty()).map(|text| reply.sent().cut(text))
}

/// An id that may be a number or a string. Returns `None` for 0 and for anything that does not belong in a URL, a file or a
/// terminal.
fn id(reply: &Reply, of: &Map<String, Value>, name: &str) -> Option<String> {
    match of.get(name)? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(reply.sent().cut(text)),
        _ => None,
    }
    .filter(|id| id != "0" && AccountId::parse(id).is_ok())
}

fn object(reply: &Reply) -> Option<Map<String, Value>> {
    serde_json::from_slice(reply.body()).ok()
}

/// Reads the user; `None` if there is no user name.
pub(super) fn me(reply: &Reply) -> Option<CurrentUser> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        user_name: Option<Value>,
    }
    let body: Body = serde_json::from_slice(reply.body()).ok()?;
    let user_name = body.user_name.as_ref().and_then(Value::as_str)?;
    let user_name = reply.sent().cut(user_name);
    (!user_name.is_empty()).then_some(CurrentUser { user_name })
}

/// A list, or `null`, as servers in Go write an empty one. A workspace without an id is left out.
pub(super) fn workspaces(reply: &Reply) -> Option<Vec<AccountWorkspace>> {
    let listed: Option<Vec<Value>> = serde_json::from_slice(reply.body()).ok()?;
    let read = |value: Value| {
        let Value::Object(of) = value else { return None };
        Some(AccountWorkspace {
            id: id(reply, &of, "workspace_id")?,
            name: text(reply, &of, "workspace_name").unwrap_or_default(),
            deployment_name: text(reply, &of, "deployment_name"),
            status: text(reply, &of, "workspace_status"),
        })
    };
    Some(listed.unwrap_or_default().into_iter().filter_map(read).collect())
}

pub(super) fn principal(reply: &Reply) -> Option<Principal> {
    let body = object(reply)?;
    let scope =
        body.get("principal_context").and_then(|context| context.get("authentication_scope"));
    let Some(Value::Object(scope)) = scope else { return Some(Principal::default()) };
    Some(Principal {
        account_id: id(reply, scope, "account_id"),
        workspace_id: id(reply, scope, "workspace_id"),
    })
}

/// A page without a list is empty. A cluster without an id is left out.
pub(super) fn clusters(reply: &Reply) -> Option<ClusterPage> {
    let mut body = object(reply)?;
    let read = |value: Value| {
        let Value::Object(of) = value else { return None };
        Some(Cluster {
            id: id(reply, &of, "cluster_id")?,
            name: text(reply, &of, "cluster_name").unwrap_or_default(),
            state: text(reply, &of, "state"),
            spark_version: text(reply, &of, "spark_version"),
            data_security_mode: text(reply, &of, "data_security_mode"),
            single_user_name: text(reply, &of, "single_user_name"),
        })
    };
    let listed = match body.remove("clusters") {
        Some(Value::Array(listed)) => listed,
        _ => Vec::new(),
    };
    let clusters = listed.into_iter().filter_map(read).collect();
    Some(ClusterPage { clusters, next: text(reply, &body, "next_page_token") })
}
