//! A server that reads a request and then does with the connection what a story says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) struct Raw {
    pub(crate) base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    /// Each connection is given to `serve` once its request has been read. It is closed when `serve` is done with it.
    pub(crate) fn start(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::serving(move |_, stream| serve(stream))
    }

    /// Says `text` to everyone, and hangs up.
    pub(crate) fn saying(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self::start(move |stream| drop(stream.write_all(&text)))
    }

    /// Answers by what a request says, and hangs up.
    pub(crate) fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::serving(move |request, stream| drop(stream.write_all(answer(request).as_bytes())))
    }

    pub(crate) fn serving(serve: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, serve) = (Arc::clone(&requests), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, serve) =
                    (stream.unwrap(), Arc::clone(&seen), Arc::clone(&serve));
                std::thread::spawn(move || {
                    let request = read_request(&mut stream);
                    seen.lock().unwrap().push(request.clone());
                    serve(&request, &mut stream);
                });
            }
        });
        Self { base, requests }
    }

    /// The requests that came, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A request to its end, or as much as came before the other side hung up.
pub(crate) fn read_request(stream: &mut impl Read) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// Waits until the other side has hung up.
pub(crate) fn hold(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0]);
}
