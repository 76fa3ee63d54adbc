use super::*;

/// Returns the only pair of a text, with the text of its slot and of its value.
///
fn only(text: &str) -> (String, String, bool) {
    let pair = Scanner::new(text).find_map(|item| match item.unwrap().kind {
        ItemKind::Pair(pair) => Some(pair),
        _ => None,
    });
    let pair = pair.unwrap();
    (text[pair.slot.clone()].to_owned(), pair.value.text(text).to_owned(), pair.open)
}

fn slot(text: &str) -> String {
    only(text).0
}

#[test]
fn spans_cover_the_text_without_gaps() {
    let text = "\u{feff}# c\r\n\r\n[a]\r\nk = `x\r\ny` # c\r\nl = a \\\r\nb\n\n  [b] # c\nm:1";
    let mut at = '\u{feff}'.len_utf8();
    for item in Scanner::new(text).map(Result::unwrap) {
        assert_eq!(item.span.start, at);
        at = item.span.end;
    }
    assert_eq!(at, text.len());
}

#[test]
fn the_slot_holds_the_quotes_and_not_the_comment() {
    assert_eq!(slot("k = \"v\" # c\n"), "\"v\"");
    assert_eq!(slot("k = v ; c\r\n"), "v");
    assert_eq!(slot("k = `v` # c\n"), "`v`");
    assert_eq!(slot("k = \"\"\"a\nb\"\"\" ; c\n"), "\"\"\"a\nb\"\"\"");
    assert_eq!(slot("k = a \\\n  b\nl = 1\n"), "a \\\n  b");
}

#[test]
fn the_slot_takes_whatever_would_not_be_a_comment_after_a_plain_value() {
    assert_eq!(slot("k = `v`junk\n"), "`v`junk");
    assert_eq!(slot("k = `v`# c\n"), "`v`# c");
    assert_eq!(slot("k = `v` ; a # b\n"), "`v` ; a # b");
    assert_eq!(slot("k = `v` # c \\\nl = 1\n"), "`v` # c \\");
}

#[test]
fn the_slot_of_an_empty_value_is_the_rest_of_the_line() {
    assert_eq!(only("k = \r\n"), (" ".to_owned(), String::new(), false));
    assert_eq!(slot("k ="), "");
}

#[test]
fn a_continuation_stays_open_until_a_line_without_backslash() {
    assert_eq!(only("k = a \\\nb\n"), ("a \\\nb".to_owned(), "a b".to_owned(), false));
    assert!(only("k = a \\\n\n").2);
    assert!(only("k = a \\").2);
    assert!(only("k = a \\\nb\\\n").2);
}

#[test]
fn a_lone_triple_quote_at_the_end_is_a_value() {
    assert_eq!(only("k = \"\"\"").1, "\"\"\"");
    assert!(Scanner::new("k = \"\"\"\n").next().unwrap().is_err());
}

#[test]
fn a_quoted_key_ends_at_its_quote_whatever_is_in_it_and_right_after_it() {
    for quote in ["\"", "`", "\"\"\""] {
        for name in ["a", "ab", "a=b", "a : b", "a long key"] {
            let text = format!("{quote}{name}{quote}=c=d\n");
            let Some(Ok(Item { kind: ItemKind::Pair(pair), .. })) = Scanner::new(&text).next()
            else {
                panic!("{text:?} is no pair")
            };
            assert_eq!(
                (&text[pair.key.clone()], &text[pair.slot.clone()]),
                (name, "c=d"),
                "{text:?}"
            );
        }
    }
}
