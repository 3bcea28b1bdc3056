//! Whether this process hangs in a write: a reader may stop reading without going away, and nobody can tell when it goes
//! on. Every print of the thread that talks to the user passes here. Never: one print within another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How long a print may take before its reader counts as one that reads no more.
const READS_WITHIN: Duration = Duration::from_secs(2);

/// Counts the beginnings and the ends of prints: odd is within one.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// Prints something.
pub(crate) fn print<T>(write: impl FnOnce() -> T) -> T {
    TURNS.fetch_add(1, Ordering::AcqRel);
    let written = write();
    TURNS.fetch_add(1, Ordering::AcqRel);
    written
}

/// Waits until a print hangs.
pub(crate) fn wait_until_it_hangs() {
    loop {
        let before = TURNS.load(Ordering::Acquire);
        thread::sleep(READS_WITHIN);
        if before % 2 == 1 && TURNS.load(Ordering::Acquire) == before {
            return;
        }
    }
}
