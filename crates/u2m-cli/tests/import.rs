//! Logins of Python's and Java's SDKs are brought in without being spent, and their files stay as they are.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, World, now, printed_token};
use serde_json::{Value, json};
use std::path::PathBuf;
use u2m::AccessToken;
use u2m::import::{JavaLogin, PythonCache, PythonLogin};
use u2m::oauth::RefreshToken;
use u2m::source::Lifetime;
use u2m::store::Session;
use u2m::text::format_local;
use u2m_testkit::{AccessTokenForm, IssuedTokens, Settings};

const PYTHON: &str = ".config/databricks-sdk-py/oauth";
const JAVA: &str = ".config/databricks-sdk-java/oauth";

/// A world with these profiles of its server.
fn world(profiles: &[&str]) -> World {
    let world = World::new();
    let sections = profiles.iter().map(|name| format!("[{name}]\nhost = {}\n\n", world.url()));
    world.write(".databrickscfg", &sections.collect::<String>());
    world
}

/// A login of Python's SDK, by its profile or by its host alone, as that SDK would keep it.
fn python(world: &World, profile: Option<&str>, left: i64) -> (PathBuf, IssuedTokens) {
    let tokens = world.sign_in();
    let mut login = PythonLogin::new(world.url());
    login.profile = profile.map(str::to_owned);
    let session = Session::new(AccessToken::new(tokens.access_token()))
        .with_refresh_token(RefreshToken::new(tokens.refresh_token().unwrap()))
        .with_expiry(now().plus(Lifetime::from_seconds(left)));
    world.write(&format!("{PYTHON}/placeholder"), "");
    std::fs::remove_file(world.path(&format!("{PYTHON}/placeholder"))).unwrap();
    let path = PythonCache::at(world.path(PYTHON)).write(&login, &session).unwrap();
    (path, tokens)
}

/// A login of Java's SDK, which knows no profiles.
fn java(world: &World, left: i64) -> (PathBuf, IssuedTokens) {
    let tokens = world.sign_in();
    let text = json!({
        "accessToken": tokens.access_token(),
        "tokenType": "Bearer",
        "refreshToken": tokens.refresh_token().unwrap(),
        "expiry": format_local(now().plus(Lifetime::from_seconds(left))),
    });
    let name = format!("{JAVA}/{}", JavaLogin::new(world.url()).file_name());
    world.write(&name, &text.to_string());
    (world.path(&name), tokens)
}

/// Runs it; fails if it asked the server anything, or touched what is not u2m's.
fn import(world: &World, line: &str) -> Ran {
    let foreign = |world: &World| {
        let mut tree = world.tree();
        tree.retain(|path, _| path.starts_with("~/.config"));
        tree
    };
    let (before, asked) = (foreign(world), world.server.counts().requests);
    let ran = world.run(line);
    assert_eq!(foreign(world), before, "files of other programs are theirs");
    assert_eq!(world.server.counts().requests, asked, "nothing is spent");
    assert!(!ran.stderr.contains("eyJ") && !ran.stdout.contains("eyJ"), "a token is shown");
    ran
}

fn assert_taken(world: &World, ran: &Ran, profile: &str, tokens: &IssuedTokens) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = format!("Imported the login {profile} of the Databricks SDK for ");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    assert!(ran.stderr.contains("Do not use both"), "{}", ran.stderr);
    let session = world.stored(profile);
    assert_eq!(session.access_token.expose(), tokens.access_token());
    assert_eq!(session.refresh_token.unwrap().expose(), tokens.refresh_token().unwrap());
}

fn assert_nothing(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("There was nothing to import.\n"), "{}", ran.stderr);
}

#[test]
fn a_login_of_python_by_its_profile_is_used_and_then_refreshed_once() {
    let world = world(&["dev"]);
    let (path, tokens) = python(&world, Some("dev"), 1800);
    let ran = import(&world, "import");
    assert_taken(&world, &ran, "dev", &tokens);
    assert!(ran.stderr.contains(path.file_name().unwrap().to_str().unwrap()), "{}", ran.stderr);
    let token = world.run("token dev");
    assert_eq!(printed_token(&token.stdout), tokens.access_token());
    assert_eq!(world.server.counts().refreshes, 0);
    let forced = printed_token(&world.run("token dev --force-refresh").stdout);
    assert!(forced != tokens.access_token() && world.server.is_active(&forced));
    assert_eq!(world.server.counts().refreshes, 1);
    world.assert_alive("dev");
}

