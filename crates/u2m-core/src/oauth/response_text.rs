//! A text from a response, before it is known whether it is a secret to keep or words to show.

use crate::form;
use crate::secret_text::SecretText;
use crate::sent::SentSecrets;
use crate::text::Sanitized;
use std::fmt;
use zeroize::Zeroizing;

/// Characters that stand for the hidden rest of a secret.
const HIDING: [char; 3] = ['.', '*', '…'];

/// A shorter piece of a secret could come from any text.
const TELLING: usize = 4;

/// Words for "none".
const NOTHING: [&str; 4] = ["null", "none", "nil", "undefined"];

/// Words in brackets that replace a secret.
const HIDDEN: [&str; 6] = ["redacted", "masked", "hidden", "filtered", "removed", "secret"];

/// A text from a response. It can be taken as a secret, compared with a word, or shown without the secrets that the server may
/// have repeated in it; there is no other way to read it.
#[derive(Clone)]
pub(crate) struct ResponseText(Zeroizing<String>);

impl ResponseText {
    pub(crate) fn new(text: impl Into<Zeroizing<String>>) -> Self {
        Self(text.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it consists of the characters of tokens (RFC 6750 section 2.1), and a few more.
    pub(crate) fn is_plain(&self) -> bool {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=:!|$#%@&^,;?".contains(&b);
        !self.is_empty() && self.0.bytes().all(is_plain)
    }

    /// Whether it does not look like a word or two: it has a digit, or at least `long` characters.
    pub(crate) fn is_unlike_words(&self, long: usize) -> bool {
        self.0.len() >= long || self.0.bytes().any(|b| b.is_ascii_digit())
    }

    /// Whether it is one of the secrets that were sent.
    pub(crate) fn is_one_of(&self, sent: &SentSecrets) -> bool {
        sent.secrets().any(|secret| secret == *self.0)
    }

    /// Whether it is one of the secrets that were sent, or a piece of one with dots or stars for the rest, plain or
    /// percent-encoded.
    pub(crate) fn is_part_of(&self, sent: &SentSecrets) -> bool {
        let unquoted = self.0.contains('%').then(|| unquoted(&self.0));
        [Some(self.0.as_str()), unquoted.as_ref().map(|text| text.as_str())]
            .into_iter()
            .flatten()
            .map(|text| text.trim_matches(HIDING))
            .any(|piece| sent.secrets().any(|secret| secret.contains(piece)))
    }

    /// Whether it is a piece of a secret that was sent, with dots or stars for the rest.
    pub(crate) fn is_hidden_part_of(&self, sent: &SentSecrets) -> bool {
        let piece = self.0.trim_matches(HIDING);
        piece.len() >= TELLING
            && piece.len() < self.0.len()
            && sent.secrets().any(|secret| secret.contains(piece) && secret != *self.0)
    }

    /// Whether it is only a placeholder for a value: blank, a word for "none", or what is put in place of a secret to hide it.
    pub(crate) fn is_filler(&self) -> bool {
        let text = self.0.trim();
        let brackets = [('[', ']'), ('<', '>'), ('(', ')'), ('{', '}'), ('*', '*')];
        let inner = brackets.iter().find_map(|(open, close)| {
            text.strip_prefix(*open)?.strip_suffix(*close).map(|text| text.trim_matches('*'))
        });
        let is_any = |text: &str, words: &[&str]| {
            words.iter().any(|word| text.trim().eq_ignore_ascii_case(word))
        };
        let is_sign = |c: char| HIDING.contains(&c) || "•·-_#".contains(c);
        let is_x = |c: char| matches!(c, 'x' | 'X');
        text.chars().all(is_sign)
            // One or two letters may be a token, if a short one.
            || text.len() > 2 && text.chars().all(|c| is_x(c) || is_sign(c))
            || is_any(text, &NOTHING)
            || is_any(text, &["redacted"])
            || inner.is_some_and(|inner| is_any(inner, &NOTHING) || is_any(inner, &HIDDEN))
    }

    /// How many digits it has.
    pub(crate) fn digits(&self) -> usize {
        self.0.bytes().filter(u8::is_ascii_digit).count()
    }

    /// Whether both are the same text.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether it is exactly this text.
    pub(crate) fn is(&self, text: &str) -> bool {
        *self.0 == text
    }

    /// Whether it is this word, ignoring case and surrounding spaces.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.0.trim().eq_ignore_ascii_case(word)
    }

    /// The text as a number.
    pub(crate) fn as_number(&self) -> Option<f64> {
        self.0.trim().parse().ok()
    }

    /// The text as a URL.
    pub(crate) fn as_url(&self) -> Option<url::Url> {
        url::Url::parse(&self.0).ok()
    }

    /// The text itself, to be kept as a secret from now on.
    pub(crate) fn into_secret(mut self) -> String {
        std::mem::take(&mut self.0)
    }

    /// Adds it to the secrets that no text may repeat.
    pub(crate) fn hide_in(&self, sent: &mut SentSecrets) {
        sent.add(&self.0);
    }

    /// What may be shown of it.
    pub(crate) fn shown(&self, sent: &SentSecrets) -> Sanitized {
        Sanitized::without(&self.0, sent)
    }

    /// The words of it that contain nothing of what was sent.
    pub(crate) fn words(&self, sent: &SentSecrets) -> Vec<String> {
        let text = sent.cut(&self.0);
        let kept = text.split_whitespace().filter(|word| !word.contains(SentSecrets::CUT));
        kept.map(str::to_owned).collect()
    }
}

impl fmt::Debug for ResponseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseText")
    }
}

/// Undoes percent-encoding; a plus stays a plus.
fn unquoted(text: &str) -> Zeroizing<String> {
    let mut parts = text.split('+');
    let mut out = SecretText::with_capacity(text.len());
    out.push_str(&form::decoded(parts.next().unwrap_or_default().as_bytes()));
    for part in parts {
        out.push('+');
        out.push_str(&form::decoded(part.as_bytes()));
    }
    out.finish()
}
