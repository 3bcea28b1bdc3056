//! The one place of this crate that asks what time it is. Never: deciding anything by it.
#![expect(clippy::disallowed_methods, reason = "this is the file that asks the time")]

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};
use windlass_core::time::{Span, Time};

use crate::planted::{self, Bug, is_planted};

/// A moment, by the time for which the machine has been awake: what watches a process does not count its sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// For how long the machine was awake since that one; nothing where it is still to come.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// The present one.
pub(crate) fn monotonic() -> Moment {
    let counts_sleep = is_planted(Bug::SuspendIsSilence);
    Moment(shown(if counts_sleep { ClockId::Boottime } else { ClockId::Monotonic }))
}

/// What a clock of the machine shows. Tests let the machine have slept: the clock that counts it shows that.
fn shown(clock: ClockId) -> Duration {
    let shown = clock_gettime(clock);
    let awake =
        Duration::new(u64::try_from(shown.tv_sec).unwrap_or(0), u32::try_from(shown.tv_nsec).unwrap_or(0));
    if clock == ClockId::Boottime { awake + planted::slept() } else { awake }
}

/// The wall clock.
pub(crate) fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A span as the standard library counts it.
pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_millis(span.ms)
}
