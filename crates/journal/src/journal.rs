//! What every journal promises, whatever it is made of. Never: a promise that one backend keeps and another does not;
//! `suite.rs` holds all of them to this.

use std::ops::ControlFlow;

use windlass_core::event::Record;
use windlass_core::id::{Epoch, Seq};
use windlass_core::time::Span;

use crate::chain::Head;
use crate::error::JournalError;

/// The log of a home, opened for writing by the one engine thread that decides for it.
pub trait Journal: Send {
    /// Where it ends. The next opening is `head().epoch + 1`.
    fn head(&self) -> Head;

    /// Makes a batch durable, whole or not at all. `expected` is where the caller believes that the journal ends; the
    /// batch follows it without a gap. The first record of a new epoch is its `engine_started`.
    ///
    /// Whatever fails: the caller must not go on. Every later append fails too.
    fn append(&mut self, epoch: Epoch, expected: Seq, batch: &[Record]) -> Result<(), JournalError>;

    /// Hands over every record after a place, in order, verified, and with its plan unless that is gone. Stops
    /// when told to.
    fn replay(
        &mut self,
        after: Seq,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// Keeps a state as it was at a place. Only a cache: a failure is no loss, and may be ignored.
    fn save_snapshot(&mut self, at: Seq, bytes: &[u8]) -> Result<(), JournalError>;

    /// The newest state kept by this very build that belongs to this journal.
    fn newest_snapshot(&mut self) -> Option<(Seq, Vec<u8>)>;

    /// How long the engine before was alive after the newest record, as far as it noted that: nothing once there is a
    /// record of this opening.
    fn last_alive(&self) -> Span;

    /// Notes how long this engine has been alive since the newest record. A kill leaves what was noted, a power cut what
    /// the disk has of it. Nothing rests on its success: the next append writes in the same place.
    fn note_alive(&mut self, alive: Span);

    /// Does what is better done between turns: moves what has piled up in the write-ahead log into the store. Cheap
    /// where nothing is due.
    fn rest(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Whether what is written is still what lies at its path. Cheap: to be asked each turn, and every few seconds.
    fn check(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
}
