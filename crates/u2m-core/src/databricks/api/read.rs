//! Reading what the API says: whatever is missing, odd or unknown is left out, and hides nothing else.

use crate::names::AccountId;
use crate::reply::Reply;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrentUser {
    /// The user name, which for people is an address, and for service principals an id. The server chooses it: it goes
    /// through [`Sanitized`](crate::Sanitized) before it is shown.
    pub user_name: String,
}

/// One workspace of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountWorkspace {
    /// Its id: digits.
    pub id: String,
    /// Its name; empty if it has none. The server chooses it: it goes through [`Sanitized`](crate::Sanitized) before it is shown.
    pub name: String,
    /// The first label of its host's name, on clouds that have one.
    pub deployment_name: Option<String>,
    /// Such as `RUNNING`.
    pub status: Option<String>,
}

/// Where a token belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// The account.
    pub account_id: Option<String>,
    /// The workspace: digits; `None` for a token of the account.
    pub workspace_id: Option<String>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// Its name; empty if it has none. People choose it: it goes through [`Sanitized`](crate::Sanitized) before it is shown.
    pub name: String,
    /// Such as `RUNNING` or `TERMINATED`.
    pub state: Option<String>,
    /// The runtime, as `15.4.x-scala2.12`.
    pub spark_version: Option<String>,
    /// Who may use it: `USER_ISOLATION`, `SINGLE_USER` and others.
    pub data_security_mode: Option<String>,
    /// Whose it is, if it is one user's.
    pub single_user_name: Option<String>,
}

/// Some of the clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterPage {
    /// These.
    pub clusters: Vec<Cluster>,
    /// What asks for the page after this one; `None` if this is the last.
    pub next: Option<String>,
}

/// A text without the token that was sent, should the server have put it there.
fn text(reply: &Reply, of: &Map<String, Value>, name: &str) -> Option<String> {
    of.get(name)?.as_str().filter(|text| !text.is_empty()).map(|text| reply.sent().cut(text))
}

/// An id that may be a number or text; 0 is none, and so is what no URL, no file and no terminal should get.
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

/// A user without a name is an answer all the same: only the document itself has to be an object.
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

/// A list, or `null` as Go's servers write an empty one; a workspace without an id is left out.
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

/// A page without a list is an empty one; a cluster without an id is left out.
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
