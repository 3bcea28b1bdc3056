//! The worker of Windlass: real processes, started, streamed, metered, stopped and taken.
//!
//! ```text
//! engine thread ──spawn, stop──> Supervisor (one thread) ──link──> monitor ──> the attempt and all its descent
//!       ^                             │  ^  streams, limits, logs     │ (one attempt at a time, used again)
//!       └────────WorkerReport─────────┘  └───────Ended───────────────┘
//!                                     └──link──> keeper `pawl`: makes monitors, ends what dead ones leave
//! ```
//!
//! Never: knowing of other tasks, or deciding what follows from an attempt's end.

mod adapter;
pub mod background;
mod capture;
mod cgroups;
pub mod chaos;
mod clock;
mod ending;
pub mod environment;
mod errand;
mod fault;
pub mod folder;
mod keeper;
mod link;
pub mod log;
mod machine;
mod monitor;
mod old_keeper;
mod os;
pub mod planted;
mod private;
mod program;
mod report;
mod settings;
mod settle;
mod supervise;
mod sweep;
mod wire;

pub use adapter::act::run_if_scripted;
pub use capture::INLINE_BYTES_MAX;
pub use errand::{Repository, run_if_errand};
pub use fault::way_out;
pub use keeper::run_if_keeper;
pub use machine::{Containment, Machine, machine};
pub use old_keeper::{OldKeeperError, wait_for_old_keeper};
pub use program::find as find_program;
pub use report::{AttemptEnded, Captured, WorkerError, WorkerReport};
pub use settings::{OUTPUT_BYTES_MAX, Owners, Settings};
pub use settle::{
    EXTRACTS_BYTES_MAX, VALUE_BYTES_MAX, check_schema, settle, value_as_printed, value_as_said,
};
pub use supervise::{Blobs, Supervisor, Surroundings};
pub use sweep::{LeftBehind, sweep};

/// Whether this process was started to ignore this signal.
pub fn is_ignored(signal: i32) -> bool {
    use os::Os as _;
    os::Host::ignores(signal)
}

/// Lets orphans come to this process, so that it can end what a dead keeper leaves. For the binary that is an engine;
/// a library's host may have children of its own.
pub fn become_subreaper() -> std::io::Result<()> {
    use os::Os as _;
    os::Host::become_subreaper()
}
