//! How long an engine has been alive since its last record, noted beside the journal while it waits: of what a killed one
//! lived through no record tells. Never: a time that the next record would not count.

use windlass_core::id::Seq;
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_journal::Journal;

/// How much it has to have lived since it last noted that.
const NOTED_EVERY: Span = Span::from_ms(100);

/// What was noted last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alive {
    after: Seq,
    noted: Span,
}

impl Alive {
    /// Notes it, unless little has changed. Its clocks must have been compared: what the machine slept is none of it.
    pub fn note(&mut self, journal: &mut dyn Journal, state: &State, now: Time) {
        let alive = now.since(state.now);
        let known = if self.after == state.head { self.noted } else { Span::default() };
        if alive.minus(known) >= NOTED_EVERY {
            journal.note_alive(alive);
            *self = Self { after: state.head, noted: alive };
        }
    }
}
