//! Servers with a certificate of an authority that the system does not know: `--ca-file`, and what is kept of it.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use common::{Running, World, free_port};
use u2m_testkit::{Settings, follow_login};

/// A server behind TLS, and the file of its authority in the home.
fn world() -> World {
    let front = tls::Front::new();
    let world = World::behind(&front.url(), Settings::new().with_revocation());
    front.before(world.server.port());
    world.write("corp.pem", &tls::root());
    world
}

fn sign_in(world: &World, line: &str) -> common::Ran {
    let mut command = world.command(line);
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    // The person's browser trusts whom it likes.
    let plain = format!("http://127.0.0.1:{}", world.server.port());
    let page = follow_login(&running.url().replace(world.url(), &plain)).unwrap();
    assert!(page.status().is_success(), "{page:?}");
    running.done()
}

#[test]
fn a_ca_file_is_kept_with_the_profile_and_used_by_all_that_ask_its_server() {
    let world = world();
    let ran = sign_in(&world, "login -p dev --host {URL} --ca-file corp.pem");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Whatever folder a program runs in.
    let file = world.home().canonicalize().unwrap().join("corp.pem");
    let config = world.read(".databrickscfg");
    let kept = config.lines().find_map(|line| line.strip_prefix("u2m_ca_file")).unwrap();
    let kept = kept.trim_start_matches([' ', '=']);
    assert_eq!(std::path::Path::new(kept).canonicalize().unwrap(), file, "{config}");
    for line in ["token -p dev --force-refresh", "describe -p dev", "env -p dev", "doctor -p dev"] {
        let mut command = world.command(line);
        let ran = common::ran({
            command.current_dir("/");
            command
        });
        assert_eq!(ran.code, Some(0), "{line}: {} {}", ran.stdout, ran.stderr);
    }
    assert!(world.run("doctor -p dev").stdout.contains("corp.pem is trusted besides"));
    let listed = world.run("profiles");
    assert!(listed.stdout.contains("YES"), "{} {}", listed.stdout, listed.stderr);
    // A login says it no second time.
    assert_eq!(sign_in(&world, "login dev").code, Some(0));
    let refresh = world.stored("dev").refresh_token.unwrap();
    let ran = world.run("logout -p dev --auto-approve");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("has not confirmed"), "{}", ran.stderr);
    assert!(!world.server.is_refreshable(refresh.expose()), "it is revoked");
}

#[test]
fn ending_every_login_asks_each_server_with_its_own_profiles_file() {
    let world = world();
    let ran = sign_in(&world, "login -p dev --host {URL} --ca-file corp.pem");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let refresh = world.stored("dev").refresh_token.unwrap();
    let ran = world.run("logout --all --auto-approve");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("has not confirmed"), "{}", ran.stderr);
    assert!(!world.server.is_refreshable(refresh.expose()), "it is revoked");
}

#[test]
fn without_it_the_authority_is_named_and_the_flag_told() {
    let world = world();
    let ran = world.run("login -p dev --host {URL} --no-browser");
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    for part in [
        "its certificate is not from an authority that is trusted here: it was issued by u2m test intermediate",
        "--ca-file",
        world.url(),
    ] {
        assert!(ran.stderr.contains(part), "'{part}' in {}", ran.stderr);
    }
    // For one command alone, a login of another machine's profile file.
    world.seed("dev", -60);
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let ran = world.run("token -p dev");
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    assert!(ran.stderr.contains("its certificate is not from an authority"), "{}", ran.stderr);
    let ran = world.run("token -p dev --ca-file corp.pem");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!world.read(".databrickscfg").contains("u2m_ca_file"), "only a login writes");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_refused_before_anything_is_asked() {
    let world = world();
    world.write("empty.pem", "");
    world.write("text.pem", "no certificate");
    for (file, why) in [
        ("missing.pem", "is not there"),
        ("empty.pem", "is empty"),
        ("text.pem", "holds no certificate in PEM form"),
        (".", "is a folder"),
    ] {
        for line in ["login -p dev --host {URL}", "token -p dev", "logout -p dev"] {
            let ran = world.run(&format!("{line} --ca-file {file}"));
            assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
            assert!(ran.stderr.contains("--ca-file: the CA file /"), "{}", ran.stderr);
            assert!(ran.stderr.contains(why), "{}", ran.stderr);
        }
    }
    // One that is gone since is named as well.
    let ran = sign_in(&world, "login -p dev --host {URL} --ca-file corp.pem");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    std::fs::remove_file(world.path("corp.pem")).unwrap();
    world.seed("dev", -60);
    let ran = world.run("token -p dev");
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    assert!(ran.stderr.contains("corp.pem is not there"), "{}", ran.stderr);
    world.assert_alive("dev");
}

#[test]
fn what_a_profile_cannot_keep_is_refused_before_anybody_signs_in() {
    let world = world();
    world.write("corp.pem", &tls::root());
    for name in ["corp #1.pem", "corp ;1.pem"] {
        std::fs::copy(world.path("corp.pem"), world.path(name)).unwrap();
        let issuer = "login --issuer {URL}/oidc --client-id c -p other --ca-file";
        for line in ["login -p dev --host {URL} --ca-file", issuer] {
            let mut command = world.command(line);
            command.args([name, "--no-browser"]);
            let ran = common::ran(command);
            assert_eq!(ran.code, Some(2), "{line} {name}: {}", ran.stderr);
            for part in ["--ca-file: ", name, "cannot be kept with the profile", "after a space"] {
                assert!(ran.stderr.contains(part), "'{part}' in {}", ran.stderr);
            }
            assert!(!ran.stderr.contains("/authorize"), "nobody is sent there: {}", ran.stderr);
        }
        // Where nothing is written, it is as good as any.
        world.seed("dev", -60);
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        let mut command = world.command("token -p dev --ca-file");
        command.arg(name);
        assert_eq!(common::ran(command).code, Some(0));
    }
    let mut command = world.command("login -p dev --host {URL} --ca-file corp.pem --no-browser");
    command.args(["--scopes", "\"all-apis"]);
    let ran = common::ran(command);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("the value given for scopes cannot be stored"), "{}", ran.stderr);
}

#[test]
fn a_host_that_said_nothing_without_the_file_is_asked_with_it() {
    let world = world();
    world.seed("dev", 3000);
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let asked = || world.server.counts().host_metadata;
    for _ in 0..2 {
        let ran = world.run("profiles");
        assert!(ran.stdout.contains("NO"), "{} {}", ran.stdout, ran.stderr);
    }
    assert_eq!(asked(), 0, "it cannot be spoken to");
    let ran = world.run("profiles --ca-file corp.pem");
    assert!(ran.stdout.contains("YES"), "{} {}", ran.stdout, ran.stderr);
    assert_eq!(asked(), 1);
    world.run("profiles --ca-file corp.pem");
    assert_eq!(asked(), 1, "what it said is kept");
}
