//! The same words, profiles and variables mean the same profile and the same host to every command, and what is unclear is told
//! in the same sentence.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, World, ran};
use serde_json::Value;

const CONFIG: &str = "\
[main]
host = https://main.example
[dev]
host = https://dev.example
[b.example.com]
cluster_id = c
[one]
host = https://twins.example
[two]
host = https://twins.example
[pat]
host = https://pat.example
token = dapi-of-pat
[hostless]
cluster_id = c
[__settings__]
default_profile = main
";

/// The keys of logins, each with a token of its own name.
const KEYS: [&str; 9] = [
    "main",
    "dev",
    "one",
    "two",
    "new",
    "hostless",
    "https://b.example.com",
    "https://lone.example",
    "https://pat.example",
];

/// A home with every profile, and a login under each key.
fn world() -> World {
    let world = World::new();
    world.write(".databrickscfg", CONFIG);
    let entry = |key: &&str| {
        format!(
            "\"{key}\":{{\"access_token\":\"token-of-{key}\",\"token_type\":\"Bearer\",\"expiry\":\"2999-01-01T00:00:00Z\"}}"
        )
    };
    let entries: Vec<_> = KEYS.iter().map(entry).collect();
    world.write(
        ".databricks/token-cache.json",
        &format!("{{\"version\":1,\"tokens\":{{{}}}}}", entries.join(",")),
    );
    world
}

fn run(line: &str, env: &[(&str, &str)]) -> Ran {
    let world = world();
    let mut command = world.command(line);
    command.envs(env.iter().copied());
    ran(command)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Words, variables; the profile and the host that are meant; the key of the login.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    &'static str,
);

const ROWS: &[Row] = &[
    ("dev", &[], "dev", "https://dev.example", "dev"),
    ("--profile dev", &[], "dev", "https://dev.example", "dev"),
    ("--host DEV.example/", &[], "dev", "https://dev.example", "dev"),
    ("--profile dev --host dev.example", &[], "dev", "https://dev.example", "dev"),
    ("b.example.com", &[], "", "https://b.example.com", "https://b.example.com"),
    ("https://lone.example/browse", &[], "", "https://lone.example", "https://lone.example"),
    ("--profile new --host lone.example", &[], "new", "https://lone.example", "new"),
    ("", &[], "main", "https://main.example", "main"),
    ("", &[("DATABRICKS_CONFIG_PROFILE", "dev")], "dev", "https://dev.example", "dev"),
    ("", &[("DATABRICKS_HOST", "dev.example")], "dev", "https://dev.example", "dev"),
    (
        "",
        &[("DATABRICKS_HOST", "lone.example")],
        "",
        "https://lone.example",
        "https://lone.example",
    ),
    (
        "--host twins.example",
        &[("DATABRICKS_CONFIG_PROFILE", "two")],
        "two",
        "https://twins.example",
        "two",
    ),
    (
        "--profile hostless",
        &[("DATABRICKS_HOST", "lone.example")],
        "hostless",
        "https://lone.example",
        "hostless",
    ),
];

#[test]
fn every_command_means_the_same_profile_the_same_host_and_the_same_login() {
    for &(words, env, profile, host, key) in ROWS {
        let told = format!("{words} {env:?}");
        let token = run(&format!("token {words} -o text"), env);
        assert_eq!(token.stdout.trim_end(), format!("token-of-{key}"), "{told}: {}", token.stderr);

        let described = run(&format!("describe {words} --offline -o json"), env);
        let described = json(&described);
        let configured = |name: &str| text(&described["details"]["configuration"][name]["value"]);
        let named = configured("profile").filter(|name| name != "default").unwrap_or_default();
        assert_eq!(named, profile, "{told}");
        assert_eq!(configured("host").as_deref(), Some(host), "{told}");
        assert_eq!(text(&described["token"]["key"]).as_deref().unwrap_or(key), key, "{told}");

        let printed = json(&run(&format!("env {words}"), env));
        let variable = |name: &str| text(&printed["env"][name]);
        assert_eq!(variable("DATABRICKS_CONFIG_PROFILE").unwrap_or_default(), profile, "{told}");
        assert_eq!(variable("DATABRICKS_HOST").as_deref(), Some(host), "{told}");
        let lent = json(&run(&format!("env {words} --with-token"), env));
        assert_eq!(
            text(&lent["env"]["DATABRICKS_TOKEN"]),
            Some(format!("token-of-{key}")),
            "{told}"
        );

        if words.is_empty() || words.starts_with('-') {
            let world = world();
            let mut command = world.command(&format!("exec {words} -- /bin/sh -c"));
            command.envs(env.iter().copied()).arg("echo $DATABRICKS_HOST $DATABRICKS_TOKEN");
            let ran = ran(command);
            assert_eq!(ran.stdout, format!("{host} token-of-{key}\n"), "{told}: {}", ran.stderr);
        }

        let out = run(&format!("logout {words} --auto-approve --no-revoke -o json"), env);
        if words.is_empty() {
            assert_eq!(
                out.code,
                Some(5),
                "{told}: nobody is logged out by a variable or by default"
            );
            continue;
        }
        let out = json(&out);
        let removed: Vec<_> =
            out["removed"].as_array().unwrap().iter().filter_map(|one| text(&one["key"])).collect();
        assert_eq!(removed, [key], "{told}");
    }
}

