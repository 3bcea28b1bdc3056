//! A new incarnation of a task, and what comes back with it. Never: tasks whose failure had another cause.

use std::collections::BTreeSet;

use crate::decide::wrong_state;
use crate::event::Event;
use crate::id::{CommandId, TaskId};
use crate::input::Rejection;
use crate::machine::{run, task::Phase};
use crate::state::{Run, TaskIx};

/// The events of `retry RUN TASK`, which is also `dlq requeue`.
pub(crate) fn retry(run: &Run, ix: TaskIx, command: &CommandId) -> Result<Vec<Event>, Rejection> {
    let task = run.task(ix);
    let mut again = Requeue { run, command, events: Vec::new(), unskipped: BTreeSet::new() };
    if run.phase == run::Phase::Finished {
        again.events.push(Event::RunReopened { run: run.id });
    }
    match task.phase {
        Phase::Dead | Phase::Cancelled if !task.children.is_empty() => again.failed_children(ix),
        Phase::Dead | Phase::Cancelled => again.with_parent(ix),
        Phase::Blocked if task.approval_open().is_none() => again.task(ix, &task.id),
        Phase::Succeeded => again.succeeded(ix)?,
        Phase::Skipped => {
            let cause = task.root_cause();
            let why = format!("it was skipped because of {cause}: retry that");
            return Err(wrong_state(task, &why));
        }
        Phase::Running | Phase::Stopping | Phase::Gating => {
            return Err(wrong_state(task, "an attempt is live: cancel it first, or wait for its end"));
        }
        Phase::Waiting | Phase::Ready | Phase::BackingOff | Phase::Expanded | Phase::Blocked => {
            return Err(wrong_state(task, "it is not over yet"));
        }
    }
    Ok(again.events)
}

struct Requeue<'a> {
    run: &'a Run,
    command: &'a CommandId,
    events: Vec<Event>,
    unskipped: BTreeSet<TaskId>,
}

impl Requeue<'_> {
    fn task(&mut self, ix: TaskIx, cause: &TaskId) {
        self.events.push(Event::TaskRequeued {
            run: self.run.id,
            task: self.run.task(ix).id.clone(),
            command: Some(self.command.clone()),
            cause: cause.clone(),
        });
    }

    /// A failed task, its failed parent, and exactly what was skipped because of either.
    fn with_parent(&mut self, ix: TaskIx) {
        let task = self.run.task(ix);
        let mut causes = vec![task.root_cause()];
        self.task(ix, &task.id);
        if let Some((parent, _)) = task.parent {
            self.parent(parent, &task.id, &mut causes);
        }
        self.unskip(&causes);
    }

    fn failed_children(&mut self, parent: TaskIx) {
        let children = self.run.task(parent).children.iter().copied();
        let failed = |ix: &TaskIx| matches!(self.run.task(*ix).phase, Phase::Dead | Phase::Cancelled);
        let failed: Vec<TaskIx> = children.filter(failed).collect();
        let mut causes = Vec::new();
        for child in failed {
            let id = self.run.task(child).id.clone();
            self.task(child, &id);
            causes.push(id);
        }
        let id = self.run.task(parent).id.clone();
        self.parent(parent, &id, &mut causes);
        self.unskip(&causes);
    }

    fn parent(&mut self, parent: TaskIx, cause: &TaskId, causes: &mut Vec<TaskId>) {
        let task = self.run.task(parent);
        if task.phase.is_final() {
            causes.push(task.root_cause());
            causes.push(task.id.clone());
            self.task(parent, cause);
        }
    }

    fn unskip(&mut self, causes: &[TaskId]) {
        for task in self.run.tasks.iter().filter(|task| task.phase == Phase::Skipped) {
            let cause = task.skipped.as_ref().and_then(|(_, cause)| cause.as_ref());
            if let Some(cause) = cause.filter(|cause| causes.contains(cause)) {
                self.unskip_one(&task.id, cause);
            }
        }
    }

    fn unskip_one(&mut self, task: &TaskId, cause: &TaskId) {
        if self.unskipped.insert(task.clone()) {
            let (run, task, cause) = (self.run.id, task.clone(), cause.clone());
            self.events.push(Event::TaskUnskipped { run, task, cause });
        }
    }

    /// A task that succeeded, while nothing that depends on it has started, or all of that is dead or skipped.
    fn succeeded(&mut self, ix: TaskIx) -> Result<(), Rejection> {
        let task = self.run.task(ix);
        if !task.children.is_empty() {
            return Err(wrong_state(task, "its children did the work: retry one of them"));
        }
        let beyond = self.dependants_of(ix);
        let started = beyond.iter().map(|ix| self.run.task(*ix)).find(|task| {
            let untouched = matches!(task.phase, Phase::Waiting | Phase::Ready) && task.attempts.is_empty();
            !untouched && !matches!(task.phase, Phase::Dead | Phase::Skipped)
        });
        if let Some(other) = started {
            let why = format!("{} depends on it and is {}", other.id, other.phase.name());
            return Err(wrong_state(task, &why));
        }
        if task.parent.is_some() {
            self.with_parent(ix);
        } else {
            self.task(ix, &task.id);
        }
        for other in beyond {
            let gone = self.run.task(other);
            match gone.phase {
                Phase::Dead if gone.children.is_empty() => self.task(other, &task.id),
                Phase::Dead => self.failed_children(other),
                Phase::Skipped => self.unskip_one(&gone.id, &task.id),
                Phase::Waiting
                | Phase::Ready
                | Phase::Running
                | Phase::Stopping
                | Phase::Gating
                | Phase::BackingOff
                | Phase::Blocked
                | Phase::Expanded
                | Phase::Succeeded
                | Phase::Cancelled => {}
            }
        }
        Ok(())
    }

    /// All tasks behind this one, each once, nearer ones first.
    fn dependants_of(&self, ix: TaskIx) -> Vec<TaskIx> {
        let top = self.run.task(ix).parent.map_or(ix, |(parent, _)| parent);
        let mut found: Vec<TaskIx> = self.run.task(top).dependants.clone();
        let mut seen: BTreeSet<TaskIx> = found.iter().copied().collect();
        let mut next = 0;
        while next < found.len() {
            let further = self.run.task(found[next]).dependants.iter().copied();
            found.extend(further.filter(|dependant| seen.insert(*dependant)).collect::<Vec<_>>());
            next += 1;
        }
        found
    }
}
