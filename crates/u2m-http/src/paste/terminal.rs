//! Reads lines from the terminal on a plain thread, which neither keeps the process alive nor takes
//! a line too many.

use super::{PasteLines, PastedLine, WAITING};
use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read};
use std::thread;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The maximum length of a line in bytes. A redirect URI is much shorter.
const LIMIT: usize = 64 << 10;

/// Stops the reading thread when dropped.
pub(super) type Leash = PipeWriter;

#[cfg(unix)]
const TERMINAL: &str = "/dev/tty";
#[cfg(not(unix))]
const TERMINAL: &str = "CONIN$";

/// Opens the terminal and starts the thread.
pub(super) fn lines() -> io::Result<PasteLines> {
    let terminal = File::open(TERMINAL)?;
    if !terminal.is_terminal() || !is_ours(&terminal) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let (end, leash) = io::pipe()?;
    let (sender, lines) = mpsc::channel(WAITING);
    thread::Builder::new()
        .name("u2m-paste".to_owned())
        .spawn(move || read_lines(terminal, &end, &sender))?;
    Ok(PasteLines { lines, _leash: Some(leash) })
}

/// Reads until the input ends, reading fails, or nobody wants more lines.
fn read_lines(mut terminal: File, end: &PipeReader, sender: &mpsc::Sender<PastedLine>) {
    let mut line = Zeroizing::new(Vec::with_capacity(LIMIT));
    let mut piece = Zeroizing::new([0; 4096]);
    while is_ready(&terminal, end) {
        let Some(count) = read_piece(&mut terminal, &mut piece[..]) else { return };
        for &byte in &piece[..count] {
            if byte == b'\n' {
                let text = String::from_utf8_lossy(&line).into_owned();
                if sender.blocking_send(PastedLine::new(text)).is_err() {
                    return;
                }
                line.clear();
            } else if line.len() < LIMIT {
                line.push(byte);
            }
        }
    }
}

/// Returns the number of bytes read, or `None` at the end of the input. A signal does not end it.
fn read_piece(input: &mut impl Read, piece: &mut [u8]) -> Option<usize> {
    loop {
        match input.read(piece) {
            Ok(0) => return None,
            Ok(count) => return Some(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Returns whether this process is in the foreground. A background process that reads its terminal is stopped.
#[cfg(unix)]
fn is_ours(terminal: &File) -> bool {
    rustix::termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn is_ours(_: &File) -> bool {
    true
}

/// Waits for input from the terminal. Returns `false` as soon as no more lines are wanted.
#[cfg(unix)]
fn is_ready(terminal: &File, end: &PipeReader) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    let mut watched = [PollFd::new(terminal, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
    loop {
        match poll(&mut watched, None) {
            Ok(_) => return watched[1].revents().is_empty(),
            Err(Errno::INTR) => {}
            // Some systems cannot poll a terminal. Reading it blocks as well.
            Err(_) => return true,
        }
    }
}

/// The standard library cannot poll a Windows console, so the thread stays in its read.
#[cfg(not(unix))]
fn is_ready(_: &File, _: &PipeReader) -> bool {
    true
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::sync::mpsc as plain;
    use std::time::Duration;

    /// A pipe instead of the terminal.
    fn start() -> (PipeWriter, PasteLines, plain::Receiver<()>) {
        let (input, typed) = io::pipe().unwrap();
        let (end, leash) = io::pipe().unwrap();
        let (sender, lines) = mpsc::channel(WAITING);
        let (over, ended) = plain::channel();
        thread::spawn(move || {
            read_lines(File::from(OwnedFd::from(input)), &end, &sender);
            over.send(()).unwrap();
        });
        (typed, PasteLines { lines, _leash: Some(leash) }, ended)
    }

    #[test]
    fn lines_come_whole_and_the_end_of_input_is_the_end() {
        let (mut typed, mut lines, ended) = start();
        typed.write_all(b"one\ntw").unwrap();
        typed.write_all(b"o\nnot a line").unwrap();
        assert_eq!(lines.lines.blocking_recv().unwrap().expose(), "one");
        assert_eq!(lines.lines.blocking_recv().unwrap().expose(), "two");
        drop(typed);
        assert!(lines.lines.blocking_recv().is_none());
        ended.recv_timeout(Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn the_thread_ends_with_the_lines_though_nothing_is_typed() {
        let (mut typed, lines, ended) = start();
        drop(lines);
        ended.recv_timeout(Duration::from_secs(5)).unwrap();
        // Input from now on is not for us.
        assert!(typed.write_all(b"y\n").is_err());
    }

    #[test]
    fn a_signal_is_no_end_of_the_input() {
        struct Odd(Vec<io::Result<usize>>);
        impl Read for Odd {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.remove(0)
            }
        }
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        let read = |outcomes| read_piece(&mut Odd(outcomes), &mut [0; 8]);
        assert_eq!(read(vec![interrupted(), interrupted(), Ok(3)]), Some(3));
        assert_eq!(read(vec![interrupted(), Ok(0)]), None);
        assert_eq!(read(vec![Err(io::ErrorKind::Other.into())]), None);
    }

    #[test]
    fn a_line_without_end_is_cut_off() {
        let (mut typed, mut lines, _ended) = start();
        let writing = thread::spawn(move || {
            typed.write_all(&b"x".repeat(3 * LIMIT)).unwrap();
            typed.write_all(b"\n").unwrap();
        });
        assert_eq!(lines.lines.blocking_recv().unwrap().expose().len(), LIMIT);
        writing.join().unwrap();
    }

    const WORKER: &str = "U2M_PASTE_WORKER";

    /// Checks the behavior of a process that `script` has given a terminal.
    #[test]
    fn worker_on_a_terminal() {
        if std::env::var_os(WORKER).is_some() {
            println!("its lines are read: {}", lines().is_ok());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_terminal_is_read_in_the_foreground_alone() {
        let program = std::env::current_exe().unwrap();
        let story = "paste::terminal::tests::worker_on_a_terminal";
        let told = format!("'{}' --exact {story} --nocapture", program.display());
        for (command, is_read) in [(told.clone(), true), (format!("set -m; {told} & wait"), false)]
        {
            let mut script = std::process::Command::new("script");
            script.args(["-qec", &command, "/dev/null"]).env(WORKER, "1").env("SHELL", "/bin/sh");
            script.stdin(std::process::Stdio::null());
            let Ok(done) = script.output() else { return };
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(said.contains(&format!("its lines are read: {is_read}")), "{said}");
        }
        // A file is not a terminal.
        //
        assert!(!is_ours(&File::open(program).unwrap()));
    }
}
