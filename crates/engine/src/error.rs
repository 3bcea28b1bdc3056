//! Why an engine could not start, or had to end. Never: what becomes of tasks (the core says that).

use std::error::Error;
use std::io;
use std::path::Path;

use windlass_core::id::AttemptKey;
use windlass_core::input::Rejection;
pub use windlass_journal::error::{ANOTHER_HOME, LARGER_FILES};
use windlass_journal::error::{BlobError, HomeError, JournalError, LockError, NotSynced};
use windlass_worker::{LeftBehind, OldKeeperError, WorkerError};

/// A failure, in most cases one after which the engine's process must end. What it had acknowledged is in the journal.
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
    /// The store does not have what an attempt needs, which is not charged for that.
    #[error("{key} could not begin: {why}")]
    NotGiven {
        /// The attempt.
        key: AttemptKey,
        /// What it needs, and what is wrong with it.
        why: String,
    },
    /// The keeper could not be started.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The keeper of the engine before this one does not end.
    #[error(transparent)]
    OldKeeper(#[from] OldKeeperError),
    /// Something that an earlier engine left does not end.
    #[error(transparent)]
    LeftBehind(#[from] LeftBehind),
    /// It has ended, or is ending and takes nothing on.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// A plan was not taken.
    #[error("the plan was not taken: {0}")]
    Refused(Rejection),
    /// A thread beside the engine's met a bug.
    #[error("a bug of Windlass ended the thread `{thread}`, and with it the engine")]
    Bug {
        /// Its name.
        thread: &'static str,
    },
    /// The operating system refused something.
    #[error("could not {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The engine has ended and answers no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct Gone;

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        if let Some(way_out) = self.system().and_then(windlass_worker::way_out) {
            return Some(way_out.into());
        }
        match self {
            Self::Home(error) => error.hint().map(str::to_owned),
            Self::Journal(error) => error.hint(),
            Self::Lock(LockError::Held { .. }) => {
                Some("wait until it is done, or use another home with --home".into())
            }
            Self::Lock(LockError::Io { .. }) => Some(ANOTHER_HOME.into()),
            Self::Blob(fatal) if fatal.is_fatal() => Some(NotSynced::HINT.into()),
            Self::Blob(full) if full.is_disk_full() => {
                Some("make room on its disk, or choose another home with --home".into())
            }
            Self::Blob(large) if large.is_too_large() => Some(LARGER_FILES.into()),
            Self::Blob(_) | Self::NotGiven { .. } => {
                Some("`windlass doctor` looks the store through".into())
            }
            Self::OldKeeper(error) => error.hint().map(str::to_owned),
            Self::LeftBehind(left) => Some(format!(
                "see what it waits for with `ps -o pid,stat,wchan,args -p {}`, and try again when it is gone",
                left.pid
            )),
            Self::Bug { .. } => Some(
                "please report it, with what it printed; what was acknowledged is in the journal, and the next engine \
                 goes on with it"
                    .into(),
            ),
            Self::Worker(_) | Self::Gone(_) | Self::Refused(_) | Self::System { .. } => None,
        }
    }

    /// What the system said, where that is behind it.
    fn system(&self) -> Option<&io::Error> {
        let mut reason: &(dyn Error + 'static) = self;
        loop {
            if let Some(system) = reason.downcast_ref() {
                return Some(system);
            }
            reason = reason.source()?;
        }
    }

    /// The copy of everything that was acknowledged, where the home was taken away under the engine.
    pub fn rescue(&self) -> Option<&Path> {
        if let Self::Journal(JournalError::StoreReplaced { rescue, .. }) = self {
            rescue.as_deref()
        } else {
            None
        }
    }

    /// Whether it is that another process has the home open.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Lock(LockError::Held { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_has_nothing_left_of_is_said_with_its_limit_wherever_it_is_met() {
        let hint = |error: EngineError| error.hint().expect("there is one");
        let (doing, path) = ("start a thread", || "/home/x/head".into());
        // EMFILE, and below EAGAIN.
        let too_many = || io::Error::from_raw_os_error(24);
        let thread = EngineError::System { doing, source: io::Error::from_raw_os_error(11) };
        assert!(hint(thread).contains("`ulimit -u`"));
        let lock = LockError::Io { doing: "open", path: path(), source: too_many() };
        let journal = JournalError::Io { doing: "read", path: path(), source: too_many() };
        for error in [EngineError::Lock(lock), EngineError::Journal(journal)] {
            assert!(hint(error).contains("`ulimit -n`"));
        }
    }
}
