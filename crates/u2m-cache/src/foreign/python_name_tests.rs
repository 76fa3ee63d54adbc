use super::*;
use proptest::prelude::*;

const W: &str = "https://my-workspace.cloud.databricks.com";

fn login(host: &str, client_id: &str, profile: Option<&str>, scopes: &[&str]) -> PythonLogin {
    let mut login = PythonLogin::new(host)
        .with_client_id(client_id)
        .with_scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    login.profile = profile.map(str::to_owned);
    login
}

/// Id, login, what is hashed if it is short enough to be shown whole, its length, the hash.
#[allow(clippy::type_complexity, reason = "a table")]
fn vectors() -> Vec<(&'static str, PythonLogin, Option<&'static str>, usize, &'static str)> {
    let usual = ["all-apis", "offline_access"];
    let cli = "databricks-cli";
    let guid = "00000000-0000-0000-0000-000000000001";
    let adb = "https://adb-123456789012345.6.azuredatabricks.net";
    let odd = "d\u{e9}v-\u{65e5}\u{672c} \"q\" \\ \t\u{7f}\u{1f600}";
    let odder = "a/b\u{1}\u{8}\u{c}\r\n\u{2028}</x>";
    vec![
        (
            "A",
            login(W, cli, None, &usual),
            Some(
                r#"{"client_id": "databricks-cli", "host": "https://my-workspace.cloud.databricks.com", "profile": "", "scopes": ["all-apis", "offline_access"]}"#,
            ),
            141,
            "51bfe8f28881aa101c93f5284884380cda9842a36961a0b81c3f99a63f16b75a",
        ),
        (
            "B",
            login(W, cli, Some("dev"), &usual),
            None,
            144,
            "b3182bd150db2b4f8eb9cffc955f5aae482a896aa5bfaa269711dfc322d1171d",
        ),
        (
            "C",
            login(W, cli, None, &["all-apis"]),
            None,
            123,
            "3784d94d211363eb1f97a8772acc4e947bb4d1bd20d5dc615d7d82f82e24c47d",
        ),
        (
            "D",
            login(W, cli, Some("DEFAULT"), &["clusters", "jobs", "sql", "offline_access"]),
            None,
            163,
            "ae2a41667cb75262b1471745d9e1f6a5b2c41ff6868448d0ca4f97163f1bf4f5",
        ),
        (
            "I",
            login(W, cli, None, &["clusters", "jobs", "offline_access", "sql"]),
            None,
            156,
            "b8ef60c41cb6fa7f76d1e2a8114a07da4693049a2b3fb099ab4b4bc6a413600a",
        ),
        (
            "E",
            login("https://accounts.cloud.databricks.com", cli, Some("acct"), &usual),
            None,
            141,
            "5529e470e8978d4ca307acbf1d3749b92ac54fa1e9ea232c885a0a8eecf30dab",
        ),
        (
            "F",
            login(adb, guid, None, &usual),
            None,
            171,
            "f7645b2f0e7b4e78b7048c2b77f9b5e07a834919fe6b81b6eb27bf9ed9be9235",
        ),
        (
            "G",
            login(W, cli, Some(odd), &usual),
            None,
            192,
            "3191e0786c6fc7317a3e81dd5fea0a337d090313adba794d1228f8a19a80be77",
        ),
        (
            "L",
            login("https://h", "c", Some(odder), &["s"]),
            Some(
                r#"{"client_id": "c", "host": "https://h", "profile": "a/b\u0001\b\f\r\n\u2028</x>", "scopes": ["s"]}"#,
            ),
            98,
            "31de983dc144440cb0821f6037b36c87d5ff0cc8f6e64efd461ad12171344f8f",
        ),
        (
            "H",
            login("http://localhost:", "abc", None, &[]),
            Some(
                r#"{"client_id": "abc", "host": "http://localhost:", "profile": "", "scopes": []}"#,
            ),
            78,
            "676cce09b3b66924475b6ad807598b3550b6731a3debca900d42ed88f462e366",
        ),
        (
            "J",
            login("http://localhost:", "abc", Some("c"), &["a,b"]),
            Some(
                r#"{"client_id": "abc", "host": "http://localhost:", "profile": "c", "scopes": ["a,b"]}"#,
            ),
            84,
            "fcb6dc3526e94d40e02e89097bf95fd6e024b4809e668154e0d53dce3ed9700a",
        ),
        (
            "K",
            login("http://localhost:", "abc", Some(",bc"), &["a"]),
            Some(
                r#"{"client_id": "abc", "host": "http://localhost:", "profile": ",bc", "scopes": ["a"]}"#,
            ),
            84,
            "cbd098296a41b8da1b114038a025e770436a77c3c331edb90feb78725c52c8ff",
        ),
    ]
}

