//! Reads what a person pastes, undoing what terminals, mail and chat programs have done to it, into the queries that it may
//! stand for. Nothing is decided here: the reading with the right state counts, and if none has it, none counts (T22).

use zeroize::Zeroizing;

/// How often an address may have been percent-encoded, by mail programs that rewrite links.
const CODED: usize = 3;

/// A text with more readings than this is not an address that somebody meant to paste.
const MANY: usize = 64;

/// Characters that end a sentence or close brackets around an address, rather than belonging to it.
const BEHIND: [char; 19] = [
    '.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'', '`', '*', '_', '|', '”', '’', '»',
];

/// Pairs that may enclose an address.
const PAIRS: [(char, char); 10] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('<', '>'),
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('“', '”'),
    ('‘', '’'),
    ('«', '»'),
];

/// Characters before the lines of a quoted text.
const MARKS: [char; 4] = ['>', '|', ' ', '\t'];

/// The queries that `text` may stand for, the most literal one first. Broken lines come before that: they are joined first,
/// because half of a code looks like a code. An address counts only if it is the redirect URI, with any scheme and any name of
/// this machine, or none.
pub(super) fn queries(text: &str, redirect_uri: &str) -> Vec<Zeroizing<String>> {
    let text = text.trim().trim_matches(['"', '\'', '<', '>']);
    let port = redirect_uri.rsplit(':').next().unwrap_or_default();
    let mut found = Vec::new();
    let readings = readings(text);
    for whole in readings.iter().filter_map(|text| unbroken(text)) {
        read(&whole, port, &mut found);
    }
    for text in readings {
        read(&text, port, &mut found);
        if text.contains(char::is_whitespace) {
            let mut whole = Zeroizing::new(String::with_capacity(text.len()));
            text.split_whitespace().for_each(|word| whole.push_str(word));
            read(&whole, port, &mut found);
        }
    }
    found
}

/// The text as it is, and with one change after another undone.
fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let mut all = vec![Zeroizing::new(text.to_owned())];
    let plain = undone(text);
    let mut last = plain.clone();
    all.push(plain);
    if last.contains("=3D") || last.contains("=3d") {
        last = from_quoted_printable(&last);
        all.push(last.clone());
    }
    for _ in 0..CODED {
        if !last.contains('%') {
            break;
        }
        last = undone(&percent_decoded(&last));
        all.push(last.clone());
    }
    all
}

/// The text with its broken lines joined; `None` if no line is broken.
fn unbroken(text: &str) -> Option<Zeroizing<String>> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let (mut is_broken, mut is_in_query) = (false, false);
    for line in text.lines() {
        let line = line.trim_start_matches(MARKS).trim_end();
        if is_in_query && is_rest(line, out.ends_with('=')) {
            is_broken = true;
        } else {
            out.push('\n');
            let last = line.rsplit(char::is_whitespace).next();
            is_in_query = last.is_some_and(|word| word.contains('='));
        }
        is_in_query &= line.ends_with(is_of_query);
        out.push_str(line);
    }
    is_broken.then_some(out)
}

/// Whether a line may continue an address whose query began on the line before: it is one word, and does not begin another
/// address.
fn is_rest(line: &str, is_value: bool) -> bool {
    let word = line.trim_end_matches(BEHIND);
    !word.is_empty() && word.chars().all(is_of_query) && (is_value || !word.contains("://"))
}

/// Whether a character may occur in a query (RFC 3986 section 3.4) and does not close a bracket around one.
fn is_of_query(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&*+=:@/?".contains(c)
}

/// The last parameter of `query`, a reading of `text`, if it reaches the end of the text: more of it may be on a line still to
/// come.
pub(super) fn last<'a>(text: &str, query: &'a str) -> Option<&'a str> {
    let (name, value) = query.rsplit('&').next()?.split_once('=')?;
    let end = value.chars().next_back()?;
    text.trim_end().ends_with(end).then_some(name)
}

/// The queries in one reading.
fn read(text: &str, port: &str, found: &mut Vec<Zeroizing<String>>) {
    let mut add = |query: &str| {
        let query = query.split('#').next().unwrap_or_default();
        let is_new = !query.is_empty() && !found.iter().any(|known| known.as_str() == query);
        if is_new && found.len() < MANY {
            found.push(Zeroizing::new(query.to_owned()));
        }
    };
    for (before, query) in addresses(text, port) {
        // A character that no browser leaves unencoded in a query (URL standard, query percent-encode set) ends it, as a blank
        // does.
        let is_end = |c: char| c.is_whitespace() || "\"<>".contains(c);
        let word = query.split(is_end).next().unwrap_or_default();
        let closing = PAIRS.iter().find(|(open, _)| before == Some(*open)).map(|(_, close)| *close);
        if let Some(at) = closing.and_then(|close| word.rfind(close)) {
            add(&word[..at]);
        }
        add(word);
        add(word.trim_end_matches(BEHIND));
    }
    for word in text.split_whitespace().filter(|word| word.contains('=')) {
        let query = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
        // A query may contain plain slashes (RFC 3986 section 3.4), for example in an `iss`. Slashes before it belong to an
        // address.
        if !query.split(['&', '=']).next().is_some_and(|head| head.contains(['/', '?'])) {
            add(word.trim_start_matches(['/', '?']));
            add(query.trim_end_matches(BEHIND));
        }
    }
}

/// Where the redirect URI occurs in `text`: the character before it, and what follows its `?`.
fn addresses<'a>(text: &'a str, port: &str) -> Vec<(Option<char>, &'a str)> {
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let mut all = Vec::new();
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        let authority = format!("{name}:{port}");
        for (at, _) in lower.match_indices(&authority) {
            let query = text[at + authority.len()..].trim_start_matches('/').strip_prefix('?');
            let before = &lower[..at];
            let head = before.strip_suffix("https://").or_else(|| before.strip_suffix("http://"));
            let is_part = |c: char| c.is_alphanumeric() || ".-_@:/\\%+".contains(c);
            let last = head.unwrap_or(before).chars().next_back();
            // An address begins after a scheme, unless the scheme is the end of a longer one.
            let is_inside = match head {
                Some(_) => last.is_some_and(|c| c.is_alphanumeric() || "+.-".contains(c)),
                None => last.is_some_and(is_part),
            };
            if let Some(query) = query.filter(|_| !is_inside) {
                all.push((last, query));
            }
        }
    }
    all
}

/// Removes what a terminal adds to a paste, the marks of quoted lines, the escapes of HTML, JSON and shells for `&` and `=`,
/// and invisible characters.
fn undone(text: &str) -> Zeroizing<String> {
    let lines = text.lines().map(|line| line.trim_start_matches(MARKS));
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    for (at, line) in lines.enumerate() {
        if at > 0 {
            out.push('\n');
        }
        push_visible(line, &mut out);
    }
    for (written, meant) in [("\\u0026", "&"), ("\\u003d", "="), ("\\u003D", "="), ("\\", "")] {
        if out.contains(written) {
            out = Zeroizing::new(out.replace(written, meant));
        }
    }
    // `&amp;amp;` comes from two programs that each escaped correctly.
    for _ in 0..CODED {
        for (written, meant) in [
            ("&amp;", "&"),
            ("&AMP;", "&"),
            ("&#38;", "&"),
            ("&#038;", "&"),
            ("&#x26;", "&"),
            ("&#X26;", "&"),
            ("&#61;", "="),
            ("&#x3d;", "="),
            ("&#x3D;", "="),
            ("&equals;", "="),
        ] {
            if out.contains(written) {
                out = Zeroizing::new(out.replace(written, meant));
            }
        }
    }
    out
}

/// Removes escape sequences (ECMA-48 section 5.4), such as those around a bracketed paste, and other invisible characters.
fn push_visible(line: &str, out: &mut String) {
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.as_str().starts_with('[') {
                chars.next();
                let _ = chars.by_ref().find(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
        } else if c == '\t' || crate::text::is_printable(c) {
            out.push(c);
        }
    }
}

/// Undoes quoted-printable encoding (RFC 2045 section 6.7), as far as it changes an address.
fn from_quoted_printable(text: &str) -> Zeroizing<String> {
    let text = Zeroizing::new(text.replace("=\r\n", "").replace("=\n", ""));
    Zeroizing::new(text.replace("=3D", "=").replace("=3d", "="))
}

/// A blank stays encoded: decoded, it would end the word that it is in.
fn percent_decoded(text: &str) -> Zeroizing<String> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                match u8::try_from(high * 16 + low).unwrap_or(b'%') {
                    blank if blank.is_ascii_whitespace() => out.extend(&bytes[at..at + 3]),
                    byte => out.push(byte),
                }
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Zeroizing::new(String::from_utf8_lossy(&out).into_owned())
}
