//! How the tree of a run grows: parents get children, one of several replicas is taken, what has ended begins anew.
//! Never: choosing (`decide/children.rs`, `decide/requeue.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::event::{Event, Expansion, Record};
use crate::failure::Failure;
use crate::fold::transition::Moment;
use crate::machine::task::{Fact, Phase};
use crate::plan::{Plan, SubPlan, Work};
use crate::planted::{Bug, is_planted};
use crate::state::crew::Handed;
use crate::state::tree::{Form, Scope};
use crate::state::{Choice, Fresh, Otherwise, Run, Task, TaskIx, returns};

impl Run {
    /// Makes the tasks of the run's own plan, and those ready that need nothing.
    pub(crate) fn begin(&mut self, moment: Moment, fresh: &mut Fresh) {
        let plan = Arc::clone(&self.plan);
        self.roster.enrol(&plan);
        self.plant(&plan, 0, None, moment);
        self.count.insert(Phase::Waiting, u32::try_from(plan.tasks.len()).expect("capped at a million"));
        for (spec, planned) in plan.tasks.iter().enumerate() {
            if planned.needs.is_empty() {
                self.take(TaskIx::from_len(spec), Fact::JoinMet, moment, fresh);
            }
        }
    }

    /// Makes the tasks of a plan.
    fn plant(&mut self, plan: &Plan, scope: u32, parent: Option<TaskIx>, moment: Moment) {
        let first = self.tasks.len();
        self.topics.listen(plan, first);
        self.tasks.reserve(plan.tasks.len());
        for (number, planned) in (0..).zip(&plan.tasks) {
            let id =
                parent.map_or_else(|| planned.id.clone(), |parent| self.task(parent).id.inside(&planned.id));
            let mut task = Task::new(id, number, moment);
            (task.scope, task.parent) = (scope, parent.map(|parent| (parent, number)));
            let ix = self.add(task);
            self.open_purse(ix, parent.and_then(|parent| self.task(parent).limit));
            self.note_emitter(ix);
        }
        for (spec, planned) in plan.tasks.iter().enumerate() {
            for need in &planned.needs {
                self.tasks[first + *need].dependants.push(TaskIx::from_len(first + spec));
            }
        }
    }

