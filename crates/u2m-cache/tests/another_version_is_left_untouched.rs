//! A cache of another version is neither read nor overwritten.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place, key, session};
use std::fs;
use u2m_cache::{StoreError, TokenStore};

#[test]
fn a_cache_of_another_version_is_refused_and_keeps_its_bytes() {
    for (text, shown) in [
        (r#"{"version":2,"tokens":{"dev":{"access_token":"a"}}}"#, "got version 2;"),
        (r#"{"version":823,"tokens":{}}"#, "got version 823;"),
        (r#"{"tokens":{"dev":{"access_token":"a"}}}"#, "got version 0;"),
        (r#"{"version":"1","tokens":{}}"#, "got version"),
        (r#"{"version":1.0,"tokens":{}}"#, "got version 1.0"),
        (r#"{"version":1e0,"tokens":{}}"#, "got version 1e0"),
        (r#"{"version":null,"tokens":{}}"#, "got version"),
        ("{}", "got version 0;"),
        // What a later version might look like: no damage, although this version cannot read it.
        (r#"{"version":2,"tokens":[{"key":"dev"}]}"#, "got version 2;"),
        (r#"{"tokens":[{"key":"dev"}],"version":2}"#, "got version 2;"),
        ("{\"version\":3,\"tokens\":{}}\n{\"journal\":1}", "got version 3;"),
    ] {
        let place = Place::with(text);
        let store = place.store();
        let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
        let errors = [
            store.load(&key("dev")).unwrap_err(),
            store.keys().unwrap_err(),
            store.save(&key("dev"), &session("dev")).unwrap_err(),
            store.delete(&key("dev")).unwrap_err(),
            lock.prove_writable().unwrap_err(),
            lock.save(&session("dev")).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Version { .. }), "{text}: {error}");
            assert!(error.to_string().contains(shown), "{error}");
            assert!(error.to_string().contains("needs version 1, got version"), "{error}");
        }
        assert_eq!(fs::read_to_string(place.file()).unwrap(), text);
        assert!(place.aside().is_empty());
    }
}
