//! The life of an attempt: it runs, is perhaps stopped, and is finished or lost. Drawn in `docs/machines/attempt.md`.
//! Never: what its outcome means for the task (`decide/judge.rs`).

use serde::{Deserialize, Serialize};

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its processes are, or soon will be, alive.
    Running,
    /// It is being ended from outside.
    Stopping,
    /// Its main process is over and its report is here.
    Finished,
    /// Nobody will report its end.
    Lost,
}

/// What can happen to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// It is to be ended.
    StopRequested,
    /// Its report is here.
    Finished,
    /// Its report will never come.
    Lost,
    /// Nothing of it is left.
    Reaped,
}

impl Phase {
    /// All phases, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Running, Self::Stopping, Self::Finished, Self::Lost];

    /// The phase after a fact; none where the fact can't happen.
    #[rustfmt::skip]
    pub const fn next(self, fact: Fact) -> Option<Self> {
        match (self, fact) {
            (Self::Running,  Fact::StopRequested) => Some(Self::Stopping),
            (Self::Stopping, Fact::StopRequested) => Some(Self::Stopping),
            (Self::Running,  Fact::Finished)      => Some(Self::Finished),
            (Self::Stopping, Fact::Finished)      => Some(Self::Finished),
            (Self::Running,  Fact::Lost)          => Some(Self::Lost),
            (Self::Stopping, Fact::Lost)          => Some(Self::Lost),
            (Self::Finished, Fact::Reaped)        => Some(Self::Finished),
            (Self::Lost,     Fact::Reaped)        => Some(Self::Lost),
            _ => None,
        }
    }

    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Lost => "lost",
        }
    }
}

impl Fact {
    /// All facts, in the order of a life.
    pub const ALL: [Self; 4] = [Self::StopRequested, Self::Finished, Self::Lost, Self::Reaped];
}
