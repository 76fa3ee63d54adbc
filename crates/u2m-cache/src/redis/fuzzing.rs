//! Entry points for the fuzz targets of a server's replies. Built only with `--cfg fuzzing`.

use super::fault::RedisFault;
use super::reply::{self, replies};
use super::wire::encoded;

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RespReply {
    /// An error, in the server's words.
    Error(String),
    /// Several replies.
    List(Vec<RespReply>),
    /// Nothing.
    Nil,
    /// A text, or a number.
    Text(String),
}

/// Why a reply cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenReply {
    /// The bytes end too early.
    Early,
    /// Too large, or too deep.
    Large,
    /// Not what was requested, or not a reply at all.
    Odd,
}

/// Reads `count` replies that arrive in pieces of `size` bytes.
///
/// # Errors
/// Returns why they cannot be read.
pub fn read(bytes: &[u8], size: usize, count: usize) -> Result<Vec<RespReply>, BrokenReply> {
    let mut rest = bytes;
    let read = replies(count, &mut |into| {
        let length = size.min(rest.len()).min(into.len());
        let (piece, after) = rest.split_at(length);
        into[..length].copy_from_slice(piece);
        rest = after;
        if length == 0 { Err(RedisFault::Broken) } else { Ok(length) }
    });
    match read {
        Ok(replies) => Ok(replies.into_iter().map(shown).collect()),
        Err(RedisFault::Broken) => Err(BrokenReply::Early),
        Err(RedisFault::TooLarge) => Err(BrokenReply::Large),
        Err(_) => Err(BrokenReply::Odd),
    }
}

/// Returns requests as they are sent.
pub fn written(asked: &[Vec<Vec<u8>>]) -> Vec<u8> {
    encoded(asked).to_vec()
}

fn shown(reply: reply::RespReply) -> RespReply {
    match reply {
        reply::RespReply::Error(words) => RespReply::Error(words),
        reply::RespReply::List(list) => RespReply::List(list.into_iter().map(shown).collect()),
        reply::RespReply::Nil => RespReply::Nil,
        reply::RespReply::Text(text) => RespReply::Text(text),
    }
}
