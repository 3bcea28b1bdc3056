//! What reaches the engine's thread. Never: an order among those who send; what arrives first is taken first.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use windlass_core::event::Record;
use windlass_core::input::{Answer, Command, Report};
use windlass_core::state::State;

use crate::error::EngineError;

/// A question about the state, answered between turns, when everything in it is durable.
pub(crate) type Question = Box<dyn FnOnce(&State) + Send>;

/// Something for the engine's thread.
pub(crate) enum Message {
    /// Somebody asks, and waits.
    Command(Box<Command>, SyncSender<Answer>),
    /// A driver reports.
    Report(Report),
    /// Somebody wants to know.
    Query(Question),
    /// Somebody wants to see every batch from here on.
    Subscribe(Sender<Arc<[Record]>>),
    /// A driver met a failure after which nobody may go on.
    Fatal(EngineError),
}
