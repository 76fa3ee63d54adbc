//! What is meant: every rule by which a profile, a host or nothing at all becomes something to sign in to.
#![allow(clippy::unwrap_used)]

#[path = "common/saying.rs"]
mod saying;

use saying::choose;
use u2m::Target;
use u2m::config::{ChooseError, LoginChoice, TokenChoice, choose_for_login, choose_for_token};
use u2m::databricks::HostMetadata;

fn token(line: &str, env: &[(&str, &str)], config: &str) -> Result<TokenChoice, ChooseError> {
    choose(line, env, config, choose_for_token)
}

fn key(line: &str, env: &[(&str, &str)], config: &str) -> String {
    token(line, env, config).unwrap().target.cache_key().as_str().to_owned()
}

fn login(line: &str, env: &[(&str, &str)], config: &str) -> Result<LoginChoice, ChooseError> {
    choose(line, env, config, choose_for_login)
}

const TWO: &str = "[a]\nhost = https://a.example\n[b]\nhost = b.example/\n";
const CONSOLE: &str = "https://accounts.cloud.databricks.com";

#[test]
fn an_argument_is_a_profile_first_and_a_host_if_it_looks_like_one() {
    let config = "[logfood]\nhost = https://l.example\n[default.dev]\nhost = https://d.example\n[hostless.x]\nscopes = a\n";
    for (line, expected) in [
        ("logfood", "logfood"),
        ("default.dev", "default.dev"),
        ("a.b", "https://a.b"),
        ("https://a.b", "https://a.b"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("hostless.x", "https://hostless.x"),
    ] {
        assert_eq!(key(line, &[], config), expected, "{line}");
    }
    assert_eq!(key("localhost:8080", &[], config), "https://localhost:8080");
    for unknown in ["e2-logfood", "LOGFOOD", "https:", "x:y"] {
        let error = token(unknown, &[], config).unwrap_err();
        assert!(matches!(error, ChooseError::UnknownProfile { .. }), "{unknown}: {error}");
    }
    assert!(matches!(token("x", &[], ""), Err(ChooseError::UnknownProfile { .. })));
}

#[test]
fn a_profile_of_an_issuer_means_that_issuer_and_its_client() {
    let config = "[corp]\nu2m_issuer = https://id.example/x\nu2m_client_id = cli\nscopes = read\n";
    for line in ["corp", "profile=corp"] {
        let choice = token(line, &[], config).unwrap();
        assert_eq!(choice.target.issuer_id(), Some("https://id.example/x"), "{line}");
        assert_eq!(choice.client_id.as_deref(), Some("cli"));
        assert_eq!(choice.target.cache_key().as_str(), "corp");
        assert!(choice.scopes.is_empty(), "an issuer may grant them under other names");
    }
    let by_env = [("DATABRICKS_CONFIG_PROFILE", "corp")];
    assert!(token("", &by_env, config).unwrap().target.issuer_id().is_some());
    // A host is never one of its profiles, and never another one than the profile's.
    assert!(token("host=https://id.example", &[], config).unwrap().target.issuer_id().is_none());
    let error = token("profile=corp host=https://b.example", &[], config).unwrap_err();
    assert!(matches!(error, ChooseError::Conflict { .. }), "{error}");
    let trusting = format!("{config}u2m_ca_file = /corp.pem\n");
    let choice = token("corp", &[], &trusting).unwrap();
    assert_eq!(choice.ca_file.as_deref(), Some(std::path::Path::new("/corp.pem")));
    // Whoever gave it a host since means that host.
    let with_host = format!("{config}host = https://a.example\n");
    assert!(token("corp", &[], &with_host).unwrap().target.issuer_id().is_none());
    let http = config.replace("https", "http");
    assert!(matches!(token("corp", &[], &http), Err(ChooseError::ProfileIssuer(..))));
}

#[test]
fn a_host_means_the_profile_on_it_however_it_is_spelt() {
    for line in
        ["https://b.example", "https://b.example/", "b.example", "HTTPS://B.example:443/x?o=1"]
    {
        assert_eq!(key(&format!("host={line}"), &[], TWO), "b", "{line}");
    }
    assert_eq!(key("host=https://c.example", &[], TWO), "https://c.example");
}

#[test]
fn precedence_from_what_is_said_down_to_the_default() {
    let config = &format!("{TWO}[DEFAULT]\nhost = https://d.example\n");
    let both = [("DATABRICKS_CONFIG_PROFILE", "a"), ("DATABRICKS_HOST", "https://b.example")];
    assert_eq!(key("b", &both, config), "b");
    assert_eq!(key("profile=b", &both, config), "b");
    assert_eq!(key("", &both, config), "a");
    assert_eq!(key("", &both[1..], config), "b");
    assert_eq!(key("", &[], config), "DEFAULT");
    assert_eq!(key("", &[("DATABRICKS_HOST", "")], config), "DEFAULT");
    let settled = format!("{config}[__settings__]\ndefault_profile = b\n");
    assert_eq!(key("", &[], &settled), "b");
    let astray = format!("{config}[__settings__]\ndefault_profile = gone\n");
    assert_eq!(key("", &[], &astray), "DEFAULT");
    assert!(matches!(token("", &[], TWO), Err(ChooseError::NoProfileChosen)));
    assert!(matches!(token("", &[], ""), Err(ChooseError::NoProfiles)));
}

#[test]
fn several_profiles_on_a_host_need_a_word() {
    let config = "[a]\nhost = https://x.example\n[b]\nhost = https://x.example\n";
    let error = token("host=x.example", &[], config).unwrap_err();
    assert_eq!(error.to_string(), "a and b match x.example");
    assert_eq!(key("host=x.example", &[("DATABRICKS_CONFIG_PROFILE", "b")], config), "b");
    assert_eq!(
        key("host=x.example", &[], &format!("{config}[__settings__]\ndefault_profile = a\n")),
        "a"
    );
    let accounts =
        format!("[a]\nhost = {CONSOLE}\naccount_id = 1\n[b]\nhost = {CONSOLE}\naccount_id = 2\n");
    assert_eq!(key(&format!("host={CONSOLE} account=2"), &[], &accounts), "b");
    assert_eq!(key(&format!("host={CONSOLE}?account_id=1"), &[], &accounts), "a");
    assert!(matches!(
        token(&format!("host={CONSOLE}"), &[], &accounts),
        Err(ChooseError::Ambiguous { .. })
    ));
}

#[test]
fn two_profiles_of_one_account_are_named_and_the_host_is_said_as_it_was_typed() {
    let config = format!(
        "[one]\nhost = {CONSOLE}\naccount_id = a\n[two]\nhost = {CONSOLE}\naccount_id = a\n"
    );
    for host in [CONSOLE, "accounts.cloud.databricks.com"] {
        let error = token(&format!("host={host} account=a"), &[], &config).unwrap_err();
        assert_eq!(error.to_string(), format!("one and two match {host}"));
    }
}

#[test]
fn an_account_is_needed_for_consoles_and_for_nothing_else() {
    for console in [
        CONSOLE,
        "https://accounts-dod.cloud.databricks.us",
        "accounts-dod.cloud.databricks.us",
        "https://accounts.cloud.databricks.com/a/path",
        "ACCOUNTS.azuredatabricks.net",
    ] {
        let line = format!("host={console}");
        assert!(matches!(token(&line, &[], ""), Err(ChooseError::NoAccount(_))), "{console}");
        assert!(matches!(login(&line, &[], ""), Err(ChooseError::NoAccount(_))), "{console}");
    }
    for workspace in ["https://w.example", "https://my.accounts.example", "http://localhost:1"] {
        token(&format!("host={workspace}"), &[], "").unwrap();
        login(&format!("host={workspace}"), &[], "").unwrap();
    }
}

#[test]
fn profiles_of_machines_are_refused_by_name_and_passed_over_by_host() {
    let config = "[bot]\nhost = https://x.example\nclient_id = i\nclient_secret = s\n[pat]\nhost = https://x.example\ntoken = t\n";
    assert!(matches!(token("bot", &[], config), Err(ChooseError::MachineProfile(_))));
    assert!(matches!(token("profile=bot", &[], config), Err(ChooseError::MachineProfile(_))));
    assert_eq!(key("host=x.example", &[], config), "https://x.example");
}

#[test]
fn a_profile_is_never_taken_for_another_host_wherever_the_two_are_named() {
    let env = [("DATABRICKS_CONFIG_PROFILE", "b")];
    for (line, env) in
        [("profile=a host=https://b.example", &[][..]), ("host=https://a.example", &env[..])]
    {
        assert!(matches!(token(line, env, TWO), Err(ChooseError::Conflict { .. })), "{line}");
    }
    assert!(matches!(
        login("profile=a host=https://b.example", &[], TWO),
        Err(ChooseError::Conflict { .. })
    ));
    for fine in [
        "profile=a host=https://a.example/",
        "profile=b host=b.example",
        "profile=new host=https://b.example",
    ] {
        token(fine, &[], TWO).unwrap();
        login(fine, &[], TWO).unwrap();
    }
    assert_eq!(
        key("profile=hostless host=https://a.example", &[], "[hostless]\nscopes = x\n"),
        "hostless"
    );
    assert!(matches!(
        token("profile=hostless", &[], "[hostless]\nscopes = x\n"),
        Err(ChooseError::NoHost(_))
    ));
}

#[test]
fn an_argument_beside_a_flag_is_refused_and_empty_flags_are_absent() {
    for line in ["a host=https://a.example", "a profile=a"] {
        assert!(matches!(token(line, &[], TWO), Err(ChooseError::ArgumentWithFlag(_))), "{line}");
        assert!(matches!(login(line, &[], TWO), Err(ChooseError::ArgumentWithFlag(_))), "{line}");
    }
    assert_eq!(key("a host= profile= account=", &[], TWO), "a");
}

#[test]
fn accounts_come_from_flag_url_profile_and_environment_in_this_order() {
    let config = format!("[p]\nhost = {CONSOLE}\naccount_id = own\n[q]\nhost = {CONSOLE}\n");
    let env = [("DATABRICKS_ACCOUNT_ID", "stray")];
    let account =
        |line: &str| token(line, &env, &config).unwrap().target.account_id().unwrap().to_string();
    assert_eq!(account("profile=p account=flag"), "flag");
    assert_eq!(account("profile=p"), "own");
    assert_eq!(account("profile=q"), "stray");
    assert_eq!(account(&format!("profile=p host={CONSOLE}?a=url")), "url");
    assert!(matches!(token("profile=q", &[], &config), Err(ChooseError::NoAccount(_))));
    let signed_in = login("profile=p", &env, &config).unwrap();
    assert_eq!(signed_in.account.unwrap().to_string(), "own");
    assert!(matches!(login("profile=q", &[], &config), Err(ChooseError::NoAccount(_))));
}

#[test]
fn an_account_beside_a_workspace_stays_open_until_the_host_has_spoken() {
    let choice = token("host=https://a.example account=acc", &[], "").unwrap();
    assert!(choice.is_open());
    assert_eq!(choice.target.cache_key().as_str(), "https://a.example");
    assert_eq!(choice.other_key().unwrap().as_str(), "https://a.example/oidc/accounts/acc");
    let classic = choice.clone().settled_by(&HostMetadata::default());
    assert!(!classic.is_open());
    assert_eq!(classic.target, Target::workspace(choice.target.host().unwrap().clone()));
    assert_eq!(
        choice.as_unified().target.cache_key().as_str(),
        "https://a.example/oidc/accounts/acc"
    );
    let classic = token("host=https://a.example", &[("DATABRICKS_ACCOUNT_ID", "env")], "").unwrap();
    assert_eq!(classic.target.cache_key().as_str(), "https://a.example");
    let named =
        token("profile=p", &[], "[p]\nhost = https://a.example\naccount_id = acc\n").unwrap();
    assert!(named.is_open() && named.other_key().is_none());
    assert_eq!(named.as_unified().target.cache_key().as_str(), "p");
}

#[test]
fn names_are_made_for_logins_that_have_none() {
    for (line, expected) in [
        ("https://dev.cloud.databricks.com", "dev"),
        ("https://127.0.0.1:8443", "DEFAULT"),
        ("https://[::1]:8443", "DEFAULT"),
        ("https://adb-123.4.azuredatabricks.net", "adb-123"),
    ] {
        assert_eq!(login(line, &[], "").unwrap().profile.as_str(), expected, "{line}");
    }
    let console = login(&format!("host={CONSOLE} account=acc"), &[], "").unwrap();
    assert_eq!(console.profile.as_str(), "ACCOUNT-acc");
    let taken = "[dev]\nhost = https://dev.other\n[dev-2]\nhost = broken host\n";
    assert_eq!(login("https://dev.example", &[], taken).unwrap().profile.as_str(), "dev-3");
    assert_eq!(login("https://dev.other", &[], taken).unwrap().profile.as_str(), "dev");
}

#[test]
fn a_login_without_any_host_finds_it_by_itself() {
    let env = [("DATABRICKS_HOST", "https://x.example"), ("DATABRICKS_CONFIG_PROFILE", "a")];
    let bare = login("", &env, TWO).unwrap();
    assert_eq!(
        (bare.profile.as_str(), bare.host.as_ref()),
        ("DEFAULT", None),
        "the environment is not asked"
    );
    let named = login("profile=new", &[], TWO).unwrap();
    assert_eq!(named.target(&HostMetadata::default()), Target::discovery(named.profile.clone()));
    assert!(matches!(login("account=acc", &[], ""), Err(ChooseError::FlagNeedsHost("account-id"))));
}

#[test]
fn workspace_and_scopes_are_taken_over_from_the_profile() {
    let config = "[p]\nhost = https://a.example\nworkspace_id = 7\nscopes = jobs, sql\n[n]\nhost = https://n.example\nworkspace_id = none\n";
    let own = login("profile=p", &[], config).unwrap();
    assert_eq!((own.workspace_id.as_deref(), own.scopes.iter().count()), (Some("7"), 2));
    let typed = login("profile=p host=https://a.example?o=8", &[], config).unwrap();
    assert_eq!(typed.workspace_id.as_deref(), Some("8"));
    assert_eq!(login("profile=n", &[], config).unwrap().workspace_id, None);
    assert_eq!(token("profile=p", &[], config).unwrap().scopes.iter().count(), 2);
}

#[test]
fn near_names_are_offered_three_at_most_and_fit_to_be_shown() {
    let config = "[dev1]\nk = v\n[dev2]\nk = v\n[dev3]\nk = v\n[dev4]\nk = v\n[prod]\nk = v\n";
    let error = token("profile=dev", &[], config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no matching profile found: \"dev\"; did you mean dev1 or dev2 or dev3?"
    );
    let hostile = token("profile=a\u{1b}[2Jb", &[], "").unwrap_err().to_string();
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
}

#[test]
fn hosts_that_are_none_are_refused_whoever_names_them() {
    for host in [
        "http://plain.example",
        "http://127.0.0.1.evil.example",
        "ftp://a.example",
        "https://u:p@a.example",
    ] {
        assert!(
            matches!(token(&format!("host={host}"), &[], ""), Err(ChooseError::Host(_))),
            "{host}"
        );
        assert!(
            matches!(login(&format!("host={host}"), &[], ""), Err(ChooseError::Host(_))),
            "{host}"
        );
        let config = format!("[p]\nhost = {host}\n");
        assert!(
            matches!(token("profile=p", &[], &config), Err(ChooseError::ProfileHost(..))),
            "{host}"
        );
        assert!(
            matches!(login("profile=p", &[], &config), Err(ChooseError::ProfileHost(..))),
            "{host}"
        );
    }
}

#[test]
fn a_profile_of_an_issuer_is_no_place_for_another_login() {
    let config = "[DEFAULT]\nu2m_issuer = https://id.example/\nu2m_client_id = c\n[dev]\nu2m_issuer = https://id.example/\nu2m_client_id = c\n";
    for line in ["profile=dev host=https://a.example", "profile=dev"] {
        let error = login(line, &[], config).unwrap_err();
        assert!(matches!(error, ChooseError::IssuerProfile { .. }), "{line}: {error}");
    }
    assert_eq!(login("", &[], config).unwrap().profile.as_str(), "DEFAULT-2");
    let choice = choose("host=https://dev.example", &[], config, |said, around| {
        let mut choice = choose_for_login(said, around)?;
        choice.settle(&HostMetadata::default(), around)?;
        Ok(choice)
    });
    assert_eq!(choice.unwrap().profile.as_str(), "dev-2");
}

#[test]
fn a_name_that_was_said_stays_though_there_is_no_such_profile_yet() {
    let line = "profile=mine host=https://dev.cloud.databricks.com";
    let choice = choose(line, &[], "", |said, around| {
        let mut choice = choose_for_login(said, around)?;
        choice.settle(&HostMetadata::default(), around)?;
        Ok(choice)
    });
    assert_eq!(choice.unwrap().profile.as_str(), "mine");
}