#[test]
fn a_login_that_has_run_out_is_refreshed_when_it_is_first_used() {
    for from in ["python", "java"] {
        let world = world(&["dev"]);
        let (_, tokens) = match from {
            "java" => java(&world, -60),
            _ => python(&world, Some("dev"), -60),
        };
        assert_taken(&world, &import(&world, "import dev"), "dev", &tokens);
        let [first, second] = [(); 2].map(|()| printed_token(&world.run("token dev").stdout));
        assert!(world.server.is_active(&first) && first == second, "{from}");
        assert_eq!(world.server.counts().refreshes, 1, "{from}");
    }
}

#[test]
fn a_login_known_by_its_host_goes_to_the_profile_of_that_host() {
    for from in ["python", "java"] {
        let world = world(&["dev"]);
        let (_, tokens) =
            if from == "java" { java(&world, 1800) } else { python(&world, None, 1800) };
        assert_taken(&world, &import(&world, "auth import"), "dev", &tokens);
    }
}

#[test]
fn a_profile_that_is_signed_in_is_left_alone_and_one_beside_it_is_not() {
    let world = world(&["dev", "prod"]);
    let own = world.seed("dev", 1800);
    let (_, tokens) = python(&world, None, 1800);
    let ran = import(&world, "import --profile dev");
    assert_nothing(&ran);
    assert!(
        ran.stderr.contains("Profile dev is signed in already (~/.databricks/token-cache.json)."),
        "{}",
        ran.stderr
    );
    // The login of the host is looked for on behalf of prod alone.
    assert_taken(&world, &import(&world, "import"), "prod", &tokens);
    assert_eq!(world.stored("dev").access_token.expose(), own.access_token());
    assert_nothing(&import(&world, "import"));
}

#[test]
fn each_profile_gets_its_own_login_and_the_hosts_goes_to_the_one_without() {
    let world = world(&["dev", "prod"]);
    let (_, of_host) = python(&world, None, 1800);
    let (_, of_prod) = python(&world, Some("prod"), 1800);
    let ran = import(&world, "import -o json");
    assert_taken(&world, &ran, "dev", &of_host);
    assert_taken(&world, &ran, "prod", &of_prod);
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut profiles = rows["imported"].as_array().unwrap().iter().map(|row| &row["profile"]);
    assert!(profiles.by_ref().eq(["prod", "dev"].map(Value::from).iter()), "{rows}");
}

#[test]
fn the_report_says_what_came_from_where() {
    let world = world(&["dev"]);
    let (path, _) = java(&world, 1800);
    let ran = import(&world, "import -o json");
    let expected = json!({"imported": [{
        "profile": "dev", "from": "java", "path": path.to_str().unwrap(), "storage": "plaintext",
    }]});
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), expected);
    let again = import(&world, "import -o json");
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap(), json!({"imported": []}));
}

#[test]
fn pythons_comes_first_unless_javas_is_asked_for() {
    for (line, from) in
        [("import", "Python"), ("import --from java", "Java"), ("import --from=python", "Python")]
    {
        let world = world(&["dev"]);
        let ((_, of_python), (_, of_java)) =
            (python(&world, Some("dev"), 1800), java(&world, 1800));
        let tokens = if from == "Java" { of_java } else { of_python };
        assert_taken(&world, &import(&world, line), "dev", &tokens);
    }
    let world = world(&["dev"]);
    java(&world, 1800);
    assert_nothing(&import(&world, "import --from python"));
}

