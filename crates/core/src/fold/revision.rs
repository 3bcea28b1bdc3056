//! A run goes on by another plan: what is new comes to it, what is gone ends, what is in both goes on by the new text.
//! Never: undoing what has succeeded, or asking whether the plan fits (`decide/revise.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{Event, Record, SkipReason, TimerKind};
use crate::fold::transition::Moment;
use crate::machine::task::Phase;
use crate::plan::{self, By, Plan, Timeout, Work, graph, revision};
use crate::policy::balance::Turns;
use crate::policy::join::Tally;
use crate::state::{Earlier, Fresh, Look, Run, Task, TaskIx, returns};
use crate::time::Span;

impl Run {
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
        self.returning = returns::after_revision(self, &back_in, &asked_anew);
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
        if self.look_at_join_again(ix, moment, fresh) {
            return;
        }
        let task = self.task(ix);
        let phase = task.phase;
        if phase.waits_to_start() || phase.holds_slot() || phase == Phase::Gating {
            let before = self.spec_under(old, task).timeout.clone();
            self.time_anew(ix, &before);
            fresh.extend((phase == Phase::Ready).then_some(Look::Task(self.id, ix)));
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

/// Whether two kinds of work have the same list of agents, or none.
fn same_pool(one: &Work, other: &Work) -> bool {
    let pool = |work: &Work| {
        if let Work::Prompt { by: By::Pool(pool), .. } = work { Some(pool.agents.clone()) } else { None }
    };
    pool(one) == pool(other)
}
