//! The account, the workspace and the compute that a profile names: what is known by now, and what is still to be chosen.

use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::prompt::{self, PickerRow};
use crate::{guard, output, place, waiting};
use std::sync::Arc;
use u2m::config::{ConfigFile, LoginChoice};
use u2m::databricks::{AccountWorkspace, ApiAccess, ApiError, Cluster, suits_connect};
use u2m::text::{Sanitized, chain};
use u2m::{AccountId, SignedIn, blocking};

/// So many clusters are enough to choose from.
const MANY: usize = 200;

/// What the profile will name.
#[derive(Debug, Default)]
pub(super) struct ProfilePlaces {
    pub(super) account_id: Option<String>,
    pub(super) workspace_id: Option<String>,
    pub(super) cluster_id: Option<String>,
    pub(super) is_serverless: bool,
}

impl ProfilePlaces {
    /// What is known without asking anybody but the host.
    pub(super) fn find(
        args: &Args,
        choice: &LoginChoice,
        config: &ConfigFile,
        signed_in: &SignedIn,
    ) -> Self {
        let is_serverless = args.configure_serverless;
        let of_target = signed_in.target().account_id().map(ToString::to_string);
        let (None, Some(host)) = (&choice.host, signed_in.host()) else {
            let account_id = of_target.or_else(|| choice.account.as_ref().map(ToString::to_string));
            let workspace_id = choice.workspace_id.clone();
            return Self { account_id, workspace_id, is_serverless, ..Self::default() };
        };
        let transport = Arc::new(place::transport(choice.ca_file.as_deref()));
        let what = format!("Waiting for the server: {host}");
        let token = signed_in.token();
        let find = || blocking::login_location(transport, host, token.access_token());
        let found = waiting::during(&what, None, find);
        let account_id = of_target.or(found.account_id);
        let before = config.profile(choice.profile.as_str());
        let before = before.as_ref().and_then(|profile| profile.account_id());
        if let (Some(old), Some(new)) = (before, &account_id)
            && old != new
        {
            output::note(&format!(
                "Warning: profile {} was for account {}; this login is for account {new}",
                choice.profile,
                Sanitized::new(old)
            ));
        }
        Self { account_id, workspace_id: found.workspace_id, is_serverless, ..Self::default() }
    }

    /// Lets the person choose what is still open.
    pub(super) fn choose(
        &mut self,
        args: &Args,
        choice: &LoginChoice,
        signed_in: &SignedIn,
    ) -> Result<(), Failure> {
        let Some(host) = &choice.host else { return Ok(()) };
        let is_open = choice.wants_workspace() && !args.skip_workspace;
        let account = choice.account.as_ref().filter(|_| is_open);
        let access = ApiAccess::new(host.clone(), signed_in.token().access_token().clone());
        if let Some(account) = account {
            let api = blocking::Api::new(
                Arc::new(place::transport(choice.ca_file.as_deref())),
                access.clone(),
            );
            self.workspace_id = workspace(&api, account)?;
        }
        if args.configure_cluster {
            let access = access.with_workspace_id(self.workspace_id.as_deref());
            let api =
                blocking::Api::new(Arc::new(place::transport(choice.ca_file.as_deref())), access);
            self.cluster_id = Some(cluster(&api)?);
        }
        Ok(())
    }
}

/// The workspace, if one is wanted and can be had. Not to have one is no failure.
fn workspace(api: &blocking::Api, account: &AccountId) -> Result<Option<String>, Failure> {
    if !prompt::is_allowed() {
        output::note(
            "No workspace was chosen. Name one with --workspace-id, or pass --skip-workspace to use the account alone.",
        );
        return Ok(None);
    }
    let listed = looking("workspaces", || api.account_workspaces(account));
    let workspaces = match listed {
        Ok(workspaces) => workspaces,
        // Only an account's administrators may list them; everybody may know the id of their own.
        Err(error) => {
            output::note(&format!("The workspaces cannot be listed: {}.", chain(&error)));
            return typed_workspace();
        }
    };
    match workspaces.as_slice() {
        [] => Ok(None),
        [one] => {
            output::inform(&format!(
                "Workspace {} ({}) was chosen.",
                Sanitized::new(&one.name),
                one.id
            ));
            Ok(Some(one.id.clone()))
        }
        several => {
            let row = |one: &AccountWorkspace| PickerRow::new(&one.name, &format!("({})", one.id));
            let mut rows: Vec<_> = several.iter().map(row).collect();
            rows.push(PickerRow::action("→ No workspace, the account only"));
            let chosen = prompt::pick("Workspace", &rows)?;
            Ok(several.get(chosen).map(|one| one.id.clone()))
        }
    }
}

const NONE: &str = "none";

fn typed_workspace() -> Result<Option<String>, Failure> {
    let check = |text: &str| {
        AccountId::parse(text)
            .map(|_| ())
            .map_err(|_| "that is not an id of a workspace".to_owned())
    };
    let said = prompt::text("Databricks workspace ID", Some(NONE), &check)?;
    Ok(Some(said).filter(|said| said != NONE))
}

fn cluster(api: &blocking::Api) -> Result<String, Failure> {
    let may_ask = prompt::is_allowed();
    let enough = if may_ask { MANY } else { 2 };
    let found = looking("clusters", || usable(api, enough)).map_err(|error| {
        let class = if error.is_transient() { Class::Network } else { Class::Other };
        let text = format!(
            "signed in, but no cluster was chosen: the clusters cannot be listed: {}",
            chain(&error)
        );
        Failure::new(class, text)
    })?;
    match found.as_slice() {
        [] => Err(Failure::new(
            Class::Other,
            "signed in, but no cluster was chosen: there is none here that Databricks Connect can use (runtime 13.1 or later, \
             shared with isolation or yours alone)",
        )),
        [one] => {
            output::inform(&format!(
                "Cluster {} ({}) was chosen.",
                Sanitized::new(&one.name),
                one.id
            ));
            Ok(one.id.clone())
        }
        several if may_ask => {
            let rows: Vec<_> = several.iter().map(described).collect();
            let chosen = prompt::pick("Cluster", &rows)?;
            several
                .get(chosen)
                .map(|one| one.id.clone())
                .ok_or_else(|| Failure::new(Class::Other, "no cluster was chosen"))
        }
        _ => Err(Failure::new(
            Class::Unclear,
            "signed in, but no cluster was chosen: several can be used, and there is nobody to ask here; set cluster_id in the \
             profile",
        )),
    }
}

/// The clusters that can be used from here; `enough` of them.
fn usable(api: &blocking::Api, enough: usize) -> Result<Vec<Cluster>, ApiError> {
    let me = api.me()?.user_name;
    let (mut found, mut clusters) = (Vec::new(), api.clusters());
    while found.len() < enough
        && let Some(cluster) = clusters.next()?
    {
        if suits_connect(&cluster, &me) {
            found.push(cluster);
        }
    }
    Ok(found)
}

fn described(cluster: &Cluster) -> PickerRow {
    let access = match cluster.single_user_name {
        Some(_) => "Assigned",
        None => "Shared",
    };
    let (state, runtime) = (cluster.state.as_deref(), cluster.spark_version.as_deref());
    let about = [state, Some(access), runtime, Some(cluster.id.as_str())];
    PickerRow::new(
        &cluster.name,
        &format!("({})", about.into_iter().flatten().collect::<Vec<_>>().join(", ")),
    )
}

/// Says what is looked for if it takes longer than a moment.
fn looking<T>(what: &str, work: impl FnOnce() -> T) -> T {
    guard::watch_signals();
    waiting::during(&format!("Looking for {what}"), None, work)
}
