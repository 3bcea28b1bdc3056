//! The life of a circuit breaker: it lets everything through, nothing, or one probe at a time. Drawn in
//! `docs/machines/breaker.md`. Never: what it counts (`state/fleet/breaker.rs`), or when that is too much
//! (`policy/breaker.rs`).

use serde::{Deserialize, Serialize};

/// Where a breaker stands.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Attempts start as they come.
    #[default]
    Closed,
    /// None starts.
    Open,
    /// One may start, to see whether things are well again.
    HalfOpen,
}

/// What can happen to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Too many calls failed, or one in a way that no other would not.
    Tripped,
    /// It has been open long enough.
    Waited,
    /// The probe was served.
    ProbePassed,
    /// The probe failed.
    ProbeFailed,
}

impl Phase {
    /// All phases, in the order of a life.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The phase after a fact; none where the fact can't happen.
    #[rustfmt::skip]
    pub const fn next(self, fact: Fact) -> Option<Self> {
        match (self, fact) {
            (Self::Closed,   Fact::Tripped)     => Some(Self::Open),
            (Self::Open,     Fact::Waited)      => Some(Self::HalfOpen),
            (Self::HalfOpen, Fact::ProbePassed) => Some(Self::Closed),
            (Self::HalfOpen, Fact::ProbeFailed) => Some(Self::Open),
            _ => None,
        }
    }

    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Fact {
    /// All facts, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Tripped, Self::Waited, Self::ProbePassed, Self::ProbeFailed];
}
