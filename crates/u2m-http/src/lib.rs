//! u2m-http
