use super::*;

#[test]
fn debug_shows_no_value() {
    let file = ConfigFile::parse("[p]\ntoken = dapi-secret\n").unwrap();
    assert!(!format!("{file:?}").contains("dapi"));
}

#[test]
fn debug_shows_how_much_there_is() {
    let file = ConfigFile::parse("[p]\nhost = h\ntoken = t\n").unwrap();
    assert_eq!(format!("{file:?}"), "ConfigFile { missing: false, keys: 2, .. }");
}

#[test]
fn a_file_knows_where_it_was_read_from_and_a_text_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    assert_eq!(ConfigFile::read(&path).unwrap().path(), Some(path.as_path()));
    std::fs::write(&path, "[p]\nhost = h\n").unwrap();
    assert_eq!(ConfigFile::read(&path).unwrap().path(), Some(path.as_path()));
    assert_eq!(ConfigFile::parse("").unwrap().path(), None);
}

#[test]
fn text_that_is_not_utf8_is_refused_by_line() {
    let error = ConfigFile::of_bytes(b"[p]\nk = \xff\n".to_vec(), "/x".as_ref()).unwrap_err();
    let ConfigError::Malformed { source, .. } = error else { panic!("{error}") };
    assert_eq!((source.line(), source.fault()), (2, crate::SyntaxFault::NotUtf8));
}

#[test]
fn a_large_file_with_many_sections_is_read_in_one_pass() {
    let text: String = (0..100_000).map(|number| format!("[{number}]\n")).collect();
    let file = ConfigFile::parse(text + "[last]\nhost = h\n").unwrap();
    assert_eq!(file.profiles().len(), 1);
    assert_eq!(file.profile("last").and_then(|last| last.host()), Some("h"));
}
