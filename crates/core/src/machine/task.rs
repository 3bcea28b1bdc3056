//! The life of a task: which fact leads from which phase to which. Drawn in `docs/machines/task.md`.
//! Never: the data of a phase (`state/`), or why a fact comes about (`decide/`).

use serde::{Deserialize, Serialize};

/// Where a task stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its join is not met.
    Waiting,
    /// It may start as soon as there is room.
    Ready,
    /// An attempt is in flight.
    Running,
    /// The attempt is being ended from outside.
    Stopping,
    /// The attempt is over; its result is being judged.
    Gating,
    /// Its result is good, and its work waits to land, or lands.
    Merging,
    /// It waits for the due time of the next attempt.
    BackingOff,
    /// It waits until the provider of its agent takes it.
    Parked,
    /// It waits for a person, a message, a moment, or the choice among its replicas.
    Blocked,
    /// It waits for its children.
    Expanded,
    /// Its result is accepted.
    Succeeded,
    /// It will not run.
    Skipped,
    /// It failed for good.
    Dead,
    /// It was ended by a wish.
    Cancelled,
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Enough of what it needs has succeeded.
    JoinMet,
    /// What it needs was taken back before it started.
    JoinUnmet,
    /// It has its children, or one more.
    Expanded,
    /// A person is asked.
    Asked,
    /// It begins to wait for a message or a moment.
    WaitBegan,
    /// An attempt started.
    Started,
    /// The attempt is to be ended.
    StopRequested,
    /// Nothing of the attempt is left.
    Reaped,
    /// Another attempt follows at its due time.
    RetryScheduled,
    /// The provider takes the next attempt at a time that it named.
    Parked,
    /// Another attempt follows at once.
    RetryAtOnce,
    /// The due time has come.
    RetryDue,
    /// Only a person can know its outcome.
    OutcomeUnknown,
    /// Its result is good, and is chosen or not.
    Passed,
    /// Its result is good, and its work is to land.
    MergeRequested,
    /// Its result is accepted.
    Accepted,
    /// Its join can't be met, or its `when` is false.
    Skipped,
    /// What had made its join impossible was requeued.
    Unskipped,
    /// It failed for good.
    Died,
    /// It ended by a wish.
    Cancelled,
    /// A new incarnation begins.
    Requeued,
    /// One of its children was requeued.
    ChildRequeued,
}

impl Phase {
    /// All phases, in the order of a life.
    pub const ALL: [Self; 14] = [
        Self::Waiting,
        Self::Ready,
        Self::Running,
        Self::Stopping,
        Self::Gating,
        Self::Merging,
        Self::BackingOff,
        Self::Parked,
        Self::Blocked,
        Self::Expanded,
        Self::Succeeded,
        Self::Skipped,
        Self::Dead,
        Self::Cancelled,
    ];

