use std::collections::VecDeque;

use super::*;

#[test]
fn a_file_of_the_largest_size_is_read_and_a_larger_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, vec![b'#'; SIZE_LIMIT]).unwrap();
    assert_eq!(read(&path).unwrap().unwrap().bytes.len(), SIZE_LIMIT);
    fs::write(&path, vec![b'#'; SIZE_LIMIT + 1]).unwrap();
    assert!(matches!(read(&path), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn a_missing_file_is_none_and_an_empty_one_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    assert!(read(&path).unwrap().is_none());
    fs::write(&path, "").unwrap();
    assert!(read(&path).unwrap().unwrap().bytes.is_empty());
}

/// A source that returns its data in pieces, and counts the reads.
struct Pieces(VecDeque<Result<Vec<u8>, ErrorKind>>, usize);

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        let Some(piece) = self.0.pop_front() else { return Ok(0) };
        let mut piece = piece?;
        let rest = piece.split_off(piece.len().min(into.len()));
        into[..piece.len()].copy_from_slice(&piece);
        if !rest.is_empty() {
            self.0.push_front(Ok(rest));
        }
        Ok(piece.len())
    }
}

#[test]
fn a_file_that_comes_in_pieces_is_read_to_its_end_and_no_further() {
    let piece = |text: &str| Ok(text.as_bytes().to_vec());
    let all = [Err(ErrorKind::Interrupted), piece("ab"), Err(ErrorKind::Interrupted), piece("cd")];
    for (size, is_file, reads) in [(4, true, 4), (4, false, 5), (0, false, 6), (7, true, 5)] {
        let mut pieces = Pieces(all.clone().into(), 0);
        let found = all_of(&mut pieces, size, is_file).unwrap().unwrap();
        assert_eq!((found.as_slice(), pieces.1), (&b"abcd"[..], reads), "{size} {is_file}");
    }
    let mut broken = Pieces([piece("ab"), Err(ErrorKind::Other)].into(), 0);
    assert_eq!(all_of(&mut broken, 4, true).unwrap_err().kind(), ErrorKind::Other);
}

#[test]
fn what_does_not_tell_its_size_is_read_in_few_steps_and_up_to_the_limit() {
    for (size, is_read) in [(SIZE_LIMIT, true), (SIZE_LIMIT + 1, false)] {
        let mut pieces = Pieces([Ok(vec![b'#'; size])].into(), 0);
        let found = all_of(&mut pieces, 0, false).unwrap();
        assert_eq!(found.map(|bytes| bytes.len()), is_read.then_some(size));
        assert!(pieces.1 < 20, "{}", pieces.1);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_a_size_is_read_and_a_device_is_none_but_the_empty_one() {
    for device in ["/dev/zero", "/dev/random"] {
        assert!(matches!(read(device.as_ref()), Err(ConfigError::NotAFile { .. })), "{device}");
    }
    assert!(read("/dev/null".as_ref()).unwrap().unwrap().bytes.is_empty());
    assert!(!read("/proc/self/status".as_ref()).unwrap().unwrap().bytes.is_empty());
}

#[test]
fn a_directory_is_an_error_and_not_a_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(folder.path()), Err(ConfigError::NotAFile { .. })));
    assert!(matches!(resolve(folder.path()), Err(ConfigError::NotAFile { .. })));
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_socket_in_the_place_of_the_file_is_an_error_at_once() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = tempfile::tempdir().unwrap();
    let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [pipe, socket] {
        let (sender, answer) = std::sync::mpsc::channel();
        let (there, name) = (path.clone(), path.display().to_string());
        // A read that never returns fails by the timeout.
        std::thread::spawn(move || {
            let error = read(&there).map(drop).unwrap_err();
            sender.send((matches!(error, ConfigError::NotAFile { .. }), error.to_string()))
        });
        let (is_told, text) = answer.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        assert!(is_told && text.contains(&name), "{text}");
        assert!(matches!(resolve(&path), Err(ConfigError::NotAFile { .. })));
        let locked = crate::lock::holding(&path, std::time::Duration::ZERO, || Ok(()));
        assert!(matches!(locked, Err(ConfigError::NotAFile { .. } | ConfigError::Io { .. })));
    }
}

#[test]
fn a_leftover_of_a_killed_writer_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(beside(&path, ".tmp"), "half of a fi").unwrap();
    replace(&path, b"whole", None, true, || Ok(true)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert!(!beside(&path, ".tmp").exists());
}

#[test]
fn a_leftover_that_cannot_be_removed_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::create_dir(beside(&path, ".tmp")).unwrap();
    let error = replace(&path, b"whole", None, true, || Ok(true)).unwrap_err();
    assert!(matches!(error, ConfigError::Io { action: "remove the leftover", .. }), "{error}");
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_temporary_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, victim) = (folder.path().join("cfg"), folder.path().join("victim"));
    fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, beside(&path, ".tmp")).unwrap();
    replace(&path, b"new", None, true, || Ok(true)).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

#[cfg(unix)]
#[test]
fn the_mode_of_the_old_file_is_kept_or_tightened() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let old = path.metadata().unwrap();
    replace(&path, b"new", Some(&old), false, || Ok(true)).unwrap();
    assert_eq!(mode(), 0o640);
    replace(&path, b"new", Some(&old), true, || Ok(true)).unwrap();
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn the_owner_of_the_old_file_is_kept() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "old").unwrap();
    // Only root may change the owner of a file, so for other users this test proves nothing.
    if chown(&path, Some(12345), Some(12345)).is_ok() {
        replace(&path, b"new", Some(&path.metadata().unwrap()), true, || Ok(true)).unwrap();
        let now = path.metadata().unwrap();
        assert_eq!((now.uid(), now.gid(), now.mode() & 0o777), (12345, 12345, 0o600));
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_even_to_a_file_that_is_still_to_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("second", at("first")).unwrap();
    std::os::unix::fs::symlink(at("real"), at("second")).unwrap();
    assert_eq!(resolve(&at("first")).unwrap(), at("real"));
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    assert!(matches!(resolve(&at("loop")), Err(ConfigError::Io { .. })));
}

#[test]
fn a_file_that_may_not_be_replaced_after_all_stays_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "theirs").unwrap();
    assert!(!replace(&path, b"ours", None, true, || Ok(false)).unwrap());
    assert!(replace(&path, b"ours", None, true, || Err(ConfigError::HomeUnknown)).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    assert!(!beside(&path, ".tmp").exists());
}

#[cfg(unix)]
#[test]
fn a_path_that_cannot_be_looked_at_is_an_error_and_not_a_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [folder.path().join("x".repeat(300)), file.join("cfg")] {
        let opened = read(&path).map(|found| found.map(|found| found.bytes));
        assert!(matches!(opened, Err(ConfigError::Io { action: "open", .. })), "{opened:?}");
        let found = resolve(&path);
        assert!(matches!(found, Err(ConfigError::Io { .. })), "{path:?}: {found:?}");
    }
}
