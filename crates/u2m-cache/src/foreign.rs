//! The login files of other SDKs. The Python SDK's files are read and written; the Java SDK's are only read.
//!
//! Each SDK keeps its own login in its own file, so that a user must log in once for each language (INT-1). This module
//! computes the names of those files, finds them and imports the logins. It also writes u2m's logins to the place where the
//! Python SDK looks for them.

#[cfg(fuzzing)]
pub mod fuzzing;
mod java;
mod logins;
mod python;
mod python_file;
mod python_host;
mod python_name;
mod python_time;
mod read;

pub use java::{JavaCache, JavaLogin};
pub use logins::{
    ForeignLogins, FoundLogin, IMPORT_WARNING, ImportError, ImportLogin, ImportSource, Imported,
    RefusedLogin,
};
pub use python::PythonCache;
pub use python_host::python_host;
pub use python_name::{PythonLogin, python_scopes};
