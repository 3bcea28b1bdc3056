//! Why an engine could not start, or had to end. Never: what becomes of tasks (the core says that).

use windlass_journal::error::{BlobError, HomeError, JournalError, LockError};
use windlass_worker::{OldKeeperError, WorkerError};

/// A failure after which the engine's process must end. What it had acknowledged is in the journal.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The home is not fit.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Another engine has it, or the lock could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The journal could not be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A body could not be kept or found.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The keeper could not be started.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The keeper of the engine before this one does not end.
    #[error(transparent)]
    OldKeeper(#[from] OldKeeperError),
    /// The operating system refused something.
    #[error("could not {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The engine has ended and answers no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct Gone;
