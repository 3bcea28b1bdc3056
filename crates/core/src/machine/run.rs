//! The life of a run: it goes, pauses, and finishes. Drawn in `docs/machines/run.md`.
//! Never: the outcome, which follows from its tasks.

use serde::{Deserialize, Serialize};

/// Where a run stands in the journal. What users see besides (`waiting`, `stopped`) is derived in `view/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Tasks may start.
    Running,
    /// Nothing new starts.
    Paused,
    /// All tasks are final.
    Finished,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// A reason to start nothing new.
    Paused,
    /// All such reasons are gone, or another engine goes on with it.
    Resumed,
    /// All tasks are final and nothing is pending.
    Finished,
    /// A task was requeued.
    Reopened,
}

impl Phase {
    /// All phases, in the order of a life.
    pub const ALL: [Self; 3] = [Self::Running, Self::Paused, Self::Finished];

    /// The phase after a fact; none where the fact can't happen.
    #[rustfmt::skip]
    pub const fn next(self, fact: Fact) -> Option<Self> {
        match (self, fact) {
            (Self::Running,  Fact::Paused)   => Some(Self::Paused),
            (Self::Paused,   Fact::Paused)   => Some(Self::Paused),
            (Self::Running,  Fact::Resumed)  => Some(Self::Running),
            (Self::Paused,   Fact::Resumed)  => Some(Self::Running),
            (Self::Running,  Fact::Finished) => Some(Self::Finished),
            (Self::Paused,   Fact::Finished) => Some(Self::Finished),
            (Self::Finished, Fact::Reopened) => Some(Self::Running),
            _ => None,
        }
    }
}

impl Fact {
    /// All facts, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Paused, Self::Resumed, Self::Finished, Self::Reopened];
}
