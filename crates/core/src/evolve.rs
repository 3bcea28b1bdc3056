//! The fold: what each record changes in the state. It never fails on a journal that `decide` wrote, and never decides.

use std::sync::Arc;

use crate::arrows;
use crate::crew::{call, hang_up};
use crate::event::{Event, Hydrated, LossReason, PauseReason, Record, Role};
use crate::failure::Retried;
use crate::id::{RunId, Seq, TaskId};
use crate::machine::{attempt, run, task};
use crate::otherwise::Otherwise;
use crate::plan::Plan;
use crate::planted::{Bug, is_planted};
use crate::state::{Active, Attempt, Look, Pause, Run, State, Task, TaskIx, Wait};
use crate::time::{Span, Time};
use crate::transition::{Fresh, Moment};

/// Takes a record into the state.
///
/// # Panics
/// If the record contradicts what came before it, which no journal that was written by `decide` does.
#[expect(clippy::wildcard_enum_match_arm, reason = "what belongs to a run is taken apart in `evolve_run`")]
pub fn evolve(state: &mut State, record: &Record) {
    let moment = move_clock(state, record);
    if is_of_lost(state, record) {
        note_command(state, record);
        return;
    }
    match &record.event {
        Event::EngineStarted { epoch, role, .. } => start_engine(state, *epoch, *role, moment),
        Event::ClockJumped { by_ms, .. } => state.clock.steps_ms += by_ms,
        Event::JournalRepaired { .. } => {}
        Event::RunCreated { run, command, .. } => {
            state.commands.insert(command.clone(), record.seq);
            create_run(state, *run, record, moment);
        }
        Event::RunFinished { run, .. } => {
            state.unfinished.remove(run);
            evolve_run(state, *run, record, moment);
        }
        Event::RunReopened { run } => {
            state.unfinished.insert(*run);
            evolve_run(state, *run, record, moment);
        }
        Event::AttemptStarted { run, task, alone, .. } => {
            let ix = state.runs[run].names[task];
            state.live.insert(record.fence(), (*run, ix));
            state.alone = alone.then_some(record.fence());
            state.agenda.serve(state.runs.get_mut(run).expect("the run was created before"), *alone);
            evolve_run(state, *run, record, moment);
            let run = &state.runs[run];
            call(&mut state.fleet, run, (run.task(ix), record.fence()), moment);
        }
        Event::AttemptReaped { run, task, fence, .. } => {
            state.live.remove(fence);
            state.alone = state.alone.filter(|alone| alone != fence);
            evolve_run(state, *run, record, moment);
            let run = &state.runs[run];
            hang_up(&mut state.fleet, run, (run.task(run.names[task]), *fence), moment);
        }
        Event::BreakerChanged { account, to, until, why, .. } => {
            let until = until.map(|until| until.ms - moment.steps_ms);
            state.fleet.change_breaker(account, *to, until, why);
        }
        Event::ConcurrencyChanged { account, to, .. } => {
            state.fleet.change_concurrency(account, *to, record.seq);
        }
        other => {
            let run = other.run().expect("all events of the home are above");
            evolve_run(state, run, record, moment);
        }
    }
    match record.event.run() {
        Some(run) => state.attend(run),
        None => attend_all(state),
    }
    note_command(state, record);
}

/// Another opening works on other runs than the one before it.
fn attend_all(state: &mut State) {
    let unfinished: Vec<RunId> = state.unfinished.iter().copied().collect();
    for run in unfinished {
        state.attend(run);
    }
}

/// Whether a record belongs to a run whose plan is gone: without it none of the run's events can be taken in. The home
/// and its other runs go on.
fn is_of_lost(state: &mut State, record: &Record) -> bool {
    if let Event::RunCreated { run, command, hydrated: Hydrated(None), .. } = &record.event {
        state.commands.insert(command.clone(), record.seq);
        state.lost.insert(*run, record.seq);
    }
    record.event.run().is_some_and(|run| state.lost.contains_key(&run))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "time passes the same way with every other event")]
fn move_clock(state: &mut State, record: &Record) -> Moment {
    let passed = record.at.since(state.now);
    let awake = match &record.event {
        Event::EngineStarted { .. } => Span::default(),
        Event::ClockJumped { by_ms, suspended_ms } => {
            let suspended_ms = if is_planted(Bug::SuspendCounts) { &0 } else { suspended_ms };
            let step = by_ms.saturating_add_unsigned(*suspended_ms);
            Time::from_ms(record.at.ms.saturating_sub(step)).since(state.now)
        }
        _ => passed,
    };
    state.head = record.seq;
    state.now = record.at;
    state.clock.alive = state.clock.alive.plus(awake);
    Moment {
        seq: record.seq,
        at: record.at,
        alive: state.clock.alive,
        epoch: state.epoch,
        role: state.role,
        steps_ms: state.clock.steps_ms,
    }
}

