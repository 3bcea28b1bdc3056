//! The machine's three clocks. Never: the time of the machine that simulates.

use windlass_engine::clock::Shown;

/// When every world begins.
pub(crate) const BEGIN_MS: i64 = 1_700_000_000_000;

/// The clocks of the machine, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks {
    /// How long the machine was awake: what the world's queue goes by.
    pub(crate) awake: u64,
    /// How long it slept.
    pub(crate) slept: u64,
    /// By how much the wall clock was set, or has drifted.
    pub(crate) set: i64,
    /// What the first two showed when the machine was started last.
    started: (u64, u64),
}

impl Clocks {
    /// The time since the world began, sleep included.
    pub(crate) fn boot(&self) -> u64 {
        self.awake + self.slept
    }

    /// The machine starts anew, and with it the clocks that count from there.
    pub(crate) fn restart(&mut self) {
        self.started = (self.awake, self.slept);
    }

    /// What an engine sees of them.
    pub(crate) fn shown(&self) -> Shown {
        let signed = |ms| i64::try_from(ms).expect("some years");
        let wall_ms = BEGIN_MS + signed(self.boot()) + self.set;
        let (awake, slept) = (self.awake - self.started.0, self.slept - self.started.1);
        Shown { wall_ms, boot_ms: signed(awake + slept), awake_ms: signed(awake) }
    }
}
