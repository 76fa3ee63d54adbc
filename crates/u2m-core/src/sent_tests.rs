use super::*;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

const TOKEN: &str = "tok-7Qw3/rT9.xK2_mN8~vB4+zL6=";

fn sent(secret: &str) -> SentSecrets {
    [secret].into_iter().collect()
}

/// Whether a useful part of the secret is left: eight of its letters and digits in a row.
fn leaks(shown: &str, secret: &str) -> bool {
    let (shown, secret) = (skeleton(shown), skeleton(secret));
    secret.windows(8.min(secret.len())).any(|run| shown.windows(run.len()).any(|part| part == run))
}

fn json(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect()
}

fn percent(text: &str) -> String {
    super::percent(text).to_string()
}

fn every_percent(text: &str, upper: bool) -> String {
    text.bytes().map(|b| if upper { format!("%{b:02X}") } else { format!("%{b:02x}") }).collect()
}

fn broken(text: &str, by: &str) -> String {
    let parts: Vec<_> =
        text.as_bytes().chunks(5).map(|part| String::from_utf8_lossy(part)).collect();
    parts.join(by)
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        secret.to_uppercase(),
        percent(secret),
        percent(&percent(secret)),
        every_percent(secret, true),
        every_percent(secret, false),
        every_percent(&every_percent(secret, false), true),
        json(secret),
        json(&percent(secret)),
        secret.replace('/', "\\/"),
        secret.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        secret.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect(),
        secret.bytes().map(|b| format!("{b:02x}")).collect(),
        STANDARD.encode(percent(secret)),
    ];
    for by in ["\n", "\r\n  ", "-", " - ", "\u{0}", "\\n", "\t", "\u{a0}", "\" + \"", "\u{200b}"] {
        forms.push(broken(secret, by));
        forms.push(broken(&STANDARD.encode(secret), by));
    }
    for before in ["", "a", "ab", "abc", "Invalid refresh token: "] {
        for behind in ["", "x", "xy", ", sorry"] {
            let text = format!("{before}{secret}{behind}");
            forms.extend([
                STANDARD.encode(&text),
                URL_SAFE.encode(&text),
                URL_SAFE_NO_PAD.encode(&text),
            ]);
            forms.push(every_percent(&STANDARD.encode(&text), true));
        }
    }
    forms
}

#[test]
fn a_secret_is_cut_out_in_every_form_that_servers_give_it() {
    for secret in [TOKEN, "0123456789abcdef0123456789abcdef", &"eyJhbGciOi.J9".repeat(90)] {
        for form in forms(secret) {
            let shown = sent(secret).cut(&format!("Invalid refresh token: {form}, try again"));
            assert!(shown.starts_with("Invalid refresh token: "), "{form}: {shown}");
            assert!(shown.contains(SentSecrets::CUT) && !leaks(&shown, secret), "{form}: {shown}");
            let left = shown.trim_start_matches("Invalid refresh token: ").len();
            assert!(left < 160, "{form}: {shown}");
        }
    }
}

#[test]
fn what_is_cut_short_is_cut_out_too() {
    let long = "q7Zk2Xp9Lw4Vn8Tb3Rm6Yc1Hd5Jf0Gs";
    for length in 8..long.len() {
        let shown = sent(long).cut(&format!("Invalid token: {}...", &long[..length]));
        assert!(!leaks(&shown, long) && shown.contains(SentSecrets::CUT), "{length}: {shown}");
    }
    for from in 0..long.len() - 16 {
        let shown = sent(long).cut(&format!("no ...{}... aye", &long[from..from + 16]));
        assert_eq!(shown, "no ...[secret]... aye");
    }
}

/// In base32 (RFC 4648 section 6), without padding.
fn base32(bytes: &[u8]) -> String {
    let bits: Vec<u8> =
        bytes.iter().flat_map(|b| (0..8).rev().map(move |at| b >> at & 1)).collect();
    let digit = |bits: &[u8]| {
        let five = (0..5).fold(0, |sum, at| sum * 2 + bits.get(at).copied().unwrap_or(0));
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(five)])
    };
    bits.chunks(5).map(digit).collect()
}

