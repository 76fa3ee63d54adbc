//! Splits the value of `BROWSER` into words, without a shell. Quotes are interpreted. Variables,
//! substitutions, globs and `~` are not, and stay as they are.

/// How command lines are quoted on this platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuotingStyle {
    /// A backslash escapes the next character, and colons separate alternatives.
    Unix,
    /// A backslash is part of a path. A colon follows a drive letter, so there is only one alternative.
    Windows,
}

/// Returns the alternatives in `BROWSER`. A colon inside quotes or before `//` does not separate them.
pub(super) fn alternatives(text: &str, style: QuotingStyle) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut from, mut quote, mut plain) = (0, None, false);
    let parted = match style {
        QuotingStyle::Unix => text,
        QuotingStyle::Windows => "",
    };
    for (at, c) in parted.char_indices() {
        if std::mem::take(&mut plain) {
            continue;
        }
        match (quote, c) {
            (None | Some('"'), '\\') => plain = true,
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ':') if !text[at + 1..].starts_with("//") => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[from..]);
    found.into_iter().map(str::trim).filter(|alternative| !alternative.is_empty()).collect()
}

/// Returns the words of one command line, or `None` if a quote is not closed.
pub(super) fn split(text: &str, style: QuotingStyle) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') if style == QuotingStyle::Unix => {
                word.get_or_insert_default().push(rest.next()?)
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Inserts the URL for every `%s`, or else appends it. `%%` is a percent sign.
pub(super) fn with_url(words: Vec<String>, url: &str) -> Vec<String> {
    let mut words = words;
    // In a shell, this runs a command in the background, where ours runs anyway.
    words.pop_if(|last| last == "&");
    let mut placed = false;
    let mut filled: Vec<String> = words.iter().map(|word| fill(word, url, &mut placed)).collect();
    if !placed {
        filled.push(url.to_owned());
    }
    filled
}

fn fill(word: &str, url: &str, placed: &mut bool) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = match &rest[at + 1..] {
            after if after.starts_with('s') => {
                *placed = true;
                out.push_str(url);
                &after[1..]
            }
            after => {
                out.push('%');
                after.strip_prefix('%').unwrap_or(after)
            }
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brow_3_words_are_split_and_nothing_is_evaluated() {
        for (text, words) in [
            ("firefox", vec!["firefox"]),
            ("  firefox  --private-window ", vec!["firefox", "--private-window"]),
            ("\"/opt/My Browser/run\" -p 'a b'", vec!["/opt/My Browser/run", "-p", "a b"]),
            ("a\\ b c\\\\d", vec!["a b", "c\\d"]),
            ("'a\\b' \"c\\\"d\"", vec!["a\\b", "c\"d"]),
            ("f --profile=\"A B\"'C'", vec!["f", "--profile=A BC"]),
            ("f '' x", vec!["f", "", "x"]),
            (
                "f $(id) `id` $HOME ~ * ; rm && x | y > z",
                vec![
                    "f", "$(id)", "`id`", "$HOME", "~", "*", ";", "rm", "&&", "x", "|", "y", ">",
                    "z",
                ],
            ),
        ] {
            assert_eq!(split(text, QuotingStyle::Unix).unwrap(), words, "{text}");
        }
        for open in ["'a", "\"a", "a \\", "f \"a\\\""] {
            assert_eq!(split(open, QuotingStyle::Unix), None, "{open}");
        }
        assert_eq!(
            split("\"C:\\Program Files\\b.exe\" /x", QuotingStyle::Windows).unwrap(),
            ["C:\\Program Files\\b.exe", "/x"]
        );
    }

    #[test]
    fn brow_3_colons_part_alternatives_on_unix_only() {
        for (text, found) in [
            ("firefox:chromium -x %s::w3m", vec!["firefox", "chromium -x %s", "w3m"]),
            ("'a:b':c", vec!["'a:b'", "c"]),
            ("a\\:b:c", vec!["a\\:b", "c"]),
            ("open --at=http://x/?u=%s:b", vec!["open --at=http://x/?u=%s", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(alternatives(text, QuotingStyle::Unix), found, "{text}");
        }
        assert_eq!(alternatives("C:\\b.exe:x", QuotingStyle::Windows), ["C:\\b.exe:x"]);
    }

    #[test]
    fn brow_3_the_url_has_its_place() {
        let with = |text: &str| with_url(split(text, QuotingStyle::Unix).unwrap(), "U%s");
        assert_eq!(with("f"), ["f", "U%s"]);
        assert_eq!(with("f &"), ["f", "U%s"]);
        assert_eq!(with("f --app=%s -x"), ["f", "--app=U%s", "-x"]);
        assert_eq!(with("f 100%% %d %"), ["f", "100%", "%d", "%", "U%s"]);
    }
}
