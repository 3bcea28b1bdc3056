//! The machine's three clocks, and what an engine knows of them. Never: the time of the machine that simulates.

use windlass_core::input::Report;
use windlass_core::time::Time;

/// When every world begins.
const BEGIN_MS: i64 = 1_700_000_000_000;
/// A smaller step of the wall clock is drift.
const STEP_MS_MIN: i64 = 5_000;
/// A shorter sleep is none.
const SUSPEND_MS_MIN: u64 = 1_000;

/// The clocks of the machine, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks {
    /// How long the machine was awake: what the world's queue goes by.
    pub(crate) awake: u64,
    /// How long it slept.
    pub(crate) slept: u64,
    /// By how much the wall clock was set, or has drifted.
    pub(crate) set: i64,
}

impl Clocks {
    /// The time since the machine was started, sleep included.
    pub(crate) fn boot(&self) -> u64 {
        self.awake + self.slept
    }
}

/// What an engine knows of the clocks.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    set: i64,
    slept: u64,
}

impl Known {
    /// Clocks that agree from here on.
    pub(crate) fn start(clocks: &Clocks) -> Self {
        Self { set: clocks.set, slept: clocks.slept }
    }

    /// What the wall clock shows. Whoever asks has compared the clocks just before.
    pub(crate) fn now(&self, clocks: &Clocks) -> Time {
        let boot = i64::try_from(clocks.boot()).expect("some years");
        let unseen = clocks.set - self.set;
        let unseen = if unseen.abs() >= STEP_MS_MIN { unseen } else { 0 };
        Time::from_ms(BEGIN_MS + boot + clocks.set - unseen)
    }

    /// What has changed since the clocks were compared before.
    pub(crate) fn compare(&mut self, clocks: &Clocks) -> Option<Report> {
        let by_ms = clocks.set - self.set;
        let slept = clocks.slept - self.slept;
        let by_ms = if by_ms.abs() >= STEP_MS_MIN { by_ms } else { 0 };
        let suspended_ms = if slept >= SUSPEND_MS_MIN { slept } else { 0 };
        if by_ms == 0 && suspended_ms == 0 {
            return None;
        }
        self.set += by_ms;
        self.slept += suspended_ms;
        Some(Report::ClockJumped { by_ms, suspended_ms })
    }
}