fn start_engine(state: &mut State, epoch: crate::id::Epoch, role: Role, moment: Moment) {
    state.epoch = epoch;
    state.role = Some(role);
    state.orphans = u32::try_from(state.live.len()).expect("no more than slots");
    state.fresh.clear();
    for id in &state.unfinished {
        let run = state.runs.get_mut(id).expect("unfinished runs exist");
        run.active.stop(moment.alive);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other event answers a command")]
fn note_command(state: &mut State, record: &Record) {
    let command = match &record.event {
        Event::TaskUnblocked { command, .. } | Event::DeadLetterDropped { command, .. } => Some(command),
        Event::CancelRequested { command, .. }
        | Event::PauseRequested { command, .. }
        | Event::RunResumed { command, .. }
        | Event::TaskRequeued { command, .. }
        | Event::ApprovalGiven { command, .. } => command.as_ref(),
        _ => None,
    };
    if let Some(command) = command {
        state.commands.entry(command.clone()).or_insert(record.seq);
    }
}

fn create_run(state: &mut State, id: RunId, record: &Record, moment: Moment) {
    let Event::RunCreated { plan, folder, env, source, hydrated, .. } = &record.event else {
        unreachable!("the caller matched it");
    };
    let body = hydrated.0.clone().expect("a run without its plan is lost");
    let mut run = Run {
        id,
        plan: body,
        plan_digest: *plan,
        folder: folder.clone(),
        env: *env,
        source: source.clone(),
        created: (record.seq, record.at),
        ended: None,
        phase: run::Phase::Running,
        pauses: std::collections::BTreeMap::new(),
        outcome: None,
        host: state.epoch,
        cancelled: false,
        active: Active::default(),
        scopes: Vec::new(),
        tasks: Vec::new(),
        names: std::collections::BTreeMap::new(),
        queue: crate::queue::Queue::default(),
        share: crate::agenda::Share::default(),
        purse: crate::budget::Purse::default(),
        count: std::collections::BTreeMap::new(),
        roster: crate::roster::Roster::default(),
        failed: 0,
        retries: std::collections::BTreeSet::new(),
        dates: std::collections::BTreeSet::new(),
        alarms: std::collections::BTreeSet::new(),
        returning: std::collections::VecDeque::new(),
        to_judge: std::collections::BTreeSet::new(),
        to_skip: std::collections::BTreeSet::new(),
        to_cancel: std::collections::BTreeSet::new(),
        to_close: std::collections::BTreeSet::new(),
        to_select: std::collections::BTreeSet::new(),
        to_spare: std::collections::BTreeMap::new(),
        topics: crate::topics::Topics::default(),
    };
    if state.role == Some(Role::Engine) {
        run.active.start(moment.alive);
    }
    run.begin(moment, &mut state.fresh);
    state.unfinished.insert(id);
    state.runs.insert(id, run);
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what belongs to a task is taken apart in its `evolve_…`")]
fn evolve_run(state: &mut State, id: RunId, record: &Record, moment: Moment) {
    let run = state.runs.get_mut(&id).expect("the run was created before");
    let fresh = &mut state.fresh;
    match &record.event {
        Event::PauseRequested { reason, .. } => run.pause(*reason, moment),
        Event::RunPaused { reason, .. } => {
            run.pauses.get_mut(reason).expect("it was requested before").told = true;
        }
        Event::RunResumed { raised, .. } => {
            run.purse.raise(*raised);
            run.go_on(run::Fact::Resumed, moment, fresh);
        }
        // Said for people; the pause that follows in the same batch holds the run.
        Event::BudgetReached { .. } => {}
        Event::RunReopened { .. } => {
            (run.ended, run.outcome, run.cancelled) = (None, None, false);
            run.go_on(run::Fact::Reopened, moment, fresh);
        }
        Event::RunFinished { outcome, .. } => {
            arrows::of_run(run.phase, run::Fact::Finished);
            run.phase = run.phase.next(run::Fact::Finished).expect("a finished run finishes no more");
            run.active.stop(moment.alive);
            run.pauses.clear();
            (run.ended, run.outcome) = (Some(moment.at), Some(*outcome));
        }
        Event::CancelRequested { task, cause, .. } => run.wish_cancel(task.as_ref(), cause.as_ref()),
        other => {
            let task = other.task().expect("what is left belongs to a task");
            let ix = *run.names.get(task).expect("the task exists");
            let taken = run.evolve_attempt(ix, record, moment, fresh)
                || run.grow(ix, record, moment, fresh)
                || run.evolve_topic(ix, record, fresh)
                || run.evolve_wait(ix, record, moment, fresh);
            if !taken {
                run.evolve_task(ix, record, moment, fresh);
            }
        }
    }
}

impl Run {
    /// Makes the tasks of the run's own plan, and those ready that need nothing.
    fn begin(&mut self, moment: Moment, fresh: &mut Fresh) {
        let plan = Arc::clone(&self.plan);
        self.roster.enrol(&plan);
        self.plant(&plan, 0, None, moment);
        self.count
            .insert(task::Phase::Waiting, u32::try_from(plan.tasks.len()).expect("capped at a million"));
        for (spec, planned) in plan.tasks.iter().enumerate() {
            if planned.needs.is_empty() {
                self.take(TaskIx::from_len(spec), task::Fact::JoinMet, moment, fresh);
            }
        }
    }

    /// Makes the tasks of a plan.
    pub(crate) fn plant(&mut self, plan: &Plan, scope: u32, parent: Option<TaskIx>, moment: Moment) {
        let first = self.tasks.len();
        self.topics.listen(plan, first);
        for (number, planned) in (0..).zip(&plan.tasks) {
            let ix = TaskIx::from_len(self.tasks.len());
            let id =
                parent.map_or_else(|| planned.id.clone(), |parent| self.task(parent).id.inside(&planned.id));
            let mut task = Task::new(id.clone(), number, moment);
            (task.scope, task.parent) = (scope, parent.map(|parent| (parent, number)));
            self.names.insert(id, ix);
            self.tasks.push(task);
            self.note_emitter(ix);
        }
        for (spec, planned) in plan.tasks.iter().enumerate() {
            for need in &planned.needs {
                self.tasks[first + *need].dependants.push(TaskIx::from_len(first + spec));
            }
        }
    }

    fn pause(&mut self, reason: PauseReason, moment: Moment) {
        arrows::of_run(self.phase, run::Fact::Paused);
        self.phase = self.phase.next(run::Fact::Paused).expect("a finished run is not paused");
        self.pauses.entry(reason).or_insert(Pause { since: moment.at, told: false });
        self.active.stop(moment.alive);
    }

    fn go_on(&mut self, fact: run::Fact, moment: Moment, fresh: &mut Fresh) {
        arrows::of_run(self.phase, fact);
        self.phase = self.phase.next(fact).expect("only what rests goes on");
        self.pauses.clear();
        self.host = moment.epoch;
        if moment.role == Some(Role::Engine) {
            self.active.start(moment.alive);
        }
        let id = self.id;
        fresh.extend(self.queue.all().map(|ix| Look::Task(id, ix)));
        self.look_at_topics(fresh);
        if self.in_phase(task::Phase::Blocked) > self.topics.held() {
            let asked = |task: &(usize, &Task)| task.1.approval_open().is_some();
            let questions = self.tasks.iter().enumerate().filter(asked);
            fresh.extend(questions.map(|(place, _)| Look::Task(id, TaskIx::from_len(place))));
        }
    }

    fn wish_cancel(&mut self, task: Option<&TaskId>, cause: Option<&TaskId>) {
        let wished: Vec<TaskIx> = match task {
            None => {
                self.cancelled = true;
                (0..self.tasks.len()).map(TaskIx::from_len).collect()
            }
            Some(name) => {
                let ix = self.names[name];
                self.tasks[ix.at()].spared_by = cause.cloned();
                self.family(ix)
            }
        };
        for ix in wished {
            self.wish_end(ix);
        }
    }

    /// A task is to end, unless it has.
    pub(crate) fn wish_end(&mut self, ix: TaskIx) {
        let task = &mut self.tasks[ix.at()];
        if task.phase.is_final() {
            return;
        }
        task.cancel_wished = true;
        self.to_spare.remove(&ix);
        // What is being stopped or judged, or has children, comes to its end by itself and meets the wish there.
        let waits = [task::Phase::Stopping, task::Phase::Gating, task::Phase::Expanded].contains(&task.phase);
        if !waits {
            self.to_cancel.insert(ix);
        }
    }

    /// What the events of an attempt change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `evolve_task`"
    )]
    fn evolve_attempt(&mut self, ix: TaskIx, record: &Record, moment: Moment, fresh: &mut Fresh) -> bool {
        match &record.event {
            Event::AttemptStarted { attempt, agent, seen, .. } => {
                self.take(ix, task::Fact::Started, moment, fresh);
                let mut begun = Attempt::new(*attempt, record, agent.clone(), moment.epoch);
                begun.seen.clone_from(seen);
                self.tasks[ix.at()].attempts.push(begun);
                if let Some(agent) = agent {
                    self.take_in_hand(ix, agent);
                }
            }
            Event::StopRequested { why, message, grace_ms, .. } => {
                self.take(ix, task::Fact::StopRequested, moment, fresh);
                self.to_cancel.remove(&ix);
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::StopRequested);
                let (why, message) =
                    attempt.stop.take().map_or((*why, message.clone()), |(why, message, _)| (why, message));
                attempt.stop = Some((why, message, Span::from_ms(*grace_ms)));
            }
            Event::AttemptFinished { exit, error, output, usage, .. } => {
                self.tasks[ix.at()].deaths_in_row = 0;
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::Finished);
                attempt.exit = Some(*exit);
                attempt.error.clone_from(error);
                attempt.raw = Some(output.clone());
                attempt.usage = *usage;
            }
            Event::AttemptLost { alone, error, reason, .. } => {
                let task = &mut self.tasks[ix.at()];
                task.deaths_in_row += u32::from(*reason != LossReason::ReportLost);
                task.retry.losses += u32::from(*alone);
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::Lost);
                (attempt.lost, attempt.error) = (Some(*reason), Some(error.clone()));
            }
            Event::AttemptReaped { leftovers, .. } => {
                self.take(ix, task::Fact::Reaped, moment, fresh);
                let attempt = self.newest_attempt(ix);
                attempt.move_by(attempt::Fact::Reaped);
                attempt.ended = Some(moment.at);
                attempt.leftovers = *leftovers;
                attempt.seen.clear();
                let (agent, awaits_settling) = (attempt.agent.clone(), attempt.awaits_settling());
                if !awaits_settling {
                    self.to_judge.insert(ix);
                }
                if let Some(agent) = agent {
                    self.take_out_of_hand(ix, &agent);
                }
            }
            Event::ExtractsRecorded { output, error, .. } => {
                let attempt = self.newest_attempt(ix);
                attempt.settled = true;
                attempt.error.clone_from(error);
                self.tasks[ix.at()].output = output.clone();
                self.to_judge.insert(ix);
            }
            Event::ResultIgnored { fence, usage, .. } => {
                let attempts = &mut self.tasks[ix.at()].attempts;
                if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.fence == *fence) {
                    attempt.ignored = true;
                    attempt.usage = *usage;
                }
            }
            _ => return false,
        }
        true
    }

    /// What the other events of a task change.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the events of homes, runs and attempts were taken apart before"
    )]
    fn evolve_task(&mut self, ix: TaskIx, record: &Record, moment: Moment, fresh: &mut Fresh) {
        match &record.event {
            Event::AgentNamed { attempt, agent, .. } => {
                self.tasks[ix.at()].handed.named = Some((*attempt, agent.clone()));
                self.line_up_anew(ix);
            }
            Event::TaskParked { due, error, .. } => {
                self.tasks[ix.at()].charge(error, 0);
                self.take(ix, task::Fact::Parked, moment, fresh);
                self.await_retry(ix, *due, moment);
            }
            Event::RetryScheduled { due, wait_ms, error, agent, .. } => {
                let policy_max = self.spec(self.task(ix)).retry.max_attempts;
                let task = &mut self.tasks[ix.at()];
                task.charge(error, *wait_ms);
                if let Some(agent) = agent {
                    task.hand_over(agent, policy_max);
                }
                if *wait_ms == 0 {
                    self.take(ix, task::Fact::RetryAtOnce, moment, fresh);
                } else {
                    self.take(ix, task::Fact::RetryScheduled, moment, fresh);
                    self.await_retry(ix, *due, moment);
                }
            }
            Event::TimerFired { timer, .. } => self.fire(ix, *timer, moment, fresh),
            Event::TaskSucceeded { output, .. } => {
                let task = &mut self.tasks[ix.at()];
                task.error = None;
                if let Some(output) = output {
                    task.output = output.clone();
                }
                self.take(ix, task::Fact::Accepted, moment, fresh);
            }
            Event::TaskSkipped { reason, cause, .. } => {
                self.tasks[ix.at()].skipped = Some((*reason, cause.clone()));
                self.take(ix, task::Fact::Skipped, moment, fresh);
            }
            Event::TaskUnskipped { .. } => {
                self.note_return(ix, false);
                self.take(ix, task::Fact::Unskipped, moment, fresh);
                self.tasks[ix.at()].skipped = None;
            }
            Event::TaskDead { error, dead_letter, .. } => {
                let task = &mut self.tasks[ix.at()];
                task.error = Some(error.clone());
                task.dead_letter = *dead_letter;
                task.output = crate::event::Output::default();
                self.take(ix, task::Fact::Died, moment, fresh);
            }
            Event::TaskRequeued { task, command, cause, agent, prompt, .. } => {
                self.note_return(ix, command.is_some() && task == cause);
                let otherwise = Otherwise { agent: agent.clone(), prompt: prompt.clone() };
                self.requeue(ix, otherwise, moment, fresh);
            }
            Event::DeadLetterDropped { .. } => self.tasks[ix.at()].dead_letter = false,
            Event::TaskCancelled { .. } => {
                let task = &mut self.tasks[ix.at()];
                task.output = crate::event::Output::default();
                self.take(ix, task::Fact::Cancelled, moment, fresh);
            }
            // Said for people; the event that follows in the same batch moves the task.
            Event::TaskUnblocked { .. } => {}
            other => unreachable!("{} is handled elsewhere", other.name()),
        }
    }

    fn await_retry(&mut self, ix: TaskIx, due: Time, moment: Moment) {
        let steady = due.ms - moment.steps_ms;
        self.tasks[ix.at()].wait.retry = Some(steady);
        self.retries.insert((steady, ix));
    }

    fn newest_attempt(&mut self, ix: TaskIx) -> &mut Attempt {
        self.tasks[ix.at()].attempts.last_mut().expect("an attempt was started before")
    }
}

