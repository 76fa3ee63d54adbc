//! Finds the character encoding of a body: from its bytes, and from the declared charset if they leave it open. Encodings of
//! non-Latin scripts stay as they are: names and codes are ASCII in most of them.

use zeroize::Zeroizing;

/// Single-byte encodings that are read as Windows-1252, as browsers do (WHATWG Encoding section 4.2).
const LATIN: [&str; 10] = [
    "ansi_x3.4-1968",
    "ascii",
    "cp1252",
    "iso-8859-1",
    "iso8859-1",
    "iso_8859-1",
    "latin1",
    "l1",
    "us-ascii",
    "windows-1252",
];

/// The characters of Windows-1252 where ISO-8859-1 has control characters.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The body without byte order marks, converted to UTF-8 from UTF-16, UTF-32 or one of the Latin encodings that `charset`
/// names. JSON is UTF-8 between systems, and a reader may ignore a mark (RFC 8259 section 8.1).
pub(super) fn utf_8(body: Zeroizing<Vec<u8>>, charset: Option<&str>) -> Zeroizing<Vec<u8>> {
    let text = unmarked(body);
    // Valid UTF-8, or the beginning of it, is not another encoding, whatever was declared.
    let is_none = |text: &[u8]| matches!(std::str::from_utf8(text), Err(error) if error.error_len().is_some());
    let is_latin = charset.is_some_and(is_latin) && is_none(&text);
    if is_latin { of_latin(&text) } else { text }
}

fn unmarked(body: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let text = match &body[..] {
        // These bytes are also the mark of UTF-16 and a zero; text after that does not form valid four-byte characters.
        [0xff, 0xfe, 0, 0, rest @ ..] if is_32(rest, u32::from_le_bytes) => {
            of_32(rest, u32::from_le_bytes)
        }
        [0, 0, 0xfe, 0xff, rest @ ..] if is_32(rest, u32::from_be_bytes) => {
            of_32(rest, u32::from_be_bytes)
        }
        [0xff, 0xfe, rest @ ..] => of_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => of_16(rest, u16::from_be_bytes),
        all if all.contains(&0) && is_16(all, |sign| [sign, 0]) => of_16(all, u16::from_le_bytes),
        all if all.contains(&0) && is_16(all, |sign| [0, sign]) => of_16(all, u16::from_be_bytes),
        _ => body,
    };
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if !text.starts_with(MARK) {
        return text;
    }
    let mut rest = &text[..];
    while let Some(next) = rest.strip_prefix(MARK) {
        rest = next;
    }
    Zeroizing::new(rest.to_vec())
}

/// Whether text without a mark is UTF-16: most of the quotes in JSON stand beside a zero, as two bytes that belong together. In
/// a form, which has no quotes, the equals signs are checked. Half of another character can look like one.
fn is_16(bytes: &[u8], pair: fn(u8) -> [u8; 2]) -> bool {
    let sign = if bytes.contains(&b'"') { b'"' } else { b'=' };
    let signs = bytes.iter().filter(|byte| **byte == sign).count();
    let wide = bytes.chunks_exact(2).filter(|two| *two == pair(sign)).count();
    wide * 2 > signs
}

fn of_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Zeroizing<Vec<u8>> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let chars = char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER));
    // Room for the longest form of every unit, so that growing leaves nothing behind.
    encoded(chars, bytes.len() / 2 * 3)
}

fn is_32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> bool {
    let units = bytes.chunks_exact(4).map(|four| unit([four[0], four[1], four[2], four[3]]));
    units.map(char::from_u32).all(|read| read.is_some())
}

fn of_32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Zeroizing<Vec<u8>> {
    let units = bytes.chunks_exact(4).map(|four| unit([four[0], four[1], four[2], four[3]]));
    let chars = units.map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
    encoded(chars, bytes.len())
}

fn encoded(chars: impl Iterator<Item = char>, room: usize) -> Zeroizing<Vec<u8>> {
    let mut text = String::with_capacity(room);
    text.extend(chars);
    Zeroizing::new(text.into_bytes())
}

fn is_latin(charset: &str) -> bool {
    LATIN.iter().any(|name| charset.eq_ignore_ascii_case(name))
}

fn of_latin(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let chars = bytes.iter().map(|byte| match byte {
        0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
        byte => char::from(*byte),
    });
    // The longest form of any of them is three bytes.
    encoded(chars, bytes.len() * 3)
}
