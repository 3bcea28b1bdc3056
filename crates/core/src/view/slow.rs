//! What made a run slow: over its time, which limits kept ready tasks from starting, and how much of it was the work that
//! no limit makes shorter. Never: a guess; what the journal does not say is told as unknown.

use std::collections::BTreeMap;

use crate::event::{Event, Record, Role};
use crate::id::{AccountName, AgentName, RunId, TaskId};
use crate::machine::attempt;
use crate::machine::run::Phase;
use crate::state::crew::AgentBar;
use crate::state::fleet::AccountBar;
use crate::state::{Run, State};
use crate::time::{Span, Time};
use crate::view::bars::{Bar, Barred, bars};
use crate::view::critical::{self, CriticalPath};

/// What can keep a ready task from starting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The slots of the engine.
    Slots,
    /// The `concurrency` of the plan.
    Concurrency(u32),
    /// The `max_parallel` of this parent.
    Parallel(TaskId, u32),
    /// The `concurrency` of this agent.
    Agent(AgentName, u32),
    /// The breaker of this account.
    Breaker(AccountName),
    /// The `rate` of this account.
    Rate(AccountName),
    /// The provider of this account, which wanted fewer or later calls.
    Provider(AccountName),
    /// The attempts of the budget of this task, or of the run, until it is known what those in flight use up.
    Budget(Option<TaskId>),
    /// A task that must be alone after it was at work when the engine died.
    Alone,
}

/// How a limit held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The time of ready tasks that did not start because of it, added up over the tasks.
    pub waited: Span,
    /// The time in which it kept back at least one task.
    pub lasted: Span,
    /// The part of that in which it was the only thing that kept a task back: the most that the run can gain without it.
    pub alone: Span,
    /// The most tasks that it kept back at once.
    pub tasks_most: usize,
    /// The most attempts that were in flight beside.
    pub in_flight_most: usize,
}

/// How a run stands from one record to the next.
#[derive(Clone, Debug, Default)]
enum Standing {
    /// It is not there yet, or over.
    #[default]
    Away,
    /// No engine works on it.
    Left,
    Paused,
    /// Nothing is ready and nothing in flight: people, timers, waits before a retry.
    Idle,
    /// All that can be done is being done.
    Busy,
    /// Ready tasks are kept back.
    Short(Vec<Short>),
}

/// Tasks that the same limits keep back.
#[derive(Clone, Debug)]
struct Short {
    tasks: usize,
    limits: Vec<(Limit, usize)>,
    /// Whether nothing else keeps them back; of several agents any would do.
    alone: bool,
}

/// What made a run slow.
#[derive(Clone, Debug)]
pub struct Slow {
    run: RunId,
    /// The newest record's time, and what the home's clock of being alive showed then.
    at: Option<(Time, Span)>,
    standing: Standing,
    /// Each limit that held back.
    pub limits: BTreeMap<Limit, Held>,
    /// The time in which an engine worked on it, and the machine was awake.
    pub worked: Span,
    /// Of that: nothing was ready, and nothing in flight.
    pub idle: Span,
    /// The time in which it was paused.
    pub paused: Span,
    /// The time in which no engine worked on it, or one had died and nobody knows when.
    pub left: Span,
    /// The time in which an engine would have worked on it, and the machine slept.
    pub asleep: Span,
    /// How many attempts were lost: nobody saw their end.
    pub lost: usize,
    /// The chain of tasks that took longest.
    pub critical: CriticalPath,
}

impl Slow {
    /// Nothing seen yet.
    pub fn of(run: RunId) -> Self {
        Self {
            run,
            at: None,
            standing: Standing::Away,
            limits: BTreeMap::new(),
            worked: Span::default(),
            idle: Span::default(),
            paused: Span::default(),
            left: Span::default(),
            asleep: Span::default(),
            lost: 0,
            critical: CriticalPath::default(),
        }
    }

    /// Sees a record with the state after it, and the time of the next one, if there is one.
    pub fn see(&mut self, record: &Record, state: &State, next: Option<Time>) {
        if let (Event::EngineStarted { last_alive_ms, .. }, Some((at, alive))) = (&record.event, self.at) {
            // So long things stood as they did; when the engine before died after that nobody knows.
            let lived = Span::from_ms(last_alive_ms.unwrap_or_default());
            self.pass(at.after(lived).min(record.at), alive.plus(lived));
            if !matches!(self.standing, Standing::Away) {
                self.standing = Standing::Left;
            }
        }
        if let Event::ClockJumped { suspended_ms, .. } = record.event
            && matches!(self.standing, Standing::Idle | Standing::Busy | Standing::Short(_))
        {
            self.asleep = self.asleep.plus(Span::from_ms(suspended_ms));
        }
        self.pass(record.at, state.clock.alive);
        // Records of a turn have one time: only how things stand after the last of them lasts.
        if next.is_none_or(|next| next > record.at) {
            self.standing = state.runs.get(&self.run).map_or(Standing::Away, |run| standing(state, run));
        }
    }

