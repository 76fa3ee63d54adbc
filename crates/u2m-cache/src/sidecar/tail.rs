//! What stands behind the side file's first object: records that were added since, one object a line. A refresh changes one record
//! and nothing else, and a line costs a hundredth of what it takes to write the file anew and put it in place.
//!
//! A line counts if it is whole. One that broke off, and whatever stands behind it, is as good as not there, and the next writer
//! writes the file anew; so does whoever changes anything else, or finds that the lines have become many.
//!
//! Where a login could not do without its record ([`Lasts::of`](super::Lasts::of)), a line lasts before the tokens that it is about
//! are put in place: a power cut must not take it alone. It is waited for behind the tokens' own text, whose way to the disk has by
//! then taken along what the file system has to note of both.

use super::disk;
use super::record_file::Sidecar;
use crate::fault::{self, FileOperation};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// So many bytes of lines are read by everybody without being noticed, some ten records; of a large file, a part of it.
const LINES: usize = 4 << 10;

/// Reads the object and the lines; `None` if there is no object. And how long the text is, where one more line may follow.
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

/// Puts a line behind a text of this length; what was not written whole is taken back, or else counts for nothing. It is still to be
/// made to last.
pub(super) fn add(file: &mut File, len: u64, line: &str) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? != len {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let added = fault::through(file).write_all(line.as_bytes());
    match added {
        // On its way to the disk before the tokens are: less is left to be waited for afterwards.
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
        // A power cut may leave the length without the bytes.
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