impl Active {
    fn start(&mut self, alive: Span) {
        self.from = self.from.or(Some(alive));
    }

    fn stop(&mut self, alive: Span) {
        *self = Self { spent: self.at(alive), from: None };
    }
}

impl Task {
    pub(crate) fn new(id: TaskId, spec: u32, moment: Moment) -> Self {
        Self {
            id,
            scope: 0,
            spec,
            layer: 0,
            parent: None,
            item: serde_json::Value::Null,
            phase: task::Phase::Waiting,
            since: moment.at,
            lane: 0,
            limit: None,
            handed: crate::crew::Handed::default(),
            turns: crate::policy::balance::Turns::default(),
            rank: None,
            tally: crate::policy::join::Tally::default(),
            dependants: Vec::new(),
            retry: crate::policy::retry::Record::default(),
            deaths_in_row: 0,
            asked: None,
            wait: Wait::default(),
            attempts: Vec::new(),
            earlier: 0,
            children: Vec::new(),
            children_open: 0,
            output: crate::event::Output::default(),
            error: None,
            dead_letter: false,
            skipped: None,
            cancel_wished: false,
            spared_by: None,
            approval: None,
            blocked: None,
            passed_at: Seq(0),
            choice: None,
            earlier_children: 0,
        }
    }

    fn charge(&mut self, error: &crate::failure::Failure, wait_ms: u64) {
        let treatment = error.kind.treatment();
        self.retry.charged += u32::from(error.kind.is_charged());
        self.retry.level += u32::from(wait_ms > 0);
        if treatment.retried == Retried::Once {
            self.retry.once.insert(error.kind);
        }
        self.error = Some(error.clone());
    }
}

impl Attempt {
    fn new(
        number: u32,
        record: &Record,
        agent: Option<crate::id::AgentName>,
        epoch: crate::id::Epoch,
    ) -> Self {
        Self {
            number,
            fence: record.fence(),
            epoch,
            agent,
            seen: std::collections::BTreeMap::new(),
            phase: attempt::Phase::Running,
            started: record.at,
            ended: None,
            stop: None,
            lost: None,
            exit: None,
            error: None,
            raw: None,
            settled: false,
            usage: crate::event::Usage::default(),
            leftovers: 0,
            ignored: false,
        }
    }

    fn move_by(&mut self, fact: attempt::Fact) {
        arrows::of_attempt(self.phase, fact);
        let next = self.phase.next(fact);
        self.phase = next
            .unwrap_or_else(|| panic!("attempt {} is {:?}: {fact:?} can't happen", self.number, self.phase));
    }

    /// Whether its result can't be judged before its output is settled.
    pub(crate) fn awaits_settling(&self) -> bool {
        self.phase == attempt::Phase::Finished && self.stop.is_none() && self.error.is_none() && !self.settled
    }
}
