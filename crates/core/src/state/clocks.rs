//! The clocks that waits are measured by, all derived from the times of the records, and the next moment at which one of
//! them ends a wait. Never: asking the time.

use serde::{Deserialize, Serialize};

use crate::planted::{Bug, is_planted};
use crate::state::{Run, State};
use crate::time::{Span, Time};

/// Clocks that are derived from the times of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The sum of all steps of the wall clock, in milliseconds. Wall less steps is steady.
    pub steps_ms: i64,
    /// How long an engine was alive and the machine awake.
    pub alive: Span,
}

/// A clock that goes only while a run is worked on: an engine alive, the machine awake, the run not paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// What it showed when it last stopped.
    pub spent: Span,
    /// What [`Clock::alive`] showed when it last started; none while it stands.
    pub from: Option<Span>,
}

impl State {
    /// How long an engine was alive, up to `now`.
    pub fn alive_at(&self, now: Time) -> Span {
        self.clock.alive.plus(now.since(self.now))
    }

    /// Time has gone on to `now` without a record: for who reads how things stand, and takes no record in after that.
    pub fn pass_to(&mut self, now: Time) {
        self.clock.alive = self.alive_at(now);
        self.now = self.now.max(now);
    }

    /// Wall time without its steps.
    pub fn steady(&self, at: Time) -> i64 {
        let steps = self.clock.steps_ms;
        at.ms - if is_planted(Bug::RetryBeforeDue) { 2 * steps } else { steps }
    }

    /// The earliest moment at which a wait ends, on the wall clock as it goes now; what starts wait for by the clock alone
    /// counts after `looked_at`, when it was last looked at.
    pub fn next_due(&self, looked_at: Time) -> Option<Time> {
        let on_wall = |steady: i64| Time::from_ms(steady + self.clock.steps_ms);
        let (steady, date, alive) = self.due.next();
        let retry = steady.filter(|_| !is_planted(Bug::RetryNotArmed)).map(on_wall);
        let bound = alive.map(|due| self.now.after(due.minus(self.clock.alive)));
        let looked_at = self.steady(looked_at);
        let is_held_back = self.fleet.is_held_back(looked_at);
        let could_start = self.agenda.ready().chain(self.agenda.suspects()).take_while(|_| is_held_back);
        let let_through =
            could_start.filter_map(|id| self.next_let_through(&self.runs[&id], looked_at)).min();
        let account = let_through.into_iter().chain(self.fleet.next_due()).min().map(on_wall);
        [retry, date, bound, account].into_iter().flatten().min()
    }

    /// When a bound of a run will be reached if nothing stops its clock.
    pub fn wall_of(&self, run: &Run, due: Span) -> Time {
        self.now.after(due.minus(run.active.at(self.clock.alive)))
    }
}

impl Active {
    /// What the clock shows when [`Clock::alive`] shows this.
    pub fn at(&self, alive: Span) -> Span {
        self.from.map_or(self.spent, |from| self.spent.plus(alive.minus(from)))
    }

    /// What [`Clock::alive`] shows when this one shows this; none while it stands.
    pub fn alive_when(&self, shown: Span) -> Option<Span> {
        self.from.map(|from| from.plus(shown).minus(self.spent))
    }

    pub(crate) fn start(&mut self, alive: Span) {
        self.from = self.from.or(Some(alive));
    }

    pub(crate) fn stop(&mut self, alive: Span) {
        *self = Self { spent: self.at(alive), from: None };
    }
}
