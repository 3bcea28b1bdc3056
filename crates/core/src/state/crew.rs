//! Who may work on the next attempt of a task, and who of them does. Never: whether it is the task's turn
//! (`placement.rs`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::failure::{ErrorKind, Failure};
use crate::id::{AccountName, AgentName};
use crate::plan::{Agent, Balance, By, Work};
use crate::policy::balance::{self, Candidate};
use crate::state::fleet::{Account, AccountBar};
use crate::state::render::View;
use crate::state::roster::{AgentIx, Member};
use crate::state::{Run, State, Task, TaskIx};

/// The agents that the next attempt of a task may go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crew {
    /// One of these, as they are balanced.
    pub pool: Vec<AgentIx>,
    /// Who takes over where the breakers of all of those are open, in this order.
    pub substitutes: Vec<AgentIx>,
}

/// What has been settled about who works on a task, in its incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// Agents that failed in a way that leads to others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<AgentName>,
    /// Who took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<AgentName>,
    /// Whom its expression named, for the attempt of this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<(u32, AgentName)>,
}

impl Run {
    /// Who works on a task, as its plan says; none where no agent does.
    pub fn by(&self, task: &Task) -> Option<&By> {
        match &self.spec(task).work {
            Work::Prompt { by, .. } => Some(by),
            Work::Argv(_)
            | Work::Shell(_)
            | Work::Approval { .. }
            | Work::Plan(_)
            | Work::Emit { .. }
            | Work::Wait(_) => None,
        }
    }

    /// An agent, as the plan of a task has it.
    pub fn agent(&self, task: &Task, name: &AgentName) -> &Agent {
        &self.plan_of(task).agents[name]
    }

    /// The number of an agent, as the plan of a task has it.
    pub(crate) fn number(&self, task: &Task, name: &AgentName) -> AgentIx {
        self.roster.number(self.plan_of(task), name)
    }

    /// Who may work on the next attempt of a task: nobody yet where an expression is still to be asked; none where no
    /// agent does. What is ready has it in the queue.
    pub(crate) fn crew(&self, task: &Task) -> Option<Crew> {
        let handed = &task.handed;
        let pool = match (self.by(task)?, &handed.to) {
            (_, Some(to)) => vec![to.clone()],
            // Where who took over is gone, all that had failed before are called again.
            (By::Pool(pool), None) if pool.agents.iter().all(|agent| handed.from.contains(agent)) => {
                pool.agents.clone()
            }
            (By::Pool(pool), None) => {
                pool.agents.iter().filter(|agent| !handed.from.contains(agent)).cloned().collect()
            }
            (By::Expression(_), None) => match &handed.named {
                Some((attempt, agent)) if *attempt == task.next_attempt() => vec![agent.clone()],
                Some(_) | None => Vec::new(),
            },
        };
        // The same order as that of those who would take over from them.
        let first = pool.iter().chain(handed.from.iter().rev()).collect();
        let behind = self.with_those_behind(task, first).into_iter();
        let is_left = |agent: &&AgentName| !pool.contains(*agent) && !handed.from.contains(*agent);
        let numbers =
            |agents: Vec<&AgentName>| agents.into_iter().map(|agent| self.number(task, agent)).collect();
        Some(Crew {
            substitutes: numbers(behind.filter(is_left).collect()),
            pool: numbers(pool.iter().collect()),
        })
    }

    /// These agents, those that they name under `fallback`, and those that these name in turn, the nearest first. Whom the
    /// plan has no more names nobody.
    fn with_those_behind<'a>(&'a self, task: &'a Task, mut first: Vec<&'a AgentName>) -> Vec<&'a AgentName> {
        first.retain(|agent| !self.plan_of(task).retired.contains(*agent));
        let mut found = first;
        let mut look = 0;
        while let Some(agent) = found.get(look).copied() {
            look += 1;
            for other in &self.agent(task, agent).fallback {
                if !found.contains(&other) {
                    found.push(other);
                }
            }
        }
        found
    }

    /// Who takes over from the agent of a failed attempt: the next that it names, or another of its pool.
    pub(crate) fn successor(&self, ix: TaskIx, failed: &AgentName) -> Option<AgentName> {
        let task = self.task(ix);
        let is_left = |agent: &&AgentName| *agent != failed && !task.handed.from.contains(*agent);
        // Its own list comes first, then what is left of those from which it took over.
        let from = std::iter::once(failed).chain(task.handed.from.iter().rev()).collect();
        let named = self.with_those_behind(task, from).into_iter().find(is_left);
        if named.is_some() || task.handed.to.is_some() {
            return named.cloned();
        }
        match self.by(task)? {
            By::Pool(pool) => pool.agents.iter().find(is_left).cloned(),
            // Another has stood in for whom it named, or a revision names somebody else.
            By::Expression(_) => self.named_for_newest(ix).filter(|agent| is_left(&agent)),
        }
    }

    /// Whom the expression of a task named for its newest attempt; whom it would by now, where the plan was revised since.
    fn named_for_newest(&self, ix: TaskIx) -> Option<AgentName> {
        let (task, number) = (self.task(ix), self.task(ix).last_attempt()?.number);
        let known = task.handed.named.as_ref().filter(|(attempt, _)| *attempt == number);
        known.map(|(_, agent)| agent.clone()).or_else(|| self.named_by_expression(ix, number).ok())
    }

    /// The agents of whom one is chosen for a task, at the places that turns are counted by: those of the whole pool, also
    /// where some of it handed the task over.
    fn places<'a>(&self, task: &Task, crew: &'a Crew) -> Cow<'a, [AgentIx]> {
        match self.by(task) {
            Some(By::Pool(whole)) if task.handed.to.is_none() && crew.pool.len() < whole.agents.len() => {
                whole.agents.iter().map(|agent| self.number(task, agent)).collect()
            }
            Some(By::Pool(_) | By::Expression(_)) | None => Cow::Borrowed(&crew.pool),
        }
    }

    /// Whether the expression of a ready task is to be asked who works on its next attempt.
    pub(crate) fn is_to_name(&self, task: &Task) -> bool {
        matches!(self.by(task), Some(By::Expression(_)))
            && self.queue.crew(task.lane).is_some_and(|crew| crew.pool.is_empty())
    }

    /// Whom the expression of a task names for an attempt, by what stands now.
    pub(crate) fn named_by_expression(&self, ix: TaskIx, attempt: u32) -> Result<AgentName, Failure> {
        let task = self.task(ix);
        let Some(By::Expression(expression)) = self.by(task) else {
            unreachable!("only expressions are asked")
        };
        let name = expression.render_text(&View::before_attempt(self, ix, attempt));
        let name = name.map_err(|failure| failure.within("agent"))?;
        let plan = self.plan_of(task);
        let agent = AgentName(name.trim().into());
        if plan.at_hand().any(|known| *known == agent) {
            return Ok(agent);
        }
        let known: Vec<&str> = plan.at_hand().map(|agent| &*agent.0).collect();
        let message = format!("its `agent` gives `{agent}`, and there is no such agent");
        let hint = format!("it may give {}", known.join(", "));
        Err(Failure::new(ErrorKind::Expression, message).hint(hint))
    }
}

