//! Plans that attempts bring: each becomes a sub-plan of the attempt's task, in the same run, and ends with the attempt. As
//! long as one of them is open the attempt waits for it, and lends what it holds: so what it waits for can't wait for it
//! (docs/design/nesting.md). Never: the tasks of such a plan, which go the way of all others.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decide::{GOAL_BYTES_MAX, beginning};
use crate::event::{ApprovalAnswer, Event, Exit, Hydrated, Record};
use crate::failure::{ErrorKind, Failure};
use crate::fold::transition::Moment;
use crate::hint::{self, Part};
use crate::id::{AttemptKey, CommandId, Digest, RunId, Seq, TaskId};
use crate::input::{Nesting, Rejection};
use crate::machine::task::Phase;
use crate::plan::{Plan, Rerun, brought, validate};
use crate::state::parts::Standing;
use crate::state::queue::LimitOn;
use crate::state::tree::{Brought, Nest, Scope};
use crate::state::{Attempt, Fresh, Run, State, Task, TaskIx};

/// An attempt brings a plan.
pub(crate) fn bring(
    run: &Run,
    ix: TaskIx,
    command: &CommandId,
    nesting: &Nesting,
) -> Result<Vec<Event>, Rejection> {
    let task = run.task(ix);
    let Nesting { within, plan, plan_digest, folder, env_digest, source } = nesting;
    let live = task.live_attempt().filter(|attempt| attempt.number == within.attempt && attempt.is_live());
    let goes_on = task.phase == Phase::Running && !task.cancel_wished;
    let attempt = live.filter(|_| goes_on).ok_or_else(|| Rejection::NotLive(within.clone()))?;
    within_caps(run, ix, nesting).map_err(|why| Rejection::OverCap { run: run.id, why })?;
    let number = run.nests.get(&ix).map_or(0, |nest| nest.plans.len());
    Ok(vec![Event::PlanNested {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        command: command.clone(),
        child: task.id.child(u32::try_from(number).expect("capped")),
        goal: beginning(&plan.goal, GOAL_BYTES_MAX),
        plan: *plan_digest,
        folder: folder.clone(),
        env: *env_digest,
        source: source.clone(),
        hydrated: Hydrated(Some(Arc::clone(plan))),
    }])
}

/// A plan that an attempt brings is within the caps of the run: of its tasks, of its levels, of children of one task. What
/// earlier attempts left is no part of that: else kills and retries would use the caps up.
fn within_caps(run: &Run, ix: TaskIx, nesting: &Nesting) -> Result<(), String> {
    let limits = run.plan.limits;
    let over = |what: String, name: &str, cap: u32| Err(format!("{what}, over its limits.{name} of {cap}"));
    let tasks = run.counted() + 1 + nesting.plan.tasks.len();
    if tasks > limits.tasks as usize {
        return over(format!("its tree would have {tasks} tasks"), "tasks", limits.tasks);
    }
    let levels = run.level(ix) + validate::levels(&nesting.plan);
    if levels > limits.depth as usize {
        return over(format!("its tree would have {levels} levels"), "depth", limits.depth);
    }
    let plans = run.nests.get(&ix).map_or(0, |nest| nest.newest().len()) + 1;
    if plans > limits.fan_out as usize {
        let id = &run.task(ix).id;
        return over(format!("{id} would have brought {plans} plans"), "fan_out", limits.fan_out);
    }
    Ok(())
}

/// The failure of an attempt that has ended by itself: of one that could not go on, since what it started was held by the pause
/// of its run, as if it had been stopped by that. What must not be done twice is not tried again for it.
pub(crate) fn held_up(run: &Run, ix: TaskIx, failure: Failure) -> Failure {
    let plans = run.nests.get(&ix).map_or(&[] as &[TaskIx], Nest::newest);
    let is_held = plans.iter().any(|plan| run.standing_of(*plan) == Standing::Held);
    if !is_held || run.spec(run.task(ix)).rerun == Rerun::Never {
        return failure;
    }
    let message = format!("what it started was held by the pause of its run; {}", failure.message);
    Failure::new(ErrorKind::Interrupted, message)
}

impl Run {
    /// The level of a task, those of the run's own plan being 1. What was brought stands where a sub-plan would.
    fn level(&self, ix: TaskIx) -> usize {
        1 + self.around(ix).filter(|parent| !self.was_brought(self.task(*parent))).count()
    }

