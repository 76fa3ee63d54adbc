//! Records appended after the side file's first object, one JSON object for each line. A refresh changes one record only, and
//! appending a line costs a hundredth of rewriting and replacing the file.
//!
//! A line counts if it is complete. An incomplete line, and everything after it, is ignored, and the next writer rewrites the
//! file. The file is also rewritten by any other change, or when there are many lines.
//!
//! If a login depends on its record ([`Lasts::of`](super::Lasts::of)), the line is synced to disk before the tokens that it
//! describes are put in place: a power failure must not lose the line alone. The sync of the line comes after the sync of the
//! tokens' own text, which by then has written the file system's metadata for both.

use super::disk;
use super::record_file::Sidecar;
use crate::fault::{self, FileOperation};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// How many bytes of lines can be read by every reader at no noticeable cost: about ten records, or a fraction of a large
/// file.
const LINES: usize = 4 << 10;

/// Reads the object and the lines. Returns `None` if there is no object. Also returns the length of the text after which
/// another line may be appended.
pub(super) fn read(text: &[u8]) -> Option<(Sidecar, Option<u64>)> {
    let mut objects = serde_json::Deserializer::from_slice(text).into_iter::<Sidecar>();
    let mut whole = objects.next()?.ok().filter(Sidecar::is_known)?;
    let first = objects.byte_offset();
    let is_short = text.len() - first <= LINES.max(first / 4);
    for more in objects {
        match more.ok().filter(Sidecar::is_known) {
            Some(more) => whole.take_over(more),
            None => return Some((whole, None)),
        }
    }
    Some((whole, u64::try_from(text.len()).ok().filter(|_| is_short)))
}

/// Appends a line to a text of this length. An incomplete write is truncated, or else ignored by readers. The line still has
/// to be synced.
pub(super) fn add(file: &mut File, len: u64, line: &str) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? != len {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let added = fault::through(file).write_all(line.as_bytes());
    match added {
        // Start writing it before the tokens, so that less is left to wait for afterwards.
        Ok(()) => disk::start_writing(file),
        Err(_) => drop(fault::at(FileOperation::SetLen, || file.set_len(len))),
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"version": 1, "homes": {"dev": "plaintext"}, "first_use": {"dev": {"host": "https://a.example"}}}"#;

    fn line(key: &str, host: &str) -> String {
        format!(
            "\n{{\"version\":1,\"sessions\":{{\"{key}\":{{\"fingerprints\":[\"{key}\"],\"host\":\"{host}\",\"issuer\":\"{host}\",\
             \"token_endpoint\":\"{host}/t\",\"client_id\":\"c\"}}}}}}"
        )
    }

    fn text(sidecar: &Sidecar) -> String {
        sidecar.text()
    }

    #[test]
    fn a_line_replaces_the_record_that_it_names_and_nothing_else() {
        let (a, b) = (line("dev", "https://a.example"), line("dev", "https://b.example"));
        let all = format!("{ONE}{a}{}{b}", line("other", "https://c.example"));
        let (read, len) = read(all.as_bytes()).unwrap();
        let text = text(&read);
        assert!(text.contains("b.example") && text.contains("c.example"), "{text}");
        assert!(!text.contains("a.example"), "nor what the name was first used with: {text}");
        assert!(text.contains("plaintext"), "{text}");
        assert_eq!(len, Some(all.len() as u64));
    }

    #[test]
    fn a_line_that_is_not_whole_counts_for_nothing_and_none_is_put_behind_it() {
        let whole = format!("{ONE}{}", line("dev", "https://a.example"));
        let next = line("\u{e9}", "https://b.example");
        let alone = text(&read(whole.as_bytes()).unwrap().0);
        for end in 2..next.len() {
            let torn = [whole.as_bytes(), &next.as_bytes()[..end]].concat();
            let (found, len) = read(&torn).unwrap();
            assert_eq!((text(&found), len), (alone.clone(), None), "{end} bytes of it");
        }
        // A power failure may leave the length without the bytes.
        let zeros = [whole.as_bytes(), &[0; 100]].concat();
        assert_eq!(read(&zeros).map(|(found, len)| (text(&found), len)), Some((alone, None)));
    }

    #[test]
    fn what_has_become_long_is_written_anew() {
        let mut all = ONE.to_owned();
        while read(all.as_bytes()).unwrap().1.is_some() {
            all += &line("dev", "https://a.example");
            assert!(all.len() < 3 * LINES);
        }
        assert!(all.len() > LINES);
    }

    #[test]
    fn behind_a_large_object_lines_may_be_a_quarter_of_it() {
        let large = ONE.replace("dev\": \"plain", &format!("{}\": \"plain", "x".repeat(8 * LINES)));
        let lines =
            |size: usize| large.clone() + &line("dev", "https://a.example") + &" ".repeat(size);
        let may_grow = |text: String| read(text.as_bytes()).unwrap().1.is_some();
        assert!(may_grow(lines(LINES)));
        assert!(!may_grow(lines(large.len() / 4)));
    }

    #[test]
    fn a_line_is_put_behind_what_was_read_and_behind_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side");
        std::fs::write(&path, ONE).unwrap();
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        assert!(add(&mut file, 7, "\n{}").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), ONE);
        add(&mut file, ONE.len() as u64, "\n{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{ONE}\n{{}}"));
    }
}
