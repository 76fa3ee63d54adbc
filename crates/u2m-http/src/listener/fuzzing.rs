//! Gives fuzz targets access to the request parser. Built only with `--cfg fuzzing`.

use super::head::RequestHeadReader;
use super::rules::{RequestPurpose, errand};
use zeroize::Zeroizing;

/// How a request was classified.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// Possibly the response to the sign-in, with its query.
    Callback(Zeroizing<String>),
    /// A request for the outcome of the sign-in.
    Outcome,
    /// A complete head that is refused with this response.
    Refused(Vec<u8>),
    /// Not a valid head.
    Broken,
    /// The head is incomplete.
    Unfinished,
}

/// Parses bytes that arrive on `port` in pieces of `size` bytes.
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
