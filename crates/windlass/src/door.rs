//! When the engine of this process may end, and which questions it answers by itself. Never: an answer that nobody
//! gave beforehand.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use windlass_core::event::{ApprovalAnswer, Event, Record};
use windlass_core::id::{RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command, Rejection};
use windlass_core::machine::run::Phase;
use windlass_core::machine::task;
use windlass_core::state::{Run, State};
use windlass_engine::handle::Handle;

use crate::steer;

/// The door of an engine.
#[derive(Default)]
pub(crate) struct Door {
    /// All that it was started for has reached it.
    is_open: AtomicBool,
    /// The run whose questions are asked on this terminal: waiting for their answers is no rest.
    asks_here: Mutex<Option<RunId>>,
    /// The runs whose questions are answered with yes.
    yes: Mutex<BTreeSet<RunId>>,
}

impl Door {
    /// Everything that the engine was started for has reached it.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// The questions of this run are asked here, or those of none.
    pub(crate) fn ask_here(&self, run: Option<RunId>) {
        *self.asks_here.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// The questions of this run are answered with yes.
    pub(crate) fn say_yes(&self, run: RunId) {
        self.yes().insert(run);
    }

    /// Whether the questions of a run are answered here.
    pub(crate) fn answers(&self, run: RunId) -> bool {
        *self.asks_here.lock().unwrap_or_else(PoisonError::into_inner) == Some(run)
            || self.yes().contains(&run)
    }

    fn yes(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.yes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the engine may end: all its runs are final, paused or waiting for people, and nobody here answers.
    pub(crate) fn lets_out(&self, state: &State) -> bool {
        let asks_here = *self.asks_here.lock().unwrap_or_else(PoisonError::into_inner);
        let yes = self.yes();
        self.is_open.load(Ordering::Acquire)
            && hosted(state).all(|run| {
                let is_answered = asks_here == Some(run.id) || yes.contains(&run.id);
                run.phase == Phase::Paused || rests_for_people(run, is_answered)
            })
    }

    /// Answers what is asked in these records, where that was wished.
    pub(crate) fn answer(&self, batch: &[Record], handle: &Handle) {
        for record in batch {
            if let Event::ApprovalRequested { run, task, id, .. } = &record.event
                && self.yes().contains(run)
            {
                approve(handle, *run, task.clone(), id.clone());
            }
        }
    }

    /// Answers all that the runs ask by now whose questions are answered.
    pub(crate) fn answer_open(&self, handle: &Handle) {
        let runs: Vec<RunId> = self.yes().iter().copied().collect();
        for run in runs {
            self.answer_all(run, handle);
        }
    }

    /// Answers what a run asks already, and from here on what it will.
    pub(crate) fn answer_all(&self, run: RunId, handle: &Handle) {
        self.say_yes(run);
        let open = handle.query(move |state| state.run(run).map(questions).unwrap_or_default());
        for (task, id) in open.unwrap_or_default() {
            approve(handle, run, task, id);
        }
    }
}

/// The unfinished runs that the newest engine works on.
pub(crate) fn hosted(state: &State) -> impl Iterator<Item = &Run> {
    let unfinished = state.unfinished.iter().filter_map(|id| state.run(*id));
    unfinished.filter(|run| run.host == state.epoch)
}

/// Whether a run waits for people only; where its questions are answered, for what is no question.
pub(crate) fn rests_for_people(run: &Run, is_answered: bool) -> bool {
    let is_held = !is_answered || questions(run).is_empty();
    run.waits_for_people() && is_held
}

fn questions(run: &Run) -> Vec<(TaskId, String)> {
    let blocked = run.tasks.iter().filter(|task| task.phase == task::Phase::Blocked);
    blocked.filter_map(|task| Some((task.id.clone(), task.approval_open()?.id.clone()))).collect()
}

/// Where the answer is not taken somebody was faster, or the question is gone.
fn approve(handle: &Handle, run: RunId, task: TaskId, approval: String) {
    let Ok(id) = steer::new_id() else { return };
    let ask = Ask::Approve { run, task, approval, answer: ApprovalAnswer::Approved, text: String::new() };
    let command = Command { id, by: "cli --yes".into(), ask };
    // Nobody asks again for us: where it has no room now, it has some after its next turn.
    while handle.submit(command.clone()) == Ok(Answer::Refused(Rejection::Busy))
        && handle.query(|_| ()).is_ok()
    {}
}
