//! What the simulator has to say when a promise is broken. Never: how it came about; the trace tells that.

use std::fmt;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The number and name that SEMANTICS gives the promise.
    pub invariant: &'static str,
    /// What was seen.
    pub message: String,
}

/// The promise that every run ends.
pub(crate) const LIVENESS: &str = "14 wake (liveness)";

impl Broken {
    /// Whether nothing wrong was seen but that it never ends.
    pub fn is_liveness(&self) -> bool {
        self.invariant == LIVENESS
    }
}

pub(crate) type Verdict = Result<(), Broken>;

pub(crate) fn broken(invariant: &'static str, message: impl Into<String>) -> Broken {
    Broken { invariant, message: message.into() }
}

/// Fails where something does not hold.
pub(crate) fn demand(holds: bool, invariant: &'static str, message: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(broken(invariant, message())) }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.message)
    }
}
