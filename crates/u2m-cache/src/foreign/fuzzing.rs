//! Doors for the fuzz targets to other SDKs' login files. Built with `--cfg fuzzing` alone.

use super::python_file::{parse, text};
use u2m_core::{Session, Timestamp};

/// Reads a file of Python's SDK that was last changed at `saved`, in the zone so many seconds east of UTC.
///
/// # Errors
/// What is wrong with it.
pub fn read(
    file: &str,
    saved: Option<Timestamp>,
    offset: i32,
) -> Result<Option<Session>, &'static str> {
    Ok(parse(file, saved, &|_| offset)?.map(|parsed| parsed.session))
}

/// Writes such a file.
pub fn write(session: &Session, offset: i32) -> String {
    text(session, &|_| offset).to_string()
}