#[test]
fn int_1_names_are_pythons_byte_for_byte() {
    for (id, login, text, len, hash) in vectors() {
        let key = login.key().unwrap();
        if let Some(text) = text {
            assert_eq!(key, text, "{id}");
        }
        assert_eq!(key.len(), len, "{id}: {key}");
        assert_eq!(login.file_name().unwrap(), format!("{hash}.json"), "{id}");
    }
    let odd = &vectors()[7].1;
    assert!(
        odd.key().unwrap().contains(r#""d\u00e9v-\u65e5\u672c \"q\" \\ \t\u007f\ud83d\ude00""#)
    );
}

#[test]
fn int_1_the_names_of_older_versions_are_known() {
    let names = login(W, "databricks-cli", Some("any"), &["all-apis", "offline_access"])
        .legacy_file_names();
    assert_eq!(
        names,
        [
            "3d88af83649f8c9977a62fe4ac1d71ac10139951a98af9c5d57f4d8cb482cf81.json",
            "62ad06797342fe3273b066ee29dc7a43375c57bc01558a39af0038b36f3de324.json",
            "3802525b7144430b5a6bf6b01c673a1caab3d0354e938db122f1c120430d3f42.json",
            "1be37ce7008d6b244b1616110a0b4d53e8f71d5c77efab04d8912c14e301f351.json",
        ]
    );
    let names = login(W, "databricks-cli", None, &["all-apis"]).legacy_file_names();
    assert_eq!(names.len(), 3);
    // A login to everything is no answer to who asked for less.
    assert_eq!(login(W, "databricks-cli", None, &["sql"]).legacy_file_names().len(), 1);
}

#[test]
fn int_2_logins_that_met_in_one_old_name_have_two_names_now() {
    let [j, k] = [10, 11].map(|at| vectors().swap_remove(at).1);
    assert_ne!(j.file_name(), k.file_name());
    assert_eq!(concatenated(&["a", "bc", ""]), concatenated(&["ab", "c", ""]));
}

#[test]
fn a_host_that_python_refuses_has_no_name() {
    let login = PythonLogin::new("https://x:99999");
    assert_eq!(login.file_name(), None);
    assert!(login.legacy_file_names().is_empty());
}

#[test]
fn the_host_is_brought_into_pythons_form_first() {
    let typed = PythonLogin::new("my-workspace.cloud.databricks.com:443/");
    assert_eq!(typed.file_name(), PythonLogin::new(W).file_name());
}

#[test]
fn scope_1_scopes_are_parsed_sorted_and_completed_as_python_does() {
    for (configured, refreshable, scopes) in [
        (None, true, &["all-apis", "offline_access"][..]),
        (Some("sql, clusters, jobs"), true, &["clusters", "jobs", "sql", "offline_access"]),
        (None, false, &["all-apis"]),
        (
            Some("sql, clusters, jobs, offline_access"),
            true,
            &["clusters", "jobs", "offline_access", "sql"],
        ),
        (Some("a b,a  ,c"), false, &["a", "b", "c"]),
        (Some(""), false, &["all-apis"]),
        (Some(" , "), true, &["all-apis", "offline_access"]),
        (Some("a\tb"), false, &["a\tb"]),
    ] {
        assert_eq!(python_scopes(configured, refreshable), scopes, "{configured:?}");
    }
    assert_eq!(sorted(["z", "a", "z", ""].into_iter()), ["a", "z"]);
}

/// The rules of JSON in ASCII, said slowly: by UTF-16 unit.
fn slowly(text: &str) -> String {
    let unit = |unit: u16| match unit {
        0x22 => "\\\"".to_owned(),
        0x5c => "\\\\".to_owned(),
        0x0a => "\\n".to_owned(),
        0x0d => "\\r".to_owned(),
        0x09 => "\\t".to_owned(),
        0x08 => "\\b".to_owned(),
        0x0c => "\\f".to_owned(),
        0x20..=0x7e => char::from_u32(unit.into()).unwrap().to_string(),
        other => format!("\\u{}{}", nibbles(other >> 8), nibbles(other & 0xff)),
    };
    let body: String = text.encode_utf16().map(unit).collect();
    ["\"", &body, "\""].concat()
}

fn nibbles(byte: u16) -> String {
    let digits: Vec<char> = "0123456789abcdef".chars().collect();
    [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]].iter().collect()
}

proptest! {
    #[test]
    fn int_1_any_login_is_written_by_the_rules_of_json_in_ascii(
        client in "(?s).{0,12}",
        profile in proptest::option::of("(?s).{0,20}|[\u{0}-\u{ff}]{0,20}"),
        host in "[a-zA-Z0-9.-]{1,20}(:[0-9]{1,4})?/?",
        scopes in proptest::collection::vec("(?s).{0,8}", 0..4),
    ) {
        let mut login = PythonLogin::new(&host).with_client_id(&client).with_scopes(scopes.clone());
        login.profile = profile.clone();
        let list: Vec<String> = scopes.iter().map(|scope| slowly(scope)).collect();
        let expected = format!(
            r#"{{"client_id": {}, "host": {}, "profile": {}, "scopes": [{}]}}"#,
            slowly(&client), slowly(&python_host(&host).unwrap()),
            slowly(&profile.clone().unwrap_or_default()), list.join(", "),
        );
        let key = login.key().unwrap();
        prop_assert!(key.is_ascii());
        prop_assert_eq!(&key, &expected);
        // Any JSON reader finds the same strings again.
        let read: serde_json::Value = serde_json::from_str(&key).unwrap();
        prop_assert_eq!(read["client_id"].as_str(), Some(client.as_str()));
        prop_assert_eq!(read["profile"].as_str(), Some(profile.as_deref().unwrap_or("")));
    }
}
