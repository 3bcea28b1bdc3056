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
}

impl Clocks {
    /// The time since the machine was started, sleep included.
    pub(crate) fn boot(&self) -> u64 {
        self.awake + self.slept
    }

    /// What an engine sees of them.
    pub(crate) fn shown(&self) -> Shown {
        let signed = |ms| i64::try_from(ms).expect("some years");
        let boot_ms = signed(self.boot());
        Shown { wall_ms: BEGIN_MS + boot_ms + self.set, boot_ms, awake_ms: signed(self.awake) }
    }
}
