//! The engine turns: it takes inputs in, decides by the core, makes that durable, and only then tells and does it.
//!
//! ```text
//! faces ── Handle ──┐                     ┌── answers, records ──> faces
//!                   ├──> inbox ──> turn ──┤
//! drivers ─ reports ┘     (one thread)    └── effects ──> hands ──> keeper, blobs
//! ```
//!
//! Other programs begin with [`embed`]; what is not in these pages is for the crates of Windlass alone.
//!
//! Never: policy (that is the core's), or a process of its own besides the keeper.

#![warn(clippy::missing_errors_doc, reason = "other programs call it")]

#[doc(hidden)]
pub mod alive;
#[doc(hidden)]
pub mod body;
mod bureau;
#[doc(hidden)]
pub mod clock;
pub mod doctor;
pub mod embed;
pub mod engine;
pub mod error;
pub mod feed;
mod guard;
pub mod handle;
mod hands;
mod inbox;
#[doc(hidden)]
pub mod lists;
pub mod reading;
#[doc(hidden)]
pub mod recover;
#[doc(hidden)]
pub mod room;
mod snapshots;
#[doc(hidden)]
pub mod turn;

pub use windlass_journal::home::HomeSettings;
