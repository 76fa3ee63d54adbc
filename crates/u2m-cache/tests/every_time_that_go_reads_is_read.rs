//! The forms of `expiry`: each one that Go's reader accepts is read, each other is reported for its own entry alone.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, access, go_reads, key, session};
use u2m_cache::{FileStore, StoreError, TokenStore};
use u2m_core::Timestamp;

const NEW_YEAR: i64 = common::LATER;

fn place(expiry: &str) -> Place {
    Place::with(format!(
        r#"{{"version":1,"tokens":{{"dev":{{"access_token":"a","refresh_token":"r"{expiry}}},"good":{{"access_token":"g"}}}}}}"#
    ))
}

fn expiry(store: &FileStore) -> Option<i64> {
    store.load(&key("dev")).unwrap().unwrap().expiry.map(Timestamp::unix)
}

#[test]
fn what_go_accepts_is_read_as_the_instant_that_it_means() {
    for (text, unix) in [
        ("2099-01-01T00:00:00Z", NEW_YEAR),
        ("2099-01-01T00:00:00.5+05:30", NEW_YEAR - 19_800),
        ("2099-01-01T00:00:00-08:00", NEW_YEAR + 28_800),
        ("2099-01-01T00:00:00+00:00", NEW_YEAR),
        ("2099-01-01T00:00:00.123456789012345Z", NEW_YEAR),
        ("2099-01-01T0:00:00Z", NEW_YEAR),
        ("2099-01-01T00:00:00,25Z", NEW_YEAR),
        ("2099-01-01T00:00:00+24:00", NEW_YEAR - 86_400),
        ("0000-01-01T00:00:00Z", -62_167_219_200),
        ("2026-03-10T22:33:09.12+01:00", 1_773_178_389),
    ] {
        let place = place(&format!(r#","expiry":"{text}""#));
        assert_eq!(expiry(&place.store()), Some(unix), "{text}");
    }
}

#[test]
fn gos_zero_time_an_absent_one_and_null_are_times_that_nobody_knows() {
    for text in [
        "",
        r#","expiry":null"#,
        r#","expiry":"0001-01-01T00:00:00Z""#,
        r#","expiry":"0001-01-01T05:30:00+05:30""#,
        r#","Expiry":"0000-12-31T16:00:00-08:00""#,
    ] {
        assert_eq!(expiry(&place(text).store()), None, "{text}");
    }
}

#[test]
fn file_2_a_time_that_go_refuses_concerns_its_own_entry_alone_and_a_login_repairs_it() {
    for text in [
        r#""""#,
        r#""2099-01-01T00:00:00""#,
        r#""2099-01-01 00:00:00Z""#,
        r#""2099-01-01t00:00:00Z""#,
        r#""2099-01-01T00:00:00z""#,
        r#""2099-01-01T00:00:00+0100""#,
        r#""2099-01-01T00:00Z""#,
        r#""2099-01-01T24:00:00Z""#,
        r#""2099-01-01T00:00:60Z""#,
        r#""2099-02-30T00:00:00Z""#,
        r#""12099-01-01T00:00:00Z""#,
        r#""2099-01-01T00:00:00.Z""#,
        "4070908800",
        "{}",
        "[]",
        "true",
    ] {
        let place = place(&format!(r#","expiry":{text}"#));
        let store = place.store();
        let error = store.load(&key("dev")).unwrap_err();
        assert!(matches!(&error, StoreError::BadEntry { key, .. } if key.as_str() == "dev"));
        assert!(error.to_string().contains("log in again"), "{error}");
        assert_eq!(access(&store, "good").as_deref(), Some("g"), "{text}");
        assert_eq!(store.keys().unwrap().len(), 2);
        // Another login leaves it as it is, and its own replaces it.
        store.save(&key("other"), &session("other")).unwrap();
        assert!(place.text().contains(&format!(r#""expiry":{text}}}"#)), "{text}");
        store.save(&key("good"), &session("good")).unwrap();
        store.save(&key("dev"), &session("dev")).unwrap();
        assert_eq!(go_reads(&place.text()).len(), 3);
        assert!(place.aside().is_empty());
    }
}

#[test]
fn a_time_that_breaks_gos_writer_is_not_left_behind() {
    // Go reads an offset of 24 hours and then cannot write the file any more.
    let place = place(r#","expiry":"2099-01-01T00:00:00+24:00""#);
    let store = place.store();
    let session = store.load(&key("dev")).unwrap().unwrap();
    store.save(&key("dev"), &session).unwrap();
    assert!(!place.text().contains("+24:00"));
    assert_eq!(expiry(&store), Some(NEW_YEAR - 86_400));
}
