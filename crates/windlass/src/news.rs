//! What reaches the one thread that talks to the user. Never: anything that it could ask for instead, or records without
//! a bound while it hangs in a print.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use windlass_core::event::Record;
use windlass_engine::error::EngineError;
use windlass_engine::room::{Room, Seat};

use crate::keyboard::Line;

/// How many batches may be on their way to the user at once.
const BATCHES_MAX: usize = 16;

/// Something for the thread that talks to the user.
pub(crate) enum News {
    /// Records, once they are durable. So many batches may be on their way: a seat goes with each.
    Records(Arc<[Record]>, Seat),
    /// The runs that are followed have come to a rest, in an engine of another process.
    Rest,
    /// The engine has ended, or the journal can't be read any more.
    Ended(Result<(), EngineError>),
    /// A signal came.
    Signal(i32),
    /// A line was typed; none is the end of the input.
    Word(Option<Line>),
}

/// The way of records to the user.
pub(crate) struct Telling {
    to_news: Sender<News>,
    room: Arc<Room>,
}

impl Telling {
    /// A way to the thread that hears these news.
    pub(crate) fn to(to_news: Sender<News>) -> Self {
        Self { to_news, room: Room::for_at_most(BATCHES_MAX) }
    }

    /// Passes records on; waits while too many are on their way. Ends with the thread that hears them.
    pub(crate) fn tell(&self, batch: Arc<[Record]>) -> ControlFlow<()> {
        match self.to_news.send(News::Records(batch, self.room.enter())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Passes on what comes last.
    pub(crate) fn end(self, last: News) {
        // Where nobody hears it nobody needs it.
        self.to_news.send(last).unwrap_or_default();
    }
}
