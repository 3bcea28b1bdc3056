//! The choice: what an input leads to, as events (`command.rs`, `report.rs`), what follows from the state itself
//! (`follow.rs`), and what when time is up (`alarms.rs`); here is what several of them say. Never: changing the state,
//! reading a clock, drawing a random number.

mod accounts;
pub(crate) mod alarms;
mod approvals;
mod budgets;
mod children;
pub(crate) mod command;
pub(crate) mod follow;
mod judge;
mod knots;
mod nests;
mod outside;
pub(crate) mod report;
mod requeue;
mod rest;
mod revise;
mod sites;
mod waits;

use crate::event::{Event, PauseReason, StopWhy};
use crate::state::{Attempt, Run, Task};
use crate::time::{Span, Time};

/// How much of a goal its record carries; the plan has it whole.
pub(crate) const GOAL_BYTES_MAX: usize = 4 * 1024;

/// When an input was received, and the random number that choices about it may use.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The wall clock's time.
    pub now: Time,
    /// A random number.
    pub seed: u64,
}

pub(crate) fn beginning(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

/// A pause that nobody asked for by name.
pub(crate) fn pause_by(run: &Run, reason: PauseReason, by: &str) -> Event {
    Event::PauseRequested { run: run.id, reason, command: None, by: by.into(), now: false }
}

/// An order to end an attempt.
pub(crate) fn stop(run: &Run, task: &Task, attempt: &Attempt, why: StopWhy, message: &str) -> Event {
    stop_within(run, task, attempt, Stop { why, message, grace: run.spec(task).timeout.grace })
}

/// Why an attempt is to be ended, and how much time it has for that.
#[derive(Clone, Copy)]
pub(crate) struct Stop<'a> {
    /// Why.
    pub(crate) why: StopWhy,
    /// The same in words.
    pub(crate) message: &'a str,
    /// How much time.
    pub(crate) grace: Span,
}

pub(crate) fn stop_within(run: &Run, task: &Task, attempt: &Attempt, stop: Stop<'_>) -> Event {
    let Stop { why, message, grace } = stop;
    Event::StopRequested {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        why,
        message: message.into(),
        grace_ms: grace.ms,
    }
}