    /// Sees that things stand as they did after the newest record, until the time of the state.
    pub fn close(&mut self, state: &State) {
        self.pass(state.now, state.clock.alive);
        if let Some(run) = state.runs.get(&self.run) {
            self.critical = critical::of_run(run, state.clock.alive);
            let attempts = run.tasks.iter().flat_map(|task| &task.attempts);
            self.lost = attempts.filter(|attempt| attempt.phase == attempt::Phase::Lost).count();
        }
    }

    /// The most that the run can gain where one limit is lifted: what it alone kept back, and no more than the critical
    /// path leaves.
    pub fn gain(&self, held: &Held) -> Span {
        held.alone.min(self.worked.minus(self.critical.length))
    }

    /// The limits, what gains most first.
    pub fn by_gain(&self) -> Vec<(&Limit, &Held)> {
        let mut limits: Vec<_> = self.limits.iter().collect();
        limits.sort_by_key(|(_, held)| std::cmp::Reverse((self.gain(held), held.waited)));
        limits
    }

    /// Counts the time that has passed, as things stood.
    fn pass(&mut self, now: Time, alive: Span) {
        let (at, before) = self.at.replace((now, alive)).unwrap_or((now, alive));
        let (time, awake) = (now.since(at), alive.minus(before));
        let add = |sum: &mut Span| *sum = sum.plus(awake);
        let standing = std::mem::take(&mut self.standing);
        match &standing {
            Standing::Away => {}
            Standing::Left => self.left = self.left.plus(time),
            Standing::Paused => self.paused = self.paused.plus(time),
            Standing::Idle => {
                add(&mut self.worked);
                add(&mut self.idle);
            }
            Standing::Busy => add(&mut self.worked),
            Standing::Short(short) if awake > Span::default() => {
                add(&mut self.worked);
                self.short(short, awake);
            }
            Standing::Short(_) => {}
        }
        self.standing = standing;
    }

    fn short(&mut self, short: &[Short], time: Span) {
        let mut now: BTreeMap<&Limit, (usize, usize, bool)> = BTreeMap::new();
        for Short { tasks, limits, alone: only } in short {
            for (limit, in_flight) in limits {
                let (sum, beside, alone) = now.entry(limit).or_default();
                *sum += tasks;
                *beside = (*beside).max(*in_flight);
                *alone |= *only;
            }
        }
        for (limit, (tasks, in_flight, alone)) in now {
            let held = self.limits.entry(limit.clone()).or_default();
            let times = u64::try_from(tasks).unwrap_or(u64::MAX);
            held.waited = held.waited.plus(Span::from_ms(time.ms.saturating_mul(times)));
            held.lasted = held.lasted.plus(time);
            if alone {
                held.alone = held.alone.plus(time);
            }
            held.tasks_most = held.tasks_most.max(tasks);
            held.in_flight_most = held.in_flight_most.max(in_flight);
        }
    }
}

fn standing(state: &State, run: &Run) -> Standing {
    if run.phase == Phase::Finished {
        return Standing::Away;
    }
    if !run.pauses.is_empty() {
        return Standing::Paused;
    }
    if run.host != state.epoch || state.role != Some(Role::Engine) {
        return Standing::Left;
    }
    let short: Vec<Short> = run
        .queue
        .lots()
        .map(|(first, tasks)| {
            let bars = bars(state, run, first);
            Short { tasks, alone: bars.len() == 1, limits: limits(bars) }
        })
        .filter(|short| !short.limits.is_empty())
        .collect();
    if !short.is_empty() {
        Standing::Short(short)
    } else if run.in_flight() == 0 {
        Standing::Idle
    } else {
        Standing::Busy
    }
}

/// What keeps a ready task back, each with the attempts that are in flight beside.
fn limits(bars: Vec<Barred>) -> Vec<(Limit, usize)> {
    let mut limits = Vec::new();
    for barred in bars {
        let beside = barred.in_flight;
        match barred.bar {
            Bar::Slots => limits.push((Limit::Slots, beside)),
            Bar::Concurrency(most) => limits.push((Limit::Concurrency(most), beside)),
            Bar::Parallel(parent, most) => limits.push((Limit::Parallel(parent, most), beside)),
            Bar::Budget { of, .. } => limits.push((Limit::Budget(of), beside)),
            Bar::Beside(_) | Bar::Others | Bar::Before(..) => limits.push((Limit::Alone, beside)),
            Bar::Agents(agents) => {
                limits.extend(agents.into_iter().map(|(agent, bar)| (of_agent(agent, bar), beside)));
            }
        }
    }
    limits.sort();
    limits.dedup_by(|one, other| one.0 == other.0);
    limits
}

fn of_agent(agent: AgentName, bar: AgentBar) -> Limit {
    match bar {
        AgentBar::Concurrency(most) => Limit::Agent(agent, most),
        AgentBar::Account(account, AccountBar::Open(_) | AccountBar::Probing) => Limit::Breaker(account),
        AgentBar::Account(account, AccountBar::Rate(_)) => Limit::Rate(account),
        AgentBar::Account(account, AccountBar::Paused(_) | AccountBar::Cap(_)) => Limit::Provider(account),
    }
}
