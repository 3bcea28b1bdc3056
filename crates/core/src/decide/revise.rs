//! A run goes on by another plan: what of it can be taken over, and what changes when it is. What is new comes to the run,
//! what is gone ends, what is in both goes on by the new text. Never: undoing what has succeeded.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::requeue;
use crate::event::{Event, Record, RunOutcome, SkipReason, TimerKind};
use crate::fold::transition::Moment;
use crate::id::{Digest, TaskId};
use crate::input::{Command, Rejection, Revision};
use crate::machine::task::{Fact, Phase};
use crate::plan::{self, By, Plan, Timeout, WaitFor, Work, graph, revision};
use crate::policy::balance::Turns;
use crate::policy::join::{Standing, Tally};
use crate::state::tree::{Form, Scope};
use crate::state::{Earlier, Fresh, Look, Run, Task, TaskIx};
use crate::time::Span;

/// The events of `revise RUN PLAN`.
pub(crate) fn events(run: &Run, command: &Command, revision: &Revision) -> Result<Vec<Event>, Rejection> {
    let revised = revision::over(&run.plan, &revision.plan);
    let reasons = obstacles(run, &revised);
    if !reasons.is_empty() {
        return Err(Rejection::CantRevise { run: run.id, reasons: brief(reasons) });
    }
    let revised = Event::PlanRevised {
        run: run.id,
        command: command.id.clone(),
        by: command.by.clone(),
        version: run.version + 1,
        plan: revision.plan_digest,
        source: revision.source.clone(),
        hydrated: crate::event::Hydrated(Some(Arc::clone(&revision.plan))),
    };
    Ok(requeue::reopened(run).into_iter().chain([revised]).collect())
}

/// How many reasons are told.
const REASONS_MAX: usize = 20;

/// So many reasons, and how many more there are.
fn brief(mut reasons: Vec<String>) -> Vec<String> {
    let more = reasons.len().saturating_sub(REASONS_MAX);
    if more > 0 {
        reasons.truncate(REASONS_MAX);
        reasons.push(format!("and {more} more"));
    }
    reasons
}

/// All that is in the way of going on by a plan.
fn obstacles(run: &Run, revised: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    if run.cancelled || run.outcome == Some(RunOutcome::Cancelled) {
        reasons.push("it was cancelled".to_owned());
    }
    let added = revised.tasks.len() - run.plan.tasks.len();
    let (all, most) = (run.counted() + added, revised.limits.tasks);
    if u32::try_from(all).is_ok_and(|all| all > most) {
        reasons.push(format!("it would have {all} tasks, more than its limits.tasks of {most}"));
    }
    for glob in revised.passed().difference(&run.plan.passed()) {
        reasons.push(format!("`pass: {glob}` is new, and the run keeps the variables that it began with"));
    }
    for (place, (old, new)) in run.plan.tasks.iter().zip(&revised.tasks).enumerate() {
        let task = run.task(run.node(place));
        if old.removed && !new.removed && !task.phase.is_final() {
            reasons.push(format!("{} is being stopped: wait until that is over", task.id));
        } else if !new.removed {
            reasons.extend(Change { run, task, old, new }.obstacles());
        }
    }
    for new in &revised.tasks[run.plan.tasks.len()..] {
        reasons.extend(heard_too_late(run, new, |place| {
            (place < run.plan.tasks.len()).then(|| run.node(place))
        }));
    }
    reasons
}

/// A task that listens from the end of another on, where nobody has noted when that was.
fn heard_too_late(run: &Run, task: &plan::Task, node: impl Fn(usize) -> Option<TaskIx>) -> Option<String> {
    let Work::Wait(WaitFor::Topic { since: Some(place), .. }) = task.work else { return None };
    let other = node(place)?;
    let is_over = run.task(other).phase.is_final() && !run.topics.knows_end_of(other);
    is_over.then(|| format!("{} can't listen since {}, which had ended before", task.id, run.task(other).id))
}

/// A task of a run, as its plan has it and as another would.
struct Change<'a> {
    run: &'a Run,
    task: &'a Task,
    old: &'a plan::Task,
    new: &'a plan::Task,
}

