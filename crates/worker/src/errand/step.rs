//! The steps of an errand, one by one, so that tests can cut it off before each of them. Never: anything else than counting
//! in what is shipped.

/// Cuts this process off as a kill does, where a test wants that before this step.
#[cfg(feature = "planted")]
pub(super) fn begins() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static STEPS: AtomicU32 = AtomicU32::new(0);
    let cut = std::env::var_os("WINDLASS_ERRAND_CUT").and_then(|at| at.to_str()?.parse::<u32>().ok());
    if cut == Some(STEPS.fetch_add(1, Ordering::Relaxed)) {
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

/// A step begins.
#[cfg(not(feature = "planted"))]
pub(super) const fn begins() {}
