//! A process that is stopped for longer than it would wait, while its answer arrives, has its answer.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![cfg(all(unix, feature = "reqwest"))]

mod transport_support;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use transport_support::raw::{Raw, hold};
use transport_support::{GRANT, lookup, refresh, saved};
use u2m_http::{ReqwestTransport, RetryPolicy, Spending, drive, wait_for_saves};

const BASE: &str = "U2M_TEST_BASE";
const JOB: &str = "U2M_TEST_JOB";

/// How long the other process would wait, and for how much longer it is stopped.
const WAIT: Duration = Duration::from_secs(1);
const STOPPED: Duration = Duration::from_millis(1_700);

/// What the other process does, if this is one.
#[test]
fn worker() {
    let (Ok(base), Ok(job)) = (std::env::var(BASE), std::env::var(JOB)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (transport, patience) =
        (ReqwestTransport::new(), RetryPolicy::default().with_answer(WAIT).with_budget(WAIT));
    match job.as_str() {
        "refresh" => {
            let step = runtime.block_on(drive(&transport, refresh(&base), &patience)).unwrap();
            println!("heard {}", saved(step));
        }
        "lookup" => {
            let said = runtime.block_on(drive(&transport, lookup(&base), &patience)).unwrap();
            println!("heard {}", said.account_id.unwrap());
        }
        "settle" => {
            let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            let spending = Spending::begin();
            std::thread::spawn(move || {
                stream.read_exact(&mut [0]).unwrap();
                drop(spending);
            });
            println!("heard {}", wait_for_saves(WAIT));
        }
        other => panic!("{other}"),
    }
}

/// A server that says a piece whenever it is told to.
struct Piecemeal {
    raw: Raw,
    asked: Receiver<()>,
    say: Sender<String>,
    said: Receiver<()>,
}

impl Piecemeal {
    fn start() -> Self {
        let ((tell_asked, asked), (say, pieces), (tell_said, said)) =
            (mpsc::channel(), mpsc::channel::<String>(), mpsc::channel());
        let ends = Arc::new(Mutex::new((tell_asked, pieces, tell_said)));
        let raw = Raw::start(move |stream| {
            let (asked, pieces, said) = &*ends.lock().unwrap();
            asked.send(()).unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
                said.send(()).unwrap();
            }
            hold(stream);
        });
        Self { raw, asked, say, said }
    }

    fn say(&self, piece: &str) {
        self.say.send(piece.to_owned()).unwrap();
        self.said.recv().unwrap();
    }

    fn worker(&self, job: &str) -> Child {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture"])
            .env(BASE, &self.raw.base)
            .env(JOB, job)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        self.asked.recv().unwrap();
        child
    }
}

/// Stops the process, lets `meanwhile` happen, and wakes it when its time would long be up.
fn stopped(child: &Child, meanwhile: impl FnOnce()) {
    let pid = Pid::from_child(child);
    kill_process(pid, Signal::STOP).unwrap();
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped());
    meanwhile();
    std::thread::sleep(STOPPED);
    kill_process(pid, Signal::CONT).unwrap();
}

/// What the process says it heard.
fn heard(child: Child) -> Option<String> {
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    said.lines().find_map(|line| line.split_once("heard ")).map(|(_, word)| word.to_owned())
}

fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
}

#[test]
fn an_answer_that_came_while_the_process_was_stopped_counts() {
    let server = Piecemeal::start();
    let child = server.worker("refresh");
    stopped(&child, || server.say(&(head(GRANT.len()) + GRANT)));
    assert_eq!(heard(child).as_deref(), Some("next"));
}

#[test]
fn an_answer_that_came_in_part_before_and_in_part_while_the_process_was_stopped_counts() {
    let server = Piecemeal::start();
    let child = server.worker("refresh");
    let (begin, end) = GRANT.split_at(20);
    server.say(&(head(GRANT.len()) + begin));
    stopped(&child, || server.say(end));
    assert_eq!(heard(child).as_deref(), Some("next"));
}

#[test]
fn an_answer_that_comes_only_after_several_stops_counts() {
    let server = Piecemeal::start();
    let child = server.worker("refresh");
    stopped(&child, || {});
    stopped(&child, || server.say(&head(GRANT.len())));
    server.say(GRANT);
    assert_eq!(heard(child).as_deref(), Some("next"));
}

#[test]
fn metadata_that_came_while_the_process_was_stopped_counts_too() {
    let server = Piecemeal::start();
    let child = server.worker("lookup");
    let body = r#"{"account_id":"a"}"#;
    stopped(&child, || server.say(&(head(body.len()) + body)));
    assert_eq!(heard(child).as_deref(), Some("a"));
}

#[test]
fn settle_sees_what_was_saved_after_the_process_was_stopped() {
    let server = Piecemeal::start();
    let child = server.worker("settle");
    stopped(&child, || server.say("."));
    assert_eq!(heard(child).as_deref(), Some("true"));
}