#[test]
fn what_is_unclear_is_told_in_one_sentence_with_one_exit_code() {
    let unknown = "Error: no matching profile found: \"dev1\"; did you mean dev?";
    let far = "Error: no matching profile found: \"xyz-1\"; there are main, dev, b.example.com, one, two, pat and hostless. \
               To make it: u2m login --host <url> --profile xyz-1";
    let by_variable = "Error: no matching profile found: \"dev1\"; did you mean dev? (DATABRICKS_CONFIG_PROFILE names it)";
    let twins = "Error: one and two match twins.example in ~/.databrickscfg. Name the one to use with --profile";
    let reserved = "Error: __settings__ is a reserved section name and cannot be a profile";
    let variable: &[_] = &[("DATABRICKS_CONFIG_PROFILE", "dev1")];
    for (words, env, sentence) in [
        ("dev1", &[][..], unknown),
        ("--profile dev1", &[], unknown),
        ("--profile xyz-1", &[], far),
        ("", variable, by_variable),
        ("--host twins.example", &[], twins),
        ("--profile __settings__", &[], reserved),
    ] {
        for command in ["token", "describe", "env", "env --with-token", "exec", "logout"] {
            let tail = match command {
                "exec" if words == "dev1" => continue,
                "exec" => " -- /bin/true",
                "logout" if words.is_empty() => continue,
                "logout" => " --auto-approve",
                _ => "",
            };
            let ran = run(&format!("{command} {words}{tail}"), env);
            let told = format!("{command} {words} {env:?}");
            assert_eq!((ran.code, ran.stderr.trim_end()), (Some(5), sentence), "{told}");
        }
    }
}

#[test]
fn a_login_is_never_that_of_a_machine_s_profile() {
    let token = run("token --host pat.example -o text", &[]);
    assert_eq!(token.stdout, "token-of-https://pat.example\n", "{}", token.stderr);
    let described = json(&run("describe --host pat.example --offline -o json", &[]));
    let configuration = &described["details"]["configuration"];
    assert_eq!(configuration["profile"]["value"], "pat");
    assert_eq!(configuration["host"]["value"], "https://pat.example");
}

#[test]
fn where_nobody_is_signed_in_the_credentials_of_a_machine_get_the_text_of_its_profile() {
    let both = [("DATABRICKS_CLIENT_ID", "id"), ("DATABRICKS_CLIENT_SECRET", "canary")];
    let with = |more: &[(&'static str, &'static str)]| [&both[..], more].concat();
    let sentence = "Error: the environment signs in with a client id and secret; only logins by a person are served here\n";
    for (line, env) in [
        ("token", with(&[("DATABRICKS_HOST", "nobody.example")])),
        ("exec -- /bin/true", with(&[("DATABRICKS_HOST", "nobody.example")])),
        ("token --host nobody.example", with(&[("DATABRICKS_HOST", "nobody.example")])),
    ] {
        let ran = run(line, &env);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(5), sentence), "{line}");
    }
    // A person's login goes first, and a secret is for no other host than its own.
    let ran = run("token -o text", &with(&[("DATABRICKS_HOST", "dev.example")]));
    assert_eq!(ran.stdout, "token-of-dev\n", "{}", ran.stderr);
    let elsewhere = with(&[("DATABRICKS_HOST", "a.example")]);
    assert_eq!(run("token --host nobody.example", &elsewhere).code, Some(3));
    let forced =
        with(&[("DATABRICKS_HOST", "nobody.example"), ("DATABRICKS_AUTH_TYPE", "databricks-cli")]);
    assert_eq!(run("token", &forced).code, Some(3));
    let half = [("DATABRICKS_HOST", "nobody.example"), both[0]];
    assert_eq!(run("token", &half).code, Some(3));
}