    /// What the events of parents change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `fold/mod.rs`"
    )]
    pub(crate) fn grow(&mut self, ix: TaskIx, record: &Record, moment: Moment, fresh: &mut Fresh) -> bool {
        match &record.event {
            Event::TaskExpanded { into, .. } => self.expand(ix, into, moment, fresh),
            Event::ResultSelected { child, error, .. } => {
                self.select(ix, child.as_ref().map(|child| self.names[child]), error.clone());
            }
            _ => return false,
        }
        true
    }

    fn expand(&mut self, ix: TaskIx, into: &Expansion, moment: Moment, fresh: &mut Fresh) {
        let first = self.tasks.len();
        match into {
            Expansion::Items(items) => {
                let limit = self.limit_of_list(ix);
                for (number, item) in (0..).zip(items) {
                    self.bear(ix, number, moment);
                    let child = self.tasks.last_mut().expect("it was born");
                    (child.limit, child.item) = (limit, item.clone());
                }
            }
            Expansion::Round(number) => self.bear(ix, *number, moment),
            Expansion::Replicas(count) => (0..*count).for_each(|number| self.bear(ix, number, moment)),
            Expansion::Plan { inputs, .. } => self.plant_plan(ix, inputs, moment),
        }
        let count = u32::try_from(self.tasks.len() - first).expect("capped");
        let children = (first..self.tasks.len()).map(TaskIx::from_len);
        let parent = &mut self.tasks[ix.at()];
        parent.children.extend(children.clone());
        parent.children_open += count;
        self.to_close.remove(&ix);
        self.take(ix, Fact::Expanded, moment, fresh);
        *self.count.entry(Phase::Waiting).or_default() += count;
        for child in children {
            if self.needs(self.task(child)).next().is_none() {
                self.take(child, Fact::JoinMet, moment, fresh);
            }
        }
    }

    /// Makes the tasks of the plan that a task is, in a scope of their own.
    fn plant_plan(&mut self, ix: TaskIx, inputs: &BTreeMap<String, Value>, moment: Moment) {
        let first = TaskIx::from_len(self.tasks.len());
        self.scopes.push(Scope { parent: ix, first, inputs: inputs.clone(), brought: None });
        let scope = u32::try_from(self.scopes.len()).expect("fewer than tasks");
        let Work::Plan(SubPlan { plan, .. }) = &self.spec(self.task(ix)).work else {
            unreachable!("only a plan becomes its tasks");
        };
        let plan = Arc::clone(plan);
        self.plant(&plan, scope, Some(ix), moment);
    }

    /// Makes a child, under the limit of its parent.
    fn bear(&mut self, parent: TaskIx, number: u32, moment: Moment) {
        let of = self.task(parent);
        let mut task = Task::new(of.id.child(number), of.spec, moment);
        (task.scope, task.layer, task.limit) = (of.scope, of.layer + 1, of.limit);
        task.parent = Some((parent, number));
        let ix = self.add(task);
        self.note_emitter(ix);
    }

    /// A task comes to the run, behind all others; its place.
    pub(crate) fn add(&mut self, task: Task) -> TaskIx {
        let ix = TaskIx::from_len(self.tasks.len());
        self.names.insert(task.id.clone(), ix);
        self.tasks.push(task);
        ix
    }

    /// One of the replicas is taken, or none can be: the others are to end.
    fn select(&mut self, ix: TaskIx, taken: Option<TaskIx>, error: Option<Failure>) {
        let parent = &mut self.tasks[ix.at()];
        parent.choice = Some(taken.map_or(Choice::None, Choice::Taken));
        parent.error = error;
        self.look_at_votes(ix);
        for child in self.task(ix).children.clone() {
            if taken != Some(child) && !is_planted(Bug::LosersGoOn) {
                self.family(child).into_iter().for_each(|member| self.wish_end(member));
            }
        }
    }

    /// Takes note of a task that is about to come back: of the one that was asked for, with what follows it.
    pub(crate) fn note_return(&mut self, ix: TaskIx, is_asked_for: bool) {
        if is_asked_for && self.returning.is_empty() {
            let others =
                returns::of(self, ix).unwrap_or_default().into_iter().filter(|(other, _)| *other != ix);
            self.returning = others.collect();
        } else if self.returning.front().is_some_and(|(next, _)| *next == ix) {
            self.returning.pop_front();
        } else {
            // An older journal has them in the batch of the command, in an order of its own.
            self.returning.retain(|(other, _)| *other != ix);
        }
    }

    /// A new incarnation begins.
    pub(crate) fn requeue(&mut self, ix: TaskIx, otherwise: Otherwise, moment: Moment, fresh: &mut Fresh) {
        // The run is not cancelled as a whole any more, and may be wished to end again.
        self.cancelled = false;
        let is_parent = !self.task(ix).children.is_empty();
        let fact = if is_parent { Fact::ChildRequeued } else { Fact::Requeued };
        let begins_rounds = self.form(self.task(ix)) == Form::Rounds && self.ended_well(ix);
        let task = &mut self.tasks[ix.at()];
        if begins_rounds {
            task.earlier_children = u32::try_from(task.children.len()).expect("capped");
        }
        (task.choice, task.cancel_wished) = (None, false);
        task.tries = crate::policy::retry::Tries::default();
        task.deaths_in_row = 0;
        task.handed = Handed { to: otherwise.agent, ..Handed::default() };
        task.asked = otherwise.prompt;
        task.returns += 1;
        task.earlier = u32::try_from(task.attempts.len()).expect("attempts are bounded");
        self.end_bound(ix);
        self.renew_purse(ix);
        self.take(ix, fact, moment, fresh);
        // Others had gone on without it, and are held by it again.
        if self.task(ix).phase == Phase::Waiting {
            self.look_at_wakeable(ix, fresh);
        }
        if is_parent {
            self.start_purse(ix, self.active.at(moment.alive));
        }
        let task = &mut self.tasks[ix.at()];
        (task.error, task.dead_letter, task.skipped) = (None, false, None);
        task.spared_by = None;
        task.left_out = false;
        task.output = crate::output::Output::default();
    }

    /// Whether the last of its rounds succeeded, so that going on with it is no way forward.
    fn ended_well(&self, ix: TaskIx) -> bool {
        let last = self.task(ix).children.last();
        last.is_some_and(|last| self.task(*last).phase == Phase::Succeeded)
    }
}
