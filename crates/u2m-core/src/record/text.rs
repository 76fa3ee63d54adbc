//! A whole login as one text that states its format: for stores that you write yourself.

use super::SessionRecord;
use crate::json::secret_json;
use crate::secret::SessionText;
use serde::{Deserialize, Serialize};

/// The format that is written. A higher number marks content that this version must not take for a login of its own. An
/// additional member does not need one.
const FORM: u64 = 1;

/// What is written.
#[derive(Serialize)]
struct WrittenSession<'a> {
    form: u64,
    #[serde(flatten)]
    login: &'a SessionRecord,
}

/// The part that is read first. The two are read separately, so that no secret is copied on the way.
#[derive(Deserialize)]
struct SessionHead {
    form: u64,
}

/// Why a text is not a login that can be used. It contains nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not what [`SessionRecord::text`] writes: it is cut off, changed, or something else.
    #[error("{why}")]
    Damaged {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A newer version wrote it. Leave it as it is.
    #[error("it has form {form}, which a newer version wrote")]
    Newer {
        /// The number of its format.
        form: u64,
    },
}

impl SessionRecord {
    /// Writes the login as one text: JSON with the number of its format. The memory used for writing is cleared.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Session, SessionRecord};
    /// let text = SessionRecord::of(&Session::new(AccessToken::new("a"))).text();
    /// assert_eq!(text.expose(), r#"{"form":1,"access_token":"a"}"#);
    /// assert_eq!(format!("{text:?}"), "SessionText(redacted)");
    /// ```
    pub fn text(&self) -> SessionText {
        // An object with named members can always be written.
        let text = secret_json(&WrittenSession { form: FORM, login: self }).unwrap_or_default();
        SessionText::new(std::mem::take(&mut *text.finish()))
    }