impl Run {
    /// The account of the agent that works on the newest attempt of a task.
    pub(crate) fn account_of(&self, ix: TaskIx) -> Option<AccountName> {
        let member = self.task(ix).last_attempt()?.member?;
        Some(self.roster.member(member).account())
    }
}

/// What keeps an agent from another attempt: its own limit in the run, or what its account meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentBar {
    /// As many of its attempts are in flight as its `concurrency` allows.
    Concurrency(u32),
    /// Its account lets none through.
    Account(AccountName, AccountBar),
}

impl State {
    /// What keeps this agent from another attempt.
    pub fn agent_bar(&self, agent: &Member, now: i64) -> Option<AgentBar> {
        let account = agent.account();
        let bar = self.fleet.account(&account).and_then(|known: &Account| known.bar(agent.agent.rate, now));
        if let Some(bar) = bar {
            return Some(AgentBar::Account(account, bar));
        }
        agent.agent.concurrency.filter(|most| agent.in_flight >= *most).map(AgentBar::Concurrency)
    }

    /// The earliest moment after `now` at which an account lets an attempt through that a ready task of this run waits
    /// for, by steady time in milliseconds.
    pub(crate) fn next_let_through(&self, run: &Run, now: i64) -> Option<i64> {
        let waiting = run.queue.heads().chain(run.queue.alone()).map(|ix| run.task(ix));
        let crews = waiting.filter_map(|task| run.queue.crew(task.lane));
        let agents = crews.flat_map(|crew| crew.pool.iter().chain(&crew.substitutes));
        let moments = agents.filter_map(|agent| match self.agent_bar(run.roster.member(*agent), now)? {
            AgentBar::Account(_, bar) => bar.until(),
            AgentBar::Concurrency(_) => None,
        });
        moments.filter(|due| *due > now).min()
    }

    /// Those who may work on a task now, the pool first, each with what keeps it from that: where the breakers of the whole
    /// pool are open, those who stand in for it too.
    pub(crate) fn hands(&self, run: &Run, crew: &Crew, now: i64) -> Vec<(AgentIx, Option<AgentBar>)> {
        let look = |agent: &AgentIx| (*agent, self.agent_bar(run.roster.member(*agent), now));
        let mut hands: Vec<_> = crew.pool.iter().map(look).collect();
        let is_broken = |bar: &AgentBar| matches!(bar, AgentBar::Account(_, why) if why.is_broken());
        if !hands.is_empty() && hands.iter().all(|(_, bar)| bar.as_ref().is_some_and(is_broken)) {
            hands.extend(crew.substitutes.iter().map(look));
        }
        hands
    }

    /// Who works on the next attempt of a ready task, if anybody can now.
    pub(crate) fn choose_agent(&self, run: &Run, task: &Task, now: i64) -> Option<AgentName> {
        let crew = run.queue.crew(task.lane)?;
        let member = |agent: &AgentIx| run.roster.member(*agent);
        let hands = self.hands(run, crew, now);
        let (pool, others) = hands.split_at(crew.pool.len());
        let places = run.places(task, crew);
        let candidate = |agent: &AgentIx| Candidate {
            is_free: pool.iter().any(|(left, bar)| left == agent && bar.is_none()),
            in_flight: member(agent).in_flight,
            weight: member(agent).agent.weight,
        };
        let candidates: Vec<Candidate> = places.iter().map(candidate).collect();
        let balance = match run.by(task) {
            Some(By::Pool(pool)) => pool.balance,
            Some(By::Expression(_)) | None => Balance::default(),
        };
        let turns = &run.task(run.beside(task, task.place_in_plan())).turns;
        if let Some(place) = balance::choose(balance, turns, &candidates) {
            return Some(member(&places[place]).name.clone());
        }
        let free = others.iter().find(|(_, bar)| bar.is_none());
        free.map(|(agent, _)| member(agent).name.clone())
    }
}
