//! What reaches the one thread that talks to the user. Never: anything that it could ask for instead.

use std::sync::Arc;

use windlass_core::event::Record;
use windlass_engine::error::EngineError;

/// Something for the thread that talks to the user.
pub(crate) enum News {
    /// Records, once they are durable.
    Records(Arc<[Record]>),
    /// The runs that are followed have come to a rest, in an engine of another process.
    Rest,
    /// The engine has ended, or the journal can't be read any more.
    Ended(Result<(), EngineError>),
    /// A signal came.
    Signal(i32),
    /// A line was typed; none is the end of the input.
    Word(Option<String>),
}
