//! The Redis protocol (RESP 2), as far as it is needed. Requests are sent together, and all their replies share one time
//! limit and one size limit, whatever a hostile or broken server sends.

use super::address::ServerEndpoint;
use super::fault::RedisFault;
use super::reply::{RespReply, replies};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The maximum length of a line that announces a length, together with the line ending of what follows.
const LINE: usize = 24;

/// One request: its words.
pub(super) type CommandWords = Vec<Vec<u8>>;

/// A connection on which no reply is outstanding.
pub(super) struct RedisConnection(RedisStream);

enum RedisStream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl RedisConnection {
    pub(super) fn open(door: &ServerEndpoint, end: Instant) -> Result<Self, RedisFault> {
        Ok(Self(match door {
            ServerEndpoint::Tcp { host, port } => RedisStream::Tcp(dial(host, *port, end)?),
            #[cfg(unix)]
            ServerEndpoint::Unix(path) => RedisStream::Unix(
                std::os::unix::net::UnixStream::connect(path).map_err(RedisFault::of)?,
            ),
        }))
    }

    /// Sends requests and waits for as many replies. After a failure the connection must not be used any more.
    pub(super) fn exchange(
        &mut self,
        asked: &[CommandWords],
        end: Instant,
    ) -> Result<Vec<RespReply>, RedisFault> {
        let question = encoded(asked);
        let mut rest = question.as_slice();
        while !rest.is_empty() {
            let count = self.0.until(end, |stream| stream.write(rest))?;
            rest = &rest[count..];
        }
        replies(asked.len(), &mut |into| self.0.until(end, |stream| stream.read(into)))
    }

    /// Returns whether the server has closed the connection or sent something unrequested since the last exchange.
    pub(super) fn is_stale(&self) -> bool {
        self.0.is_stale()
    }
}

fn dial(host: &str, port: u16, end: Instant) -> Result<TcpStream, RedisFault> {
    let addresses = (host, port).to_socket_addrs().map_err(|_| RedisFault::NoSuchName)?;
    let mut trouble = RedisFault::NoSuchName;
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(end)?) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(RedisFault::of)?;
                return Ok(stream);
            }
            Err(error) => trouble = RedisFault::of(error),
        }
    }
    Err(trouble)
}

/// Returns the time left until `end`. Never zero, which a socket takes as no limit.
fn left(end: Instant) -> Result<Duration, RedisFault> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(RedisFault::Late) } else { Ok(left.max(Duration::from_millis(1))) }
}

/// Joins several requests into one text, which may contain a password.
pub(super) fn encoded(asked: &[CommandWords]) -> Zeroizing<Vec<u8>> {
    // Allocated at full size from the start, so that no part of it is left behind uncleared.
    let mut text = Zeroizing::new(Vec::with_capacity(asked.iter().map(room).sum()));
    for words in asked {
        text.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            text.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            text.extend_from_slice(word);
            text.extend_from_slice(b"\r\n");
        }
    }
    text
}

/// Returns the maximum size of a request: one line before it, and one before each word.
fn room(words: &CommandWords) -> usize {
    words.iter().fold(LINE, |room, word| room + LINE + word.len())
}

impl RedisStream {
    /// Reads or writes something until `end`. A closed connection is an error.
    fn until(
        &mut self,
        end: Instant,
        mut act: impl FnMut(&mut Self) -> io::Result<usize>,
    ) -> Result<usize, RedisFault> {
        loop {
            self.limit(end)?;
            match act(self) {
                Ok(0) => return Err(RedisFault::Broken),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(RedisFault::of(error)),
            }
        }
    }

    fn limit(&self, end: Instant) -> Result<(), RedisFault> {
        let left = Some(left(end)?);
        let set = match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(left).and_then(|()| stream.set_write_timeout(left))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                stream.set_read_timeout(left).and_then(|()| stream.set_write_timeout(left))
            }
        };
        set.map_err(RedisFault::of)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(into),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(from),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(from),
        }
    }

    /// Checks for input without waiting.
    fn is_stale(&self) -> bool {
        let set = |is_nonblocking| match self {
            Self::Tcp(stream) => stream.set_nonblocking(is_nonblocking),
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(is_nonblocking),
        };
        if set(true).is_err() {
            return true;
        }
        let mut byte = [0];
        let seen = match self {
            Self::Tcp(stream) => stream.peek(&mut byte),
            // Reading works as well: whatever is there was not requested.
            #[cfg(unix)]
            Self::Unix(stream) => (&mut &*stream).read(&mut byte),
        };
        let is_quiet = seen.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        set(false).is_err() || !is_quiet
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
