//! u2m-cache
