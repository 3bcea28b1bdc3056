//! What a turn reaches: it keeps what the turn says and orders, dies when it is told to, and looks whether the journal
//! has everything before it leaves the room, and reports come before timers. Never: carrying orders out (that is `world.rs`).

use std::sync::Arc;

use windlass_core::effect::Effect;
use windlass_core::event::{Event, Record};
use windlass_core::id::Seq;
use windlass_core::input::Answer;
use windlass_core::state::State;
use windlass_engine::turn::Outside;
use windlass_journal::memory::MemoryStore;

use crate::broken::{Broken, broken};
use crate::invariants::prefix;

/// The hands of one turn.
pub(crate) struct Hands<'a> {
    store: &'a MemoryStore,
    began: Seq,
    /// After how many calls the engine dies.
    dies_after: Option<u32>,
    calls: u32,
    pub(crate) orders: Vec<Effect>,
    pub(crate) answers: Vec<(u64, Answer)>,
    /// Whether a wait has ended in this turn.
    has_fired: bool,
    broken: Option<Broken>,
}

impl<'a> Hands<'a> {
    pub(crate) fn new(store: &'a MemoryStore, dies_after: Option<u32>) -> Self {
        let began = store.head().seq;
        let (orders, answers) = (Vec::new(), Vec::new());
        Self { store, began, dies_after, calls: 0, orders, answers, has_fired: false, broken: None }
    }

    /// Whether the engine died on the way.
    pub(crate) fn is_dead(&self) -> bool {
        self.dies_after.is_some_and(|calls| self.calls >= calls)
    }

    /// Whether everything was durable before it was told.
    pub(crate) fn verdict(&mut self) -> Result<(), Broken> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Counts a call; false where the engine is dead and nothing happens any more.
    fn lives(&mut self) -> bool {
        let lives = !self.is_dead();
        self.calls += 1;
        lives
    }

    fn demand(&mut self, holds: bool, what: &str) {
        if !holds && self.broken.is_none() {
            self.broken = Some(broken(prefix::NAME, format!("{what} before the journal has it")));
        }
    }

    /// Once a wait of this turn has ended, nothing follows that only a report can lead to.
    fn demand_reports_first(&mut self, records: &[Record]) {
        for record in records {
            self.has_fired |= matches!(record.event, Event::TimerFired { .. });
            let is_reported = matches!(
                record.event,
                Event::AttemptFinished { .. } | Event::AttemptLost { .. } | Event::AttemptReaped { .. }
            );
            if self.has_fired && is_reported && self.broken.is_none() {
                let seq = record.seq;
                let message =
                    format!("record {seq} is of a report, and a wait has ended before it in the turn");
                self.broken = Some(broken("1.3 reports first", message));
            }
        }
    }
}

impl Outside for Hands<'_> {
    type Reply = u64;

    fn answer(&mut self, reply: u64, answer: Answer) {
        if self.lives() {
            self.answers.push((reply, answer));
        }
    }

    fn publish(&mut self, _: &State, records: &Arc<[Record]>) {
        let durable = records.last().is_none_or(|last| last.seq <= self.store.head().seq);
        if self.lives() {
            self.demand(durable, "a record was shown");
            self.demand_reports_first(records);
        }
    }

    fn perform(&mut self, effect: Effect) {
        let durable = self.store.head().seq > self.began;
        if self.lives() {
            self.demand(durable, "an order was given");
            self.orders.push(effect);
        }
    }
}
