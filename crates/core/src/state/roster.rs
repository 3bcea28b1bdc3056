//! All agents of a run, a number for each. Plans of a run that call the same agent by the same name have one agent;
//! what a sub-plan defines itself is another, also under a name that stands in the plan around it.
//! Never: who works on a task (`crew.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AccountName, AgentName};
use crate::plan::{Agent, Plan};

/// The number of an agent among those of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentIx(u32);

impl AgentIx {
    fn at(self) -> usize {
        usize::try_from(self.0).expect("32 bits fit")
    }
}

/// The agents of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    /// They, by number.
    members: Vec<Member>,
    /// Those of each name, of which there are several only where plans define it differently.
    named: BTreeMap<AgentName, Vec<AgentIx>>,
    /// Those that count as one: what an agent was before a revision made another of it, and what it is now.
    lines: Vec<Vec<AgentIx>>,
}

/// An agent of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What plans call it.
    pub name: AgentName,
    /// What it is.
    pub agent: Agent,
    /// How many of its attempts are in flight, and of those that it was before a revision.
    pub in_flight: u32,
    /// Those with which it counts as one, by number.
    line: u32,
}

impl Member {
    /// Whose breaker, rate and pauses it has.
    pub fn account(&self) -> AccountName {
        self.agent.account.clone().unwrap_or_else(|| AccountName(self.name.0.clone()))
    }
}

impl Roster {
    /// The agents of a plan and of all plans in it come in.
    pub(crate) fn enrol(&mut self, plan: &Plan) {
        self.enrol_over(None, plan);
    }

    /// The same for a plan that comes in the place of another: an agent of the same name counts as the one before.
    pub(crate) fn enrol_over(&mut self, before: Option<&Plan>, plan: &Plan) {
        for (name, agent) in &plan.agents {
            if self.find(name, agent).is_none() {
                let old = before.and_then(|before| self.find(name, before.agents.get(name)?));
                self.add(name, agent, old);
            }
        }
        let old: BTreeMap<_, _> =
            before.into_iter().flat_map(|plan| &plan.tasks).map(|task| (&task.id, task)).collect();
        for task in &plan.tasks {
            if let Some(inner) = task.work.sub_plan() {
                self.enrol_over(old.get(&task.id).and_then(|old| old.work.sub_plan()), inner);
            }
        }
    }

    fn add(&mut self, name: &AgentName, agent: &Agent, before: Option<AgentIx>) {
        let number = AgentIx(u32::try_from(self.members.len()).expect("plans are bounded"));
        let (line, in_flight) = if let Some(before) = before.map(|before| self.member(before)) {
            (before.line, before.in_flight)
        } else {
            self.lines.push(Vec::new());
            (u32::try_from(self.lines.len() - 1).expect("plans are bounded"), 0)
        };
        self.members.push(Member { name: name.clone(), agent: agent.clone(), in_flight, line });
        self.named.entry(name.clone()).or_default().push(number);
        self.lines[usize::try_from(line).expect("32 bits fit")].push(number);
    }

    /// The agent that a plan calls so.
    pub(crate) fn number(&self, plan: &Plan, name: &AgentName) -> AgentIx {
        match self.named[name].as_slice() {
            [only] => *only,
            _ => self.find(name, &plan.agents[name]).expect("all agents of the plan came in with it"),
        }
    }

    fn find(&self, name: &AgentName, agent: &Agent) -> Option<AgentIx> {
        let mut namesakes = self.named.get(name)?.iter().copied();
        namesakes.find(|number| self.member(*number).agent == *agent)
    }

    /// The agent of this number.
    pub fn member(&self, number: AgentIx) -> &Member {
        &self.members[number.at()]
    }

    /// All of them.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// An attempt of an agent has started.
    pub(crate) fn take(&mut self, number: AgentIx) {
        self.count(number, |in_flight| in_flight + 1);
    }

    /// An attempt of an agent is over.
    pub(crate) fn give_back(&mut self, number: AgentIx) {
        self.count(number, |in_flight| in_flight - 1);
    }

    fn count(&mut self, number: AgentIx, change: impl Fn(u32) -> u32) {
        let line = usize::try_from(self.member(number).line).expect("32 bits fit");
        for member in &self.lines[line] {
            let in_flight = &mut self.members[member.at()].in_flight;
            *in_flight = change(*in_flight);
        }
    }
}
