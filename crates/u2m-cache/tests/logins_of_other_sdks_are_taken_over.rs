//! Logins that Python's and Java's SDKs made are found by what a profile says, and their files stay as they are.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use std::fs;
use std::path::PathBuf;
use u2m_cache::{
    ForeignLogins, IMPORT_WARNING, ImportError, ImportLogin, ImportSource, Imported, JavaCache,
    JavaLogin, PythonCache, PythonLogin, python_scopes,
};

const HOST: &str = "https://a.example";

/// Each a JWT whose payload is the text of the comment.
/// `{"iss":"https://a.example/oidc","exp":4070908800}`
const MINE: &str = "e30.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZS9vaWRjIiwiZXhwIjo0MDcwOTA4ODAwfQ.c2ln";
/// `{"iss":"https://b.example/oidc"}`
const THEIRS: &str = "e30.eyJpc3MiOiJodHRwczovL2IuZXhhbXBsZS9vaWRjIn0.c2ln";
/// `{"iss":"https://a.example/oidc/accounts/abc"}`
const ACCOUNT: &str = "e30.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZS9vaWRjL2FjY291bnRzL2FiYyJ9.c2ln";

struct Home {
    place: Place,
}

impl Home {
    fn new() -> Self {
        let home = Self { place: Place::new() };
        for sdk in ["py", "java"] {
            fs::create_dir_all(home.folder(sdk)).unwrap();
        }
        home
    }

    fn folder(&self, sdk: &str) -> PathBuf {
        self.place.folder().join(format!(".config/databricks-sdk-{sdk}/oauth"))
    }

    fn logins(&self) -> ForeignLogins {
        let home = self.place.folder().as_os_str().to_owned();
        ForeignLogins::from_env(&|_| Some(home.clone())).unwrap()
    }

    fn python(&self, login: &PythonLogin, token: &str) -> PathBuf {
        let path = PythonCache::at(self.folder("py")).path(login).unwrap();
        common::put(
            &path,
            format!(
                r#"{{"token": {{"access_token": "{token}", "token_type": "Bearer", "expiry": "2099-01-01T00:00:00.5", "refresh_token": "rt"}}}}"#
            ),
        );
        path
    }

    fn java(&self, login: &JavaLogin, token: &str) -> PathBuf {
        let path = JavaCache::at(self.folder("java")).folder().join(login.file_name());
        common::put(
            &path,
            format!(
                r#"{{"accessToken":"{token}","tokenType":"Bearer","refreshToken":"rt","expiry":"2099-01-01T00:00:00.123456789Z"}}"#
            ),
        );
        path
    }

    fn find(&self, logins: &[ImportLogin]) -> Imported {
        self.logins().find(logins)
    }
}

#[test]
fn int_1_logins_of_both_sdks_are_found_and_their_files_stay_as_they_are() {
    let home = Home::new();
    let wanted = ImportLogin::new(HOST).with_profile("dev").with_scopes("sql, jobs");
    let python = PythonLogin::new(HOST)
        .with_profile("dev")
        .with_scopes(python_scopes(Some("sql, jobs"), true));
    let paths = [
        home.python(&python, MINE),
        home.java(&JavaLogin::new(HOST).with_scopes("sql, jobs"), "opaque"),
    ];
    let state = || {
        paths.clone().map(|path| {
            (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())
        })
    };
    let before = state();
    let logins = home.logins();
    let imported = logins.find(&[ImportLogin::new(HOST), wanted.clone()]);
    assert_eq!(state(), before);
    assert!(imported.refused.is_empty() && logins.take_notices().is_empty());
    let [first, second] = &imported.found[..] else { panic!("{imported:?}") };
    assert_eq!(
        (first.source, &first.path, &first.login),
        (ImportSource::Python, &paths[0], &wanted)
    );
    assert_eq!(
        (second.source, &second.path, &second.login),
        (ImportSource::Java, &paths[1], &wanted)
    );
    assert_eq!(first.session.access_token.expose(), MINE);
    assert_eq!(second.session.refresh_token.as_ref().unwrap().expose(), "rt");
    assert_eq!(second.session.expiry.unwrap().unix(), common::LATER);
    assert!(first.session.binding.is_none() && second.session.binding.is_none());
}

