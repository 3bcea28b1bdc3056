//! Agents: what files say of them, and what becomes of that. Never: whether a program exists.

use std::collections::BTreeMap;

use super::diagnostic::{Code, Mark};
use super::language::{ADAPTERS_BUILT, AGENT};
use super::layers::{count, scalars, texts};
use super::node::Node;
use super::pools::Found;
use super::rate::Rate;
use super::shape::Built;
use super::{Adapter, Agent, sizes};
use crate::id::{AccountName, AgentName};

/// What a file says of an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentLayer {
    /// The name of the adapter.
    pub adapter: Option<String>,
    /// The program.
    pub program: Option<String>,
    /// Its arguments.
    pub args: Option<Vec<String>>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// How many attempts at the same time.
    pub concurrency: Option<u32>,
    /// How many of its account's attempts may start in a time.
    pub rate: Option<Rate>,
    /// Its share.
    pub weight: Option<u32>,
    /// Who takes over.
    pub fallback: Option<Vec<String>>,
    /// Whose breaker, rate and pauses it has.
    pub account: Option<String>,
    /// The most memory, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// The keys it uses that are not built yet.
    pub not_built: Vec<String>,
}

impl AgentLayer {
    pub(super) fn read(node: &Node<'_>, file: &str) -> Self {
        let text = |key: &str| node.get(key).and_then(Node::text).map(ToOwned::to_owned);
        let is_not_built =
            |key: &&str| AGENT.field(key).is_some_and(|field| matches!(field.built, Built::No));
        let keys = node.entries().iter().map(|entry| entry.key.as_ref());
        Self {
            adapter: text("adapter"),
            program: text("program"),
            args: node.get("args").map(texts),
            env: scalars(node.get("env"), file).collect(),
            concurrency: count(node.get("concurrency")),
            rate: node.get("rate").and_then(Node::text).and_then(|text| text.parse().ok()),
            weight: count(node.get("weight")),
            fallback: node.get("fallback").map(texts),
            account: text("account"),
            memory_bytes_max: node.get("memory").and_then(Node::text).and_then(sizes::bytes),
            not_built: keys.filter(is_not_built).map(ToOwned::to_owned).collect(),
        }
    }

    /// This over another of the same name. One that names its adapter is complete in itself.
    pub(super) fn over(self, lower: &Self) -> Self {
        if self.adapter.is_some() {
            return self;
        }
        let mut env = lower.env.clone();
        env.extend(self.env);
        let mut not_built = lower.not_built.clone();
        not_built.extend(self.not_built);
        Self {
            adapter: lower.adapter.clone(),
            program: self.program.or_else(|| lower.program.clone()),
            args: self.args.or_else(|| lower.args.clone()),
            env,
            concurrency: self.concurrency.or(lower.concurrency),
            rate: self.rate.or(lower.rate),
            weight: self.weight.or(lower.weight),
            fallback: self.fallback.or_else(|| lower.fallback.clone()),
            account: self.account.or_else(|| lower.account.clone()),
            memory_bytes_max: self.memory_bytes_max.or(lower.memory_bytes_max),
            not_built,
        }
    }

    /// Whether this build can drive it.
    pub(super) fn is_built(&self) -> bool {
        let adapter = self.adapter.as_deref();
        self.not_built.is_empty() && adapter.is_some_and(|adapter| ADAPTERS_BUILT.contains(&adapter))
    }

    /// The agent, for a task that names it at a place; `own` is where the plan defines it.
    pub(super) fn settle(
        self,
        name: &str,
        at: Mark,
        own: Option<Mark>,
        found: &mut Found<'_>,
    ) -> Option<Agent> {
        let (missing, findings) = (&mut *found.missing, &mut *found.findings);
        let place = own.unwrap_or(at);
        if own.is_none() {
            // What the plan itself says is reported with the plan; here it comes from the settings.
            for key in &self.not_built {
                missing
                    .entry(format!("`{key}`"))
                    .or_default()
                    .push((format!("agent {name} of windlass.toml"), at));
            }
        }
        let adapter = match self.adapter.as_deref() {
            Some("command") => Adapter::Command,
            Some("scripted") => Adapter::Scripted,
            Some(other) => {
                if own.is_none() {
                    let feature = format!("`adapter: {other}`");
                    missing.entry(feature).or_default().push((format!("agent {name} of windlass.toml"), at));
                }
                return None;
            }
            None => {
                let hint = format!(
                    "say what drives it, as in `adapter: {}`",
                    ADAPTERS_BUILT.join("` or `adapter: ")
                );
                findings.error(
                    Code::MissingKey,
                    place,
                    format!("agent `{name}` has no `adapter`"),
                    Some(hint),
                );
                return None;
            }
        };
        let has_program = self.program.as_deref().is_some_and(|program| !program.is_empty());
        if adapter == Adapter::Command && !has_program {
            let hint =
                "name what is started, as in `program: ./agent.sh`; it reads the prompt from standard input";
            let message = format!("agent `{name}` needs a `program`");
            findings.error(Code::MissingKey, place, message, Some(hint.to_owned()));
            return None;
        }
        if adapter == Adapter::Scripted && (self.program.is_some() || self.args.is_some()) {
            let message = format!("agent `{name}` is scripted, which has its own program");
            findings.error(Code::BadValue, place, message, Some("leave `program` and `args` out".to_owned()));
            return None;
        }
        Some(Agent {
            adapter,
            program: self.program,
            args: self.args.unwrap_or_default(),
            env: self.env,
            concurrency: self.concurrency,
            rate: self.rate,
            weight: self.weight.unwrap_or(1),
            fallback: named(self.fallback.unwrap_or_default()),
            account: self.account.filter(|account| !account.is_empty()).map(|name| AccountName(name.into())),
            memory_bytes_max: self.memory_bytes_max,
        })
    }
}

fn named(names: Vec<String>) -> Vec<AgentName> {
    let mut agents: Vec<AgentName> = names.into_iter().map(|name| AgentName(name.into())).collect();
    let mut seen = std::collections::BTreeSet::new();
    agents.retain(|agent| seen.insert(agent.clone()));
    agents
}
