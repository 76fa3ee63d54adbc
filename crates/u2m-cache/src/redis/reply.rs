//! Parses the replies of a server that speaks the Redis protocol (RESP 2), as they arrive.
//!
//! u2m has its own parser because that of the crate `redis` does not give the guarantees needed here. That parser trusts an
//! announced length of gigabytes, and a line without an end, until the timeout. It does not reveal whether half of an
//! unrequested reply is left in it. And it leaves a copy of each request, including the password, in memory that it does not
//! clear. It serves as the reference parser in `fuzz/fuzz_targets/redis_answer.rs`.

use super::fault::RedisFault;

/// The maximum size of a reply.
const LARGEST: usize = 32 << 20;
/// The maximum nesting depth of a reply.
const DEEPEST: u32 = 8;

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RespReply {
    /// The server's error text, which begins with a code.
    Error(String),
    List(Vec<RespReply>),
    Nil,
    /// A text or a number.
    Text(String),
}

impl RespReply {
    pub(super) fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Returns the next bytes, at least one.
type RespSource<'s> = dyn FnMut(&mut [u8]) -> Result<usize, RedisFault> + 's;

/// Reads exactly this many replies, with nothing after them.
pub(super) fn replies(
    count: usize,
    source: &mut RespSource<'_>,
) -> Result<Vec<RespReply>, RedisFault> {
    let mut reader = RespReader { source, buffer: Vec::new(), at: 0, room: LARGEST };
    let replies = (0..count).map(|_| reader.reply(0)).collect::<Result<_, _>>()?;
    // More than was requested: the rest would be taken for the reply to another request.
    if reader.at < reader.buffer.len() { Err(RedisFault::NotRedis) } else { Ok(replies) }
}

struct RespReader<'s> {
    source: &'s mut RespSource<'s>,
    /// The received bytes. Those from `at` on were not parsed yet.
    buffer: Vec<u8>,
    at: usize,
    /// How many more bytes may arrive.
    room: usize,
}

impl RespReader<'_> {
    fn reply(&mut self, depth: u32) -> Result<RespReply, RedisFault> {
        let head = self.head()?;
        let (kind, text) = head.split_at(1);
        let number = || text.parse::<i64>().map_err(|_| RedisFault::NotRedis);
        Ok(match kind {
            "+" => RespReply::Text(text.to_owned()),
            ":" => number().map(|_| RespReply::Text(text.to_owned()))?,
            "-" => RespReply::Error(text.to_owned()),
            "$" => match usize::try_from(number()?) {
                Ok(length) => RespReply::Text(self.bulk(length)?),
                Err(_) => RespReply::Nil,
            },
            "*" => match u64::try_from(number()?) {
                Ok(_) if depth == DEEPEST => return Err(RedisFault::TooLarge),
                // Do not allocate the announced size before the bytes arrive.
                Ok(count) => {
                    let mut list = Vec::new();
                    for _ in 0..count {
                        list.push(self.reply(depth + 1)?);
                    }
                    RespReply::List(list)
                }
                Err(_) => RespReply::Nil,
            },
            _ => return Err(RedisFault::NotRedis),
        })
    }

    /// Returns a line without its line ending.
    fn head(&mut self) -> Result<String, RedisFault> {
        // Counted from the start of the line, which may move.
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.at..];
            if unread.first().is_some_and(|byte| !b"+-:$*".contains(byte)) {
                return Err(RedisFault::NotRedis);
            }
            let found = unread[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(found) = found {
                let line = &unread[..searched + found];
                let line = std::str::from_utf8(line).map_err(|_| RedisFault::NotRedis)?;
                let line = line.strip_suffix('\r').ok_or(RedisFault::NotRedis)?.to_owned();
                self.at += searched + found + 1;
                return Ok(line);
            }
            searched = unread.len();
            self.fill()?;
        }
    }

    fn bulk(&mut self, length: usize) -> Result<String, RedisFault> {
        if length > LARGEST {
            return Err(RedisFault::TooLarge);
        }
        while self.buffer.len() - self.at < length + 2 {
            self.fill()?;
        }
        let (text, rest) = self.buffer[self.at..].split_at(length);
        if !rest.starts_with(b"\r\n") {
            return Err(RedisFault::NotRedis);
        }
        let text = String::from_utf8(text.to_vec()).map_err(|_| RedisFault::NotRedis)?;
        self.at += length + 2;
        Ok(text)
    }

    fn fill(&mut self) -> Result<(), RedisFault> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let mut chunk = [0; 16 << 10];
        let count = (self.source)(&mut chunk)?;
        self.room = self.room.checked_sub(count).ok_or(RedisFault::TooLarge)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `bytes` say, which come in pieces of `size`, and after which nothing comes in time.
    fn read(count: usize, bytes: &[u8], size: usize) -> Result<Vec<RespReply>, RedisFault> {
        let mut pieces = bytes.chunks(size);
        replies(count, &mut |into| {
            let piece = pieces.next().ok_or(RedisFault::Late)?;
            into[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        })
    }

    #[test]
    fn an_answer_is_the_same_in_whatever_pieces_it_comes() {
        let bytes = b"$5\r\na\r\nbc\r\n*2\r\n:7\r\n$0\r\n\r\n+OK\r\n";
        let text = |text: &str| RespReply::Text(text.to_owned());
        let wanted = [text("a\r\nbc"), RespReply::List(vec![text("7"), text("")]), text("OK")];
        for size in 1..bytes.len() {
            assert_eq!(read(3, bytes, size).unwrap(), wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn an_answer_is_nested_as_deep_as_any_honest_one_and_no_deeper() {
        let nested = |depth: usize| read(1, "*1\r\n".repeat(depth).as_bytes(), 99);
        assert!(matches!(nested(8), Err(RedisFault::Late)), "its inside is waited for");
        assert!(matches!(nested(9), Err(RedisFault::TooLarge)));
    }

    #[test]
    fn what_is_announced_as_larger_than_any_honest_answer_is_not_waited_for() {
        let announced = |length: usize| read(1, format!("${length}\r\n").as_bytes(), 99);
        assert!(matches!(announced(LARGEST), Err(RedisFault::Late)));
        assert!(matches!(announced(LARGEST + 1), Err(RedisFault::TooLarge)));
        assert!(matches!(announced(LARGEST * 2), Err(RedisFault::TooLarge)));
    }

    #[test]
    fn what_comes_behind_the_answers_belongs_to_no_question() {
        assert!(matches!(read(1, b"+OK\r\n+OK\r\n", 99), Err(RedisFault::NotRedis)));
    }
}
