//! Waiting for the keeper of an earlier engine, which sees more than any mark; and ending it where it does not end.
//! Never: without the lock of the home, which proves that its engine is gone.

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_core::time::Span;

use crate::clock;
use crate::ending::{alive, force};
use crate::keeper::{NAME, lock_path};
use crate::os::{Host, Os as _, Process, Signal};

/// Why an old keeper was not waited for to the end.
#[derive(Debug, thiserror::Error)]
pub enum OldKeeperError {
    /// Its lock is still held.
    #[error("the keeper of an earlier engine still ends what it started: {lock} is held after {waited}{}", by(.holders))]
    StillThere {
        /// The lock.
        lock: PathBuf,
        /// How long it was waited for.
        waited: Span,
        /// The processes that hold it, as far as they can be seen from here; force was used on them in vain.
        holders: Vec<i32>,
    },
    /// The lock can't be used.
    #[error("failed to take the keeper's lock {lock}")]
    Lock {
        /// The lock.
        lock: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OldKeeperError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::StillThere { holders, .. } if holders.is_empty() => Some(
                "look for a process `pawl` in other containers and of other users that share this home, and end it",
            ),
            Self::StillThere { .. } => Some(
                "what not even SIGKILL ends waits for a disk or a network: mend that, or start the machine anew",
            ),
            Self::Lock { .. } => None,
        }
    }
}

fn by(holders: &[i32]) -> String {
    if holders.is_empty() { String::new() } else { format!(" by {}", Named(holders)) }
}

/// Keepers and monitors, for people.
struct Named<'a>(&'a [i32]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(i32::to_string).collect();
        let process = if numbers.len() == 1 { "process" } else { "processes" };
        write!(f, "{process} {} ({NAME})", numbers.join(", "))
    }
}

/// How often the lock is tried.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// How long force may take.
const FORCE_WITHIN: Duration = Duration::from_secs(5);

/// Waits until no keeper and no monitor of this home lives any more, which proves that nothing does that they knew of.
/// Those that don't end in time are ended by force, with all that descends from them. `say` is told of either. The
/// caller has the lock of the home, so the engine of that keeper is gone.
pub fn wait_for_old_keeper(
    home: &Path,
    at_most: Span,
    mut say: impl FnMut(&str),
) -> Result<(), OldKeeperError> {
    let lock = lock_path(home);
    let failed = |source| OldKeeperError::Lock { lock: lock.clone(), source };
    let opened = lock.canonicalize().and_then(|lock| Ok((File::open(&lock)?, lock)));
    let (file, lock) = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if is_free_within(&file, Duration::ZERO).map_err(failed)? {
        return Ok(());
    }
    say("waiting for the keeper of an earlier engine to end what that engine started");
    for holder in holders(&lock) {
        // One that is held would neither see that its engine is gone nor end.
        Host::signal(holder, Signal::CONT);
    }
    if is_free_within(&file, clock::duration(at_most)).map_err(failed)? {
        return Ok(());
    }
    let found = numbers(&holders(&lock));
    if !found.is_empty() {
        say(&format!("that took too long: ending {} and all that it started by force", Named(&found)));
        let until = clock::monotonic() + FORCE_WITHIN;
        let mut ended = HashSet::new();
        while clock::monotonic() < until {
            ended.extend(force(|| alive(&holders(&lock))));
            std::thread::sleep(TRY_AGAIN);
            // Keeper and monitors may be gone before the others are.
            ended = alive(&ended).into_iter().map(|look| look.process).collect();
            if ended.is_empty() && is_free_within(&file, Duration::ZERO).map_err(failed)? {
                return Ok(());
            }
        }
    }
    Err(OldKeeperError::StillThere { waited: at_most, holders: numbers(&holders(&lock)), lock })
}

/// Keepers and monitors of a home.
fn holders(lock: &Path) -> Vec<Process> {
    Host::holders_of_lock(lock, NAME)
}

fn numbers(holders: &[Process]) -> Vec<i32> {
    holders.iter().map(|holder| holder.pid.as_raw_nonzero().get()).collect()
}

fn is_free_within(file: &File, span: Duration) -> io::Result<bool> {
    let until = clock::monotonic() + span;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if clock::monotonic() >= until => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
        }
    }
}
