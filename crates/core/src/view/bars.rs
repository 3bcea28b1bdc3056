//! What keeps a ready task of a run that goes on from starting, and whose ends make room for it. Never: choosing what
//! starts (`state/placement.rs`).

use crate::id::{AgentName, RunId, TaskId};
use crate::state::crew::AgentBar;
use crate::state::roster::AgentIx;
use crate::state::tree::Form;
use crate::state::{Attempt, Run, State, Task, TaskIx, placement};
use crate::time::Time;

/// How many of the tasks are named whose attempts take the room.
const NAMED: usize = 3;

/// What keeps a ready task from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bar {
    /// Nothing starts beside the attempt of this number, which must be alone.
    Beside(u32),
    /// It must be alone, and others are in flight.
    Others,
    /// Nothing starts before this task, which must be alone.
    Before(RunId, TaskId),
    /// What is in flight may use up the budget of this task, or of the run.
    Budget {
        /// The task, where it is that of one.
        of: Option<TaskId>,
        /// How many attempts were charged.
        spent: u32,
        /// How many are in flight.
        open: u32,
        /// How many there may be.
        most: u32,
    },
    /// As many children of this parent are in flight as its `max_parallel` allows.
    Parallel(TaskId, u32),
    /// As many attempts are in flight as the `concurrency` of the plan allows.
    Concurrency(u32),
    /// None of these agents can work on it, each for this reason.
    Agents(Vec<(AgentName, AgentBar)>),
    /// All slots are in use.
    Slots,
}

/// What keeps a ready task from starting, with the attempts that take the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    /// What.
    pub bar: Bar,
    /// The tasks of the first of them, each with its run.
    pub named: Vec<(RunId, TaskId)>,
    /// How many there are.
    pub in_flight: usize,
    /// Since when at the earliest: the start of the newest of them.
    pub since: Option<Time>,
}

/// An attempt in flight.
type Live<'a> = (&'a Run, &'a Task, &'a Attempt);

impl Bar {
    fn by<'a>(self, attempts: impl Iterator<Item = Live<'a>>) -> Barred {
        let mut barred = Barred { bar: self, named: Vec::new(), in_flight: 0, since: None };
        for (run, task, attempt) in attempts {
            if barred.named.len() < NAMED {
                barred.named.push((run.id, task.id.clone()));
            }
            barred.in_flight += 1;
            barred.since = barred.since.max(Some(attempt.started));
        }
        barred
    }
}

/// All that keeps a ready task of a run that goes on from starting; nothing where it is about to.
pub fn bars(state: &State, run: &Run, ix: TaskIx) -> Vec<Barred> {
    if let Some(beside) = beside(state) {
        return vec![beside];
    }
    let task = run.task(ix);
    if !task.must_be_alone()
        && let Some(first) = placement::suspect(state, state.steady(state.now))
    {
        let suspect = first.run.task(first.task);
        let since = Some(suspect.since);
        let before = Bar::Before(first.run.id, suspect.id.clone()).by(live(state));
        return vec![Barred { since, ..before }];
    }
    let mut bars: Vec<Barred> =
        [budget(state, run), budget_of_task(state, run, ix), agents(state, run, task)]
            .into_iter()
            .flatten()
            .collect();
    if !task.must_be_alone() {
        bars.extend([parallel(state, run, ix), concurrency(state, run)].into_iter().flatten());
    }
    if bars.is_empty() && state.live.len() > state.lent.len() {
        let bar = if task.must_be_alone() { Bar::Others } else { Bar::Slots };
        bars.push(bar.by(live(state)));
    }
    bars
}

/// The attempts that hold a slot, and have not lent it.
fn live(state: &State) -> impl Iterator<Item = Live<'_>> {
    let holding = state.live.iter().filter(|(fence, _)| !state.lent.contains(fence));
    holding.filter_map(|(_, (id, ix))| {
        let run = &state.runs[id];
        let task = run.task(*ix);
        Some((run, task, task.last_attempt()?))
    })
}

fn live_in<'a>(state: &'a State, run: &Run) -> impl Iterator<Item = Live<'a>> {
    let id = run.id;
    live(state).filter(move |(of, ..)| of.id == id)
}

fn beside(state: &State) -> Option<Barred> {
    let alone = state.alone?;
    let found = live(state).find(|(.., attempt)| attempt.fence == alone)?;
    Some(Bar::Beside(found.2.number).by(std::iter::once(found)))
}

fn budget(state: &State, run: &Run) -> Option<Barred> {
    let most = run.purse.attempts_max(&run.plan.budget)?;
    let (spent, open) = (run.purse.spent, run.purse.open);
    let is_full = open > 0 && spent + open >= most;
    is_full.then(|| Bar::Budget { of: None, spent, open, most }.by(live_in(state, run)))
}

fn budget_of_task(state: &State, run: &Run, ix: TaskIx) -> Option<Barred> {
    let mut payers = run.payers(ix).into_iter();
    payers.find_map(|payer| {
        let most = run.attempts_of(payer)?;
        let (spent, open) = (run.purses[&payer].spent, run.purses[&payer].open);
        let of = Some(run.task(payer).id.clone());
        let below = live(state)
            .filter(|(of, task, _)| of.id == run.id && run.payers(of.names[&task.id]).contains(&payer));
        (open > 0 && spent + open >= most).then(|| Bar::Budget { of, spent, open, most }.by(below))
    })
}

fn concurrency(state: &State, run: &Run) -> Option<Barred> {
    let most = run.plan.concurrency.filter(|most| run.taking_room() >= *most)?;
    Some(Bar::Concurrency(most).by(live_in(state, run)))
}

fn parallel(state: &State, run: &Run, ix: TaskIx) -> Option<Barred> {
    let (limit, most) = run.queue.reached(run.task(ix).limit)?;
    let children = |parent: &Task| parent.children.first().map(|child| run.task(*child).limit);
    let bounds = |parent: &TaskIx| {
        let parent = run.task(*parent);
        run.form(parent) == Form::List && children(parent) == Some(Some(limit))
    };
    let parent = run.around(ix).find(bounds)?;
    let below =
        live_in(state, run).filter(|(of, task, _)| of.around(of.names[&task.id]).any(|at| at == parent));
    Some(Bar::Parallel(run.task(parent).id.clone(), most).by(below))
}

fn agents(state: &State, run: &Run, task: &Task) -> Option<Barred> {
    let crew = run.queue.crew(task.lane)?;
    let now = state.steady(state.now);
    let barred: Option<Vec<(AgentIx, AgentBar)>> =
        state.hands(run, crew, now).into_iter().map(|(agent, bar)| Some((agent, bar?))).collect();
    let barred = barred.filter(|barred| !barred.is_empty())?;
    let busy: Vec<AgentIx> = barred
        .iter()
        .filter(|(_, bar)| matches!(bar, AgentBar::Concurrency(_)))
        .map(|(agent, _)| *agent)
        .collect();
    let takes = |(run, task, attempt): &Live<'_>| {
        let agent = attempt.agent.as_ref().map(|agent| run.number(task, agent));
        agent.is_some_and(|agent| busy.contains(&agent))
    };
    let name = |agent: AgentIx| run.roster.member(agent).name.clone();
    let bar = Bar::Agents(barred.into_iter().map(|(agent, bar)| (name(agent), bar)).collect());
    Some(bar.by(live_in(state, run).filter(takes)))
}
