//! What a Redis server answers, byte for byte (STORE-3), and what it is asked. The first line of an input says how many
//! answers are waited for; the rest is what arrives.
//!
//! - Answers are the same in whatever pieces they arrive. What comes behind them unasked is an error, where it comes with
//!   them.
//! - Another reader of the protocol, that of the crate `redis`, reads the same.
//! - Written again, they are read as themselves. A question is read as the list of its words.
#![no_main]

use redis::{Parser, Value};
use u2m_cache::redis_fuzzing::{BrokenReply, RespReply, read, written};
use u2m_fuzz::first_line;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((count, bytes)) = first_line(input) else { return };
    let Ok(count @ 1..=4) = count.parse() else { return };
    let pieces = read(bytes, 1, count);
    for size in [7, usize::MAX] {
        let other = read(bytes, size, count);
        let is_unasked = pieces.is_ok() && other == Err(BrokenReply::Odd);
        assert!(other == pieces || is_unasked, "{pieces:?} {other:?}");
    }
    if let Ok(replies) = pieces {
        second_reading(bytes, &replies);
        again(&replies);
    }
    asked(bytes);
});

fn second_reading(mut bytes: &[u8], replies: &[RespReply]) {
    let mut parser = Parser::new();
    for reply in replies {
        let theirs = parser.parse_value(&mut bytes);
        let theirs = theirs.unwrap_or_else(|error| panic!("{reply:?}: {error}"));
        assert!(is_same(reply, &theirs), "{reply:?} {theirs:?}");
    }
}

fn is_same(ours: &RespReply, theirs: &Value) -> bool {
    match (ours, theirs) {
        (RespReply::Error(words), Value::ServerError(error)) => {
            let details = error.details().map(|details| format!(" {details}"));
            *words == error.code().to_owned() + &details.unwrap_or_default()
        }
        (RespReply::List(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| is_same(a, b))
        }
        (RespReply::Nil, Value::Nil) => true,
        (RespReply::Text(text), Value::Okay) => text == "OK",
        (RespReply::Text(text), Value::Int(number)) => text.parse() == Ok(*number),
        (RespReply::Text(text), Value::SimpleString(theirs)) => text == theirs,
        (RespReply::Text(text), Value::BulkString(theirs)) => text.as_bytes() == theirs.as_slice(),
        _ => false,
    }
}

fn again(replies: &[RespReply]) {
    let bytes: Vec<u8> = replies.iter().flat_map(text).collect();
    assert_eq!(read(&bytes, usize::MAX, replies.len()).as_deref(), Ok(replies));
    // Nothing may be missing at its end.
    let cut = &bytes[..bytes.len() - 1];
    assert_eq!(read(cut, usize::MAX, replies.len()), Err(BrokenReply::Early));
}

fn text(reply: &RespReply) -> Vec<u8> {
    match reply {
        RespReply::Error(words) => format!("-{words}\r\n").into_bytes(),
        RespReply::Nil => b"$-1\r\n".to_vec(),
        RespReply::Text(text) => format!("${}\r\n{text}\r\n", text.len()).into_bytes(),
        RespReply::List(list) => {
            let head = format!("*{}\r\n", list.len()).into_bytes();
            head.into_iter().chain(list.iter().flat_map(text)).collect()
        }
    }
}

fn asked(bytes: &[u8]) {
    let words: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let texts: Option<Vec<RespReply>> = words
        .iter()
        .map(|word| String::from_utf8(word.clone()).ok().map(RespReply::Text))
        .collect();
    let Some(texts) = texts else { return };
    let sent = written(&[words.clone(), words]);
    assert_eq!(read(&sent, 7, 2), Ok(vec![RespReply::List(texts); 2]));
}
