//! D-Bus messages, as far as reading a secret needs them (D-Bus specification, "Marshaling" and "Message Format").

use std::ops::Range;

/// The maximum length of an answer.
pub(super) const LIMIT: usize = 16 << 20;

/// A method call, ready to be sent.
pub(super) struct MethodCall<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) method: &'a str,
    /// The types of the arguments.
    pub(super) signature: &'a str,
    pub(super) body: MessageBody,
}

impl MethodCall<'_> {
    /// Appends the message with this serial number in little-endian order. Every receiver accepts either order.
    pub(super) fn write(&self, serial: u32, out: &mut Vec<u8>) {
        let mut fields = MessageBody::new();
        for (code, kind, text) in [
            (1, "o", self.path),
            (2, "s", self.interface),
            (3, "s", self.method),
            (6, "s", self.destination),
        ] {
            fields.align(8).byte(code).signature(kind).text(text);
        }
        if !self.signature.is_empty() {
            fields.align(8).byte(8).signature("g").signature(self.signature);
        }
        let mut message = MessageBody::new();
        // Little-endian, a method call, no flags, version 1.
        message.byte(b'l').byte(1).byte(0).byte(1);
        message.number(self.body.0.len()).number(serial as usize).number(fields.0.len());
        // The fields begin at byte 16, where their own alignment counts from too.
        message.raw(fields.bytes()).align(8).raw(self.body.bytes());
        out.extend_from_slice(message.bytes());
    }
}

/// Arguments, each aligned as its type requires.
#[derive(Default)]
pub(super) struct MessageBody(Vec<u8>);

impl MessageBody {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn align(&mut self, to: usize) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        // Nothing that is sent comes near the range of 32 bits.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.align(4).0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// Appends a string or an object path.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len()).0.extend_from_slice(text.as_bytes());
        self.byte(0)
    }

    /// Returns what was written so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn signature(&mut self, text: &str) -> &mut Self {
        self.byte(u8::try_from(text.len()).unwrap_or(u8::MAX)).0.extend_from_slice(text.as_bytes());
        self.byte(0)
    }

    /// `a{ss}`.
    pub(super) fn texts(&mut self, pairs: &[(&str, &str)]) -> &mut Self {
        self.array(8, |body| {
            for (name, value) in pairs {
                body.align(8).text(name).text(value);
            }
        })
    }

    /// `ao` of one.
    pub(super) fn one_path(&mut self, path: &str) -> &mut Self {
        self.array(4, |body| {
            body.text(path);
        })
    }

    /// Appends an array of elements with this alignment. Its length does not include the padding before them.
    pub(super) fn array(&mut self, alignment: usize, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.number(0);
        let length_at = self.0.len() - 4;
        self.align(alignment);
        let start = self.0.len();
        fill(self);
        let len = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&len.to_le_bytes());
        self
    }
}

/// The positions of the parts of a received message.
#[derive(Debug)]
pub(super) struct MessageHeader {
    pub(super) kind: u8,
    pub(super) reply_to: u32,
    pub(super) error: String,
    pub(super) signature: String,
    pub(super) body: Range<usize>,
    is_big: bool,
}

impl MessageHeader {
    /// Reads the header of the message at the start of `bytes`. Returns `Ok(None)` while it is incomplete, and `Err` if it is
    /// not a message.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, ()> {
        let Some(fixed) = bytes.get(..16) else { return Ok(None) };
        let is_big = match fixed[0] {
            b'l' => false,
            b'B' => true,
            _ => return Err(()),
        };
        let mut start = MessageReader { bytes: fixed, at: 4, is_big };
        let number =
            |start: &mut MessageReader<'_>| start.number().ok_or(()).map(|number| number as usize);
        let (body, _, fields) = (number(&mut start)?, number(&mut start)?, number(&mut start)?);
        if fixed[3] != 1 || body > LIMIT || fields > 1 << 16 {
            return Err(());
        }
        let body_at = (16 + fields).next_multiple_of(8);
        let Some(whole) = bytes.get(..body_at + body) else { return Ok(None) };
        let mut heading = Self {
            kind: fixed[1],
            reply_to: 0,
            error: String::new(),
            signature: String::new(),
            body: body_at..body_at + body,
            is_big,
        };
        let mut reader = MessageReader { bytes: &whole[..16 + fields], at: 16, is_big };
        while reader.at < reader.bytes.len() {
            heading.field(&mut reader).ok_or(())?;
        }
        Ok(Some(heading))
    }

    fn field(&mut self, reader: &mut MessageReader<'_>) -> Option<()> {
        reader.align(8)?;
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (4, "s") => self.error = reader.text()?.to_owned(),
            (5, "u") => self.reply_to = reader.number()?,
            (8, "g") => self.signature = reader.signature()?.to_owned(),
            (_, "s" | "o") => drop(reader.text()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.number()?),
            _ => return None,
        }
        Some(())
    }

    /// Returns a reader of the body. `bytes` are those that the header was read from.
    pub(super) fn arguments<'a>(&self, bytes: &'a [u8]) -> MessageReader<'a> {
        MessageReader { bytes: &bytes[self.body.clone()], at: 0, is_big: self.is_big }
    }
}

