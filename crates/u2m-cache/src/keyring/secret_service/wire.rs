//! Reads a secret directly: three round trips over a separate socket. Each write contains everything that depends on no
//! outstanding answer, and a deadline ends the whole read without a thread.
//!
//! The search is sent before the session is opened because of GNOME Keyring. It registers a new caller in a task of its main
//! loop. That task overtakes the caller's first request, except for one that arrives just when the loop is awake for another
//! client. A session that is opened before the registration aborts GNOME Keyring (seen with gnome-keyring 42.1, once in some
//! thousands of reads), while a search is only refused. The search is answered from that loop, so everything after its answer
//! comes after the registration.
//!
//! It handles the simple case. Everything that it does not know is left to the library (`items`).

use super::message::{LIMIT, MessageBody, MessageHeader, MessageReader, MethodCall};
use super::{address, failures};
use crate::keyring::KeyringError;
use crate::keyring::awake::SlicedWait;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use zeroize::{Zeroize, Zeroizing};

const SERVICE: &str = "org.freedesktop.Secret.Service";
const SECRETS: &str = "/org/freedesktop/secrets";

/// The error of a service that does not know a method, or is not ready for it.
const NOT_KNOWN: &str = "org.freedesktop.DBus.Error.UnknownMethod";

/// The result of a search by attributes.
#[cfg_attr(test, derive(Debug))]
pub(super) enum SearchResult {
    Nothing,
    Secret(Zeroizing<Vec<u8>>),
    /// A direct read is not possible: an item is locked, or the bus or the service behaves differently.
    Further,
}

/// Reads the secret that has these attributes, the newest of several (KEY-9), within `patience`.
pub(super) fn read(
    attributes: &[(&str, &str)],
    patience: Duration,
) -> Result<SearchResult, KeyringError> {
    let bus = address::session_bus()?;
    let Some(socket) = address::socket(&bus) else { return Ok(SearchResult::Further) };
    read_at(&socket, attributes, patience)
}

/// Like [`read`], from the bus at this address.
pub(super) fn read_at(
    socket: &SocketAddrUnix,
    attributes: &[(&str, &str)],
    patience: Duration,
) -> Result<SearchResult, KeyringError> {
    match Conversation::begin(socket, patience)?.read(attributes) {
        Ok(found) => Ok(found),
        Err(ConversationEnd::Unknown) => Ok(SearchResult::Further),
        Err(ConversationEnd::Failed(error)) => Err(error),
    }
}

/// Why an exchange ended early.
enum ConversationEnd {
    /// The other side behaves in a way that is not known here.
    Unknown,
    Failed(KeyringError),
}

struct Conversation {
    stream: UnixStream,
    left: SlicedWait,
    /// The maximum wait of one read.
    armed: Duration,
    /// Received bytes that were not used yet. They may contain a secret, and the buffer is never moved while they do.
    input: Zeroizing<Vec<u8>>,
    used: usize,
    last: u32,
}

/// An answer: its header and the message.
struct MethodReturn(MessageHeader, Zeroizing<Vec<u8>>);

impl MethodReturn {
    fn arguments(&self, signature: &str) -> Result<MessageReader<'_>, ConversationEnd> {
        if self.0.signature == signature {
            Ok(self.0.arguments(&self.1))
        } else {
            Err(ConversationEnd::Unknown)
        }
    }
}