impl Change<'_> {
    fn obstacles(&self) -> Vec<String> {
        let is_there = |place: &usize| self.task.scope > 0 || *place < self.run.plan.tasks.len();
        let node = |place| Some(place).filter(is_there).map(|place| self.run.beside(self.task, place));
        let mut reasons: Vec<String> = if self.is_untouched() {
            heard_too_late(self.run, self.new, node).into_iter().collect()
        } else {
            self.what_stays().into_iter().collect()
        };
        if reasons.is_empty() {
            reasons.extend(self.what_is_not_kept());
            reasons.extend(self.below().iter().flat_map(Change::obstacles));
        }
        reasons
    }

    /// Whether nothing of it has happened: then everything may change.
    fn is_untouched(&self) -> bool {
        let task = self.task;
        let is_open = matches!(
            task.phase,
            Phase::Waiting | Phase::Ready | Phase::Skipped | Phase::Dead | Phase::Cancelled
        );
        is_open && task.attempts.is_empty() && task.children.is_empty()
    }

    /// What can't change of a task that has begun.
    fn what_stays(&self) -> Option<String> {
        let (old, new) = (self.old, self.new);
        let goes_on = !self.task.phase.is_final();
        let is_node = self.task.is_node();
        let needs = |task: &plan::Task| (task.needs.clone(), task.join, task.cancel_rest);
        let stays = [
            ("`for_each`", old.for_each != new.for_each),
            ("`repeat`", old.repeat != new.repeat),
            ("`replicas`", old.replicas != new.replicas),
            ("tasks", names(&old.work) != names(&new.work)),
            ("kind of work", kind(&old.work) != kind(&new.work)),
            ("`needs`", goes_on && is_node && needs(old) != needs(new)),
            ("topics", goes_on && old.emits != new.emits),
            ("question", goes_on && kind(&old.work) == Kind::Approval && old.work != new.work),
            ("wait", goes_on && kind(&old.work) == Kind::Wait && old.work != new.work),
        ];
        let (what, _) = stays.into_iter().find(|(_, differs)| *differs)?;
        let (id, phase) = (&self.task.id, self.task.phase);
        let verb = if phase == Phase::Succeeded { "has" } else { "is" };
        Some(format!("{id} {verb} {}, and its {what} can't change any more", phase.name()))
    }

    /// Parts of an output that the new plan names, and that are not kept of it.
    fn what_is_not_kept(&self) -> Option<String> {
        let output = &self.task.output;
        let settles = self.task.phase == Phase::Gating
            && self.task.last_attempt().is_some_and(|attempt| {
                attempt.awaits_settling() && attempt.raw.as_ref().is_some_and(|raw| raw.blob.is_some())
            });
        let is_kept = |pointer: &&String| {
            let known = output.extracts.keys().chain(self.old.extracts.iter().filter(|_| settles));
            known.map(String::as_str).any(|kept| {
                pointer.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        if output.blob.is_none() && !output.truncated && !settles {
            return None;
        }
        let missing = self.new.extracts.iter().find(|pointer| !is_kept(pointer))?;
        let part = if missing.is_empty() { "the whole" } else { missing };
        let id = &self.task.id;
        Some(format!("of the output of {id} only what the plan named then is kept as a value, not {part}"))
    }

    /// The same for its children.
    fn below(&self) -> Vec<Change<'_>> {
        let children = self.task.children.iter().map(|child| self.run.task(*child));
        match (self.run.form(self.task), &self.old.work, &self.new.work) {
            (Form::Plan, Work::Plan(old), Work::Plan(new)) => children
                .map(|task| {
                    let place = task.place_in_plan();
                    Change { run: self.run, task, old: &old.plan.tasks[place], new: &new.plan.tasks[place] }
                })
                .collect(),
            _ => children.map(|task| Change { run: self.run, task, old: self.old, new: self.new }).collect(),
        }
    }
}

/// What a task does, as far as that can't change once it has begun.
#[derive(PartialEq, Eq)]
enum Kind {
    Attempts,
    Approval,
    Emit,
    Wait,
    Plan,
}

/// The names of the tasks of a plan, where work is one.
fn names(work: &Work) -> Option<Vec<&TaskId>> {
    Some(work.sub_plan()?.tasks.iter().map(|task| &task.id).collect())
}

/// Whether two kinds of work have the same list of agents, or none.
fn same_pool(one: &Work, other: &Work) -> bool {
    let pool = |work: &Work| {
        if let Work::Prompt { by: By::Pool(pool), .. } = work { Some(pool.agents.clone()) } else { None }
    };
    pool(one) == pool(other)
}

fn kind(work: &Work) -> Kind {
    match work {
        Work::Prompt { .. } | Work::Argv(_) | Work::Shell(_) => Kind::Attempts,
        Work::Approval { .. } => Kind::Approval,
        Work::Emit { .. } => Kind::Emit,
        Work::Wait(_) => Kind::Wait,
        Work::Plan(_) => Kind::Plan,
    }
}

impl Run {
    /// Its plans as they were written, by their digests: the first, and each revision. With what each says where that is at
    /// hand: of a run that was revised it is not.
    pub fn written(&self) -> Vec<(Digest, Option<Arc<Plan>>)> {
        match self.written.as_slice() {
            [] => vec![(self.plan_digest, Some(Arc::clone(&self.plan)))],
            written => written.iter().map(|digest| (*digest, None)).collect(),
        }
    }

    /// The places of its plan, in the order in which that was written last.
    pub fn order(&self) -> Vec<usize> {
        if self.written.is_empty() { (0..self.plan.tasks.len()).collect() } else { self.order.clone() }
    }

    /// Whether it goes by this plan already, so that a revision would change nothing.
    pub fn goes_by(&self, plan: &Plan) -> bool {
        revision::over(&self.plan, plan) == *self.plan && revision::order(&self.plan, plan) == self.order()
    }

    /// The run as it was when its plan had this number, as far as that is what attempts go by. A copy is made only where a
    /// revision came between the start of an attempt and the order for it: in the same turn.
    pub(crate) fn as_of(&self, version: u32) -> Cow<'_, Self> {
        let Some(earlier) = self.earlier.get(&version) else { return Cow::Borrowed(self) };
        let began_with = self.plan.tasks.len() - self.later.len();
        let mut run = self.clone();
        run.later.truncate(earlier.plan.tasks.len() - began_with);
        (run.plan, run.version) = (Arc::clone(&earlier.plan), version);
        Cow::Owned(run)
    }

    /// The text of a task in the plan that had this number, which attempts of the task go by.
    pub(crate) fn spec_as_of<'a>(&'a self, task: &'a Task, version: u32) -> &'a plan::Task {
        self.earlier.get(&version).map_or_else(|| self.spec(task), |old| self.spec_under(&old.plan, task))
    }

    /// Keeps the plan that the run leaves, for the attempts that began by it and are not judged.
    fn keep_for_attempts(&mut self, plan: Arc<Plan>, version: u32) {
        let goes_by_it = |task: &&Task| {
            let is_open = matches!(task.phase, Phase::Running | Phase::Stopping | Phase::Gating);
            is_open && task.last_attempt().is_some_and(|attempt| attempt.plan_version == version)
        };
        let attempts = u32::try_from(self.tasks.iter().filter(goes_by_it).count()).expect("capped");
        if attempts > 0 {
            self.earlier.insert(version, Earlier { plan, attempts });
        }
    }

    /// An attempt was judged: the plan that it went by is forgotten with the last one.
    pub(crate) fn let_go_of_plan(&mut self, ix: TaskIx) {
        let Some(version) = self.task(ix).last_attempt().map(|attempt| attempt.plan_version) else { return };
        let Some(earlier) = self.earlier.get_mut(&version) else { return };
        earlier.attempts -= 1;
        if earlier.attempts == 0 {
            self.earlier.remove(&version);
        }
    }

    /// Goes on by another plan.
    pub(crate) fn revise(&mut self, record: &Record, moment: Moment, fresh: &mut Fresh) {
        let Event::PlanRevised { plan: digest, version, source, hydrated, .. } = &record.event else {
            unreachable!("the caller matched it");
        };
        let new = hydrated.0.clone().expect("a run without its plan is lost");
        let old = Arc::clone(&self.plan);
        if self.written.is_empty() {
            self.written.push(self.plan_digest);
        }
        self.written.push(*digest);
        self.keep_for_attempts(Arc::clone(&old), self.version);
        self.plan = Arc::new(revision::over(&old, &new));
        self.order = revision::order(&self.plan, &new);
        (self.plan_digest, self.version) = (*digest, *version);
        self.source.clone_from(source);
        let plan = Arc::clone(&self.plan);
        self.roster.enrol_over(Some(&old), &plan);
        self.take_turns_anew(&old);
        self.plant_behind(&plan, old.tasks.len(), moment);
        self.forget_the_retired();
        self.rank_anew(&old);
        self.limit_anew(self.active.at(moment.alive));
        self.count_anew();
        self.note_emitters_anew();
        for ix in (0..self.tasks.len()).map(TaskIx::from_len) {
            self.look_anew(&old, ix, moment, fresh);
        }
        self.leave_out(&old);
        let back_in = self.back_in();
        let asked_anew: Vec<TaskIx> = self.nodes().filter(|ix| self.is_asked_anew(&old, *ix)).collect();
        self.returning = requeue::after_revision(self, &back_in, &asked_anew);
        self.blame_anew();
        self.look_at_topics(fresh);
    }

    /// What stays skipped may be so for another reason than when it was skipped: it comes back with what that is now.
    fn blame_anew(&mut self) {
        let needs: Vec<Vec<usize>> = self.plan.tasks.iter().map(|task| task.needs.clone()).collect();
        let back: BTreeSet<TaskIx> = self.returning.iter().map(|(ix, _)| *ix).collect();
        for place in graph::order(&needs) {
            let ix = self.node(place);
            let comes_back = back.contains(&ix);
            let is_upstream = matches!(self.task(ix).skipped, Some((SkipReason::Upstream, _)));
            if is_upstream && !comes_back && self.is_planned(ix) {
                let cause = self.blamed(ix);
                self.tasks[ix.at()].skipped = Some((SkipReason::Upstream, cause));
            }
        }
    }

    /// Makes the tasks of a plan that come behind so many.
    fn plant_behind(&mut self, plan: &Plan, known: usize, moment: Moment) {
        for (number, planned) in (0..).zip(&plan.tasks).skip(known) {
            let ix = self.add(Task::new(planned.id.clone(), number, moment));
            self.later.push(ix);
        }
        let added = plan.tasks.len() - known;
        *self.count.entry(Phase::Waiting).or_default() += u32::try_from(added).expect("capped");
    }

    /// Counts who needs whom, and how that has ended, from the plan as it is.
    fn count_anew(&mut self) {
        for task in &mut self.tasks {
            task.dependants.clear();
            task.tally = Tally::default();
        }
        let all = || (0..self.tasks.len()).map(TaskIx::from_len);
        let needs: Vec<(TaskIx, TaskIx)> =
            all().flat_map(|ix| self.needs(self.task(ix)).map(move |need| (need, ix))).collect();
        for (need, ix) in needs {
            self.tasks[need.at()].dependants.push(ix);
            if let Some(ending) = self.ending(need) {
                self.tasks[ix.at()].tally.count(ending);
            }
        }
        let failed = self.nodes().filter(|ix| self.fails(*ix, self.task(*ix).phase)).count();
        self.failed = u32::try_from(failed).expect("capped");
    }

    /// No attempt begins with an agent that the plan has no more, whoever named it.
    fn forget_the_retired(&mut self) {
        for place in 0..self.tasks.len() {
            let task = &self.tasks[place];
            let is_retired =
                task.handed.to.as_ref().is_some_and(|to| self.plan_of(task).retired.contains(to));
            let handed = &mut self.tasks[place].handed;
            if is_retired {
                handed.to = None;
            }
            // It is asked anew, by the text that there is now.
            handed.named = None;
        }
    }

    /// The turns of a list of agents that is another now begin anew: they are told by places in it.
    fn take_turns_anew(&mut self, old: &Plan) {
        for place in 0..self.tasks.len() {
            let task = &self.tasks[place];
            if !same_pool(&self.spec_under(old, task).work, &self.spec(task).work) {
                self.tasks[place].turns = Turns::default();
            }
        }
    }

    /// What is ready has the priority of its new text, and has waited as long as before. It is to be lined up again.
    fn rank_anew(&mut self, old: &Plan) {
        for place in 0..self.tasks.len() {
            let task = &self.tasks[place];
            let Some(rank) = task.rank else { continue };
            let (before, now) = (self.spec_under(old, task).priority, self.spec(task).priority);
            self.tasks[place].rank = Some(rank.with_priority(before, now));
        }
    }

    /// What a task comes to by its new text.
    fn look_anew(&mut self, old: &Plan, ix: TaskIx, moment: Moment, fresh: &mut Fresh) {
        let task = self.task(ix);
        match task.phase {
            Phase::Waiting if task.is_node() => {
                self.to_skip.remove(&ix);
                self.look_at_join(ix, moment, fresh);
            }
            Phase::Ready if self.standing(ix) != Standing::Met => {
                self.take(ix, Fact::JoinUnmet, moment, fresh);
            }
            Phase::Ready
            | Phase::Running
            | Phase::Stopping
            | Phase::Gating
            | Phase::BackingOff
            | Phase::Parked => {
                let is_ready = task.phase == Phase::Ready;
                let before = self.spec_under(old, task).timeout.clone();
                self.time_anew(ix, &before);
                fresh.extend(is_ready.then_some(Look::Task(self.id, ix)));
            }
            Phase::Waiting
            | Phase::Blocked
            | Phase::Expanded
            | Phase::Succeeded
            | Phase::Skipped
            | Phase::Dead
            | Phase::Cancelled => {}
        }
    }

    /// Moves the bounds of a task to where its new text has them.
    fn time_anew(&mut self, ix: TaskIx, before: &Timeout) {
        let task = self.task(ix);
        let now = if self.has_attempts(task) { Some(self.spec(task).timeout.clone()) } else { None };
        let moved = |due: Option<Span>, old: Option<Span>, new: Option<Span>| {
            let from = due?.minus(old?);
            Some(from.plus(new?))
        };
        let (start, close) = (task.dues.start_by, task.dues.close_by);
        let new = |bound: fn(&Timeout) -> Option<Span>| now.as_ref().and_then(bound);
        let start_by = moved(start, before.schedule_to_start, new(|timeout| timeout.schedule_to_start));
        let close_by = moved(close, before.schedule_to_close, new(|timeout| timeout.schedule_to_close));
        for (old, new, kind) in
            [(start, start_by, TimerKind::ScheduleToStart), (close, close_by, TimerKind::ScheduleToClose)]
        {
            old.map(|due| self.alarms.remove(&(due, ix, kind)));
            new.map(|due| self.alarms.insert((due, ix, kind)));
        }
        let wait = &mut self.tasks[ix.at()].dues;
        (wait.start_by, wait.close_by) = (start_by, close_by);
    }

    /// The text of a task in a plan that the run had before.
    fn spec_under<'a>(&'a self, old: &'a Plan, task: &'a Task) -> &'a plan::Task {
        let plan = match self.scope(task) {
            None => Some(old),
            Some(Scope { brought: Some(brought), .. }) => Some(&*brought.plan),
            Some(scope) => self.spec_under(old, self.task(scope.parent)).work.sub_plan(),
        };
        &plan.expect("a scope belongs to a task that is a plan").tasks[task.place_in_plan()]
    }

    /// What the plan leaves out now is to end, with all that is below it.
    fn leave_out(&mut self, old: &Plan) {
        let left_out = |(place, before): (usize, &plan::Task)| {
            (!before.removed && self.plan.tasks[place].removed).then(|| self.node(place))
        };
        let left_out: Vec<TaskIx> = old.tasks.iter().enumerate().filter_map(left_out).collect();
        for ix in left_out {
            for member in self.family(ix) {
                let task = &mut self.tasks[member.at()];
                task.left_out = !task.phase.is_final() && !task.cancel_wished;
                self.wish_end(member);
            }
        }
    }

    /// What an earlier revision ended, and is in the plan again.
    fn back_in(&self) -> Vec<TaskIx> {
        let all = (0..self.tasks.len()).map(TaskIx::from_len);
        let ended = |ix: &TaskIx| self.task(*ix).left_out && self.task(*ix).phase == Phase::Cancelled;
        all.filter(ended).filter(|ix| self.is_planned(*ix)).collect()
    }

    /// Whether a task was skipped for its `when`, and that, or what it sees, is another now.
    fn is_asked_anew(&self, old: &Plan, ix: TaskIx) -> bool {
        let task = self.task(ix);
        let Some(before) = old.tasks.get(task.place_in_plan()) else { return false };
        let by_when = matches!(task.skipped, Some((SkipReason::When, _))) && before.when.is_some();
        let is_another = self.spec(task).when != before.when || self.plan.inputs != old.inputs;
        task.phase == Phase::Skipped && by_when && is_another
    }
}
