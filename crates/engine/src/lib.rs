//! The engine turns: it takes inputs in, decides by the core, makes that durable, and only then tells and does it.
//!
//! ```text
//! faces ── Handle ──┐                     ┌── answers, records ──> faces
//!                   ├──> inbox ──> turn ──┤
//! drivers ─ reports ┘     (one thread)    └── effects ──> hands ──> keeper, blobs
//! ```
//!
//! Never: policy (that is the core's), or a process of its own besides the keeper.

pub mod alive;
pub mod body;
mod bureau;
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
pub mod lists;
pub mod reading;
pub mod recover;
pub mod room;
mod snapshots;
pub mod turn;

pub use windlass_journal::home::HomeSettings;
