//! Removes the secrets that were sent with a request from the texts of its response.
//!
//! Servers repeat what they were sent: unchanged, percent-encoded, escaped for JSON or HTML, in base64, base32 or hexadecimal,
//! as a list of numbers, backwards, in two of these, broken into lines, groups or pieces, or cut short. So only the letters and
//! digits of a text are compared, ignoring case: of the text itself, with its escapes undone, and [decoded]. A run of sixteen
//! that also occurs in a secret is enough, and so are [scattered] pieces that make up most of one.

mod decoded;
mod escapes;
mod scattered;

use crate::secret_text::SecretText;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Shorter texts can be guessed anyway, and removing them would spoil the message.
const SHORTEST: usize = 6;

/// A run of this many letters and digits comes from a secret and from nothing else.
const TELLING: usize = 16;

/// This many letters and digits identify a secret that is cut short at the end of a text.
const BEGINNING: usize = 8;

/// How many layers of escapes are undone.
const LAYERS: usize = 4;

/// Secrets that were sent. `Debug` shows only how many.
#[derive(Clone, Default)]
pub(crate) struct SentSecrets {
    secrets: Vec<Zeroizing<String>>,
    /// Made when a text is first examined, which most responses never need.
    needles: OnceLock<Box<SecretHashes>>,
}

impl SentSecrets {
    /// What replaces a secret.
    pub(crate) const CUT: &str = "[secret]";

    /// Adds a secret.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.secrets.push(Zeroizing::new(secret.to_owned()));
            self.needles = OnceLock::new();
        }
    }

    /// The secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.as_str())
    }

    /// `text` without the secrets.
    pub(crate) fn cut(&self, text: &str) -> String {
        if self.secrets.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        let needles = self.needles.get_or_init(|| Box::new(SecretHashes::of(&self.secrets)));
        let mut found = Vec::new();
        let plain = pieces(text);
        let below = self.look(needles, &plain, text.len(), &mut found);
        for once in decoded::readings(&plain, below.as_deref()) {
            let below = self.look(needles, &once, text.len(), &mut found);
            if decoded::is_worth_reading(below.as_deref().unwrap_or(&once)) {
                for twice in decoded::readings(&once, below.as_deref()) {
                    self.look(needles, &twice, text.len(), &mut found);
                }
            }
        }
        without(text, found)
    }

    /// Adds the places where a secret occurs in a reading of a text of this length, or below its escapes. Returns the reading
    /// without escapes, if there are any.
    fn look(
        &self,
        needles: &SecretHashes,
        pieces: &[TextPiece],
        length: usize,
        found: &mut Vec<Range<usize>>,
    ) -> Option<Vec<TextPiece>> {
        let mut below: Option<Vec<TextPiece>> = None;
        for _ in 0..=LAYERS {
            let pieces = below.as_deref().unwrap_or(pieces);
            needles.find(pieces, length, found);
            for secret in &self.secrets {
                odd(secret, pieces, found);
            }
            match escapes::undone(pieces) {
                Some(next) => below = Some(next),
                None => break,
            }
        }
        below
    }
}

impl<'a> FromIterator<&'a str> for SentSecrets {
    fn from_iter<T: IntoIterator<Item = &'a str>>(secrets: T) -> Self {
        let mut sent = Self::default();
        for secret in secrets {
            sent.add(secret);
        }
        sent
    }
}

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SentSecrets({})", self.secrets.len())
    }
}

/// A character, and the bytes of the text that it comes from.
type TextPiece = (char, Range<usize>);

fn pieces(text: &str) -> Vec<TextPiece> {
    text.char_indices().map(|(at, c)| (narrow(c), at..at + c.len_utf8())).collect()
}

