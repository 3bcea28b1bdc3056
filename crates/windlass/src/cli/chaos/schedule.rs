//! Which fault comes next, and after how many records: drawn from a seed, and from nothing else. Never: the clock, or what
//! the run does.

use std::time::Duration;

use serde::Serialize;

/// What is done to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    /// SIGKILL for the engine.
    EngineKilled,
    /// SIGKILL for its keeper.
    KeeperKilled,
    /// SIGKILL for both at once.
    BothKilled,
    /// SIGSTOP for the engine, and after a while SIGCONT.
    EngineHeld,
    /// SIGKILL for the monitor of an attempt.
    MonitorKilled,
    /// SIGKILL for the main process of an attempt.
    AttemptKilled,
    /// The disk of the home has no room left, and after a while it has.
    DiskFull,
}

impl Fault {
    /// All of them.
    pub(super) const ALL: [Self; 7] = [
        Self::EngineKilled,
        Self::KeeperKilled,
        Self::BothKilled,
        Self::EngineHeld,
        Self::MonitorKilled,
        Self::AttemptKilled,
        Self::DiskFull,
    ];

    /// In words.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::EngineKilled => "engine killed",
            Self::KeeperKilled => "keeper killed",
            Self::BothKilled => "engine and keeper killed",
            Self::EngineHeld => "engine held for a while",
            Self::MonitorKilled => "monitor of an attempt killed",
            Self::AttemptKilled => "attempt killed",
            Self::DiskFull => "disk full for a while",
        }
    }
}

/// A fault that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    /// After how many records since the fault before.
    pub(super) after: u64,
    /// Which of several it is about.
    pub(super) pick: usize,
    /// How long it lasts, if it does.
    pub(super) lasts: Duration,
}

/// So many records pass between two faults at most.
const RECORDS_MAX: u64 = 24;

/// All faults of a seed, in their order: each comes once before any comes again.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    drawn: u64,
    deck: Vec<Fault>,
    /// What can't be done on this machine is passed over, so that the others are the same everywhere.
    impossible: Option<Fault>,
}

impl Schedule {
    /// The schedule of this seed, but for what can't be done.
    pub(super) fn of(seed: u64, impossible: Option<Fault>) -> Self {
        Self { drawn: seed, deck: Vec::new(), impossible }
    }

    /// The next number below `end` (`SplitMix64`).
    fn below(&mut self, end: u64) -> u64 {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.drawn;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn index_below(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).expect("it is below a length")
    }

    /// The next fault.
    pub(super) fn draw(&mut self) -> Planned {
        loop {
            let next = self.draw_any();
            // The last of one round and the first of the next may both be that.
            if Some(next.fault) != self.impossible {
                return next;
            }
        }
    }

    fn draw_any(&mut self) -> Planned {
        if self.deck.is_empty() {
            self.deck = Fault::ALL.into();
        }
        let at = self.index_below(self.deck.len());
        let fault = self.deck.swap_remove(at);
        let after = self.below(RECORDS_MAX);
        let pick = self.index_below(1 << 16);
        Planned { fault, after, pick, lasts: Duration::from_millis(300 + self.below(1_700)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_each_time_and_each_of_them_before_any_comes_again() {
        let draw_but = |impossible, number: usize, seed: u64| {
            let mut schedule = Schedule::of(seed, impossible);
            (0..number).map(|_| schedule.draw()).collect::<Vec<_>>()
        };
        let draw = |seed: u64| draw_but(None, 14, seed);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for seed in 0..20 {
            for round in draw(seed).chunks(7) {
                let mut faults: Vec<Fault> = round.iter().map(|planned| planned.fault).collect();
                faults.sort();
                assert_eq!(faults, Fault::ALL);
            }
            let mut without_disk = draw(seed);
            without_disk.retain(|planned| planned.fault != Fault::DiskFull);
            assert_eq!(draw_but(Some(Fault::DiskFull), 12, seed), without_disk);
        }
        let never = |seed: u64| draw_but(Some(Fault::DiskFull), 60, seed);
        assert!((0..400).flat_map(never).all(|planned| planned.fault != Fault::DiskFull));
    }
}