    /// Reads what this or another version of [`SessionRecord::text`] wrote; members that this version does not know are
    /// ignored. [`BindingRecord::bind`](super::BindingRecord::bind) decides whether its binding is believed.
    ///
    /// # Errors
    /// Fails if the text is damaged, or has a format that only newer versions read.
    ///
    /// ```
    /// use u2m_core::{RecordError, SessionRecord};
    /// let record = SessionRecord::parse(br#"{"form":1,"access_token":"a","colour":"blue"}"#)?;
    /// assert_eq!(record.session().access_token.expose(), "a");
    /// assert!(matches!(SessionRecord::parse(b"{}"), Err(RecordError::Damaged { .. })));
    /// assert_eq!(SessionRecord::parse(br#"{"form":2}"#), Err(RecordError::Newer { form: 2 }));
    /// # Ok::<(), RecordError>(())
    /// ```
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, RecordError> {
        let damaged = |why| RecordError::Damaged { why };
        let text = text.as_ref();
        // A list of the right length would be read as the members in their order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(damaged("it is not a login that was written down"));
        }
        let head = serde_json::from_slice::<SessionHead>(text);
        match head.map_err(|_| damaged("it is not a login that was written down"))?.form {
            FORM => {}
            0 => return Err(damaged("it is of no form")),
            form => return Err(RecordError::Newer { form }),
        }
        serde_json::from_slice(text).map_err(|_| damaged("a member is missing or is damaged"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccessToken, Binding, Host, Lifetime, RefreshToken, Scopes, Session, Timestamp};
    use proptest::prelude::*;
    use url::Url;

    #[test]
    fn a_list_is_no_login_whatever_stands_in_it() {
        for text in ["[2]", " [1, 2]", "", "2"] {
            let read = SessionRecord::parse(text);
            assert!(matches!(read, Err(RecordError::Damaged { .. })), "{text}");
        }
    }

    fn host() -> impl Strategy<Value = Host> {
        "[a-z]{1,8}\\.example(:[1-9][0-9]{2})?"
            .prop_map(|name| Host::parse(&format!("https://{name}")).unwrap())
    }

    fn binding() -> impl Strategy<Value = Binding> {
        let texts = (".{0,20}", ".{0,20}", proptest::option::of(".{0,9}"));
        let hosts = (host(), proptest::collection::vec(host(), 0..4));
        let scopes =
            proptest::option::of(proptest::collection::vec("[!#-+\\--\\[\\]-~]{1,9}", 1..4));
        (texts, hosts, scopes, any::<bool>()).prop_map(
            |((path, client, account), hosts, scopes, named)| {
                let (host, allowed) = hosts;
                let mut endpoint = Url::parse(allowed.last().unwrap_or(&host).as_str()).unwrap();
                endpoint.set_path(&path);
                Binding::new(format!("{host}/{path}"), endpoint, client, host)
                    .with_account_id(account)
                    .with_scopes(scopes.map(Scopes::new))
                    .with_allowed(allowed)
                    .with_issuer_named(named)
            },
        )
    }

    fn session() -> impl Strategy<Value = Session> {
        let token = || prop_oneof![".{0,40}", "[\\x00-\\x7f]{0,40}"];
        let number = || proptest::option::of(any::<i64>());
        let numbers = (number(), number(), number());
        let tokens = (token(), proptest::option::of(token()));
        (tokens, numbers, proptest::option::of(binding())).prop_map(|(tokens, numbers, binding)| {
            let mut session = Session::new(AccessToken::new(tokens.0));
            session.refresh_token = tokens.1.map(RefreshToken::new);
            session.expiry = numbers.0.map(Timestamp::from_unix);
            session.lifetime = numbers.1.map(Lifetime::from_seconds);
            session.issued_at = numbers.2.map(Timestamp::from_unix);
            session.binding = binding;
            session
        })
    }

    proptest! {
        #[test]
        fn every_login_comes_back_whole(session in session()) {
            let record = SessionRecord::of(&session);
            let text = record.text();
            prop_assert_eq!(text.expose().starts_with("{\"form\":1,"), true);
            let again = SessionRecord::parse(text.expose()).unwrap();
            prop_assert_eq!(&again, &record);
            prop_assert_eq!(again.session(), session);
        }

        #[test]
        fn what_was_cut_off_is_damaged(session in session(), at in 0.0..1.0) {
            let text = SessionRecord::of(&session).text();
            let whole = text.expose().as_bytes();
            let cut = (whole.len() as f64 * at) as usize;
            let is_damaged = matches!(SessionRecord::parse(&whole[..cut]), Err(RecordError::Damaged { .. }));
            prop_assert!(is_damaged, "{} of {} bytes", cut, whole.len());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SessionRecord::parse(bytes);
        }
    }

    #[test]
    fn members_of_later_versions_are_skipped_and_forms_of_later_versions_are_left_alone() {
        let text = r#"{"audience":["x"],"form":1,"access_token":"a","expiry":9,"more":{"b":null}}"#;
        let session = SessionRecord::parse(text).unwrap().session();
        assert_eq!(
            (session.access_token.expose(), session.expiry),
            ("a", Some(Timestamp::from_unix(9)))
        );
        let newer = SessionRecord::parse(r#"{"access_token":{"sealed":"x"},"form":7}"#);
        assert_eq!(newer, Err(RecordError::Newer { form: 7 }));
        assert_eq!(newer.unwrap_err().to_string(), "it has form 7, which a newer version wrote");
    }

    #[test]
    fn what_is_no_login_is_refused_and_not_repeated() {
        for text in [
            "",
            "null",
            "[]",
            "canary",
            r#"{"access_token":"canary"}"#,
            r#"{"form":0,"access_token":"canary"}"#,
            r#"{"form":-1,"access_token":"canary"}"#,
            r#"{"form":"1","access_token":"canary"}"#,
            r#"{"form":1}"#,
            r#"{"form":1,"form":1,"access_token":"canary"}"#,
            r#"{"form":1,"access_token":"canary","access_token":"canary"}"#,
            r#"{"form":1,"access_token":"canary","refresh_token":["canary"]}"#,
            r#"{"form":1,"access_token":"canary","expiry":"canary"}"#,
            r#"{"form":1,"access_token":"canary"} canary"#,
        ] {
            let error = SessionRecord::parse(text).unwrap_err();
            assert!(matches!(error, RecordError::Damaged { .. }), "{text}: {error:?}");
            assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
        }
        assert!(SessionRecord::parse(b"\xff").is_err());
    }
}
