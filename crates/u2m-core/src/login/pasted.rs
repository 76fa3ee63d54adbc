//! What a person pastes, without what terminals, mails and chats have done to it: the queries that it may stand for. Nothing is
//! decided here: of all readings, the one with the right state counts, and if none has it, none does (T22).

use zeroize::Zeroizing;

/// So many times over an address may have been percent-encoded, by mails that lead every link past themselves.
const CODED: usize = 3;

/// What has more readings is no address that anybody wanted to paste.
const MANY: usize = 64;

/// What ends a sentence, or closes what stands around an address, rather than belonging to it.
const BEHIND: [char; 19] = [
    '.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'', '`', '*', '_', '|', '”', '’', '»',
];

/// What may open around an address, and what closes it.
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

/// What stands before the lines of a quoted text.
const MARKS: [char; 4] = ['>', '|', ' ', '\t'];

/// The queries that `text` may stand for, the most literal one first, but for what a line's end has broken: that is put together
/// first, because half of a code looks like a code. An address in it counts only if it is the one that the browser is sent back to,
/// whatever scheme and name of this machine it has, or none.
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

/// The text as it is, and with one thing after the other undone.
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

/// The text with its broken lines put together; `None` if none is.
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

/// Whether a line may be the rest of an address whose query the line before has begun: one word, which does not begin another
/// address.
fn is_rest(line: &str, is_value: bool) -> bool {
    let word = line.trim_end_matches(BEHIND);
    !word.is_empty() && word.chars().all(is_of_query) && (is_value || !word.contains("://"))
}

/// Whether it may stand in a query (RFC 3986 section 3.4), and closes nothing that may stand around one.
fn is_of_query(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&*+=:@/?".contains(c)
}

/// The parameter that stands last in `query`, a reading of `text`, where it reaches the end of the text: more of it may be on a line
/// that is still to come.
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
        // What no browser leaves as it is in a query (URL standard, query percent-encode set) ends it as a blank does.
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
        // A query may hold slashes as they are (RFC 3986 section 3.4), in an `iss` for one; before it, they are an address's.
        if !query.split(['&', '=']).next().is_some_and(|head| head.contains(['/', '?'])) {
            add(word.trim_start_matches(['/', '?']));
            add(query.trim_end_matches(BEHIND));
        }
    }
}

/// Where in `text` the address is that the browser is sent back to: the character before it, and what follows its `?`.
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
            // Behind a scheme is where an address begins, unless the scheme is the end of a longer one.
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

/// Without what a terminal adds to a paste, the marks of quoted lines, what HTML, JSON and shells make of `&` and `=`, and
/// characters that nobody sees.
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
    // `&amp;amp;` comes of two programs that each did what is right.
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

/// Leaves out escape sequences (ECMA-48 section 5.4), such as those around a bracketed paste, and other characters without a
/// shape.
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

/// Without the coding of mails (RFC 2045 section 6.7), as far as it changes an address.
fn from_quoted_printable(text: &str) -> Zeroizing<String> {
    let text = Zeroizing::new(text.replace("=\r\n", "").replace("=\n", ""));
    Zeroizing::new(text.replace("=3D", "=").replace("=3d", "="))
}

/// A blank stays coded: it is within a word, and would end it.
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