#[test]
fn int_2_a_token_of_another_issuer_is_refused_once_and_in_words() {
    let other = World::with(Settings::new().with_access_token_form(AccessTokenForm::Jwt));
    let world = world(&["dev"]);
    let theirs = other.sign_in();
    let (path, _) = java(&world, 1800);
    let text = std::fs::read_to_string(&path).unwrap();
    let held: Value = serde_json::from_str(&text).unwrap();
    let text = text.replace(held["accessToken"].as_str().unwrap(), theirs.access_token());
    std::fs::write(&path, text).unwrap();
    let ran = import(&world, "import");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    let why = format!("its token was issued by another host: {}/oidc", other.url());
    assert_eq!(ran.stderr.matches(&why).count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("Error: nothing was imported"), "{}", ran.stderr);
    assert!(!world.cache().exists());
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_hides_no_other() {
    let world = world(&["dev"]);
    let (bad, _) = python(&world, Some("dev"), 1800);
    std::fs::write(&bad, r#"{"token": {"access_token": "canary"#).unwrap();
    let ran = import(&world, "import dev");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("Warning: not imported: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not a usable login of another program"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    let (_, tokens) = java(&world, 1800);
    assert_taken(&world, &import(&world, "import dev"), "dev", &tokens);
}

#[test]
fn there_is_nothing_to_import_where_nothing_is() {
    let world = world(&["dev"]);
    let before = world.tree();
    assert_nothing(&import(&world, "import"));
    assert_eq!(world.tree(), before);
    world.write(".databrickscfg", "[pat]\nhost = https://a.example\ntoken = canary\n");
    let ran = import(&world, "import pat");
    assert_nothing(&ran);
    assert!(ran.stderr.contains("Profile pat is not one that a person signs in with"));
}

#[test]
fn a_wrong_command_line_is_told_before_anything_is_read() {
    let world = world(&["dev"]);
    python(&world, Some("dev"), 1800);
    for (line, code, said) in [
        ("import --from go", 2, "the value of --from is not python or java"),
        ("import dev --profile dev", 2, "a profile was given twice"),
        ("import --host {URL}", 2, "unknown flag: --host; import does not take it"),
        (
            "import prod",
            5,
            "no matching profile found: \"prod\"; there is dev. To make it: u2m login",
        ),
    ] {
        let ran = import(&world, line);
        assert_eq!(ran.code, Some(code), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{line}: {}", ran.stderr);
        assert!(!world.cache().exists(), "{line}");
    }
}

#[test]
fn an_import_goes_where_a_login_would_and_says_so_where_that_is_no_keyring() {
    let world = world(&["dev"]);
    let (_, tokens) = python(&world, Some("dev"), 1800);
    let mut command = world.command("import");
    command.env_remove("DATABRICKS_AUTH_STORAGE");
    let ran = common::ran(command);
    assert_taken(&world, &ran, "dev", &tokens);
    assert!(ran.stderr.contains("Warning: the login is kept unencrypted in "), "{}", ran.stderr);
    assert!(world.read(".databrickscfg").contains("auth_storage = plaintext"));
}

#[test]
fn an_import_that_cannot_be_kept_fails_as_the_store_does() {
    let world = world(&["dev"]);
    python(&world, Some("dev"), 1800);
    let mut command = world.command("import");
    command.env("DATABRICKS_AUTH_STORAGE", "secure");
    let ran = common::ran(command);
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert!(ran.stderr.contains("Error: the login dev could not be imported: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Imported"), "{}", ran.stderr);
}

#[test]
fn the_profiles_own_store_takes_it() {
    let world = world(&["dev"]);
    world.write(
        ".databrickscfg",
        &format!("[dev]\nhost = {}\nauth_storage = encrypted\n", world.url()),
    );
    let (_, tokens) = python(&world, Some("dev"), 1800);
    let run = |line: &str| {
        let mut command = world.command(line);
        command
            .env_remove("DATABRICKS_AUTH_STORAGE")
            .env("U2M_STORAGE_KEY_FILE", world.path("key"));
        common::ran(command)
    };
    assert_eq!(run("import").code, Some(0));
    assert!(!world.cache().exists());
    assert_eq!(printed_token(&run("token dev").stdout), tokens.access_token());
}
