//! The fold: what each record changes in the state. It never fails on a journal that `decide` wrote, and never decides.

mod attempts;
mod beginnings;
mod blocked;
mod crew;
mod growth;
mod nests;
mod purses;
mod revision;
mod sites;
mod topics;
pub(crate) mod transition;

use crate::event::{Event, Hydrated, PauseReason, Record, Role};
use crate::failure::Retried;
use crate::fold::crew::{call, hang_up, hold_to_rates};
use crate::fold::transition::Moment;
use crate::id::{Fence, RunId, Seq, TaskId};
use crate::machine::arrows;
use crate::machine::{run, task};
use crate::planted::{Bug, is_planted};
use crate::state::budget::UsedUp;
use crate::state::{Fresh, Look, Otherwise, Pause, Run, State, Task, TaskIx};
use crate::time::{Span, Time};

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
        Event::EngineStarted { epoch, role, .. } => {
            start_engine(state, *epoch, *role, moment);
            attend_all(state);
        }
        Event::ClockJumped { by_ms, .. } => state.clock.steps_ms += by_ms,
        Event::JournalRepaired { lost_blobs, .. } => state.given_up.extend(lost_blobs),
        Event::RunCreated { run, command, .. } => {
            state.commands.insert(command.clone(), record.seq);
            create_run(state, *run, record, moment);
        }
        Event::PlanRevised { run, command, .. } => {
            state.commands.insert(command.clone(), record.seq);
            let revised = state.runs.get_mut(run).expect("the run was created before");
            revised.revise(record, moment, &mut state.fresh);
            hold_to_rates(&mut state.fleet, revised);
        }
        Event::RunFinished { run, .. } => {
            state.unfinished.remove(run);
            evolve_run(state, *run, record, moment);
        }
        Event::RunReopened { run } => {
            state.unfinished.insert(*run);
            evolve_run(state, *run, record, moment);
        }
        Event::AttemptStarted { run, alone, .. } => {
            state.agenda.serve(state.runs.get_mut(run).expect("the run was created before"), *alone);
            let ix = evolve_run(state, *run, record, moment).expect("it belongs to a task");
            state.live.insert(record.fence(), (*run, ix));
            state.alone = alone.then_some(record.fence());
            let run = &state.runs[run];
            call(&mut state.fleet, run, (run.task(ix), record.fence()), moment);
        }
        Event::PlanNested { run, command, .. } => {
            state.commands.insert(command.clone(), record.seq);
            let ix = evolve_run(state, *run, record, moment).expect("it belongs to a task");
            nests::lend(state, *run, ix);
            hold_to_rates(&mut state.fleet, &state.runs[run]);
        }
        Event::AttemptReaped { run, task, fence, .. } => {
            nests::take_back(state, *run, state.runs[run].names[task]);
            state.live.remove(fence);
            state.alone = state.alone.filter(|alone| alone != fence);
            let ix = evolve_run(state, *run, record, moment).expect("it belongs to a task");
            let run = &state.runs[run];
            hang_up(&mut state.fleet, run, (run.task(ix), *fence), moment);
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
            if let Some(ix) = evolve_run(state, run, record, moment) {
                nests::look_at_loan(state, run, ix);
            }
        }
    }
    if let Some(run) = record.event.run() {
        state.attend(run);
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
#[expect(clippy::wildcard_enum_match_arm, reason = "no other event names a plan")]
fn is_of_lost(state: &mut State, record: &Record) -> bool {
    match &record.event {
        Event::RunCreated { run, command, hydrated: Hydrated(None), .. } => {
            state.commands.insert(command.clone(), record.seq);
            state.lost.insert(*run, record.seq);
        }
        Event::PlanRevised { run, command, hydrated: Hydrated(None), .. }
        | Event::PlanNested { run, command, hydrated: Hydrated(None), .. } => {
            state.commands.insert(command.clone(), record.seq);
            lose_run(state, *run, record.seq);
        }
        _ => {}
    }
    record.event.run().is_some_and(|run| state.lost.contains_key(&run))
}

/// The plan that a run went on by is gone: so is the run.
fn lose_run(state: &mut State, id: RunId, seq: Seq) {
    let Some(run) = state.runs.get(&id) else { return };
    let of_run = |(fence, (run, ix)): (&Fence, &(RunId, TaskIx))| (*run == id).then_some((*fence, *ix));
    let live: Vec<(Fence, TaskIx)> = state.live.iter().filter_map(of_run).collect();
    for (fence, ix) in live {
        state.live.remove(&fence);
        state.alone = state.alone.filter(|alone| *alone != fence);
        // What it has lent it holds no more; of what it held nobody knows how it was served.
        if let (false, Some(account)) = (state.lent.remove(&fence), run.account_of(ix)) {
            state.fleet.let_go(&account, fence);
        }
    }
    let mut run = state.runs.remove(&id).expect("it is there");
    state.agenda.attend(&mut run, false);
    state.due.forget(&run);
    state.unfinished.remove(&id);
    state.fresh.retain(|look| look.run() != id);
    state.lost.insert(id, seq);
}

#[expect(clippy::wildcard_enum_match_arm, reason = "time passes the same way with every other event")]
fn move_clock(state: &mut State, record: &Record) -> Moment {
    let passed = record.at.since(state.now);
    let awake = match &record.event {
        // Nobody was there to tell of it: what went on when the engine before died has gone on for so long.
        Event::EngineStarted { last_alive_ms, .. } => {
            let lived = Span::from_ms(last_alive_ms.unwrap_or_default());
            note_lives(state, lived);
            lived
        }
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

/// What was in flight was so at least as long as the engine that has died is known to have lived.
fn note_lives(state: &mut State, lived: Span) {
    let (until, alive) = (state.now.after(lived), state.clock.alive.plus(lived));
    for (run, ix) in state.live.values() {
        let task = &mut state.runs.get_mut(run).expect("what is live belongs to a run").tasks[ix.at()];
        let attempt = task.attempts.last_mut().expect("it is live");
        attempt.lived_until.get_or_insert(until);
        attempt.alive_until.get_or_insert(alive);
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
        run.attended.stop(moment.alive);
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
        | Event::TopicEmitted { command, .. }
        | Event::ApprovalGiven { command, .. } => command.as_ref(),
        _ => None,
    };
    if let Some(command) = command {
        state.commands.entry(command.clone()).or_insert(record.seq);
    }
}

fn create_run(state: &mut State, id: RunId, record: &Record, moment: Moment) {
    let mut run = Run::new(record, state.epoch);
    if state.role == Some(Role::Engine) {
        run.active.start(moment.alive);
        run.attended.start(moment.alive);
    }
    run.begin(moment, &mut state.fresh);
    hold_to_rates(&mut state.fleet, &run);
    state.unfinished.insert(id);
    state.runs.insert(id, run);
}

/// What a record of a run changes, and the task that it belongs to, if it does to one alone.
#[expect(clippy::wildcard_enum_match_arm, reason = "what belongs to a task is taken apart in its `evolve_…`")]
fn evolve_run(state: &mut State, id: RunId, record: &Record, moment: Moment) -> Option<TaskIx> {
    let run = state.runs.get_mut(&id).expect("the run was created before");
    let fresh = &mut state.fresh;
    match &record.event {
        Event::PauseRequested { reason, .. } => run.pause(*reason, moment),
        Event::RunPaused { reason, .. } => {
            run.pauses.get_mut(reason).expect("it was requested before").told = true;
            if run.has_paused() {
                run.attended.stop(moment.alive);
            }
        }
        Event::RunResumed { raised, .. } => {
            run.purse.raise(*raised);
            run.land_again(record.seq);
            run.go_on(run::Fact::Resumed, moment, fresh);
        }
        Event::BudgetReached { task: Some(task), budget, spent, limit, .. } => {
            let used_up = UsedUp { kind: *budget, spent: *spent, limit: *limit };
            run.reach(run.names[task], used_up);
        }
        // Said for people; the pause that follows in the same batch holds the run.
        Event::BudgetReached { task: None, .. } => {}
        Event::RunReopened { .. } => {
            (run.ended, run.outcome, run.cancelled) = (None, None, false);
            run.go_on(run::Fact::Reopened, moment, fresh);
        }
        Event::RunFinished { outcome, .. } => {
            arrows::of_run(run.phase, run::Fact::Finished);
            run.phase = run.phase.next(run::Fact::Finished).expect("a finished run finishes no more");
            run.active.stop(moment.alive);
            run.attended.stop(moment.alive);
            run.pauses.clear();
            (run.ended, run.outcome) = (Some(moment.at), Some(*outcome));
        }
        Event::CancelRequested { task, cause, .. } => run.wish_cancel(task.as_ref(), cause.as_ref()),
        Event::TopicEmitted { task: None, topic, data, .. } => {
            run.hear_from_outside(topic, data, record.seq, fresh);
        }
        other => {
            let task = other.task().expect("what is left belongs to a task");
            let ix = *run.names.get(task).expect("the task exists");
            let taken = run.evolve_attempt(ix, record, moment, fresh)
                || run.evolve_site(ix, record, moment, fresh)
                || run.grow(ix, record, moment, fresh)
                || run.evolve_topic(ix, record, fresh)
                || run.evolve_wait(ix, record, moment, fresh);
            if !taken {
                run.evolve_task(ix, record, moment, fresh);
            }
            return Some(ix);
        }
    }
    None
}

impl Run {
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
            self.attended.start(moment.alive);
        }
        let id = self.id;
        fresh.extend(self.queue.all().map(|ix| Look::Task(id, ix)));
        self.look_at_topics(fresh);
        if self.in_phase(task::Phase::Blocked) > self.topics.listeners() {
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
        // What is being stopped or judged, or has children, comes to its end by itself and meets the wish there; and so
        // does what is over and not reaped, as the lost end of a journal leaves it.
        let is_over = task.live_attempt().is_some_and(|attempt| !attempt.is_live());
        let by_itself = [task::Phase::Stopping, task::Phase::Gating, task::Phase::Expanded];
        let is_moving = self.is_moving(ix);
        let task = &self.tasks[ix.at()];
        let waits = is_over || is_moving || by_itself.contains(&task.phase);
        if !waits {
            self.to_cancel.insert(ix);
        }
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
                task.output = crate::output::Output::default();
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
                task.output = crate::output::Output::default();
                self.take(ix, task::Fact::Cancelled, moment, fresh);
            }
            // Said for people; the event that follows in the same batch moves the task.
            Event::TaskUnblocked { .. } => {}
            other => unreachable!("{} is handled elsewhere", other.name()),
        }
    }

    fn await_retry(&mut self, ix: TaskIx, due: Time, moment: Moment) {
        let steady = due.ms - moment.steps_ms;
        self.tasks[ix.at()].dues.retry = Some(steady);
        self.retries.insert((steady, ix));
    }
}

impl Task {
    fn charge(&mut self, error: &crate::failure::Failure, wait_ms: u64) {
        let treatment = error.kind.treatment();
        self.tries.charged += u32::from(error.kind.is_charged());
        self.tries.level += u32::from(wait_ms > 0);
        if treatment.retried == Retried::Once {
            self.tries.once.insert(error.kind);
        }
        self.error = Some(error.clone());
    }
}
