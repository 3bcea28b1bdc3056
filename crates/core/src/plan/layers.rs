//! Settings that lie over one another, key by key: built in, the person's, the project's, the plan's, the task's.
//! Never: deciding which file wins (the caller lays them in order).

use std::collections::BTreeMap;

use super::node::{Node, Tree};
use super::{ANSWER_BOUND, Balance, Budget, Jitter, Limits, Rerun, Retry, Timeout, Workspace, sizes};
use crate::failure::ErrorKind;
use crate::template::Template;
use crate::time::Span;

/// A limit of time that may be lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `none`: no limit.
    Lifted,
    /// This long.
    Of(Span),
}

impl Limit {
    fn span(self) -> Option<Span> {
        if let Self::Of(span) = self { Some(span) } else { None }
    }
}

/// What a file says of `timeout`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeoutLayer {
    /// From ready to started.
    pub schedule_to_start: Option<Limit>,
    /// One attempt.
    pub start_to_close: Option<Limit>,
    /// Silence.
    pub heartbeat: Option<Limit>,
    /// All attempts together.
    pub schedule_to_close: Option<Limit>,
    /// From the polite stop to the hard one.
    pub grace: Option<Span>,
}

/// What a file says of `retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryLayer {
    /// The ceiling of the first wait.
    pub initial_interval: Option<Span>,
    /// The growth of the ceiling, in thousandths.
    pub backoff_coefficient_milli: Option<u64>,
    /// The highest ceiling.
    pub max_interval: Option<Span>,
    /// Whether the wait is drawn.
    pub jitter: Option<Jitter>,
    /// Charged attempts.
    pub max_attempts: Option<u32>,
    /// Losses alone in flight.
    pub losses_max: Option<u32>,
    /// Kinds that are not tried again.
    pub non_retryable: Option<Vec<ErrorKind>>,
}

/// What a file says of `limits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsLayer {
    /// Tasks, children included.
    pub tasks: Option<u32>,
    /// Children of one parent.
    pub fan_out: Option<u32>,
    /// Levels of tasks.
    pub depth: Option<u32>,
}

/// What a file says of who works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// One agent, or an expression that names one.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Named {
    fn read(node: &Node<'_>) -> Option<Self> {
        match &node.tree {
            Tree::List(_) => Some(Self::Several(texts(node))),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::Map(_) => {
                Some(Self::One(node.text()?.to_owned()))
            }
        }
    }
}

/// What a file says of everything that tasks can take from `defaults`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Who works on prompts.
    pub agent: Option<Named>,
    /// How one of several is chosen.
    pub balance: Option<Balance>,
    /// Where attempts work, if that is said.
    pub workspace: Option<Workspace>,
    /// Limits of time.
    pub timeout: TimeoutLayer,
    /// How failed attempts are tried again.
    pub retry: RetryLayer,
    /// Whether an attempt of unknown outcome may be repeated.
    pub rerun: Option<Rerun>,
    /// What it may use up.
    pub budget: Budget,
    /// Who goes first.
    pub priority: Option<i8>,
    /// Variables.
    pub env: BTreeMap<String, Template>,
    /// Globs of variables that are let through.
    pub pass: Option<Vec<String>>,
    /// The working directory.
    pub dir: Option<Template>,
    /// The most memory, in bytes.
    pub memory_bytes_max: Option<u64>,
}

macro_rules! laid_over {
    ($upper:expr, $lower:expr, $($field:ident),*) => {
        Self { $($field: $upper.$field.or_else(|| $lower.$field.clone())),* }
    };
}

impl TimeoutLayer {
    /// What stands in `timeout`: a bare value is `start_to_close`.
    pub(super) fn read(node: &Node<'_>) -> Self {
        if node.text().is_some() {
            return Self { start_to_close: limit(Some(node)), ..Self::default() };
        }
        Self {
            schedule_to_start: limit(node.get("schedule_to_start")),
            start_to_close: limit(node.get("start_to_close")),
            heartbeat: limit(node.get("heartbeat")),
            schedule_to_close: limit(node.get("schedule_to_close")),
            grace: span(node.get("grace")),
        }
    }

