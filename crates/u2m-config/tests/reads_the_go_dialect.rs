//! What the Go INI library reads from a line is what is read here.
#![allow(clippy::unwrap_used)]

use u2m_config::ConfigFile;

/// The value of `k` in `[p]`, below which `lines` stand.
fn value(lines: &str) -> String {
    let file = ConfigFile::parse(format!("[p]\n{lines}\n")).unwrap();
    file.get("p", "k").unwrap().to_owned()
}

#[test]
fn comments_need_a_space_before_them() {
    assert_eq!(value("k = v # c"), "v");
    assert_eq!(value("k = v ; c"), "v");
    assert_eq!(value("k = v#c"), "v#c");
    assert_eq!(value("k = v;c"), "v;c");
    assert_eq!(value("k = a ; b # c"), "a ; b");
    assert_eq!(value("k = # c"), "# c");
}

#[test]
fn a_colon_separates_as_well() {
    assert_eq!(value("k: v"), "v");
    assert_eq!(value("k = https://a.example:8080"), "https://a.example:8080");
    assert_eq!(value("k : a=b"), "a=b");
}

#[test]
fn one_pair_of_quotes_is_removed() {
    assert_eq!(value("k = \"v\""), "v");
    assert_eq!(value("k = 'v'"), "v");
    assert_eq!(value("k = ' v '"), " v ");
    assert_eq!(value("k = \"a\"b\""), "\"a\"b\"");
    assert_eq!(value("k = '"), "'");
    assert_eq!(value("k = ''"), "");
}

#[test]
fn comments_are_cut_before_quotes_are_removed() {
    assert_eq!(value("k = \"%Y#X$Z\" # comment"), "%Y#X$Z");
    assert_eq!(value("k = '%Y#X$Z' # comment"), "%Y#X$Z");
    assert_eq!(value("k = %Y#X$Z # comment"), "%Y#X$Z");
    assert_eq!(value("k = 'a # b'"), "'a");
}

#[test]
fn backquotes_protect_everything() {
    assert_eq!(value("k = `v # x`"), "v # x");
    assert_eq!(value("k = ` v\\` ; c"), " v\\");
    assert_eq!(value("k = `a\nb ; c\nd`"), "a\nb ; c\nd");
}

#[test]
fn triple_quotes_span_lines() {
    assert_eq!(value("k = \"\"\"a \"b\" # c\"\"\""), "a \"b\" # c");
    assert_eq!(value("k = \"\"\"a\n[q]\nk = b\"\"\" # c\nl = 1"), "a\n[q]\nk = b");
}

#[test]
fn a_backslash_joins_the_next_line() {
    assert_eq!(value("k = a \\\nb"), "a b");
    assert_eq!(value("k = a\\\n  b # c"), "ab # c");
    assert_eq!(value("k = 'a\\\nb'"), "'ab'");
    assert_eq!(value("k = a\\\n\nl = 1"), "a");
    assert_eq!(value("k = a\\\nb\\\nc"), "abc");
}

#[test]
fn the_last_of_repeated_keys_wins() {
    assert_eq!(value("k = 1\nk = 2"), "2");
    assert_eq!(value("k = 1\nk ="), "");
}

#[test]
fn repeated_sections_merge() {
    let file = ConfigFile::parse("[p]\nk = 1\nl = 1\n[q]\nk = 9\n[p]\nk = 2\nm = 3\n").unwrap();
    assert_eq!(["k", "l", "m"].map(|key| file.get("p", key)), [Some("2"), Some("1"), Some("3")]);
}

#[test]
fn keys_may_be_quoted_and_indented() {
    assert_eq!(value("  \"k\" = v"), "v");
    assert_eq!(value("`k` = v"), "v");
    assert_eq!(value("\"\"\"k\"\"\" = v"), "v");
    let file = ConfigFile::parse("[p]\n`a=b:c` = v\n").unwrap();
    assert_eq!(file.get("p", "a=b:c"), Some("v"));
}

#[test]
fn names_and_keys_are_case_sensitive() {
    let file = ConfigFile::parse("[Dev]\nHost = x\n").unwrap();
    assert!(file.profile("dev").is_none());
    assert_eq!(file.profile("Dev").unwrap().host(), None);
}

#[test]
fn a_section_name_is_everything_up_to_the_last_bracket() {
    let file = ConfigFile::parse("[ a ] # c\nk = 1\n[b]c]\nk = 2\n").unwrap();
    assert_eq!(file.get(" a ", "k"), Some("1"));
    assert_eq!(file.get("b]c", "k"), Some("2"));
}

#[test]
fn comments_and_blank_lines_are_skipped() {
    assert_eq!(value("\n# k = 1\n  ; k = 2\n\t\nk = 3"), "3");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_skipped() {
    let file =
        ConfigFile::parse("\u{feff}[p]\r\nk = v\r\nl = 'w' # c\r\nm = a\\\r\nb\r\n").unwrap();
    assert_eq!(["k", "l", "m"].map(|key| file.get("p", key)), [Some("v"), Some("w"), Some("ab")]);
}

#[test]
fn keys_before_any_header_belong_to_default() {
    let file =
        ConfigFile::parse("host = a\n[default]\nhost = b\n[DEFAULT]\naccount_id = c\n").unwrap();
    let default = file.profile("DEFAULT").unwrap();
    assert_eq!((default.host(), default.account_id()), (Some("a"), Some("c")));
    assert_eq!(file.profile("default").unwrap().host(), Some("b"));
}