impl Conversation {
    /// Connects without waiting. A bus that does not accept the connection is stopped or overloaded.
    fn begin(address: &SocketAddrUnix, patience: Duration) -> Result<Self, KeyringError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .and_then(|socket| connect(&socket, address).map(|()| socket));
        let stream = UnixStream::from(socket.map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => KeyringError::Timeout { operation: "get" },
            ErrorKind::PermissionDenied => KeyringError::Denied,
            _ => KeyringError::NoBus,
        })?);
        let left = SlicedWait::new(patience.max(Duration::from_millis(1)));
        let armed = left.slice();
        let ready = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(armed)))
            .and_then(|()| stream.set_write_timeout(Some(patience.max(armed))));
        ready.map_err(|error| KeyringError::broken(&error.to_string()))?;
        let input = Zeroizing::new(Vec::new());
        Ok(Self { stream, left, armed, input, used: 0, last: 0 })
    }

    fn read(mut self, attributes: &[(&str, &str)]) -> Result<SearchResult, ConversationEnd> {
        let mut out = greeting();
        let hello =
            ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello");
        let hello = self.call(&mut out, hello, "", MessageBody::new());
        let mut wanted = MessageBody::new();
        wanted.texts(attributes);
        let searched = self.ask(&mut out, SECRETS, SERVICE, "SearchItems", "a{ss}", wanted);
        self.send(&out)?;
        self.welcome()?;
        let [_, searched] = self.answers([hello, searched])?;
        let mut found = searched.arguments("aoao")?;
        let (unlocked, locked) = (
            found.paths().ok_or(ConversationEnd::Unknown)?,
            found.paths().ok_or(ConversationEnd::Unknown)?,
        );
        let item = match unlocked.as_slice() {
            [] if locked.is_empty() => return Ok(SearchResult::Nothing),
            [] => return Ok(SearchResult::Further),
            [one] => *one,
            several => self.newest(several)?,
        };
        let (mut out, mut plain) = (Vec::new(), MessageBody::new());
        plain.text("plain").signature("s").text("");
        let opened = self.ask(&mut out, SECRETS, SERVICE, "OpenSession", "sv", plain);
        self.send(&out)?;
        let [opened] = self.answers([opened])?;
        let mut session = opened.arguments("vo")?;
        session.skip_variant().ok_or(ConversationEnd::Unknown)?;
        self.secret(item, session.text().ok_or(ConversationEnd::Unknown)?)
    }

    /// Returns the item that was changed last. Of several in the same second, the last in the list.
    fn newest<'a>(&mut self, items: &[&'a str]) -> Result<&'a str, ConversationEnd> {
        let mut newest = None;
        for item in items {
            let mut which = MessageBody::new();
            which.text("org.freedesktop.Secret.Item").text("Modified");
            let mut out = Vec::new();
            let properties = "org.freedesktop.DBus.Properties";
            let asked = self.ask(&mut out, item, properties, "Get", "ss", which);
            self.send(&out)?;
            let [answer] = self.answers([asked])?;
            let time = answer.arguments("v")?.long_variant().ok_or(ConversationEnd::Unknown)?;
            newest = newest.max(Some((time, *item)));
        }
        newest.map(|(_, item)| item).ok_or(ConversationEnd::Unknown)
    }

    fn secret(&mut self, item: &str, session: &str) -> Result<SearchResult, ConversationEnd> {
        let mut wanted = MessageBody::new();
        wanted.one_path(item).text(session);
        let mut out = Vec::new();
        let asked = self.ask(&mut out, SECRETS, SERVICE, "GetSecrets", "aoo", wanted);
        self.send(&out)?;
        let [answer] = self.answers([asked])?;
        match answer.arguments("a{o(oayays)}")?.secret_of(item).ok_or(ConversationEnd::Unknown)? {
            Some(secret) => Ok(SearchResult::Secret(Zeroizing::new(secret.to_vec()))),
            // It was removed or locked after it was found. The library finds out which.
            None => Ok(SearchResult::Further),
        }
    }

    fn ask(
        &mut self,
        out: &mut Vec<u8>,
        path: &str,
        interface: &str,
        method: &str,
        signature: &str,
        body: MessageBody,
    ) -> u32 {
        self.call(out, ("org.freedesktop.secrets", path, interface, method), signature, body)
    }

    fn call(
        &mut self,
        out: &mut Vec<u8>,
        (destination, path, interface, method): (&str, &str, &str, &str),
        signature: &str,
        body: MessageBody,
    ) -> u32 {
        self.last += 1;
        MethodCall { destination, path, interface, method, signature, body }.write(self.last, out);
        self.last
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), ConversationEnd> {
        self.stream.write_all(bytes).map_err(|error| ConversationEnd::Failed(broken_off(&error)))
    }

    /// Reads the bus's answer to the authentication. A bus that wants more than the uid is left to the library.
    fn welcome(&mut self) -> Result<(), ConversationEnd> {
        loop {
            let line = self.input.windows(2).position(|two| two == b"\r\n");
            match line {
                Some(end) if self.input.starts_with(b"OK ") => {
                    self.used = end + 2;
                    return Ok(());
                }
                Some(_) => return Err(ConversationEnd::Unknown),
                None => self.receive()?,
            }
        }
    }

    /// Returns the answers to these calls. An error among them ends the exchange. Signals are skipped.
    fn answers<const N: usize>(
        &mut self,
        calls: [u32; N],
    ) -> Result<[MethodReturn; N], ConversationEnd> {
        let mut found: [Option<MethodReturn>; N] = [const { None }; N];
        while found.iter().any(Option::is_none) {
            let answer = self.message()?;
            let at = calls.iter().position(|call| *call == answer.0.reply_to);
            match (answer.0.kind, at) {
                (2, Some(at)) => found[at] = Some(answer),
                (3, Some(_)) if answer.0.error == NOT_KNOWN => {
                    return Err(ConversationEnd::Unknown);
                }
                (3, Some(_)) => {
                    let text = answer.0.arguments(&answer.1).text().unwrap_or_default().to_owned();
                    return Err(ConversationEnd::Failed(failures::named(&answer.0.error, &text)));
                }
                _ => {}
            }
        }
        let all: Vec<MethodReturn> = found.into_iter().flatten().collect();
        all.try_into().map_err(|_| ConversationEnd::Unknown)
    }

    fn message(&mut self) -> Result<MethodReturn, ConversationEnd> {
        loop {
            let bytes = &self.input[self.used..];
            if let Some(heading) =
                MessageHeader::read(bytes).map_err(|()| ConversationEnd::Unknown)?
            {
                let message = Zeroizing::new(bytes[..heading.body.end].to_vec());
                self.used += heading.body.end;
                return Ok(MethodReturn(heading, message));
            }
            self.receive()?;
        }
    }

    /// Waits for more input while there is time left, counting only time in which this process runs.
    fn receive(&mut self) -> Result<(), ConversationEnd> {
        if self.left.is_over() {
            return Err(ConversationEnd::Failed(KeyringError::Timeout { operation: "get" }));
        }
        // Not before each read: most answers arrive at once.
        let slice = self.left.slice();
        if slice < self.armed * 9 / 10 {
            let armed = self.stream.set_read_timeout(Some(slice));
            armed.map_err(|error| ConversationEnd::Failed(broken_off(&error)))?;
            self.armed = slice;
        }
        let mut part = [0_u8; 4 << 10];
        let start = Instant::now();
        let read = self.stream.read(&mut part);
        self.left.took(start.elapsed());
        let is_wait = |kind| {
            matches!(kind, ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
        };
        let read = match read {
            Ok(0) => return Err(ConversationEnd::Failed(KeyringError::broken("the bus hung up"))),
            Ok(read) => read,
            Err(error) if is_wait(error.kind()) => return Ok(()),
            Err(error) => return Err(ConversationEnd::Failed(broken_off(&error))),
        };
        // A buffer that grows leaves its old bytes behind, so they are wiped here.
        let mut input = Zeroizing::new(Vec::with_capacity(self.input.len() - self.used + read));
        input.extend_from_slice(&self.input[self.used..]);
        input.extend_from_slice(&part[..read]);
        part[..read].zeroize();
        if input.len() > LIMIT + (1 << 17) {
            return Err(ConversationEnd::Unknown);
        }
        (self.input, self.used) = (input, 0);
        Ok(())
    }
}

/// Sends the uid for authentication. The operating system tells the bus the same, so there is nothing to wait for.
fn greeting() -> Vec<u8> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let user: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").into_bytes()
}

fn broken_off(error: &std::io::Error) -> KeyringError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => KeyringError::Timeout { operation: "get" },
        _ => KeyringError::broken(&error.to_string()),
    }
}
