//! u2m-testkit
