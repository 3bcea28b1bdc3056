//! Who works on prompts: names are looked up, lists become pools, and whoever may take over is settled with them.
//! Never: who is chosen while a run goes on (that is `policy/balance.rs`).

use std::collections::BTreeMap;

use super::agents::AgentLayer;
use super::conform::Missing;
use super::diagnostic::{Code, Findings, Mark};
use super::layers::{Defaults, Named};
use super::node::Entry;
use super::{Agent, Balance, By, Pool};
use crate::id::AgentName;
use crate::template::{Template, nearest};

/// What a file defines, by name, with where the plan does so; none where windlass.toml does.
pub(super) type Known = BTreeMap<String, (AgentLayer, Option<Mark>)>;

/// Where what is found goes.
pub(super) struct Found<'f> {
    pub(super) missing: &'f mut Missing,
    pub(super) findings: &'f mut Findings,
}

/// The agents of a plan, settled as tasks name them.
pub(super) struct Agents<'g> {
    known: &'g Known,
    /// Those that were named so far; none for those that are no good, which are reported once.
    settled: BTreeMap<AgentName, Option<Agent>>,
}

impl<'g> Agents<'g> {
    pub(super) fn new(known: &'g Known) -> Self {
        Self { known, settled: BTreeMap::new() }
    }

    /// Those that were named and are good.
    pub(super) fn finish(self) -> BTreeMap<AgentName, Agent> {
        self.settled.into_iter().filter_map(|(name, agent)| Some((name, agent?))).collect()
    }

    /// Who works on the prompt of a task.
    pub(super) fn who(&mut self, task: &Entry<'_>, layer: &Defaults, found: &mut Found<'_>) -> Option<By> {
        let balance = task.value.entries().iter().find(|entry| entry.key == "balance");
        if let (Some(balance), Some(Named::One(_))) = (balance, &layer.agent) {
            let hint = "give `agent` a list, as in `agent: [one, two]`, or leave `balance` out".to_owned();
            let message = "`balance` says something only beside several agents";
            found.findings.error(Code::BadValue, balance.at, message, Some(hint));
        }
        let at = task.value.get("agent").map_or(task.at, |own| own.at);
        match layer.agent.as_ref() {
            None => {
                self.nobody(task, found.findings);
                None
            }
            Some(Named::One(text)) if !Template(text.clone()).is_plain() => {
                if task.value.get("agent").is_none() {
                    let hint = "write it into the tasks that it is for".to_owned();
                    let message = "an expression names the agent of one task, and can't be a default";
                    found.findings.error(Code::BadValue, at, message, Some(hint));
                }
                self.settle_all(at, found);
                Some(By::Expression(Template(text.clone())))
            }
            Some(Named::One(name)) => {
                let agents = vec![self.named(name, at, found)?];
                Some(By::Pool(Pool { agents, balance: Balance::default() }))
            }
            Some(Named::Several(names)) => self.pool(names, at, layer.balance.unwrap_or_default(), found),
        }
    }

    fn pool(&mut self, names: &[String], at: Mark, balance: Balance, found: &mut Found<'_>) -> Option<By> {
        if names.is_empty() {
            let hint = "name at least one, as in `agent: [coder]`".to_owned();
            found.findings.error(Code::BadValue, at, "`agent` is an empty list", Some(hint));
            return None;
        }
        let mut agents: Vec<AgentName> = Vec::with_capacity(names.len());
        let mut all_good = true;
        for name in names {
            if agents.iter().any(|agent| *agent.0 == **name) {
                let hint = "name it once; its share is its `weight`, with `balance: weighted`".to_owned();
                found.findings.error(
                    Code::DuplicateKey,
                    at,
                    format!("`agent` names `{name}` twice"),
                    Some(hint),
                );
            }
            match self.named(name, at, found) {
                Some(agent) => agents.push(agent),
                None => all_good = false,
            }
        }
        all_good.then_some(By::Pool(Pool { agents, balance }))
    }

    /// An expression may name any agent: all that can be had are kept with the plan.
    fn settle_all(&mut self, at: Mark, found: &mut Found<'_>) {
        let known = self.known;
        for (name, (layer, own)) in known {
            // What windlass.toml has and this build can't drive is no part of the plan until somebody names it.
            if own.is_some() || layer.is_built() {
                self.named(name, at, found);
            }
        }
    }

    /// The agents that the plan defines and no task names: a person may let one of them try. What is wrong with one is
    /// told once a task names it.
    pub(super) fn settle_others(&mut self) {
        let known = self.known;
        for (name, (layer, own)) in known {
            let Some(at) = own.filter(|_| layer.is_built()) else { continue };
            let (mut missing, mut findings) = (Missing::new(), Findings::default());
            let before = self.settled.clone();
            self.named(name, at, &mut Found { missing: &mut missing, findings: &mut findings });
            if findings.has_errors() || !missing.is_empty() {
                self.settled = before;
            }
        }
    }

    fn named(&mut self, name: &str, at: Mark, found: &mut Found<'_>) -> Option<AgentName> {
        let agent = AgentName(name.into());
        if let Some(settled) = self.settled.get(&agent) {
            return settled.is_some().then_some(agent);
        }
        let Some((layer, own)) = self.known.get(name) else {
            let near = nearest(name, self.known.keys().map(String::as_str));
            let hint = near.map_or_else(
                || "define it under `agents`, in the plan or in windlass.toml".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("there is no agent `{name}`");
            found.findings.error(Code::UnknownAgent, at, message, Some(hint));
            self.settled.insert(agent, None);
            return None;
        };
        let settled = layer.clone().settle(name, at, *own, found);
        let fallback = settled.as_ref().map(|agent| agent.fallback.clone()).unwrap_or_default();
        let is_good = settled.is_some();
        // Known before those who take over are looked at: two may take over for each other.
        self.settled.insert(agent.clone(), settled);
        for other in fallback {
            if other == agent {
                let hint = "name another, or leave `fallback` out".to_owned();
                let message = format!("agent `{name}` takes over for itself");
                found.findings.error(Code::BadValue, own.unwrap_or(at), message, Some(hint));
            } else {
                self.named(&other.0, own.unwrap_or(at), found);
            }
        }
        is_good.then_some(agent)
    }

    fn nobody(&self, task: &Entry<'_>, findings: &mut Findings) {
        let known: Vec<&str> = self.known.keys().map(String::as_str).collect();
        let hint = if known.is_empty() {
            "define one under `agents`, as in `coder: { adapter: command, program: ./agent.sh }`, and name it: `agent: coder`".to_owned()
        } else {
            format!("name one with `agent:` there or under `defaults`: {}", known.join(", "))
        };
        let message = format!("nobody works on the prompt of `{}`", task.key);
        findings.error(Code::MissingAgent, task.at, message, Some(hint));
    }
}
