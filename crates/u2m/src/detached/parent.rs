//! The caller's side: starts the refresh process, hands the lock over, and waits for the answer.

use super::answer::ChildReply;
use super::job::RefreshJob;
use super::{BEGUN, Detached, MARK, WORD};
use crate::refresher::{RefreshResult, Refresher};
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use u2m_cache::{EntryLock, Notice};
use u2m_core::{Moment, SecretBytes, TokenCriteria, TokenError};
use u2m_http::AwakeClock;
use zeroize::Zeroizing;

/// Larger than any answer.
const LIMIT: u64 = 4 << 20;

/// How a refresh ended that another process was to run.
pub(crate) enum DetachedOutcome {
    /// It cannot be done there, and nothing was spent. The lock is returned, unless it must be taken anew.
    Not(Option<Box<dyn EntryLock>>),
    Landed(Box<RefreshResult>, Vec<Notice>),
}

/// What the process has reported.
enum ChildMessage {
    Answer(ChildReply),
    /// It has ended, or it was another program, and has spent nothing.
    Nothing,
    /// It has begun, and its outcome is unknown.
    Unclear,
}

/// Lets a process of its own do the refresh and continue with `lock`.
pub(crate) fn finish(
    detached: &Detached,
    keeper: &Refresher,
    lock: Box<dyn EntryLock>,
    question: &TokenCriteria,
    asked_at: Moment,
) -> DetachedOutcome {
    let Some(mut job) = RefreshJob::of(keeper, question, asked_at) else {
        return DetachedOutcome::Not(Some(lock));
    };
    // Kept until the process has ended: both hold one lock on one open file.
    let file = lock.hand_over();
    job.has_lock = file.is_some();
    let started = file.as_ref().map(File::try_clone).transpose().and_then(|copy| {
        let text = job.text()?;
        start(detached, copy, &text)
    });
    let limit = job.longest();
    // The process has its job and does it, whether anybody waits or not.
    keeper.set_goes_on(started.is_ok());
    match started.map_or(ChildMessage::Nothing, |child| wait(child, limit)) {
        ChildMessage::Answer(answer) => {
            let (landed, notices) = answer.landed();
            DetachedOutcome::Landed(Box::new(landed), notices)
        }
        ChildMessage::Nothing => {
            keeper.set_goes_on(false);
            DetachedOutcome::Not(file.and_then(|file| keeper.store.adopt(&keeper.key, file).ok()))
        }
        ChildMessage::Unclear => {
            DetachedOutcome::Landed(Box::new(Err(TokenError::Unfinished)), Vec::new())
        }
    }
}

