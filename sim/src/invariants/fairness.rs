//! 23, fairness: of two runs that both could start a task each gets its share, as their weights say, counted from the
//! moment at which both could; within a run what is more pressing starts first, waiting makes up for it, one in ten
//! minutes, and what is equal goes by age; and nobody who could start is passed over for longer than each other run takes
//! for its turns. Never: a share of what came before.

use std::collections::BTreeMap;

use windlass_core::event::{Event, Record};
use windlass_core::id::{RunId, Seq, TaskId};
use windlass_core::machine::task::Phase;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::{ORun, OTask, Oracle};

use super::limits;

const NAME: &str = "23 fairness";

/// How long waiting takes to make up for one of priority, in milliseconds.
const AGEING_MS: i64 = 600_000;

/// Who could start what, and since when.
#[derive(Default)]
pub(crate) struct Turns {
    /// The runs that could start something after the newest record.
    open: Vec<RunId>,
    /// How often each other run has started something since the last start of a run that could have, too. Unlike a contest
    /// this goes on where that run can't for a while.
    passed: BTreeMap<(RunId, RunId), u64>,
    /// How many starts each of two runs has had since both could start something.
    contests: BTreeMap<(RunId, RunId), (u64, u64)>,
    /// Since which record each ready task is so, and what the clock of its run showed then.
    ready: BTreeMap<(RunId, TaskId), (Seq, i64)>,
}

impl Turns {
    /// A record, before it is taken in.
    pub(crate) fn of_record(&mut self, oracle: &Oracle, record: &Record) -> Verdict {
        let Event::AttemptStarted { alone: false, .. } = &record.event else { return Ok(()) };
        let (id, run, task) = oracle.at(&record.event).expect("it was created");
        self.is_next(oracle, record, (id, run, task))?;
        self.is_soon(oracle, id)?;
        for ((one, other), (ones, others)) in &mut self.contests {
            if id != *one && id != *other {
                continue;
            }
            *(if id == *one { &mut *ones } else { &mut *others }) += 1;
            let weight = |run: &RunId| u64::from(oracle.runs[run].draft.weight.unwrap_or(1));
            let (weight, weights) = (weight(one), (weight(one), weight(other)));
            let apart = (*ones * weights.1).abs_diff(*others * weight);
            let most = 2 * u64::from(oracle.slots) * (weights.0 + weights.1);
            demand(apart <= most, NAME, || {
                format!("{one} started {ones} and {other} {others}, of weights {weights:?}")
            })?;
        }
        Ok(())
    }

    /// The bound of section 5: whatever could start does after as many starts of each other run as their weights say, one
    /// for its part of a share, and one for a run that came in beside it. Each lasts no longer than the longest attempt.
    fn is_soon(&mut self, oracle: &Oracle, id: RunId) -> Verdict {
        self.passed.retain(|(waits, _), _| *waits != id);
        let weight = |run: &RunId| u64::from(oracle.runs[run].draft.weight.unwrap_or(1));
        for waits in self.open.iter().filter(|open| **open != id) {
            let passed = self.passed.entry((*waits, id)).or_default();
            *passed += 1;
            let most = weight(&id).div_ceil(weight(waits)) + 2;
            demand(*passed <= most, NAME, || {
                format!("{id} starts {passed} times while {waits} could and does not")
            })?;
        }
        Ok(())
    }

    /// No other task of the run should have come first.
    fn is_next(&self, oracle: &Oracle, record: &Record, (id, run, task): (RunId, &ORun, &OTask)) -> Verdict {
        let steady = record.at.ms - oracle.steps_ms;
        let Some((since, ready_ms)) = self.ready.get(&(id, task.id.clone())) else { return Ok(()) };
        let priority = |task: &OTask| i64::from(run.draft(task).priority);
        let as_of = ready_ms - priority(task) * AGEING_MS;
        let slack = i64::try_from(oracle.slack_ms(run)).unwrap_or(i64::MAX / 2);
        for other in run.tasks.iter().filter(|other| other.id != task.id && other.deaths_in_row < 2) {
            let Some((other_since, other_ms)) = self.ready.get(&(id, other.id.clone())) else { continue };
            if limits::has_own_room(oracle, id, run, other).is_err() || !oracle.has_hands(run, other, steady)
            {
                continue;
            }
            let (levels, others) = (run.brought_levels(task), run.brought_levels(other));
            let comes_first = if levels != others {
                // What somebody waits for that holds nothing comes before all else.
                others > levels
            } else if priority(other) == priority(task) {
                other_since < since
            } else {
                other_ms - priority(other) * AGEING_MS + slack < as_of
            };
            demand(!comes_first, NAME, || format!("{} starts, and it is the turn of {}", task.id, other.id))?;
        }
        Ok(())
    }

    /// The same record, after it was taken in.
    pub(crate) fn note(&mut self, oracle: &Oracle, state: &State) {
        let mut open: Vec<RunId> = Vec::new();
        let mut drains = false;
        for (id, run) in &oracle.runs {
            let tasks = &state.runs[id].tasks;
            let is_active = oracle.is_active(run);
            let mut could_start = false;
            for (task, seen) in run.tasks.iter().zip(tasks) {
                let key = (*id, task.id.clone());
                if seen.phase != Phase::Ready {
                    self.ready.remove(&key);
                    continue;
                }
                let now = i64::try_from(run.worked(oracle.worked)).expect("worlds are young");
                self.ready.entry(key).or_insert((oracle.seq, now));
                let is_suspect = task.deaths_in_row >= 2;
                drains |= is_active && is_suspect;
                let has_room = limits::has_own_room(oracle, *id, run, task).is_ok();
                could_start |=
                    !is_suspect && has_room && oracle.has_hands(run, task, oracle.at.ms - oracle.steps_ms);
            }
            if is_active && could_start {
                open.push(*id);
            }
        }
        // While something must be alone nothing else has a turn.
        drains |= oracle.live.values().any(|live| live.alone);
        if drains {
            open.clear();
        }
        self.contests.retain(|(one, other), _| open.contains(one) && open.contains(other));
        for (at, one) in open.iter().enumerate() {
            for other in &open[at + 1..] {
                self.contests.entry((*one, *other)).or_default();
            }
        }
        self.open = open;
    }
}