    /// What an attempt of its parent brought, where that is what a task is.
    pub fn brought(&self, task: &Task) -> Option<&Brought> {
        self.scope(task)?.brought.as_ref()
    }

    /// Whether a task is a plan that an attempt of its parent brought.
    pub fn was_brought(&self, task: &Task) -> bool {
        self.brought(task).is_some()
    }

    /// The plan that an attempt brought and that a task belongs to, or is; none of those that the run's own plan has.
    pub fn brought_around(&self, ix: TaskIx) -> Option<TaskIx> {
        if self.nests.is_empty() {
            return None;
        }
        std::iter::once(ix).chain(self.around(ix)).find(|ix| self.was_brought(self.task(*ix)))
    }

    /// Whether a task belongs to a plan whose attempt, that brought it, is over or is being ended.
    pub(crate) fn is_left_behind(&self, task: &Task) -> bool {
        let plan = self.brought_around(self.names[&task.id]);
        let by = plan.and_then(|plan| self.task(plan).parent);
        by.is_some_and(|(by, _)| self.task(by).phase != Phase::Running)
    }

    /// In how many plans a task is, each within the other, that attempts brought.
    pub(crate) fn brought_levels(&self, ix: TaskIx) -> usize {
        if self.nests.is_empty() {
            return 0;
        }
        let around = std::iter::once(ix).chain(self.around(ix));
        around.filter(|ix| self.was_brought(self.task(*ix))).count()
    }

    /// The surroundings of a task: where it works, and the blob with the variables that its attempts get.
    pub(crate) fn surroundings(&self, task: &Task) -> (&str, Digest) {
        let mut scope = self.scope(task);
        while let Some(inner) = scope {
            if let Some(brought) = &inner.brought {
                return (&brought.folder, brought.env);
            }
            scope = self.scope(self.task(inner.parent));
        }
        (&self.folder, self.env)
    }

    /// The plan that the record at this place says was brought, as the task that it is.
    pub fn brought_at(&self, at: Seq) -> Option<&Task> {
        let is_it = |scope: &&Scope| scope.brought.as_ref().is_some_and(|brought| brought.at == at);
        self.scopes.iter().find(is_it).map(|scope| self.task(scope.first))
    }

    /// The attempts that brought the plans that a task is in, the outermost first.
    pub(crate) fn attempts_around(&self, task: &Task) -> Vec<AttemptKey> {
        let (mut attempts, mut scope) = (Vec::new(), self.scope(task));
        while let Some(inner) = scope {
            let parent = self.task(inner.parent);
            if let Some(Brought { attempt, .. }) = inner.brought {
                attempts.push(AttemptKey { run: self.id, task: parent.id.clone(), attempt });
            }
            scope = self.scope(parent);
        }
        attempts.reverse();
        attempts
    }

    /// How many tasks count for its caps: all but what attempts before the newest of their task left.
    pub(crate) fn counted(&self) -> usize {
        self.tasks.len() - usize::try_from(self.left).expect("32 bits fit")
    }

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

    /// What the newest attempt of a task may have done in what it brought, and the next may not do again without a person:
    /// the tasks there with `rerun: never` that were started. Only what never began is known to have done nothing.
    pub(crate) fn done_once(&self, ix: TaskIx) -> impl Iterator<Item = &Task> {
        let plans = self.nests.get(&ix).map_or(&[] as &[TaskIx], Nest::newest);
        let below = plans.iter().flat_map(|plan| self.family(*plan)).map(|member| self.task(member));
        let has_begun = |attempt: &Attempt| attempt.exit != Some(Exit::NotStarted);
        below.filter(move |task| self.spec(task).rerun == Rerun::Never && task.attempts.iter().any(has_begun))
    }

    /// What a person answered when an earlier attempt asked the same, in words: of the same plan, brought at the same place.
    pub(crate) fn answered_before(&self, task: &Task) -> Option<String> {
        let mut plan = self.brought_around(self.names[&task.id]);
        while let Some(ix) = plan {
            let (by, _) = self.task(ix).parent.expect("an attempt brought it");
            let behind = &task.id.as_str()[self.task(ix).id.as_str().len()..];
            let same = self.brought_before(ix).into_iter().find_map(|(earlier, attempt)| {
                let name: TaskId = format!("{}{behind}", self.task(earlier).id).parse().ok()?;
                let asked = self.task(*self.names.get(&name)?);
                let answer = match asked.approval.as_ref()?.answer? {
                    ApprovalAnswer::Approved => "approved",
                    ApprovalAnswer::Denied => "denied",
                    ApprovalAnswer::Expired => return None,
                };
                Some(format!("{} was {answer} for attempt {attempt} of {}", asked.id, self.task(by).id))
            });
            if same.is_some() {
                return same;
            }
            plan = self.brought_around(by);
        }
        None
    }