#[test]
fn int_2_a_token_of_another_host_is_refused_with_the_reason() {
    let home = Home::new();
    let python = home.python(&PythonLogin::new(HOST), THEIRS);
    let java = home.java(&JavaLogin::new(HOST), THEIRS);
    let imported = home.find(&[ImportLogin::new(HOST)]);
    assert!(imported.found.is_empty());
    assert_eq!([&imported.refused[0].path, &imported.refused[1].path], [&python, &java]);
    for refused in &imported.refused {
        assert!(matches!(refused.why, ImportError::OtherHost(_)));
        assert!(refused.why.to_string().contains("https://b.example/oidc"));
    }
}

#[test]
fn on_a_host_of_many_accounts_a_token_of_another_account_is_refused() {
    let home = Home::new();
    home.python(&PythonLogin::new(HOST), ACCOUNT);
    let [other, own] = ["xyz", "abc"].map(|id| ImportLogin::new(HOST).with_account_id(id));
    let imported = home.find(std::slice::from_ref(&other));
    assert!(imported.found.is_empty());
    assert!(
        matches!(&imported.refused[0].why, ImportError::OtherAccount(id) if id.as_str() == "abc")
    );
    // The same file is there for the login that it is of.
    let imported = home.find(&[other, own.clone()]);
    assert_eq!((imported.found.len(), imported.refused.len()), (1, 1));
    assert_eq!(imported.found[0].login, own);
    assert_eq!(home.find(&[ImportLogin::new(HOST)]).found.len(), 1, "an account that nobody knows");
}

#[test]
fn a44_an_opaque_token_is_taken_as_it_is() {
    let home = Home::new();
    for token in ["opaque", "e30.e30.c2ln"] {
        home.python(&PythonLogin::new(HOST), token);
        assert_eq!(home.find(&[ImportLogin::new(HOST)]).found.len(), 1, "{token}");
    }
}

#[test]
fn todays_login_comes_before_those_of_older_versions_and_each_file_is_found_once() {
    let home = Home::new();
    let login = PythonLogin::new(HOST);
    let old = PythonCache::at(home.folder("py")).folder().join(&login.legacy_file_names()[0]);
    fs::rename(home.python(&login, "old"), &old).unwrap();
    let two = [ImportLogin::new(HOST), ImportLogin::new(HOST).with_profile("dev")];
    let imported = home.find(&two);
    assert_eq!(imported.found.len(), 1);
    assert_eq!((&imported.found[0].path, &imported.found[0].login), (&old, &two[0]));
    let today = home.python(&login, "today");
    assert_eq!(home.find(&two[..1]).found[0].path, today);
    // A login that was made without refresh tokens is the last resort of its age.
    fs::remove_file(today).unwrap();
    let once = home.python(&login.with_scopes(python_scopes(None, false)), "once");
    assert_eq!(home.find(&two[..1]).found[0].path, once);
}

#[test]
fn a_file_that_cannot_be_read_is_reported_and_hides_nothing() {
    let home = Home::new();
    let bad = home.python(&PythonLogin::new(HOST), "a\",");
    home.java(&JavaLogin::new(HOST), "opaque");
    let imported = home.find(&[ImportLogin::new(HOST)]);
    assert_eq!(imported.found.len(), 1);
    assert!(matches!(imported.refused[0].why, ImportError::Unreadable(_)));
    assert_eq!(imported.refused[0].path, bad);
    assert!(imported.refused[0].why.to_string().contains("it is left as it is"));
}

#[test]
fn t14_what_was_found_does_not_show_its_tokens() {
    let home = Home::new();
    home.python(&PythonLogin::new(HOST), "canary");
    let shown = format!("{:?}", home.find(&[ImportLogin::new(HOST)]));
    assert!(shown.contains("Python") && !shown.contains("canary"), "{shown}");
}

#[test]
fn the_warning_says_that_the_other_copy_dies() {
    assert!(IMPORT_WARNING.contains("copy is dead") && !IMPORT_WARNING.contains("  "));
}
