//! The journal as its users meet it: real SQLite, real files, real processes.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod conformance;
mod place;