    /// A plan that an attempt brought, as attempts before brought it at the same place: the newest first, each with the
    /// number of that attempt.
    fn brought_before(&self, plan: TaskIx) -> Vec<(TaskIx, u32)> {
        let (by, _) = self.task(plan).parent.expect("an attempt brought it");
        let (mut places, mut found) = (BTreeMap::<u32, usize>::new(), Vec::new());
        for ix in &self.nests[&by].plans {
            let brought = self.brought(self.task(*ix)).expect("it is one of them");
            let place = places.entry(brought.attempt).or_default();
            found.push((*ix, brought.attempt, brought.digest, *place));
            *place += 1;
        }
        let this = found.iter().find(|(ix, ..)| *ix == plan).copied();
        let Some((_, attempt, digest, place)) = this else { return Vec::new() };
        let same = found
            .into_iter()
            .rev()
            .filter(|other| other.1 < attempt && (other.2, other.3) == (digest, place));
        same.map(|(ix, attempt, ..)| (ix, attempt)).collect()
    }

    /// The plans that attempts brought and that are not final.
    pub(crate) fn open_brought(&self) -> impl Iterator<Item = &Plan> {
        let open = self.nests.values().filter(|nest| nest.open > 0).flat_map(Nest::newest);
        let open = open.map(|plan| self.task(*plan)).filter(|plan| !plan.phase.is_final());
        open.map(|plan| self.plan_of(plan).as_ref())
    }

    /// A failure of a task as it goes into a record. Where an attempt brought the task, `retry` refuses it: what its hint says
    /// of that is left out.
    pub(crate) fn recorded(&self, ix: TaskIx, failure: Failure) -> Failure {
        let mut failure = failure.recorded();
        if self.brought_around(ix).is_none() {
            return failure;
        }
        let is_refused = |part: &Part<'_>| match part {
            Part::Command(words) if words.first() == Some(&"retry") => {
                let other = words.get(2).and_then(|task| self.names.get(&task.parse().ok()?));
                other.is_none_or(|other| self.brought_around(*other).is_some())
            }
            Part::Command(_) | Part::Words(_) => false,
        };
        let hint = failure.hint.take().unwrap_or_default();
        let (left_out, mut left): (Vec<&str>, Vec<&str>) =
            hint.split("; ").partition(|part| hint::parts(part).iter().any(is_refused));
        if !left_out.is_empty() {
            left.push("whoever started it decides what follows: it is not tried again by itself");
        }
        failure.hint(left.join("; "))
    }

    /// How many of the plans that attempts of a task brought are not final.
    pub fn open_plans(&self, ix: TaskIx) -> u32 {
        self.nests.get(&ix).map_or(0, |nest| nest.open)
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
        let plans = self.nests.get(&ix).filter(|nest| nest.open > 0).map(|nest| nest.plans.clone());
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
        let awaits_settling = self.task(ix).last_attempt().is_some_and(Attempt::awaits_settling);
        if !awaits_settling && self.open_plans(ix) == 0 {
            self.to_judge.insert(ix);
        }
    }

    fn change_loans(&mut self, ix: TaskIx, is_lent: bool) {
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
}

/// An attempt has brought a plan: from here on it holds nothing, until all that it brought has ended.
pub(crate) fn lend(state: &mut State, id: RunId, ix: TaskIx) {
    let run = state.runs.get_mut(&id).expect("the run was created before");
    let fence = run.task(ix).last_attempt().expect("it runs").fence;
    if state.lent.insert(fence) {
        run.change_loans(ix, true);
        state.alone = state.alone.filter(|alone| *alone != fence);
        if let Some(account) = run.account_of(ix) {
            state.fleet.lend(&account, fence);
        }
    }
}

/// An attempt holds again what it has lent: more than the limits may be in flight for it.
pub(crate) fn take_back(state: &mut State, id: RunId, ix: TaskIx) {
    let run = state.runs.get_mut(&id).expect("the run was created before");
    let Some(fence) = run.task(ix).live_attempt().map(|attempt| attempt.fence) else { return };
    if state.lent.remove(&fence) {
        run.change_loans(ix, false);
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
