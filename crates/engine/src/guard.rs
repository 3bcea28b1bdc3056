//! Sees to it that a bug in a thread beside the engine's ends the engine too: what that thread was to bring would never
//! come, and whoever waits for it would wait for ever. Never: going on after one.

use std::sync::mpsc::Sender;
use std::thread;

use crate::error::EngineError;
use crate::inbox::Message;

/// Held by a thread for as long as it works for the engine.
pub(crate) struct Guard {
    inbox: Sender<Message>,
    thread: &'static str,
}

impl Guard {
    /// A guard of the thread of this name.
    pub(crate) const fn of(thread: &'static str, inbox: Sender<Message>) -> Self {
        Self { inbox, thread }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            // Where the engine has ended nobody waits.
            self.inbox.send(Message::Fatal(EngineError::Bug { thread: self.thread })).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_ends_in_order_tells_nothing_and_one_that_panics_ends_the_engine() {
        let (inbox, messages) = mpsc::channel();
        let run = |work: fn()| {
            let guard = Guard::of("some-thread", inbox.clone());
            let worked = thread::spawn(move || {
                let _guard = guard;
                work();
            });
            worked.join().is_ok()
        };
        assert!(run(|| ()));
        assert!(messages.try_recv().is_err());
        assert!(!run(|| panic!("a bug that is planted")));
        assert!(matches!(messages.recv(), Ok(Message::Fatal(EngineError::Bug { thread: "some-thread" }))));
    }
}