/// Turns a full-width form of an ASCII character (U+FF01 to U+FF5E) into that character: people read one as the other.
fn narrow(c: char) -> char {
    match u32::from(c) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// Letters and digits, in lower case; `None` for anything else.
fn telling(c: char) -> Option<u8> {
    u8::try_from(c).ok().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

fn skeleton(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    bytes.extend(text.chars().filter_map(telling));
    bytes
}

/// The runs of letters and digits that identify a secret, as hashes, so that there is no second copy of a secret.
#[derive(Clone)]
struct SecretHashes {
    /// By length: the runs that are removed anywhere in a text.
    anywhere: Vec<(usize, Vec<u64>)>,
    /// By length: the runs that are removed only at the end of a text.
    at_end: Vec<(usize, Vec<u64>)>,
    /// The runs that identify a secret by its pieces.
    scattered: scattered::SecretRuns,
    /// Those of `anywhere` that are in base64: their neighbouring digits hold parts of the secret, too.
    coded: Vec<u64>,
}

impl SecretHashes {
    fn of(secrets: &[Zeroizing<String>]) -> Self {
        let (mut anywhere, mut at_end) = (vec![Vec::new(); TELLING + 1], vec![Vec::new(); TELLING]);
        let mut coded = Vec::new();
        for secret in secrets {
            let plain = skeleton(secret);
            let mut forms = vec![(plain, false), (hexadecimal(secret), false)];
            forms.extend(base64(secret.as_bytes()).map(|form| (form, true)));
            let escaped = percent(secret);
            if *escaped != **secret {
                forms.extend(base64(escaped.as_bytes()).map(|form| (form, true)));
            }
            for (form, is_coded) in forms.iter().filter(|(form, _)| form.len() >= SHORTEST) {
                let length = form.len().min(TELLING);
                let hashes = form.windows(length).map(hash);
                anywhere[length].extend(hashes.clone());
                if *is_coded {
                    coded.extend(hashes);
                }
                for length in BEGINNING..form.len().min(TELLING) {
                    at_end[length].push(hash(&form[..length]));
                }
            }
        }
        let sorted = |lists: Vec<Vec<u64>>| {
            let kept = lists.into_iter().enumerate().filter(|(_, list)| !list.is_empty());
            kept.map(|(length, mut list)| {
                list.sort_unstable();
                (length, list)
            })
            .collect()
        };
        coded.sort_unstable();
        let scattered = scattered::SecretRuns::of(secrets);
        Self { anywhere: sorted(anywhere), at_end: sorted(at_end), scattered, coded }
    }

    /// Adds the places where a secret occurs in a reading of a text of this length, or is cut short at its end.
    fn find(&self, pieces: &[TextPiece], of: usize, found: &mut Vec<Range<usize>>) {
        let mut bytes = Zeroizing::new(Vec::with_capacity(pieces.len()));
        let mut places = Vec::with_capacity(pieces.len());
        for (c, place) in pieces {
            if let Some(byte) = telling(*c) {
                bytes.push(byte);
                places.push(place);
            }
        }
        for (length, hashes) in &self.anywhere {
            for (first, window) in bytes.windows(*length).enumerate() {
                let hash = hash(window);
                if hashes.binary_search(&hash).is_err() {
                    continue;
                }
                let (mut from, mut to) = (first, first + length);
                if self.coded.binary_search(&hash).is_ok() {
                    // The digits beside a run in base64 hold the ends of the secret.
                    let touch = |one: usize| {
                        let (one, next) = (places[one], places[one + 1]);
                        one.end == next.start || next.end == one.start
                    };
                    from -= (1..=2).take_while(|n| first >= *n && touch(first - n)).count();
                    to += (0..2).take_while(|n| to + n < places.len() && touch(to + n - 1)).count();
                }
                found.push(across(places[from], places[to - 1]));
            }
        }
        self.scattered.find(&bytes, &places, found);
        for (length, hashes) in &self.at_end {
            let Some(first) = bytes.len().checked_sub(*length) else { continue };
            if hashes.binary_search(&hash(&bytes[first..])).is_ok() {
                let (start, end) = (places[first], places[bytes.len() - 1]);
                // A reading that goes backwards ends at the beginning.
                let is_forward = start.start <= end.start;
                found.push(if is_forward { start.start..of } else { 0..start.end });
            }
        }
    }
}

/// Finds a secret that has too few letters and digits to be identified by them: it is compared as it is.
fn odd(secret: &str, pieces: &[TextPiece], found: &mut Vec<Range<usize>>) {
    if skeleton(secret).len() >= SHORTEST {
        return;
    }
    let length = secret.chars().count();
    for window in pieces.windows(length) {
        if secret.chars().eq(window.iter().map(|(c, _)| *c)) {
            found.push(across(&window[0].1, &window[length - 1].1));
        }
    }
}

/// The range from one place to another, in any order.
fn across(one: &Range<usize>, other: &Range<usize>) -> Range<usize> {
    one.start.min(other.start)..one.end.max(other.end)
}

/// `text` with a word in place of each range.
fn without(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_unstable_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut ranges = found.into_iter().peekable();
    while let Some(mut range) = ranges.next() {
        while let Some(next) = ranges.next_if(|next| next.start <= range.end) {
            range.end = range.end.max(next.end);
        }
        out.push_str(&text[at..range.start]);
        out.push_str(SentSecrets::CUT);
        // The padding of base64 would reveal the length.
        at = range.end + text[range.end..].bytes().take_while(|byte| *byte == b'=').count();
    }
    out.push_str(&text[at..]);
    out
}

fn hexadecimal(secret: &str) -> Zeroizing<Vec<u8>> {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
    let mut digits = Zeroizing::new(Vec::with_capacity(2 * secret.len()));
    digits.extend(secret.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte)]));
    digits
}

fn percent(secret: &str) -> Zeroizing<String> {
    let mut escaped = SecretText::with_capacity(secret.len());
    url::form_urlencoded::byte_serialize(secret.as_bytes()).for_each(|part| escaped.push_str(part));
    escaped.finish()
}

/// The forms of a secret in base64 at each of its three possible offsets, without the digits that depend on the text before and
/// after it.
fn base64(secret: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    (0..3).map(|before| {
        let mut bytes = Zeroizing::new(vec![0; before]);
        bytes.reserve_exact(secret.len());
        bytes.extend_from_slice(secret);
        let text = Zeroizing::new(STANDARD_NO_PAD.encode(&bytes));
        let from = (before * 8).div_ceil(6).min(text.len());
        let to = (bytes.len() * 8 / 6).clamp(from, text.len());
        skeleton(&text[from..to])
    })
}

/// FNV-1a: it only has to spread well; nobody gains from a collision.
fn hash(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
#[path = "sent_tests.rs"]
mod tests;