/// What a server may do to a text that it repeats.
const CODINGS: [fn(&str) -> String; 12] = [
    |text| base32(text.as_bytes()),
    |text| base32(text.as_bytes()).to_lowercase(),
    |text| {
        let digits = base32(text.as_bytes());
        let full = digits.len().next_multiple_of(8);
        format!("{digits:=<full$}")
    },
    |text| STANDARD.encode(text),
    |text| URL_SAFE.encode(text),
    |text| URL_SAFE_NO_PAD.encode(text),
    |text| text.bytes().map(|b| format!("{b:02x}")).collect(),
    |text| text.bytes().map(|b| format!("{b:02X}")).collect(),
    |text| text.chars().rev().collect(),
    percent,
    |text| every_percent(text, true),
    |text| every_percent(text, false),
];

/// Whether eight characters in a row of `form` are left.
fn is_left(shown: &str, form: &str) -> bool {
    let (shown, form) = (shown.as_bytes(), form.trim_end_matches('=').as_bytes());
    form.windows(8).any(|run| shown.windows(8).any(|part| part == run))
}

#[test]
fn a_secret_in_two_codings_on_top_of_one_another_is_cut_out() {
    for secret in
        [TOKEN.trim_end_matches('='), "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "dapj-Zz9-short1"]
    {
        for inner in CODINGS {
            for outer in CODINGS {
                for text in [secret.to_owned(), format!("Invalid refresh token: {secret}, sorry")] {
                    let form = outer(&inner(&text));
                    let shown = sent(secret).cut(&format!("code 7: {form}, try again"));
                    assert!(shown.starts_with("code 7: "), "{form}: {shown}");
                    assert!(shown.ends_with(", try again"), "{form}: {shown}");
                    assert!(shown.contains(SentSecrets::CUT), "{form}: {shown}");
                    if text == secret {
                        assert!(!is_left(&shown, &form), "{form}: {shown}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_encoded_and_cut_short_is_cut_out_too() {
    let long = "q7Zk2Xp9Lw4Vn8Tb3Rm6Yc1Hd5Jf0Gs";
    for coding in &CODINGS[..8] {
        let form = coding(long);
        for length in form.len() * 2 / 5..form.len() {
            let shown = sent(long).cut(&format!("Invalid token: {}", &form[..length]));
            assert!(shown.starts_with("Invalid token: [secret]"), "{length}: {shown}");
            assert!(!is_left(&shown, &form), "{length}: {shown}");
        }
    }
}

/// Each of these is decoded from every place, twice, and below its escapes. If that work ever grows faster than the text, this
/// test takes hours.
#[test]
fn a_long_text_is_read_to_its_end() {
    let secret = "q7Zk2Xp9Lw4Vn8Tb3Rm6Yc1Hd5Jf0Gs".repeat(40);
    for text in ["refresh token ", "cTdaazJY", "%25%34%31", "41", "\\u0041"] {
        let long = text.repeat((1 << 16) / text.len()) + " and " + &secret;
        let shown = sent(&secret).cut(&long);
        assert!(shown.contains(SentSecrets::CUT) && !leaks(&shown, &secret));
    }
}

#[test]
fn a_secret_in_pieces_or_in_numbers_is_cut_out() {
    let secret = "rt-q7Zk2Xp9Lw4Vn8Tb3Rm6Yc1Hd5Jf0Gs";
    let list = |form: fn(u8) -> String| secret.bytes().map(form).collect::<Vec<_>>().join(", ");
    let wide = secret.bytes().map(|b| char::from_u32(u32::from(b) + 0xfee0).unwrap());
    for form in [
        format!("part one: {} part two: {}", &secret[..15], &secret[15..]),
        format!("a={} b={} c={}", &secret[..12], &secret[12..23], &secret[23..]),
        format!("part two: {} part one: {}", &secret[15..], &secret[..15]),
        format!("[{}]", list(|b| b.to_string())),
        format!("[{}]", list(|b| format!("0x{b:02x}"))),
        list(|b| format!("{b:08b}")),
        secret.bytes().map(|b| format!("\\{b:03o}")).collect(),
        wide.collect(),
    ] {
        let shown = sent(secret).cut(&format!("not good: {form} at all"));
        assert!(shown.starts_with("not good: ") && shown.ends_with(" at all"), "{shown}");
        assert!(shown.contains(SentSecrets::CUT), "{shown}");
        for piece in ["q7Zk", "Lw4V", "Tb3R", "Hd5J", "f0Gs", "113", "0x71", "\\161", "\u{ff51}"] {
            assert!(!shown.contains(piece), "{shown}");
        }
    }
    let one = format!("begins with {}, which is not known", &secret[..12]);
    assert_eq!(sent(secret).cut(&one), one, "a piece by itself opens nothing");
    let words = "Invalid refresh token";
    assert_eq!(sent("old-refresh").cut(words), words, "words of the secret are words");
    let numbers = "ports 80, 81, 82, 83, 84, 85, 86 and 100 are closed";
    assert_eq!(sent(secret).cut(numbers), numbers);
}

#[test]
fn a_secret_of_signs_is_looked_for_as_it_is() {
    let secret = "$%&/()=?!§";
    for form in [secret.to_owned(), every_percent("$%&/()=?!", true) + "§", json(secret)] {
        assert_eq!(sent(secret).cut(&format!("bad: {form} here")), "bad: [secret] here");
    }
}

#[test]
fn other_words_stay_as_they_are() {
    let text = "the refresh token is invalid; see https://id.example/help?x=1&y=%20 (code 40123)";
    assert_eq!(sent(TOKEN).cut(text), text);
    assert_eq!(sent("short").cut("a short text"), "a short text", "too short to be a secret");
    assert_eq!(SentSecrets::default().cut(text), text);
    assert!(!format!("{:?}", sent(TOKEN)).contains("7Qw3"));
}

proptest! {
    #[test]
    fn nothing_is_left_of_a_secret_in_any_two_codings(
        secret in "[A-Za-z0-9]{2}[A-Za-z0-9._~+/-]{10,76}[A-Za-z0-9]{2}",
        before in "(?s).{0,20}",
        behind in "(?s).{0,20}",
        inner in proptest::option::of(0usize..CODINGS.len()),
        outer in 0usize..CODINGS.len(),
    ) {
        prop_assume!(skeleton(&secret).len() >= 10);
        let form = CODINGS[outer](&inner.map_or(secret.clone(), |inner| CODINGS[inner](&secret)));
        let shown = sent(&secret).cut(&format!("{before} {form} {behind}"));
        prop_assert!(shown.contains(SentSecrets::CUT), "{}: {}", form, shown);
        prop_assert!(!is_left(&shown, &form), "{}: {}", form, shown);
        prop_assert!(!leaks(&shown, &secret), "{}: {}", form, shown);
    }

    #[test]
    fn a50_no_secret_is_left_in_any_text(
        secret in "[A-Za-z0-9._~+/-]{12,80}",
        before in "(?s).{0,20}",
        behind in "(?s).{0,20}",
        form in 0usize..1000,
    ) {
        prop_assume!(skeleton(&secret).len() >= 8);
        let forms = forms(&secret);
        let form = &forms[form % forms.len()];
        let shown = sent(&secret).cut(&format!("{before} {form} {behind}"));
        prop_assert!(!leaks(&shown, &secret), "{}: {}", form, shown);
    }
}

#[test]
fn of_what_was_sent_is_shown_how_much_it_is() {
    assert_eq!(format!("{:?}", sent(TOKEN)), "SentSecrets(1)");
}
