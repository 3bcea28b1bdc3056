//! The one place of the engine that asks what time it is. Never: deciding what a difference between clocks means.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use windlass_core::input::Report;
use windlass_core::time::Time;

/// By how much the wall clock may drift against the time since boot before that counts as a step, in milliseconds.
const STEP_MS_MIN: i64 = 5_000;
/// How much longer the time since boot may grow than the time awake before that counts as a suspend, in milliseconds.
const SUSPEND_MS_MIN: i64 = 1_000;

/// The machine's three clocks, compared with what they showed before.
#[derive(Debug)]
pub struct Clock {
    step_base: i64,
    suspend_base: i64,
}

/// The wall clock's time.
pub fn now() -> Time {
    Time::from_ms(millis(ClockId::Realtime))
}

/// How long the machine has been awake: for spans that are measured and never journaled.
pub fn awake() -> Duration {
    let shown = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(shown.tv_sec).unwrap_or(0), u32::try_from(shown.tv_nsec).unwrap_or(0))
}

impl Clock {
    /// Clocks that agree from here on.
    pub fn start() -> Self {
        let (step_base, suspend_base) = Self::differences();
        Self { step_base, suspend_base }
    }

    /// Compares the clocks: wall less boot time tells a step, boot time less time awake tells a suspend.
    pub fn compare(&mut self) -> Option<Report> {
        let (step, suspend) = Self::differences();
        let by_ms = step - self.step_base;
        let suspended = suspend - self.suspend_base;
        let by_ms = if by_ms.abs() >= STEP_MS_MIN { by_ms } else { 0 };
        let suspended = if suspended >= SUSPEND_MS_MIN { suspended } else { 0 };
        if by_ms == 0 && suspended == 0 {
            return None;
        }
        self.step_base += by_ms;
        self.suspend_base += suspended;
        Some(Report::ClockJumped { by_ms, suspended_ms: u64::try_from(suspended).unwrap_or(0) })
    }

    fn differences() -> (i64, i64) {
        let boot = millis(ClockId::Boottime);
        (millis(ClockId::Realtime) - boot, boot - millis(ClockId::Monotonic))
    }
}

fn millis(clock: ClockId) -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    tv_sec * 1000 + tv_nsec / 1_000_000
}
