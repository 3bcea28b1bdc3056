//! What reaches the engine's thread. Never: an order among those who send; what arrives first is taken first, reports
//! before what is asked.

use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use windlass_core::id::Fence;
use windlass_core::input::{Answer, Command, Report};
use windlass_core::state::State;

use crate::error::EngineError;
use crate::feed::Feeder;
use crate::room::Seat;

/// A question about the state, answered between turns, when everything in it is durable.
pub(crate) type Question = Box<dyn FnOnce(&State) + Send>;

/// A command on its way, and where its answer goes.
pub(crate) struct Asked {
    pub(crate) command: Box<Command>,
    pub(crate) reply: SyncSender<Answer>,
    /// So many may wait; none goes with the command to end.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(crate) seat: Option<Seat>,
}

/// Something for the engine's thread.
pub(crate) enum Message {
    /// Somebody asks, and waits.
    Command(Asked),
    /// A driver reports: it is never refused.
    Report(Report),
    /// The keeper died while these errands were done: they are to be done again.
    Errands(Vec<Fence>),
    /// Somebody wants to know.
    Query(Question),
    /// Somebody wants to see every batch from here on.
    Subscribe(Feeder),
    /// A driver met a failure after which nobody may go on.
    Fatal(EngineError),
    /// A driver reports for the last time: once that is journaled the engine ends, and starts nothing before.
    Last(Report, EngineError),
}

/// The engine's end of it. The engine holds a handle of its own, so that the other end is always there.
pub(crate) struct Inbox {
    messages: Receiver<Message>,
    /// What came first, where it was only looked whether anything has come.
    first: Option<Message>,
}

impl Inbox {
    pub(crate) const fn of(messages: Receiver<Message>) -> Self {
        Self { messages, first: None }
    }

    /// Whether nothing has come.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.first = self.take();
        self.first.is_none()
    }

    /// What came first, if anything has.
    pub(crate) fn take(&mut self) -> Option<Message> {
        self.first.take().or_else(|| self.messages.try_recv().ok())
    }

    /// What comes first, within this time.
    pub(crate) fn wait(&mut self, longest: Duration) -> Option<Message> {
        self.first.take().or_else(|| self.messages.recv_timeout(longest).ok())
    }
}