    pub(super) fn over(self, lower: &Self) -> Self {
        laid_over!(self, lower, schedule_to_start, start_to_close, heartbeat, schedule_to_close, grace)
    }

    /// The limits of a task, with those built in below. A person has longer to answer than attempts have.
    pub(super) fn settle(self, is_prompt: bool, is_approval: bool) -> Timeout {
        let built_in = |minutes: u64| is_prompt.then_some(Span::from_secs(60 * minutes));
        let in_all = if is_approval { ANSWER_BOUND } else { Span::from_secs(24 * 60 * 60) };
        let or = |limit: Option<Limit>, built_in: Option<Span>| limit.map_or(built_in, Limit::span);
        Timeout {
            schedule_to_start: or(self.schedule_to_start, None),
            start_to_close: or(self.start_to_close, built_in(60)),
            heartbeat: or(self.heartbeat, built_in(10)),
            schedule_to_close: or(self.schedule_to_close, Some(in_all)),
            grace: self.grace.unwrap_or(Span::from_secs(10)),
        }
    }
}

impl RetryLayer {
    pub(super) fn read(node: &Node<'_>) -> Self {
        let kinds = |list: &Node<'_>| {
            list.items().iter().filter_map(|item| ErrorKind::from_name(item.text()?)).collect::<Vec<_>>()
        };
        Self {
            initial_interval: span(node.get("initial_interval")),
            backoff_coefficient_milli: node.get("backoff_coefficient").and_then(thousandths),
            max_interval: span(node.get("max_interval")),
            jitter: match node.get("jitter").and_then(Node::text) {
                Some("full") => Some(Jitter::Full),
                Some("none") => Some(Jitter::None),
                _ => None,
            },
            max_attempts: count(node.get("max_attempts")),
            losses_max: count(node.get("losses_max")),
            non_retryable: node.get("non_retryable").map(kinds),
        }
    }

    pub(super) fn over(self, lower: &Self) -> Self {
        laid_over!(
            self,
            lower,
            initial_interval,
            backoff_coefficient_milli,
            max_interval,
            jitter,
            max_attempts,
            losses_max,
            non_retryable
        )
    }

    /// The policy of a task, with what is built in below.
    pub(super) fn settle(self, is_prompt: bool) -> Retry {
        Retry {
            initial_interval: self.initial_interval.unwrap_or(Span::from_secs(1)),
            backoff_coefficient_milli: self.backoff_coefficient_milli.unwrap_or(2000),
            max_interval: self.max_interval.unwrap_or(Span::from_secs(60)),
            jitter: self.jitter.unwrap_or_default(),
            max_attempts: self.max_attempts.unwrap_or(if is_prompt { 5 } else { 1 }),
            losses_max: self.losses_max.unwrap_or(3),
            non_retryable: self.non_retryable.unwrap_or_default(),
        }
    }
}

impl LimitsLayer {
    pub(super) fn read(node: &Node<'_>) -> Self {
        Self {
            tasks: count(node.get("tasks")),
            fan_out: count(node.get("fan_out")),
            depth: count(node.get("depth")),
        }
    }

    pub(super) fn over(self, lower: &Self) -> Self {
        laid_over!(self, lower, tasks, fan_out, depth)
    }

    pub(super) fn settle(self) -> Limits {
        let built_in = Limits::default();
        Limits {
            tasks: self.tasks.unwrap_or(built_in.tasks),
            fan_out: self.fan_out.unwrap_or(built_in.fan_out),
            depth: self.depth.unwrap_or(built_in.depth),
        }
    }
}

