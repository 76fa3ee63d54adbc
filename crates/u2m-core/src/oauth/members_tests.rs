use super::*;

fn of<'a>(body: &'a [u8], name: &str) -> Option<String> {
    let has = |members: &JsonMembers<'a>| members.text("want").is_some();
    let members = JsonMembers::find(body, true, has)?;
    members.text(name).map(ResponseText::into_secret)
}

fn want(body: &str) -> Option<String> {
    of(body.as_bytes(), "want")
}

#[test]
fn a_member_is_found_whatever_stands_around_its_object() {
    for body in [
        r#"{"want":"it"}"#,
        "\0\0 {\"want\":\"it\"}\0\0",
        ")]}',\n{\"want\":\"it\"}",
        "for(;;);{\"want\":\"it\"};",
        "callback({\"want\":\"it\"})",
        r#"[{"want":"it"}]"#,
        r#"{"want":"it"}{"want":"other"}"#,
        r#"{} {"x":1} {"want":"it"} trailing "text" {"#,
        r#"{"oops {"want":"it"}"#,
        r#"{"oops":{"want":"it"}"#,
        r#"{ {bar} {"want":"it"}"#,
        r#"{"data":{"token":{"want":"it"}}}"#,
        r#"{"want":"it""#,
        r#"{"want":"it","cut":"off he"#,
    ] {
        assert_eq!(want(body).as_deref(), Some("it"), "{body}");
    }
}

#[test]
fn the_oddity_of_one_member_hides_no_other() {
    let deep = "[{\"a\":".repeat(50_000);
    for odd in [
        "null",
        "NaN",
        "tru e",
        "'single'",
        "-",
        "\"\\ud800\"",
        "\"\\x\"",
        "\"raw\nline\"",
        "[1,2,{\"want\":\"no\"}]",
        "{\"want\":\"no\"}",
        "]",
        "",
        &format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000)),
    ] {
        for body in [
            format!(r#"{{"odd":{odd},"want":"it"}}"#),
            format!(r#"{{"want":"it","odd":{odd}}}"#),
            format!(r#"{{"want":{odd},"want":"it"}}"#),
        ] {
            assert_eq!(want(&body).as_deref(), Some("it"), "{:.60}", body);
        }
    }
    assert_eq!(want(&format!(r#"{{"want":"it","odd":{deep}"#)).as_deref(), Some("it"));
    assert_eq!(of(b"{\"odd\":\"\xff\xfe\",\"want\":\"it\"}", "want").as_deref(), Some("it"));
}

#[test]
fn the_last_of_doubled_members_counts_if_it_can_be_read() {
    assert_eq!(want(r#"{"want":"one","want":"two"}"#).as_deref(), Some("two"));
    assert_eq!(want(r#"{"want":"one","want":null,"want":""}"#).as_deref(), Some("one"));
    assert_eq!(want(r#"{"WANT":"one","wAnt":"two"}"#).as_deref(), Some("two"));
    let named = r#"{"want":"one","WANT":"two"}"#;
    assert_eq!(want(named).as_deref(), Some("one"), "a name is what the standard writes");
    assert_eq!(want(r#"{"w\u0061nt":"one"}"#).as_deref(), Some("one"));
}

#[test]
fn texts_are_read_as_they_are_meant_and_numbers_as_they_are_written() {
    for (raw, read) in [
        (r#""a\"b\\c\/d\n\u00e9\ud834\udd1e""#, Some("a\"b\\c/d\né𝄞")),
        ("12345678901234567890", Some("12345678901234567890")),
        ("-1.50e3", Some("-1.50e3")),
        ("true", None),
        (r#""\ud834""#, None),
        (r#""\u12""#, None),
        (r#""\u+123""#, None),
        ("[]", None),
    ] {
        assert_eq!(want(&format!(r#"{{"want":{raw}}}"#)).as_deref(), read, "{raw}");
    }
    let listed = JsonMembers::find(br#"{"scope":["a",1,null,{"b":"c"},"d e"]}"#, false, |_| true);
    let listed: Vec<_> =
        listed.unwrap().texts("scope").into_iter().map(ResponseText::into_secret).collect();
    assert_eq!(listed, ["a", "1", "d e"]);
}

#[test]
fn t9_no_body_takes_long() {
    for unit in ["{\"a\":", "{", "{\"", "[{\"a\":\"", "{\"a\":1}", "{\"a\":\"\\"] {
        let body = unit.repeat((256 << 10) / unit.len());
        assert_eq!(want(&body), None);
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read(body in "[{}\\[\\]\":,a\\\\ 1w]{0,60}|(?s).{0,60}") {
        for nested in [false, true] {
            if let Some(members) = JsonMembers::find(body.as_bytes(), nested, |_| true) {
                let _ = (members.texts("a"), members.text("a"), members.is_whole());
            }
        }
    }
}
