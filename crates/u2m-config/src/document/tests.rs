use super::*;

fn set(text: &str, section: &str, values: &[(&str, &str)]) -> String {
    let mut document = IniDocument::new(text);
    document.set(section, values);
    document.text
}

fn removed(text: &str, section: &str) -> String {
    let mut document = IniDocument::new(text);
    document.remove_section(section);
    document.text
}

#[test]
fn a_new_key_lines_up_with_its_neighbours() {
    let text = "[p]\nhost         = h\nworkspace_id = 1\n# end\n";
    let expected = "[p]\nhost         = h\nworkspace_id = 1\nauth_type    = x\n# end\n";
    assert_eq!(set(text, "p", &[("auth_type", "x")]), expected);
}

#[test]
fn a_key_longer_than_its_neighbours_moves_none_of_them() {
    assert_eq!(
        set("[p]\nhost = h\n", "p", &[("workspace_id", "1")]),
        "[p]\nhost = h\nworkspace_id = 1\n"
    );
}

#[test]
fn neighbours_without_a_common_column_set_no_column() {
    assert_eq!(
        set("[p]\nhost = h\ntoken = t\n", "p", &[("a", "1")]),
        "[p]\nhost = h\ntoken = t\na = 1\n"
    );
}

#[test]
fn neighbours_without_blanks_around_the_sign_are_imitated() {
    assert_eq!(set("[p]\nhost=h\n", "p", &[("a", "1")]), "[p]\nhost=h\na=1\n");
    assert_eq!(set("[p]\nhost: h\n", "p", &[("longer", "1")]), "[p]\nhost: h\nlonger = 1\n");
}

#[test]
fn new_keys_are_never_indented() {
    // Python reads an indented line as a continuation of the value above.
    assert_eq!(set("[p]\n  host = h\n", "p", &[("a", "1")]), "[p]\n  host = h\na      = 1\n");
}

#[test]
fn a_new_section_comes_after_one_blank_line() {
    assert_eq!(set("[p]\nk = 1\n", "q", &[("a", "1")]), "[p]\nk = 1\n\n[q]\na = 1\n");
    assert_eq!(set("[p]\nk = 1\n\n", "q", &[("a", "1")]), "[p]\nk = 1\n\n[q]\na = 1\n");
    assert_eq!(set("[p]\nk = 1", "q", &[("a", "1")]), "[p]\nk = 1\n\n[q]\na = 1\n");
}

#[test]
fn an_open_continuation_does_not_swallow_a_new_key() {
    let text = set("[p]\nk = a \\", "p", &[("l", "1")]);
    assert_eq!(text, "[p]\nk = a \\\n\nl = 1\n");
}

#[test]
fn keys_of_an_empty_section_follow_its_header() {
    assert_eq!(set("[p]\n\n[q]\nk = 1\n", "p", &[("a", "1")]), "[p]\na = 1\n\n[q]\nk = 1\n");
}

#[test]
fn keys_before_any_header_are_those_of_the_default_section() {
    assert_eq!(
        set("host = a\n\n[p]\nk = 1\n", "DEFAULT", &[("host", "b"), ("x", "1")]),
        "host = b\nx    = 1\n\n[p]\nk = 1\n"
    );
}

#[test]
fn the_occurrence_that_counts_is_the_one_that_changes() {
    assert_eq!(set("[p]\nk = 1\n[p]\nk = 2\n", "p", &[("k", "3")]), "[p]\nk = 1\n[p]\nk = 3\n");
}

#[test]
fn a_key_in_capitals_is_not_doubled() {
    assert_eq!(set("[p]\nHost = a\n", "p", &[("host", "b")]), "[p]\nhost = b\n");
}

#[test]
fn an_equal_value_keeps_its_quotes() {
    assert_eq!(set("[p]\nk = 'v'\n", "p", &[("k", "v")]), "[p]\nk = 'v'\n");
}

#[test]
fn empty_values_are_filled_in() {
    assert_eq!(
        set("[p]\nk = \nl =\nm=\n", "p", &[("k", "1"), ("l", "2"), ("m", "3")]),
        "[p]\nk = 1\nl = 2\nm=3\n"
    );
}

#[test]
fn windows_line_ends_are_kept_if_they_are_everywhere() {
    assert_eq!(set("[p]\r\nk = 1\r\n", "q", &[("a", "1")]), "[p]\r\nk = 1\r\n\r\n[q]\r\na = 1\r\n");
    assert_eq!(set("[p]\r\nk = 1\n", "p", &[("a", "1")]), "[p]\r\nk = 1\na = 1\n");
}

#[test]
fn a_section_goes_with_the_comment_above_it() {
    let text = "# top\n\n# about p\n[p]\nk = 1\n# within\nl = 2\n\n# about q\n[q]\nk = 1\n";
    assert_eq!(removed(text, "p"), "# top\n\n# about q\n[q]\nk = 1\n");
    assert_eq!(removed(text, "q"), "# top\n\n# about p\n[p]\nk = 1\n# within\nl = 2\n");
}

#[test]
fn every_block_of_a_repeated_section_goes() {
    assert_eq!(removed("[p]\na = 1\n[q]\nb = 1\n[p]\nc = 1\n", "p"), "[q]\nb = 1\n");
    assert_eq!(removed("[p]\na = 1\n\n[p]\nc = 1\n", "p"), "");
}

#[test]
fn the_default_section_keeps_its_header_and_comment() {
    let text = "a = 1\n; note\n[DEFAULT]\nhost = h\n# c\n\n[p]\nk = 1\n";
    assert_eq!(removed(text, "DEFAULT"), "; note\n[DEFAULT]\n# c\n\n[p]\nk = 1\n");
}

#[test]
fn removing_ignores_case_and_takes_every_occurrence() {
    let mut document = IniDocument::new("[p]\nToken = 1\nk = 2\ntoken = `3\n4`\n[q]\ntoken = 5\n");
    document.remove("p", "token");
    assert_eq!(document.text, "[p]\nk = 2\n[q]\ntoken = 5\n");
}

#[test]
fn overwriting_replaces_values_over_several_lines() {
    let mut document = IniDocument::new("[p]\ntoken = `a\nb` # mine\nTOKEN: c \\\nd\nk = 1\n");
    document.overwrite("p", "token", "X");
    assert_eq!(document.text, "[p]\ntoken = X # mine\nTOKEN: X\nk = 1\n");
}

#[test]
fn a_byte_order_mark_that_ends_the_text_is_no_line_end() {
    for (text, expected) in [
        ("\u{feff}", "\u{feff}[p]\nk = v\n"),
        ("[p]\n# \u{feff}", "[p]\nk = v\n# \u{feff}"),
        ("[p]\nj = \u{feff}", "[p]\nj = \u{feff}\nk = v\n"),
        ("[q]\nj = \u{feff}", "[q]\nj = \u{feff}\n\n[p]\nk = v\n"),
    ] {
        assert_eq!(set(text, "p", &[("k", "v")]), expected, "{text:?}");
    }
}

#[test]
fn a_byte_order_mark_within_the_text_does_not_become_the_text_s_own() {
    let mut document = IniDocument::new("k = v\n\u{feff}host = h\n");
    document.remove("DEFAULT", "k");
    assert_eq!(document.text(), "\n\u{feff}host = h\n");
}
