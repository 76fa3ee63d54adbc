//! What other programs wrote and u2m does not know is kept.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, access, key, session};
use u2m_cache::TokenStore;

const ODD: &str = r#"{"Version":1,"note":"kept","tokens":{"dev":{"ACCESS_TOKEN":"a","expiry":null,"scopes":["all-apis"]}}, "n": 1e400 ,"o":{"deep":[1, 2]}}"#;

#[test]
fn file_3_members_of_the_file_survive_a_save_and_a_delete_of_another_key() {
    let place = Place::with(ODD);
    let store = place.store();
    for _ in 0..2 {
        store.save(&key("other"), &session("other")).unwrap();
        for kept in [
            r#""note": "kept""#,
            r#""n": 1e400"#,
            r#""o": {"deep":[1, 2]}"#,
            r#"{"ACCESS_TOKEN":"a","expiry":null,"scopes":["all-apis"]}"#,
        ] {
            assert!(place.text().contains(kept), "{kept}");
        }
        store.delete(&key("other")).unwrap();
        assert!(place.text().contains(r#""note": "kept""#));
        assert_eq!(access(&store, "dev").as_deref(), Some("a"));
    }
}

#[test]
fn file_3_members_of_an_entry_survive_its_own_refresh_in_their_order() {
    let place = Place::with(
        r#"{"version":1,"tokens":{"dev":{"zeta":1,"access_token":"a","alpha":{"x":[null]},"<m>":"\u00e9"}}}"#,
    );
    place.store().save(&key("dev"), &session("dev")).unwrap();
    let text = place.text();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    assert!(at(r#""expiry""#) < at(r#""zeta": 1"#));
    assert!(at(r#""zeta": 1"#) < at(r#""alpha": {"x":[null]}"#));
    assert!(at(r#""alpha""#) < at(r#""\u003cm\u003e": "\u00e9""#));
}
