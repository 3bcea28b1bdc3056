//! What a [`crate::Supervisor`] tells its engine. Never: what follows from it (the core decides that).

use std::fs::File;
use std::path::PathBuf;

use windlass_core::event::{Exit, LossReason, StopWhy, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, Fence};
use windlass_core::input::LostAttempt;

/// Something happened to an attempt.
#[derive(Debug)]
pub enum WorkerReport {
    /// The main process is over and nothing of the attempt is left.
    Ended(Box<AttemptEnded>),
    /// The attempt went over a limit that is watched here. It lives on until a stop is ordered; said once a limit.
    Overdue {
        /// The attempt.
        key: AttemptKey,
        /// Its fence.
        fence: Fence,
        /// Which limit.
        why: StopWhy,
        /// What was measured and what was allowed.
        message: String,
    },
    /// No report of the end of these attempts will ever come; nothing of them is left.
    Lost {
        /// The attempts.
        attempts: Vec<LostAttempt>,
        /// Why. After the keeper's death the next attempt gets another keeper.
        reason: LossReason,
    },
}

/// How an attempt ended.
#[derive(Debug)]
pub struct AttemptEnded {
    /// The attempt.
    pub key: AttemptKey,
    /// Its fence.
    pub fence: Fence,
    /// How its main process ended.
    pub exit: Exit,
    /// What its adapter made of that; none is success. What never began and is [`ErrorKind::Interrupted`] lacks a blob: that
    /// is the store's fault.
    pub error: Option<Failure>,
    /// What it printed, or wrote into the file named by `WINDLASS_OUTPUT`.
    pub captured: Captured,
    /// How many bytes that was, kept or not.
    pub bytes: u64,
    /// Whether it was more than is kept; `captured` is empty then.
    pub truncated: bool,
    /// What it used.
    pub usage: Usage,
    /// Processes that outlived the main process.
    pub leftovers: u32,
}

impl AttemptEnded {
    /// What the store did not give that the attempt needed to begin.
    pub fn not_given(&self) -> Option<&Failure> {
        let error = self.error.as_ref().filter(|error| error.kind == ErrorKind::Interrupted)?;
        (self.exit == Exit::NotStarted).then_some(error)
    }
}

/// The output of an attempt.
#[derive(Debug)]
pub enum Captured {
    /// Up to 64 KiB.
    Inline(Vec<u8>),
    /// A file that is read from its start, so long. It has no name any more: nobody can put another in its place.
    Spooled(File, u64),
}

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The keeper could not be started.
    #[error("failed to start the keeper {program}")]
    Keeper {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// This process was itself started as a keeper.
    #[error(
        "this program was started as a keeper and did not become one: its `main` must begin with `run_if_keeper`"
    )]
    NoKeeper,
    /// A folder of the home could not be made.
    #[error("failed to make the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system refused something that every supervisor needs.
    #[error("failed to {what}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// Why it was refused.
        source: std::io::Error,
    },
}
