//! The readings of a text once it is decoded: from base64, base32 or hexadecimal, from a list of numbers, or backwards.
//! Whichever of these a server has applied to a secret, even two of them, the secret occurs in one of the readings, and each of
//! its characters records where it comes from.
//!
//! A text does not show where something encoded begins. So everything except digits of the encoding is left out, and the rest
//! is read from each place where a group may begin: in one of these readings the groups are the right ones.

use super::{SHORTEST, TextPiece, across};
use std::ops::Range;

/// How much of a text is read this way: no more of it is examined before it is shown.
const READ: usize = 1 << 16;

/// This many visible characters in a row make a reading worth decoding again: shorter runs occur by chance.
const WORTH: usize = 8;

/// A digit's value, and the bytes of the text that it comes from.
type Digit = (u32, Range<usize>);

/// An encoding by digits.
struct DigitCoding {
    /// How many bits a digit has.
    bits: u32,
    /// How many digits form a group.
    group: usize,
    digit: fn(u8) -> Option<u32>,
}

const CODINGS: [DigitCoding; 3] = [
    DigitCoding { bits: 6, group: 4, digit: base64 },
    DigitCoding { bits: 5, group: 8, digit: base32 },
    DigitCoding { bits: 4, group: 2, digit: hexadecimal },
];

/// The readings that are one step away from a text as it is, and from the text `below` its escapes. Read backwards, a text has
/// different escapes.
pub(super) fn readings<'a>(
    pieces: &'a [TextPiece],
    below: Option<&'a [TextPiece]>,
) -> impl Iterator<Item = Vec<TextPiece>> + 'a {
    let some = |pieces: &'a [TextPiece]| &pieces[..pieces.len().min(READ)];
    let (as_it_is, below) = (some(pieces), below.map(some));
    let backwards = [Some(as_it_is), below].into_iter().flatten();
    let backwards = backwards.map(|pieces| pieces.iter().rev().cloned().collect());
    let pieces = below.unwrap_or(as_it_is);
    let coded = CODINGS.iter().flat_map(move |coding| {
        let digits = coding.digits(pieces);
        (0..coding.group).map(move |first| coding.read(digits.get(first..).unwrap_or_default()))
    });
    backwards.chain(coded).chain(numbers(pieces))
}

/// The characters whose codes occur in a text as numbers, as programming languages print bytes: decimal, `0x64` or eight bits
/// each. `None` if there are too few of them to be a secret.
fn numbers(pieces: &[TextPiece]) -> Option<Vec<TextPiece>> {
    let words = pieces.split(|(c, _)| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let read: Vec<TextPiece> = words
        .filter_map(|word| {
            let code = code(word).filter(|code| (0x20..0x7f).contains(code))?;
            Some((char::from_u32(code)?, across(&word[0].1, &word[word.len() - 1].1)))
        })
        .collect();
    (read.len() >= SHORTEST).then_some(read)
}

/// The value of a number as it is written.
fn code(word: &[TextPiece]) -> Option<u32> {
    let digits = |word: &[TextPiece], base: u32| {
        let add = |sum: u32, (c, _): &TextPiece| Some(sum * base + c.to_digit(base)?);
        word.iter().try_fold(0, add)
    };
    match word {
        [('0', _), ('x' | 'X', _), hex @ ..] if (1..=2).contains(&hex.len()) => digits(hex, 16),
        [_, _] | [_, _, _] => digits(word, 10),
        bits if bits.len() == 8 => digits(bits, 2),
        _ => None,
    }
}

/// Whether a reading contains anything that may be encoded once more. A reading from the wrong place, or of something that was
/// never encoded, is noise.
pub(super) fn is_worth_reading(pieces: &[TextPiece]) -> bool {
    let mut run = 0;
    pieces.iter().any(|(c, _)| {
        run = if c.is_ascii_graphic() { run + 1 } else { 0 };
        run == WORTH
    })
}

impl DigitCoding {
    /// Every digit and its place. The padding after a group belongs to its last digit, because it reveals the length of the
    /// secret.
    fn digits(&self, pieces: &[TextPiece]) -> Vec<Digit> {
        let mut digits: Vec<Digit> = Vec::with_capacity(pieces.len());
        let mut is_behind = false;
        for (c, place) in pieces {
            match (u8::try_from(*c).ok().and_then(self.digit), digits.last_mut()) {
                (Some(digit), _) => digits.push((digit, place.clone())),
                (None, Some((_, last))) if is_behind && *c == '=' => *last = across(last, place),
                _ => {
                    is_behind = false;
                    continue;
                }
            }
            is_behind = true;
        }
        digits
    }

    /// The bytes of these digits, each with the places of all digits that hold a part of it.
    fn read(&self, digits: &[Digit]) -> Vec<TextPiece> {
        let mut out = Vec::with_capacity(digits.len() * self.bits as usize / 8);
        let (mut held, mut bits) = (0u32, 0);
        // Where the digit with the first of the pending bits comes from.
        let mut from: Option<Range<usize>> = None;
        for (digit, place) in digits {
            held = held << self.bits | digit;
            bits += self.bits;
            let whole = from.take().map_or_else(|| place.clone(), |from| across(&from, place));
            if bits < 8 {
                from = Some(whole);
                continue;
            }
            bits -= 8;
            let byte = (held >> bits & 0xff) as u8;
            held &= (1 << bits) - 1;
            // A byte that is not text separates, as other non-letters do.
            let c = if byte.is_ascii() { char::from(byte) } else { ' ' };
            out.push((c, whole));
            from = (bits > 0).then(|| place.clone());
        }
        out
    }
}

/// Both alphabets (RFC 4648 sections 4 and 5).
fn base64(sign: u8) -> Option<u32> {
    Some(match sign {
        b'A'..=b'Z' => u32::from(sign - b'A'),
        b'a'..=b'z' => u32::from(sign - b'a') + 26,
        b'0'..=b'9' => u32::from(sign - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn base32(sign: u8) -> Option<u32> {
    Some(match sign.to_ascii_uppercase() {
        letter @ b'A'..=b'Z' => u32::from(letter - b'A'),
        digit @ b'2'..=b'7' => u32::from(digit - b'2') + 26,
        _ => return None,
    })
}

fn hexadecimal(sign: u8) -> Option<u32> {
    char::from(sign).to_digit(16)
}