    /// The phase after a fact; none where the fact can't happen.
    #[rustfmt::skip]
    pub const fn next(self, fact: Fact) -> Option<Self> {
        let next = match (self, fact) {
            (Self::Waiting,    Fact::JoinMet)        => Self::Ready,
            (Self::Waiting,    Fact::Skipped)        => Self::Skipped,
            (Self::Waiting,    Fact::Died)           => Self::Dead,
            (Self::Waiting,    Fact::Cancelled)      => Self::Cancelled,

            (Self::Ready,      Fact::Started)        => Self::Running,
            (Self::Ready,      Fact::Expanded)       => Self::Expanded,
            (Self::Ready,      Fact::Asked)          => Self::Blocked,
            (Self::Ready,      Fact::WaitBegan)      => Self::Blocked,
            (Self::Ready,      Fact::Accepted)       => Self::Succeeded,
            (Self::Ready,      Fact::JoinUnmet)      => Self::Waiting,
            (Self::Ready,      Fact::Skipped)        => Self::Skipped,
            (Self::Ready,      Fact::Died)           => Self::Dead,
            (Self::Ready,      Fact::Cancelled)      => Self::Cancelled,

            (Self::Running,    Fact::StopRequested)  => Self::Stopping,
            (Self::Running,    Fact::Reaped)         => Self::Gating,
            (Self::Stopping,   Fact::StopRequested)  => Self::Stopping,
            (Self::Stopping,   Fact::Reaped)         => Self::Gating,

            (Self::Gating,     Fact::Accepted)       => Self::Succeeded,
            (Self::Gating,     Fact::RetryScheduled) => Self::BackingOff,
            (Self::Gating,     Fact::Parked)         => Self::Parked,
            (Self::Gating,     Fact::RetryAtOnce)    => Self::Ready,
            (Self::Gating,     Fact::OutcomeUnknown) => Self::Blocked,
            (Self::Gating,     Fact::Passed)         => Self::Blocked,
            (Self::Gating,     Fact::MergeRequested) => Self::Merging,
            (Self::Gating,     Fact::Died)           => Self::Dead,
            (Self::Gating,     Fact::Cancelled)      => Self::Cancelled,

            (Self::Merging,    Fact::Accepted)       => Self::Succeeded,
            (Self::Merging,    Fact::RetryScheduled) => Self::BackingOff,
            (Self::Merging,    Fact::RetryAtOnce)    => Self::Ready,
            (Self::Merging,    Fact::Died)           => Self::Dead,
            (Self::Merging,    Fact::Cancelled)      => Self::Cancelled,

            (Self::BackingOff, Fact::RetryDue)       => Self::Ready,
            (Self::BackingOff, Fact::Died)           => Self::Dead,
            (Self::BackingOff, Fact::Cancelled)      => Self::Cancelled,

            (Self::Parked,     Fact::RetryDue)       => Self::Ready,
            (Self::Parked,     Fact::Died)           => Self::Dead,
            (Self::Parked,     Fact::Cancelled)      => Self::Cancelled,

            (Self::Blocked,    Fact::Asked)          => Self::Blocked,
            (Self::Blocked,    Fact::Passed)         => Self::Blocked,
            (Self::Blocked,    Fact::Accepted)       => Self::Succeeded,
            (Self::Blocked,    Fact::Died)           => Self::Dead,
            (Self::Blocked,    Fact::Cancelled)      => Self::Cancelled,
            (Self::Blocked,    Fact::Requeued)       => Self::Waiting,

            (Self::Expanded,   Fact::Expanded)       => Self::Expanded,
            (Self::Expanded,   Fact::Accepted)       => Self::Succeeded,
            (Self::Expanded,   Fact::Passed)         => Self::Blocked,
            (Self::Expanded,   Fact::Died)           => Self::Dead,
            (Self::Expanded,   Fact::Cancelled)      => Self::Cancelled,

            (Self::Skipped,    Fact::Unskipped)      => Self::Waiting,
            (Self::Succeeded,  Fact::Requeued)       => Self::Waiting,
            (Self::Dead,       Fact::Requeued)       => Self::Waiting,
            (Self::Cancelled,  Fact::Requeued)       => Self::Waiting,
            (Self::Succeeded,  Fact::ChildRequeued)  => Self::Expanded,
            (Self::Dead,       Fact::ChildRequeued)  => Self::Expanded,
            (Self::Cancelled,  Fact::ChildRequeued)  => Self::Expanded,
            _ => return None,
        };
        Some(next)
    }

    /// Final for the run: only a requeue, an un-skip or a note may follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped | Self::Dead | Self::Cancelled)
    }

    /// Whether it could start, but for room or its time.
    pub const fn waits_to_start(self) -> bool {
        matches!(self, Self::Ready | Self::BackingOff | Self::Parked)
    }

    /// Whether an attempt is in flight, and so a slot held.
    pub const fn holds_slot(self) -> bool {
        matches!(self, Self::Running | Self::Stopping)
    }

    /// The name that users see.
    #[rustfmt::skip]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting    => "waiting",
            Self::Ready      => "ready",
            Self::Running    => "running",
            Self::Stopping   => "stopping",
            Self::Gating     => "gating",
            Self::Merging    => "merging",
            Self::BackingOff => "backing_off",
            Self::Parked     => "parked",
            Self::Blocked    => "blocked",
            Self::Expanded   => "expanded",
            Self::Succeeded  => "succeeded",
            Self::Skipped    => "skipped",
            Self::Dead       => "dead",
            Self::Cancelled  => "cancelled",
        }
    }
}

impl Fact {
    /// All facts, in the order of a life.
    pub const ALL: [Self; 22] = [
        Self::JoinMet,
        Self::JoinUnmet,
        Self::Expanded,
        Self::Asked,
        Self::WaitBegan,
        Self::Started,
        Self::StopRequested,
        Self::Reaped,
        Self::RetryScheduled,
        Self::Parked,
        Self::RetryAtOnce,
        Self::RetryDue,
        Self::OutcomeUnknown,
        Self::Passed,
        Self::MergeRequested,
        Self::Accepted,
        Self::Skipped,
        Self::Unskipped,
        Self::Died,
        Self::Cancelled,
        Self::Requeued,
        Self::ChildRequeued,
    ];
}
