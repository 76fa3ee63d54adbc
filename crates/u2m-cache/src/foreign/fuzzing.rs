//! Entry points for the fuzz targets of other SDKs' login files. Built only with `--cfg fuzzing`.

use super::python_file::{parse, text};
use u2m_core::{Session, Timestamp};

/// Parses a file of the Python SDK that was last changed at `saved`, in the time zone at the given offset in seconds east of
/// UTC.
///
/// # Errors
/// Returns what is wrong with it.
pub fn read(
    file: &str,
    saved: Option<Timestamp>,
    offset: i32,
) -> Result<Option<Session>, &'static str> {
    Ok(parse(file, saved, &|_| offset)?.map(|parsed| parsed.session))
}

/// Writes a file of the Python SDK.
pub fn write(session: &Session, offset: i32) -> String {
    text(session, &|_| offset).to_string()
}