impl Defaults {
    /// What stands in `defaults`, or in a task under the same names.
    pub(super) fn read(node: &Node<'_>, file: &str) -> Self {
        Self {
            agent: node.get("agent").and_then(Named::read),
            balance: match node.get("balance").and_then(Node::text) {
                Some("round_robin") => Some(Balance::RoundRobin),
                Some("least_loaded") => Some(Balance::LeastLoaded),
                Some("weighted") => Some(Balance::Weighted),
                _ => None,
            },
            workspace: match node.get("workspace").and_then(Node::text) {
                Some("shared") => Some(Workspace::Shared),
                Some("worktree") => Some(Workspace::Worktree),
                _ => None,
            },
            timeout: node.get("timeout").map(TimeoutLayer::read).unwrap_or_default(),
            retry: node.get("retry").map(RetryLayer::read).unwrap_or_default(),
            rerun: match node.get("rerun").and_then(Node::text) {
                Some("safe") => Some(Rerun::Safe),
                Some("never") => Some(Rerun::Never),
                _ => None,
            },
            budget: budget(node.get("budget")),
            priority: signed(node.get("priority")),
            env: scalars(node.get("env"), file).map(|(name, value)| (name, Template(value))).collect(),
            pass: node.get("pass").map(texts),
            dir: node.get("dir").and_then(Node::text).map(|text| Template(text.to_owned())),
            memory_bytes_max: node.get("memory").and_then(Node::text).and_then(sizes::bytes),
        }
    }

    /// These, and below them the others.
    #[must_use]
    pub fn over(self, lower: &Self) -> Self {
        let mut env = lower.env.clone();
        env.extend(self.env);
        Self {
            agent: self.agent.or_else(|| lower.agent.clone()),
            balance: self.balance.or(lower.balance),
            workspace: self.workspace.or(lower.workspace),
            timeout: self.timeout.over(&lower.timeout),
            retry: self.retry.over(&lower.retry),
            rerun: self.rerun.or(lower.rerun),
            budget: self.budget.over(lower.budget),
            priority: self.priority.or(lower.priority),
            env,
            pass: self.pass.or_else(|| lower.pass.clone()),
            dir: self.dir.or_else(|| lower.dir.clone()),
            memory_bytes_max: self.memory_bytes_max.or(lower.memory_bytes_max),
        }
    }
}

/// A length of time, if one stands there.
pub(super) fn span(node: Option<&Node<'_>>) -> Option<Span> {
    node?.text()?.parse().ok()
}

pub(super) fn limit(node: Option<&Node<'_>>) -> Option<Limit> {
    match node?.text()? {
        "none" => Some(Limit::Lifted),
        text => text.parse().ok().map(Limit::Of),
    }
}

/// A count, if one stands there.
pub(super) fn count(node: Option<&Node<'_>>) -> Option<u32> {
    if let Tree::Number(number) = &node?.tree { number.as_u64()?.try_into().ok() } else { None }
}

/// What may be used up in all.
pub(super) fn budget(node: Option<&Node<'_>>) -> Budget {
    let of = |key: &str| node.and_then(|node| node.get(key));
    Budget { attempts: count(of("attempts")), wall: span(of("wall")) }
}

/// A small number that may be negative, if one stands there.
fn signed(node: Option<&Node<'_>>) -> Option<i8> {
    if let Tree::Number(number) = &node?.tree { number.as_i64()?.try_into().ok() } else { None }
}

/// A factor in thousandths.
fn thousandths(node: &Node<'_>) -> Option<u64> {
    let Tree::Number(number) = &node.tree else { return None };
    let milli = (number.as_f64()? * 1000.0).round();
    // The tables bound it, so that nothing is cut off here.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1000 and 1000000")]
    (1000.0..=1_000_000.0).contains(&milli).then_some(milli as u64)
}

/// The texts of a list.
pub(super) fn texts(node: &Node<'_>) -> Vec<String> {
    node.items().iter().filter_map(|item| Some(item.text()?.to_owned())).collect()
}

/// The entries of a map of scalars, all of them as text.
pub(super) fn scalars(node: Option<&Node<'_>>, file: &str) -> impl Iterator<Item = (String, String)> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry.key.clone().into_owned(), entry.value.scalar(file)?)))
}
