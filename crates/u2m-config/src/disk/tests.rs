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

#[cfg(target_os = "linux")]
#[test]
fn a_stream_without_a_size_is_read_up_to_the_limit() {
    assert!(matches!(read("/dev/zero".as_ref()), Err(ConfigError::TooLarge { .. })));
    assert!(read("/dev/null".as_ref()).unwrap().unwrap().bytes.is_empty());
    assert!(!read("/proc/self/status".as_ref()).unwrap().unwrap().bytes.is_empty());
}

#[test]
fn a_directory_is_an_error_and_not_a_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(folder.path()), Err(ConfigError::Io { .. })));
    assert!(matches!(resolve(folder.path()), Err(ConfigError::NotAFile { .. })));
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
    // Only root may give a file away, so for others this shows nothing.
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
