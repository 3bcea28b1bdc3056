//! The state and its one writer: takes inputs, gives records. Never: keeping what it was not told; `fresh` apart, which
//! a restart rebuilds, everything it knows is in the records that it gave.

use crate::decide::{Stamp, alarms, command, follow, report};
use crate::event::{Event, Record};
use crate::fold::evolve;
use crate::input::{Answer, Input, Report};
use crate::planted::{Bug, is_planted};
use crate::size;
use crate::state::State;
use crate::time::Time;

/// How many records a turn may come to before it is made durable, whatever else follows from them.
const TURN_RECORDS_MAX: usize = 4096;
/// How many bytes they may come to before that: well below what a batch may be, since an input leads to all of its
/// events at once.
const TURN_BYTES_MAX: usize = 4 << 20;

/// The state, and how many attempts may be in flight.
pub struct Core {
    state: State,
    slots: u32,
    barred: bool,
    records_max: usize,
    records: Vec<Record>,
    bytes: usize,
    /// The time at which it was last looked for waits that are over.
    looked_at: Time,
}

impl Core {
    /// A core over the state that a journal gave.
    pub fn new(state: State, slots: u32) -> Self {
        Self {
            state,
            slots,
            barred: false,
            records_max: TURN_RECORDS_MAX,
            records: Vec::new(),
            bytes: 0,
            looked_at: Time::default(),
        }
    }

    /// The state as it is, ahead of the journal by what [`Core::take_records`] has not yet given.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether the turn may take another input in: what followed from those before is complete, and the batch has room.
    pub fn takes_more(&mut self, stamp: Stamp) -> bool {
        let stamp = self.not_before(stamp);
        if !is_planted(Bug::ConsequencesForgotten) {
            self.follow(stamp);
        }
        self.has_room()
    }

    /// Starts nothing, or starts again: for an engine whose disk is nearly full. Its runs are paused, too, but one that comes
    /// in or goes on would start before that.
    pub fn bar_starts(&mut self, barred: bool) {
        self.barred = barred;
    }

    /// Cuts turns shorter than they would be: what follows must come all the same.
    pub fn bound_turns(&mut self, records_max: usize) {
        self.records_max = records_max;
    }

    /// Takes an input and everything that follows from it, but the ends of waits. The answer is for a command; it may
    /// be given once the records are durable. Asked first: [`Core::takes_more`].
    pub fn handle(&mut self, input: &Input, stamp: Stamp) -> Option<Answer> {
        let set_back = matches!(input, Input::Report(Report::ClockJumped { by_ms, .. }) if *by_ms < 0);
        let stamp = if set_back { stamp } else { self.not_before(stamp) };
        let (events, answer) = match input {
            Input::Command(command) => {
                let decision = command::decide(&self.state, command, stamp.now);
                (decision.events, Some(decision.answer))
            }
            Input::Report(report) => (report::events(&self.state, report), None),
        };
        self.record(events, stamp);
        self.follow(stamp);
        answer
    }

    /// Ends the waits that are due, after all reports of the turn. True where more follows in another turn.
    pub fn end_waits(&mut self, stamp: Stamp) -> bool {
        let stamp = self.not_before(stamp);
        self.looked_at = stamp.now;
        if !is_planted(Bug::ConsequencesForgotten) {
            self.follow(stamp);
        }
        while self.has_room() {
            let events = alarms::next_timer(&self.state, stamp);
            if events.is_empty() {
                return false;
            }
            self.record(events, stamp);
            self.follow(stamp);
        }
        true
    }

    /// The earliest moment at which a wait ends that had not when it was last looked, on the wall clock as it goes now.
    pub fn next_due(&self) -> Option<Time> {
        self.state.next_due(self.looked_at)
    }

    /// The records of the turn, to be made durable before anything of them is told or done.
    pub fn take_records(&mut self) -> Vec<Record> {
        self.bytes = 0;
        std::mem::take(&mut self.records)
    }

    /// What is decided now is not before what was decided: due times count from the time that the record gets.
    fn not_before(&self, stamp: Stamp) -> Stamp {
        if is_planted(Bug::TimeFalls) {
            return stamp;
        }
        Stamp { now: stamp.now.max(self.state.now), ..stamp }
    }

    fn has_room(&self) -> bool {
        self.records.len() < self.records_max && self.bytes < TURN_BYTES_MAX
    }

    fn follow(&mut self, stamp: Stamp) {
        let mut fresh = std::mem::take(&mut self.state.fresh);
        let slots = if self.barred { 0 } else { self.slots };
        while self.has_room() {
            let events = follow::next(&self.state, &mut fresh, slots, stamp);
            if events.is_empty() {
                break;
            }
            self.record(events, stamp);
            fresh.append(&mut self.state.fresh);
        }
        self.state.fresh = fresh;
    }

    fn record(&mut self, events: Vec<Event>, stamp: Stamp) {
        for event in events {
            let steps_back = matches!(&event, Event::ClockJumped { by_ms, .. } if *by_ms < 0);
            let falls = steps_back || is_planted(Bug::TimeFalls);
            let at = if falls { stamp.now } else { stamp.now.max(self.state.now) };
            let record = Record { seq: self.state.head.next(), at, event };
            evolve(&mut self.state, &record);
            self.bytes += size::of_record(&record.event);
            self.records.push(record);
        }
    }
}
