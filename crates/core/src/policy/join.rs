//! When a join is met, and when it can't be met any more. Never: who is in it.

use serde::{Deserialize, Serialize};

use crate::plan::Join;

/// How the dependencies of a task have ended so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// They succeeded.
    pub succeeded: u32,
    /// They were skipped by `when`.
    pub when_skipped: u32,
    /// They are optional and ended dead or cancelled.
    pub excused: u32,
    /// They ended in any other way that is not success.
    pub lost: u32,
}

/// How a dependency ended, as its dependants count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It succeeded.
    Succeeded,
    /// It was skipped by `when`.
    WhenSkipped,
    /// It is optional and ended dead or cancelled.
    Excused,
    /// It ended in any other way that is not success.
    Lost,
}

impl Ending {
    /// Whether it counts as a success for this join.
    pub fn counts(self, join: Join) -> bool {
        match self {
            Self::Succeeded => true,
            Self::WhenSkipped | Self::Excused => join == Join::All,
            Self::Lost => false,
        }
    }
}

/// What a join has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may still be met.
    Open,
    /// It is met.
    Met,
    /// Everything was skipped by `when`, and so is the task.
    AllSkipped,
    /// It can't be met any more.
    Impossible,
}

impl Tally {
    /// One more dependency has ended.
    pub fn count(&mut self, ending: Ending) {
        #[cfg(test)]
        steps::count();
        match ending {
            Ending::Succeeded => self.succeeded += 1,
            Ending::WhenSkipped => self.when_skipped += 1,
            Ending::Excused => self.excused += 1,
            Ending::Lost => self.lost += 1,
        }
    }

    /// One that has ended goes on.
    pub fn uncount(&mut self, ending: Ending) {
        #[cfg(test)]
        steps::count();
        match ending {
            Ending::Succeeded => self.succeeded -= 1,
            Ending::WhenSkipped => self.when_skipped -= 1,
            Ending::Excused => self.excused -= 1,
            Ending::Lost => self.lost -= 1,
        }
    }

    /// What a join over this many dependencies has come to.
    pub fn standing(&self, join: Join, needs: u32) -> Standing {
        let ended = self.succeeded + self.when_skipped + self.excused + self.lost;
        let open = needs - ended;
        if needs > 0 && self.when_skipped == needs {
            return Standing::AllSkipped;
        }
        match join {
            Join::All if self.lost > 0 => Standing::Impossible,
            Join::All if open == 0 => Standing::Met,
            Join::AtLeast(enough) if self.succeeded >= enough => Standing::Met,
            Join::AtLeast(enough) if self.succeeded + open < enough => Standing::Impossible,
            Join::All | Join::AtLeast(_) => Standing::Open,
        }
    }
}

/// How often anything was counted on this thread: that is what joins cost.
#[cfg(test)]
pub(crate) mod steps {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        STEPS.set(STEPS.get() + 1);
    }

    /// How often since this was asked before.
    pub(crate) fn taken() -> u64 {
        STEPS.replace(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(succeeded: u32, when_skipped: u32, excused: u32, lost: u32) -> Tally {
        Tally { succeeded, when_skipped, excused, lost }
    }

    #[test]
    fn all_counts_skipped_and_excused_dependencies_as_succeeded() {
        assert_eq!(tally(1, 1, 1, 0).standing(Join::All, 3), Standing::Met);
        assert_eq!(tally(1, 1, 0, 0).standing(Join::All, 3), Standing::Open);
        assert_eq!(tally(0, 0, 0, 0).standing(Join::All, 0), Standing::Met);
    }

    #[test]
    fn all_is_impossible_with_the_first_loss() {
        assert_eq!(tally(0, 0, 0, 1).standing(Join::All, 3), Standing::Impossible);
    }

    #[test]
    fn a_number_counts_true_successes_only() {
        assert_eq!(tally(1, 1, 1, 0).standing(Join::AtLeast(2), 4), Standing::Open);
        assert_eq!(tally(2, 0, 0, 2).standing(Join::AtLeast(2), 4), Standing::Met);
        assert_eq!(tally(1, 1, 1, 0).standing(Join::AtLeast(2), 3), Standing::Impossible);
    }

    #[test]
    fn a_task_is_skipped_when_all_it_needs_was_skipped_by_when() {
        for join in [Join::All, Join::AtLeast(1)] {
            assert_eq!(tally(0, 2, 0, 0).standing(join, 2), Standing::AllSkipped);
        }
    }
}
