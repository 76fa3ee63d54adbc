//! Decodes the content coding of a body (RFC 9110 section 8.4.1), and removes its byte order mark.
//!
//! No coding was requested. Some servers and proxies encode anyway, and some do not declare it, so the bytes themselves count
//! for more than the headers.

mod charset;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use zeroize::Zeroizing;

/// More layers of encoding than this do not occur.
const LAYERS: usize = 3;

/// The first bytes of gzip with its only method (RFC 1952 section 2.3).
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// The text of a body, at most `limit` bytes of it. A coding that cannot be decoded is left as it is. From a truncated one, the
/// part before the break is returned; the reader decides whether it is enough.
pub(crate) fn plain(
    body: Zeroizing<Vec<u8>>,
    coding: Option<&str>,
    charset: Option<&str>,
    limit: usize,
) -> Zeroizing<Vec<u8>> {
    let is_deflate = words(coding).any(|word| word == "deflate");
    let mut body = body;
    for layer in 0..LAYERS {
        let undone = match body.starts_with(&GZIP) {
            true => gunzip(&body, limit),
            false => inflated(&body, is_deflate, layer == 0, limit),
        };
        match undone {
            Some(undone) => body = undone,
            None => break,
        }
    }
    charset::utf_8(body, charset)
}

/// Whether a coding was declared that is not decoded here.
pub(crate) fn is_unknown(coding: Option<&str>) -> bool {
    words(coding).any(|word| !matches!(&*word, "" | "identity" | "gzip" | "x-gzip" | "deflate"))
}

fn words(coding: Option<&str>) -> impl Iterator<Item = String> {
    coding.unwrap_or_default().split(',').map(|word| word.trim().to_ascii_lowercase())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapping {
    None,
    Zlib,
}

/// Inflates `data` if it looks like zlib or, at the `outermost` layer, if a header says `deflate`: some servers then send raw
/// deflate without the zlib wrapper that the name stands for. One in a thousand of those looks like zlib.
fn inflated(
    data: &[u8],
    is_deflate: bool,
    outermost: bool,
    limit: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let zlib = is_zlib(data).then(|| whole(data, Wrapping::Zlib, limit)).flatten();
    let (cut_short, zlib) = match zlib {
        Some((text, false)) => (Some(text), None),
        Some((text, true)) => (None, Some(text)),
        None => (None, None),
    };
    let raw = || {
        let raw = (outermost && is_deflate).then(|| whole(data, Wrapping::None, limit)).flatten();
        raw.filter(|(_, is_whole)| *is_whole).map(|(text, _)| text)
    };
    // Text may happen to begin as zlib does. A truncated result counts only if the coding was declared.
    zlib.or_else(raw).or(cut_short.filter(|_| is_deflate && outermost))
}

/// A zlib header checks itself (RFC 1950 section 2.2), and no text that is expected here begins like one.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..]
        if first & 0x8f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

/// Decodes all members of a gzip file, one after the other (RFC 1952 section 2.2).
fn gunzip(mut data: &[u8], limit: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::new());
    while data.starts_with(&GZIP) {
        let Some(rest) = after_head(data) else { break };
        let end = inflate(rest, Wrapping::None, limit, &mut out);
        // A checksum and a length of four bytes each follow. The transport ensures that the bytes are complete.
        match end.and_then(|end| rest.get(end + 8..)) {
            Some(next) => data = next,
            None => break,
        }
    }
    (!out.is_empty()).then_some(out)
}

/// What follows the header of one member.
fn after_head(data: &[u8]) -> Option<&[u8]> {
    let flags = *data.get(3)?;
    let mut rest = data.get(10..)?;
    if flags & 4 != 0 {
        let extra = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + extra..)?;
    }
    for named in [8, 16] {
        if flags & named != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    rest.get(if flags & 2 == 0 { 0 } else { 2 }..)
}

/// Inflates `data`, and says whether it reached an end: text that only looks like a header does not.
fn whole(data: &[u8], wrapping: Wrapping, limit: usize) -> Option<(Zeroizing<Vec<u8>>, bool)> {
    let mut out = Zeroizing::new(Vec::new());
    let end = inflate(data, wrapping, limit, &mut out);
    let is_whole = end.is_some() || out.len() == limit;
    (!out.is_empty()).then_some((out, is_whole))
}

/// Appends the inflated `data`, up to `limit` bytes in all. Returns where the compressed data ends, if it does.
fn inflate(
    data: &[u8],
    wrapping: Wrapping,
    limit: usize,
    out: &mut Zeroizing<Vec<u8>>,
) -> Option<usize> {
    let mut flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    if wrapping == Wrapping::Zlib {
        flags |= inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER;
    }
    // A member must not refer back to the one before it: each has a buffer of its own.
    let before = out.len();
    let room = limit.saturating_sub(before);
    let mut buffer =
        Zeroizing::new(vec![0; data.len().saturating_mul(4).clamp(64, 1 << 16).min(room)]);
    let mut state = Box::<DecompressorOxide>::default();
    let (mut read, mut written) = (0, 0);
    let end = loop {
        let (status, took, gave) =
            decompress(&mut state, &data[read..], &mut buffer, written, flags);
        (read, written) = (read + took, written + gave);
        match status {
            TINFLStatus::Done => break Some(read),
            TINFLStatus::HasMoreOutput if buffer.len() < room => {
                // Grown by hand, so that no copy with a secret is left behind.
                let mut wider = Zeroizing::new(vec![0; buffer.len().saturating_mul(2).min(room)]);
                wider[..written].copy_from_slice(&buffer[..written]);
                buffer = wider;
            }
            _ => break None,
        }
    };
    let mut both = Zeroizing::new(Vec::with_capacity(before + written));
    both.extend_from_slice(out);
    both.extend_from_slice(&buffer[..written]);
    *out = both;
    end
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
