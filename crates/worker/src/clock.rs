//! The one place of this crate that asks what time it is. Never: deciding anything by it.
#![expect(clippy::disallowed_methods, reason = "this is the file that asks the time")]

use std::time::{Duration, Instant, SystemTime};

use windlass_core::time::{Span, Time};

use crate::planted;

/// The monotonic clock, which does not count the sleep of the machine.
pub(crate) fn monotonic() -> Instant {
    Instant::now() + planted::slept()
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
