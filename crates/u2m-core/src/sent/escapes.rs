//! Undoes the escapes of URLs, JSON, C and HTML in a text. Each character records which bytes it comes from.

use super::{TextPiece, across};

/// The text below one layer of escapes; `None` if there are none.
pub(super) fn undone(pieces: &[TextPiece]) -> Option<Vec<TextPiece>> {
    let mut out = Vec::with_capacity(pieces.len());
    let mut at = 0;
    let mut any = false;
    while let Some((c, place)) = pieces.get(at) {
        let rest = &pieces[at + 1..];
        let read = match c {
            '%' => number(rest, 2, 16).map(|c| (c, 2)),
            '\\' => backslash(rest),
            '&' => entity(rest),
            _ => None,
        };
        match read {
            Some((c, length)) => {
                any = true;
                out.push((c, across(place, &pieces[at + length].1)));
                at += 1 + length;
            }
            None => {
                out.push((*c, place.clone()));
                at += 1;
            }
        }
    }
    any.then_some(out)
}

/// The character whose number the next `length` pieces are.
fn number(pieces: &[TextPiece], length: usize, base: u32) -> Option<char> {
    let digits = pieces.get(..length).filter(|digits| !digits.is_empty())?;
    let add = |sum: u32, (c, _): &TextPiece| sum.checked_mul(base)?.checked_add(c.to_digit(base)?);
    let code = digits.iter().try_fold(0, add)?;
    // A code that is not a character of its own, such as half of a surrogate pair or a byte of a longer character, only
    // separates.
    Some(char::from_u32(code).filter(|_| length != 2 || code < 0x80).unwrap_or(' '))
}

/// The character that an escape after a backslash stands for (RFC 8259 section 7), and the length of the escape.
fn backslash(rest: &[TextPiece]) -> Option<(char, usize)> {
    // Octal, as C and related languages print bytes.
    if rest.first()?.0 <= '3'
        && let Some(c) = rest.get(..3).and_then(|digits| number(digits, 3, 8))
    {
        return Some((c, 3));
    }
    match rest.first()?.0 {
        'u' => number(rest.get(1..)?, 4, 16).map(|c| (c, 5)),
        'x' => number(rest.get(1..)?, 2, 16).map(|c| (c, 3)),
        'b' | 'f' | 'n' | 'r' | 't' | '0' => Some((' ', 1)),
        c => (!c.is_alphanumeric()).then_some((c, 1)),
    }
}

/// The character that follows an ampersand in HTML, and its length.
fn entity(rest: &[TextPiece]) -> Option<(char, usize)> {
    let length = rest.iter().take(10).position(|(c, _)| *c == ';')?;
    let name: String = rest[..length].iter().map(|(c, _)| *c).collect();
    let c = match name.strip_prefix('#') {
        Some(digits) if digits.starts_with(['x', 'X']) => number(&rest[2..], length - 2, 16)?,
        Some(_) => number(&rest[1..], length - 1, 10)?,
        None => match &*name {
            "amp" => '&',
            "apos" => '\'',
            "gt" => '>',
            "lt" => '<',
            "quot" => '"',
            _ => return None,
        },
    };
    Some((c, length + 1))
}
