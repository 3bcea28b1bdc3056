//! An attempt brings a plan and lends what it holds until all that it brought has ended. Never: whether it may
//! (`decide/nests.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Event, Record};
use crate::fold::transition::Moment;
use crate::id::RunId;
use crate::machine::task::Phase;
use crate::plan::brought;
use crate::planted::{Bug, is_planted};
use crate::state::queue::LimitOn;
use crate::state::tree::{Brought, Loan, Nest, Scope};
use crate::state::{Attempt, Fresh, Run, State, Task, TaskIx};
use crate::time::Span;

impl Run {
    /// Another attempt of a task starts: what those before it brought is left.
    pub(crate) fn leave_plans(&mut self, ix: TaskIx) {
        let Some(nest) = self.nests.get_mut(&ix) else { return };
        let mut family = nest.newest().to_vec();
        nest.left = nest.plans.len();
        // What was left further down is counted already.
        while let Some(member) = family.pop() {
            self.left += 1;
            family.extend_from_slice(&self.task(member).children);
            family.extend_from_slice(self.nests.get(&member).map_or(&[], Nest::newest));
        }
    }

    /// An attempt in flight has brought a plan.
    pub(crate) fn nest(&mut self, ix: TaskIx, record: &Record, moment: Moment, fresh: &mut Fresh) {
        let Event::PlanNested { attempt, child, plan: digest, folder, env, source, hydrated, .. } =
            &record.event
        else {
            unreachable!("the caller matched it");
        };
        let (digest, folder, env, source) = (*digest, folder.clone(), *env, source.clone());
        let plan = hydrated.0.as_ref().expect("a run without its plan is lost");
        let plan = Arc::new(brought::around(plan, &source));
        let first = TaskIx::from_len(self.tasks.len());
        let brought = Brought {
            plan: Arc::clone(&plan),
            digest,
            folder,
            env,
            source,
            attempt: *attempt,
            at: record.seq,
        };
        self.scopes.push(Scope { parent: ix, first, inputs: BTreeMap::new(), brought: Some(brought) });
        self.roster.enrol(&plan);
        self.topics.listen(&plan, first.at());
        let nest = self.nests.entry(ix).or_default();
        let number = u32::try_from(nest.plans.len()).expect("capped");
        nest.plans.push(first);
        nest.open += 1;
        let mut task = Task::new(child.clone(), 0, moment);
        task.scope = u32::try_from(self.scopes.len()).expect("fewer than tasks");
        task.parent = Some((ix, number));
        self.add(task);
        self.open_purse(first, self.task(ix).limit);
        self.note_emitter(first);
        *self.count.entry(Phase::Waiting).or_default() += 1;
        self.look_at_join(first, moment, fresh);
    }

    /// What the attempts of a task brought is to end.
    pub(crate) fn end_plans(&mut self, ix: TaskIx) {
        let plans = self.nests.get(&ix).filter(|nest| nest.open > 0).map(|nest| nest.newest().to_vec());
        for plan in plans.into_iter().flatten() {
            self.family(plan).into_iter().for_each(|member| self.wish_end(member));
        }
    }

    /// A plan that an attempt of a task brought has ended.
    pub(crate) fn close_plan(&mut self, ix: TaskIx) {
        let nest = self.nests.get_mut(&ix).expect("it was brought");
        nest.open -= 1;
        if nest.open == 0 && self.task(ix).phase == Phase::Gating {
            self.look_at_result(ix);
        }
    }

    /// The result of a task is to be judged, once it is settled and nothing is left of what its attempt brought.
    pub(crate) fn look_at_result(&mut self, ix: TaskIx) {
        let awaits = |attempt: &Attempt| attempt.awaits_settling() || attempt.awaits_work();
        if !self.task(ix).last_attempt().is_some_and(awaits) && self.open_plans(ix) == 0 {
            self.to_judge.insert(ix);
        }
    }

    fn change_loans(&mut self, ix: TaskIx, is_lent: bool, alive: Span) {
        self.note_loan(ix, is_lent, alive);
        let (limit, member) = {
            let task = self.task(ix);
            (task.limit, task.last_attempt().and_then(|attempt| attempt.member))
        };
        if is_lent {
            self.lenders += 1;
            self.queue.vacate(limit, LimitOn::InFlight);
        } else {
            self.lenders -= 1;
            self.queue.occupy_again(limit);
        }
        if let Some(member) = member {
            if is_lent { self.roster.give_back(member) } else { self.roster.take(member) }
        }
        self.change_lent(ix, is_lent);
    }

    /// From when to when an attempt waits for what it brought: so long it does not work itself.
    fn note_loan(&mut self, ix: TaskIx, is_lent: bool, alive: Span) {
        let attempt = self.task(ix).last_attempt().expect("it is in flight").number;
        let nest = self.nests.get_mut(&ix).expect("it has brought a plan");
        if is_lent {
            nest.loans.push(Loan { attempt, from: alive, until: None });
        } else {
            nest.loans.last_mut().expect("it has lent").until = Some(alive);
        }
    }
}

/// An attempt has brought a plan: from here on it holds nothing, until all that it brought has ended.
pub(crate) fn lend(state: &mut State, id: RunId, ix: TaskIx) {
    let run = state.runs.get_mut(&id).expect("the run was created before");
    let fence = run.task(ix).last_attempt().expect("it runs").fence;
    if !is_planted(Bug::NothingLent) && state.lent.insert(fence) {
        run.change_loans(ix, true, state.clock.alive);
        state.alone = state.alone.filter(|alone| *alone != fence);
        if let Some(account) = run.account_of(ix) {
            state.fleet.let_go(&account, fence);
        }
    }
}

/// An attempt holds again what it has lent: more than the limits may be in flight for it.
pub(crate) fn take_back(state: &mut State, id: RunId, ix: TaskIx) {
    let run = state.runs.get_mut(&id).expect("the run was created before");
    let Some(fence) = run.task(ix).live_attempt().map(|attempt| attempt.fence) else { return };
    if state.lent.remove(&fence) {
        run.change_loans(ix, false, state.clock.alive);
        if let Some(account) = run.account_of(ix) {
            state.fleet.take_back(&account);
        }
    }
}

/// A task has changed: where it is the last open plan that an attempt brought, that goes on.
pub(crate) fn look_at_loan(state: &mut State, id: RunId, ix: TaskIx) {
    let run = &state.runs[&id];
    let parent = run.task(ix).parent.map(|(parent, _)| parent).filter(|_| run.was_brought(run.task(ix)));
    if let Some(parent) = parent.filter(|parent| run.open_plans(*parent) == 0) {
        take_back(state, id, parent);
    }
}
