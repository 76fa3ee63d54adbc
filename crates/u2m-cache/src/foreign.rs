//! The login files of other SDKs: Python's, which are read and written, and Java's, which are read.
//!
//! Each SDK has its own login in its own file, so that a person logs in once a language (INT-1). Here their logins are
//! found by what names their files, and taken over; and u2m's logins are written where Python finds them.

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