fn start(detached: &Detached, lock: Option<File>, job: &str) -> io::Result<Child> {
    let mut command = Command::new(&detached.program);
    command
        .args(&detached.words)
        .arg(WORD)
        .env(MARK, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.stderr(lock.map_or_else(Stdio::null, Stdio::from));
    platform::separate(&mut command);
    let mut child = command.spawn()?;
    let told = match child.stdin.take() {
        Some(mut pipe) => pipe.write_all(job.as_bytes()),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    if let Err(error) = told {
        // It does not know enough to spend anything.
        let _ = child.kill().and_then(|()| child.wait());
        return Err(error);
    }
    Ok(child)
}

/// Waits for the answer. It takes longer than the process may live only if something has stopped the process.
fn wait(mut child: Child, limit: Duration) -> ChildMessage {
    let (send, receive) = mpsc::sync_channel(1);
    let pipe = child.stdout.take();
    let body = move || {
        let heard = pipe.map_or(ChildMessage::Unclear, read);
        if matches!(heard, ChildMessage::Nothing) {
            // Another program may close its output and live on, with the lock.
            let _ = child.kill();
        }
        let _ = send.send(heard);
        // Only after it has ended: until then there is nothing to reap.
        let _ = child.wait();
    };
    let reader = std::thread::Builder::new().name("u2m-answer".into()).spawn(body);
    match reader {
        Ok(_) => heard_within(&receive, limit),
        Err(_) => ChildMessage::Unclear,
    }
}

/// What has arrived counts, however late this process looks; time in suspension does not.
fn heard_within(receive: &Receiver<ChildMessage>, limit: Duration) -> ChildMessage {
    let look = |tick| match receive.recv_timeout(tick) {
        Ok(heard) => Some(heard),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(ChildMessage::Unclear),
    };
    AwakeClock::default().wait_blocking(limit, look).unwrap_or(ChildMessage::Unclear)
}

fn read(pipe: impl Read) -> ChildMessage {
    let mut pipe = pipe.take(LIMIT);
    let mut bytes = SecretBytes::with_capacity(1 << 12);
    let mut piece = Zeroizing::new([0; 4096]);
    loop {
        match pipe.read(piece.as_mut_slice()) {
            Ok(0) => break,
            Ok(count) => bytes.extend(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return ChildMessage::Unclear,
        }
        // Read up to the end of the answer's line and no further, because the process lives on for a while.
        let heard = bytes.as_slice();
        if heard.ends_with(b"\n") && heard.len() > BEGUN.len() {
            break;
        }
    }
    match bytes.as_slice().strip_prefix(BEGUN).map(serde_json::from_slice) {
        Some(Ok(answer)) => ChildMessage::Answer(answer),
        Some(Err(_)) => ChildMessage::Unclear,
        None => ChildMessage::Nothing,
    }
}

#[cfg(windows)]
mod platform {
    use std::os::windows::process::CommandExt;
    use std::process::Command;

    /// `DETACHED_PROCESS` and `CREATE_NEW_PROCESS_GROUP`: no console, and no Ctrl-C from it.
    pub(super) fn separate(command: &mut Command) {
        command.creation_flags(0x0000_0008 | 0x0000_0200);
    }
}

#[cfg(not(windows))]
mod platform {
    /// The process begins a session of its own before it reads its job.
    pub(super) fn separate(_: &mut std::process::Command) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// What arrives over the pipe, piece by piece; nobody may read beyond that.
    struct Pieces(VecDeque<Result<Vec<u8>, io::ErrorKind>>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().expect("the process lives on and says no more")?;
            into[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn heard(pieces: &[Result<&str, io::ErrorKind>]) -> ChildMessage {
        let pieces = pieces.iter().map(|piece| piece.map(|text| text.as_bytes().to_vec()));
        read(Pieces(pieces.collect()))
    }

    #[test]
    fn an_answer_is_read_to_the_end_of_its_line_in_whatever_pieces_it_comes() {
        let answer = ChildReply::of(&Err(TokenError::NotFound), Vec::new()).text().unwrap();
        let (first, second) = answer.split_at(answer.len() / 2);
        let whole = format!("begun\n{}", answer.as_str());
        let with_first = format!("begun\n{first}");
        let interrupted = Err(io::ErrorKind::Interrupted);
        for pieces in [
            vec![Ok(whole.as_str())],
            vec![Ok("begun\n"), Ok(&answer)],
            vec![interrupted, Ok("be"), Ok("gun\n"), interrupted, Ok(first), Ok(second)],
            vec![Ok(&with_first), Ok(second)],
        ] {
            let ChildMessage::Answer(answer) = heard(&pieces) else { panic!("{pieces:?}") };
            assert!(matches!(answer.landed().0, Err(TokenError::NotFound)));
        }
    }

    #[test]
    fn who_has_not_begun_has_spent_nothing_and_of_who_has_nobody_knows() {
        for pieces in [vec![Ok("")], vec![Ok("beg"), Ok("")], vec![Ok("usage: other\n")]] {
            assert!(matches!(heard(&pieces), ChildMessage::Nothing), "{pieces:?}");
        }
        let broken = Err(io::ErrorKind::Other);
        for pieces in [
            vec![Ok("begun\n"), Ok("")],
            vec![Ok("begun\n{\"half"), Ok("")],
            vec![Ok("begun\n"), Ok("no answer\n")],
            vec![broken],
            vec![Ok("begun\n"), broken],
        ] {
            assert!(matches!(heard(&pieces), ChildMessage::Unclear), "{pieces:?}");
        }
    }
}
