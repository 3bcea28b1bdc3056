//! The circuit breaker of an account: what its newest calls came to, and whether it lets attempts through.
//! Never: when it opens, or for how long (`policy/breaker.rs`).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::failure::Served;
use crate::id::Fence;
use crate::machine::arrows;
use crate::machine::breaker::{Fact, Phase};
use crate::policy::breaker::{self as policy, CALLS_MAX, WINDOW};

/// A circuit breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Where it stands.
    pub phase: Phase,
    /// When it is half open, by steady time in milliseconds, while it is open.
    pub until: Option<i64>,
    /// How often it has opened since it was last closed.
    pub opened: u32,
    /// The attempt that probes.
    pub probe: Option<Fence>,
    /// Why it opened.
    pub why: String,
    /// The newest calls: when each ended, by steady time, and whether it failed.
    calls: VecDeque<(i64, bool)>,
    /// How many of those failed.
    failed: usize,
    /// What is to be acted on: the fact, and why.
    due: Option<(Fact, String)>,
}

impl Breaker {
    /// What it is to do next, and why.
    pub(crate) fn due(&self) -> Option<(Fact, &str)> {
        self.due.as_ref().map(|(fact, why)| (*fact, why.as_str()))
    }

    /// An attempt started.
    pub(super) fn start(&mut self, fence: Fence) {
        if self.phase == Phase::HalfOpen && self.probe.is_none() {
            self.probe = Some(fence);
        }
    }

    /// An attempt is out of sight: another may probe instead of it.
    pub(super) fn let_go(&mut self, fence: Fence) {
        self.probe = self.probe.filter(|probe| *probe != fence);
    }

    /// An attempt is over at `at`, by steady time.
    pub(super) fn end(&mut self, fence: Fence, served: Served, at: i64, said: &str) {
        let was_probe = self.probe == Some(fence);
        if was_probe {
            self.probe = None;
        }
        match self.phase {
            Phase::Closed => self.count(served, at, said),
            Phase::Open => {}
            Phase::HalfOpen if was_probe => {
                self.due = match served {
                    Served::Well => Some((Fact::ProbePassed, "its probe was served".to_owned())),
                    Served::Failed | Served::Barred => {
                        Some((Fact::ProbeFailed, format!("its probe failed: {said}")))
                    }
                    Served::Limited | Served::Unknown => None,
                };
            }
            Phase::HalfOpen => {}
        }
    }

    fn count(&mut self, served: Served, at: i64, said: &str) {
        let has_failed = match served {
            Served::Well => false,
            Served::Failed => true,
            Served::Barred => {
                self.due = Some((Fact::Tripped, said.to_owned()));
                return;
            }
            Served::Limited | Served::Unknown => return,
        };
        self.calls.push_back((at, has_failed));
        self.failed += usize::from(has_failed);
        let oldest = at.saturating_sub_unsigned(WINDOW.ms);
        while self.calls.len() > CALLS_MAX || self.calls.front().is_some_and(|(ended, _)| *ended < oldest) {
            let (_, oldest_failed) = self.calls.pop_front().expect("there is one");
            self.failed -= usize::from(oldest_failed);
        }
        let (failed, calls) = (self.failed, self.calls.len());
        // Where a good call is the one that makes them enough, the next bad one opens it.
        if has_failed && policy::trips(failed, calls) {
            let last = if said.is_empty() { String::new() } else { format!(", the last: {said}") };
            let why = format!("{failed} of its last {calls} attempts failed{last}");
            self.due = Some((Fact::Tripped, why));
        }
    }

    /// It changed.
    pub(super) fn change(&mut self, to: Phase, until: Option<i64>, why: &str) {
        let fact = match (self.phase, to) {
            (Phase::Closed, _) => Fact::Tripped,
            (Phase::Open, _) => Fact::Waited,
            (Phase::HalfOpen, Phase::Closed) => Fact::ProbePassed,
            (Phase::HalfOpen, _) => Fact::ProbeFailed,
        };
        arrows::of_breaker(self.phase, fact);
        assert_eq!(self.phase.next(fact), Some(to), "the journal contradicts the breaker");
        match to {
            Phase::Open => self.opened += 1,
            Phase::Closed => self.opened = 0,
            Phase::HalfOpen => {}
        }
        if to != Phase::HalfOpen {
            why.clone_into(&mut self.why);
        }
        (self.phase, self.until, self.due, self.probe) = (to, until, None, None);
        self.calls.clear();
        self.failed = 0;
    }
}
