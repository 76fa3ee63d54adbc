//! Doors for the fuzz targets to the reading of requests. Built with `--cfg fuzzing` alone.

use super::head::RequestHeadReader;
use super::rules::{RequestPurpose, errand};
use zeroize::Zeroizing;

/// What a request turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// Perhaps the answer to the sign-in: the query.
    Callback(Zeroizing<String>),
    /// A look at how the sign-in ended.
    Outcome,
    /// A whole head that is answered with this.
    Refused(Vec<u8>),
    /// No head.
    Broken,
    /// Not over yet.
    Unfinished,
}

/// Reads what arrives on `port` in pieces of `size` bytes.
pub fn request(bytes: &[u8], size: usize, port: u16) -> RequestVerdict {
    let mut reader = RequestHeadReader::new();
    for piece in bytes.chunks(size.max(1)) {
        match reader.take(piece) {
            Ok(None) => {}
            Ok(Some(head)) => {
                return match errand(head, port) {
                    Ok(RequestPurpose::Callback(query)) => RequestVerdict::Callback(query),
                    Ok(RequestPurpose::Outcome) => RequestVerdict::Outcome,
                    Err(answer) => RequestVerdict::Refused(answer.bytes()),
                };
            }
            Err(_) => return RequestVerdict::Broken,
        }
    }
    RequestVerdict::Unfinished
}
