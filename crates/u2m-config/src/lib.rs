//! u2m-config
