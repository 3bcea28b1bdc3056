//! A case: all that happens to a world from outside, written down before it begins. The same case is the same world,
//! byte for byte; leaving a part out leaves the rest as it was, which is what makes failures small.
//! Never: anything that is found out while the world goes on, but the behaviours that it drew, kept for shrinking.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_core::event::{Settlement, StopWhy};
use windlass_core::failure::ErrorKind;

use crate::draft::PlanDraft;

/// A world in a nutshell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Case {
    /// What everything that is not written down follows from.
    pub(crate) seed: u64,
    /// How many attempts may be in flight.
    pub(crate) slots: u32,
    /// The plans, in the order in which they are submitted.
    pub(crate) runs: Vec<PlanDraft>,
    /// What people do, and at which step.
    pub(crate) acts: Vec<(u32, Act)>,
    /// What befalls the world, and at which step.
    pub(crate) faults: Vec<(u32, Fault)>,
    /// How many attempts in a thousand are not plain.
    pub(crate) trouble: u32,
    /// How many of those, in a thousand, ignore the polite stop whatever else they do.
    pub(crate) stubborn: u32,
    /// How many attempts in a thousand meet a quota.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) quotas: u32,
    /// How many attempts in a thousand find that their account is let in no more.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) outages: u32,
    /// Whether turns are cut short, so that what follows from their state comes in later ones.
    pub(crate) short_turns: bool,
    /// The plans that attempts may bring.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) brought: Vec<PlanDraft>,
    /// How attempts behave, by their keys: over what `trouble` would draw.
    pub(crate) behaviours: BTreeMap<String, Behaviour>,
}

impl Case {
    /// The seed that it was made of.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same, but that once all has come to rest the journal is found to end behind this record.
    #[must_use]
    pub fn cut_after(&self, record: u64) -> Self {
        let mut cut = self.clone();
        cut.faults.push((u32::MAX, Fault::Loss { after: record }));
        cut
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_none(number: &u32) -> bool {
    *number == 0
}

/// Something that a person does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Act {
    /// Submits the next plan.
    Submit,
    /// Submits a plan under the id of a run that is there.
    SubmitAgain,
    CancelRun(u32),
    Cancel(Aim),
    Pause(u32),
    /// Pauses, and stops what runs.
    PauseNow(u32),
    Resume(u32),
    /// Goes on with so many attempts and so many milliseconds of work more.
    Raise(u32, u32, u64),
    Retry(Aim),
    /// The same with another agent, by its number, and another prompt or not.
    RetryOtherwise(Aim, u32, bool),
    Settle(Aim, Settlement),
    /// Goes on with a run by another plan, which follows from a number.
    Revise(u32, u32),
    Approve {
        aim: Aim,
        yes: bool,
        id: Id,
    },
    /// Says a number on the topic with this number, from outside.
    Emit(u32, u32, u32),
    Drop(Aim),
    Drain {
        at_once: bool,
    },
    /// Sends an earlier command again, under its id.
    Repeat(u32),
    /// Asks about a run or a task that does not exist.
    Astray,
}

/// A task that is meant: the one with this number among those that fit, or among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aim {
    pub(crate) number: u32,
    pub(crate) fitting: bool,
}

/// Which id an answer to an approval names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Id {
    Right,
    /// One that was asked under before.
    Old,
    Wrong,
}

/// Something that befalls the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// The engine is killed.
    Crash {
        at: CrashAt,
        /// How long until somebody starts it again, in milliseconds.
        down_ms: u64,
    },
    /// The keeper is killed, and all that it started.
    KeeperDies,
    /// Engine and keeper are killed both at once: what they started lives on until somebody sweeps it away.
    BothDie {
        down_ms: u64,
    },
    /// The machine loses its power, and is started again after so long.
    PowerCut {
        down_ms: u64,
    },
    /// Another engine opens the home of one that lives, as if there were no lock.
    Usurped,
    /// The wall clock is set.
    ClockStep {
        by_ms: i64,
    },
    /// The wall clock is set by so little that nobody calls it a step.
    Drift {
        by_ms: i64,
    },
    /// A report about an attempt that is over, or that never was.
    Ghost {
        number: u32,
        kind: u32,
    },
    /// The machine sleeps.
    Suspend {
        ms: u64,
    },
    DiskLow(bool),
    /// The disk is full but for so many appends.
    DiskFull {
        room: u64,
    },
    /// Somebody has made room on it.
    DiskFree,
    /// A copy of the disk loses the end of the journal, or a bit of it, and somebody opens it.
    Damage {
        number: u64,
        is_cut: bool,
    },
    /// The state is kept; by another build that writes it otherwise.
    Snapshot {
        foreign: bool,
    },
    /// The engine is killed, and of the journal only the records up to one are found: the one with this number, counted
    /// over and over. Somebody accepts that.
    Loss {
        after: u64,
    },
    /// An attempt is stopped by its driver.
    Overdue {
        number: u32,
        why: StopWhy,
    },
}

/// Where in the five lines of a turn the engine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CrashAt {
    /// Between two turns.
    Rest,
    /// At some moment before the next thing that it waits for.
    Waiting,
    /// Before the batch is on the disk.
    Append,
    /// After it is, and before anybody is told.
    Appended,
    /// After so many answers, shows and effects.
    Told(u32),
}

/// How an attempt goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Behaviour {
    pub(crate) takes_ms: u64,
    pub(crate) end: End,
    pub(crate) on_term: OnTerm,
    pub(crate) report: Reporting,
    /// Whether it says nothing while it works.
    pub(crate) silent: bool,
    pub(crate) leftovers: u32,
    /// Whether its output is held against the schema and fails.
    pub(crate) bad_output: bool,
    /// The plans that it brings, one after the other, by their numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) brings: Vec<u32>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            takes_ms: 100,
            end: End::Succeeds,
            on_term: OnTerm::Dies,
            report: Reporting::Prompt,
            silent: false,
            leftovers: 0,
            bad_output: false,
            brings: Vec::new(),
        }
    }
}

/// How an attempt ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Succeeds,
    Code(i32),
    Signal(i32),
    /// It exits with 0, and its adapter knows better.
    Error(ErrorKind, Option<u64>),
    NotStarted(ErrorKind),
}

/// What an attempt does when it is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnTerm {
    Dies,
    /// It ends by itself with this code.
    Exits(i32),
    Ignores,
}

/// What becomes of the report of an attempt's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reporting {
    Prompt,
    Late(u64),
    /// Told again after so long.
    Doubled(u64),
    Lost,
    /// The work was done, and the report says that it failed.
    SaidFailed,
    /// So late that it comes when others have given the attempt up, whatever died in between.
    Zombie(u64),
}
