//! A relay in front of a server that is far away: each byte arrives late, and as many at a time as ever.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

pub(crate) struct Relay {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Relay {
    /// Leads to `port`, `each_way` away.
    pub(crate) fn to(port: u16, each_way: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                carry(near.try_clone().unwrap(), far.try_clone().unwrap(), each_way);
                carry(far, near, each_way);
            }
        });
        Self { port: own, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// One thread takes what comes, another hands it on when its time has come.
fn carry(mut from: TcpStream, mut to: TcpStream, late: Duration) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut chunk = [0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if sender.send((Instant::now() + late, chunk[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
