//! The journal remembers: one append-only, totally ordered, hash-chained log of events a home, with blobs and
//! snapshots beside it.
//!
//! ```text
//! Home ──> Lock ──> SqliteJournal::open   read-only: compare with `head`, verify the chain
//!                        │ replay         from the newest snapshot; plans are read from their blobs
//!                        │ append         first: everything made durable; then one transaction a turn
//!                        └ head           written after each transaction
//! Reader                                  other processes: read-only, short transactions
//! ```
//!
//! Never: decisions; and never an acknowledgement before the disk has what it is about.

pub mod blob;
pub mod chain;
pub mod error;
pub mod forgo;
pub mod head;
pub mod home;
pub mod inspect;
mod journal;
pub mod lock;
pub mod memory;
mod needed;
mod opening;
mod os;
pub mod planted;
pub mod reader;
pub mod record;
pub mod repair;
mod replay;
mod rescue;
pub mod snapshot;
pub mod sqlite;
mod store;
pub mod suite;
mod unfinished;

pub use chain::Head;
pub use journal::Journal;
pub use os::{random, room_for_files};