/// Reads values one after another. Each method returns `None` if there is no such value.
#[derive(Clone)]
pub(super) struct MessageReader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_big: bool,
}

impl<'a> MessageReader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.take(self.at.next_multiple_of(to) - self.at).map(drop)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn long(&mut self) -> Option<u64> {
        self.align(8)?;
        let bytes = self.take(8)?.try_into().ok()?;
        Some(if self.is_big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = self.number()?;
        let text = self.take(len as usize)?;
        self.take(1)?;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let len = self.byte()?;
        let text = self.take(len.into())?;
        self.take(1)?;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn blob(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(len as usize)
    }

    /// Returns the elements of an array as a separate reader.
    fn elements(&mut self, alignment: usize) -> Option<Self> {
        let len = self.number()? as usize;
        self.align(alignment)?;
        let start = self.at;
        self.take(len)?;
        Some(Self { bytes: &self.bytes[..start + len], at: start, is_big: self.is_big })
    }

    /// `ao`.
    pub(super) fn paths(&mut self) -> Option<Vec<&'a str>> {
        let mut elements = self.elements(4)?;
        let mut paths = Vec::new();
        while elements.at < elements.bytes.len() {
            paths.push(elements.text()?);
        }
        Some(paths)
    }

    /// Skips a variant that holds a text or bytes.
    pub(super) fn skip_variant(&mut self) -> Option<()> {
        match self.signature()? {
            "s" | "o" => self.text().map(drop),
            "ay" => self.blob().map(drop),
            _ => None,
        }
    }

    /// Reads a variant that holds a 64-bit number.
    pub(super) fn long_variant(&mut self) -> Option<u64> {
        match self.signature()? {
            "t" => self.long(),
            _ => None,
        }
    }

    /// Returns the secret of `item` from `a{o(oayays)}`, secrets by item: session, parameters, value, content type.
    pub(super) fn secret_of(&mut self, item: &str) -> Option<Option<&'a [u8]>> {
        let mut elements = self.elements(8)?;
        while elements.at < elements.bytes.len() {
            elements.align(8)?;
            let path = elements.text()?;
            elements.align(8)?;
            let _session = elements.text()?;
            let _parameters = elements.blob()?;
            let value = elements.blob()?;
            let _content_type = elements.text()?;
            if path == item {
                return Some(Some(value));
            }
        }
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(signature: &str, body: MessageBody) -> Vec<u8> {
        let mut out = Vec::new();
        let (destination, path) = ("org.freedesktop.secrets", "/org/freedesktop/secrets");
        let (interface, method) = ("org.freedesktop.Secret.Service", "SearchItems");
        MethodCall { destination, path, interface, method, signature, body }.write(7, &mut out);
        out
    }

    #[test]
    fn a_call_can_be_read_again() {
        let mut body = MessageBody::new();
        body.texts(&[("service", "databricks-cli"), ("username", "dev")]);
        let bytes = call("a{ss}", body);
        let heading = MessageHeader::read(&bytes).unwrap().unwrap();
        assert_eq!((heading.kind, heading.signature.as_str()), (1, "a{ss}"));
        assert_eq!(heading.body.end, bytes.len());
        let mut elements = heading.arguments(&bytes).elements(8).unwrap();
        let texts: Vec<_> = (0..4)
            .map(|at| {
                if at % 2 == 0 {
                    elements.align(8).unwrap();
                }
                elements.text().unwrap()
            })
            .collect();
        assert_eq!(texts, ["service", "databricks-cli", "username", "dev"]);
    }

    #[test]
    fn a_message_is_waited_for_until_it_is_whole() {
        let mut body = MessageBody::new();
        body.one_path("/a");
        let bytes = call("ao", body);
        for len in 0..bytes.len() {
            assert!(MessageHeader::read(&bytes[..len]).unwrap().is_none(), "{len}");
        }
        let heading = MessageHeader::read(&bytes).unwrap().unwrap();
        assert_eq!(heading.arguments(&bytes).paths().unwrap(), ["/a"]);
    }

    #[test]
    fn a_heading_is_read_in_the_order_of_its_bytes_and_what_it_says_besides_is_stepped_over() {
        let field = |code, kind, value: &[u8]| [&[code, 1, kind, 0][..], value].concat();
        for is_big in [false, true] {
            let number = |number: u32| match is_big {
                true => number.to_be_bytes(),
                false => number.to_le_bytes(),
            };
            // The number of file descriptors, a signature nobody asked for, and what the answer is to.
            let descriptors = field(9, b'u', &number(3));
            let odd = field(20, b'g', &[2, b'a', b'y', 0]);
            let reply = field(5, b'u', &number(7));
            let fields = [&descriptors[..], &odd, &reply].concat();
            let start = [if is_big { b'B' } else { b'l' }, 2, 0, 1];
            let (len, none) = (u32::try_from(fields.len()).unwrap(), number(0));
            let message = [&start[..], &none, &number(1), &number(len), &fields].concat();
            let heading = MessageHeader::read(&message).unwrap().unwrap();
            assert_eq!((heading.kind, heading.reply_to, heading.is_big), (2, 7, is_big));
        }
    }

    #[test]
    fn a_variant_of_text_or_bytes_is_stepped_over_and_no_other() {
        for (kind, rest) in [("s", Some(3)), ("o", Some(3)), ("ay", Some(3)), ("u", None)] {
            let mut body = MessageBody::new();
            body.signature(kind).align(4);
            match kind {
                "ay" => body.number(2).raw(b"ab"),
                _ => body.text("ab"),
            };
            body.align(4).number(3);
            let mut reader = MessageReader { bytes: body.bytes(), at: 0, is_big: false };
            let next = reader.skip_variant().and_then(|()| reader.number());
            assert_eq!(next, rest, "{kind}");
        }
    }

    #[test]
    fn both_byte_orders_are_read() {
        let mut bytes = vec![0, 0, 0, 3, b'a', b'b', b'c', 0];
        let text =
            |bytes: &[u8], is_big| MessageReader { bytes, at: 0, is_big }.text().map(str::to_owned);
        assert_eq!(text(&bytes, true).as_deref(), Some("abc"));
        assert_eq!(text(&bytes, false), None);
        bytes[..4].reverse();
        assert_eq!(text(&bytes, false).as_deref(), Some("abc"));
    }

    #[test]
    fn t24_a_message_too_long_to_be_honest_is_refused_before_it_is_read() {
        let mut bytes = call("", MessageBody::new());
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(MessageHeader::read(&bytes).is_err());
        assert!(MessageHeader::read(b"HTTP/1.1 200 OK\r\n").is_err());
    }

    proptest::proptest! {
        #[test]
        fn t24_any_bytes_are_read_without_a_panic(bytes: Vec<u8>, at in 0..16_usize, byte: u8) {
            let _ = MessageHeader::read(&bytes);
            for is_big in [false, true] {
                let reader = MessageReader { bytes: &bytes, at: 0, is_big };
                let _ = reader.clone().paths();
                let _ = reader.clone().secret_of("/a");
                let _ = reader.clone().skip_variant();
                let _ = reader.clone().long_variant();
            }
            let mut message = call("ao", MessageBody::new());
            message[at] = byte;
            let _ = MessageHeader::read(&message);
        }
    }
}
