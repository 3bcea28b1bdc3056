//! What can go wrong with a home and its journal, in words for people: what happened, where, and (by `hint`) what to
//! do next. Never: deciding whether to go on; after most of these nobody may.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use windlass_core::id::{Epoch, Seq};

pub use crate::blob::BlobError;
pub use crate::home::HomeError;
pub use crate::lock::LockError;
use crate::store;

/// The way out where a home can't be made, read or written.
pub const ANOTHER_HOME: &str = "the home must be a folder that its user can write to: mend that, or choose another with --home or WINDLASS_HOME";

/// The way out where files may not grow as they must.
pub const LARGER_FILES: &str = "the size of files is limited here (`ulimit -f`): raise that limit, or start Windlass where there is none";

/// The way out where what is there is another user's.
pub const OF_ANOTHER_USER: &str =
    "call Windlass as the user who owns that, or choose another home with --home or WINDLASS_HOME";

/// How many files a process must be able to open that only reads a home.
pub(crate) const FILES_OF_A_READER: usize = 4;

/// The disk did not make durable what was written: whether it is there nobody can say before a fresh start, and to sync
/// again would prove nothing.
#[derive(Debug, thiserror::Error)]
#[error("{what} could not be made durable: {path} was not synced")]
pub struct NotSynced {
    /// What may be gone after a power cut.
    pub what: Unsynced,
    /// What was to be synced.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// What was not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsynced {
    /// Records, in the store or its log.
    #[error("the newest records")]
    Records,
    /// The file that says where the journal ends.
    #[error("where the journal ends")]
    Head,
    /// A body that an event is about to name.
    #[error("an output or a plan")]
    Blob,
    /// That a file has its name.
    #[error("the names of files")]
    Names,
}

impl NotSynced {
    pub(crate) fn of(what: Unsynced, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { what, path, source }
    }

    /// What to do about it.
    pub const HINT: &str = "the disk may be failing, or full: look at it (`dmesg` has its errors), then start again; what \
        was acknowledged is checked at the start, and `windlass doctor` looks all of it through";
}

/// A failure of the journal. After a failed append the journal is [`JournalError::Poisoned`] for good: only a fresh
/// opening can say what is on the disk.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused something.
    #[error("could not {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk did not make durable what was written.
    #[error(transparent)]
    NotSynced(#[from] NotSynced),
    /// SQLite refused something.
    #[error("could not {doing} the journal {path}")]
    Store {
        /// What was tried.
        doing: &'static str,
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Records are gone or are not what was written.
    #[error(transparent)]
    Damaged(Box<Damage>),
    /// A record that this build does not understand.
    #[error("record {seq} (`{kind}`, v{v}) was written by Windlass {build}; this build does not know it")]
    Foreign {
        /// Its place.
        seq: Seq,
        /// The name of its event.
        kind: String,
        /// The version of its event.
        v: u32,
        /// The build that wrote it, as its `engine_started` says.
        build: String,
        /// What this build made of it.
        source: serde_json::Error,
    },
    /// The store's layout is newer than this build.
    #[error("the journal {path} has layout {found}; this build knows {known}")]
    Layout {
        /// The store's file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The newest that this build knows.
        known: i64,
    },
    /// Somebody else has opened the journal for writing since.
    #[error("another engine (epoch {newest}) has taken the journal over from this one (epoch {ours})")]
    Superseded {
        /// The epoch of this opening.
        ours: Epoch,
        /// The newest.
        newest: Epoch,
    },
    /// The journal does not end where the batch begins.
    #[error("the journal ends at record {found}, not at {expected}")]
    NotTheEnd {
        /// Where the caller believed that it ends.
        expected: Seq,
        /// Where it ends.
        found: Seq,
    },
    /// A batch that breaks a rule of the journal: a bug of the caller.
    #[error("record {seq} can't be appended: {rule}")]
    Malformed {
        /// The offending record.
        seq: Seq,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// The disk is full, and the reserve did not help.
    #[error("the disk of {path} is full")]
    DiskFull {
        /// The home.
        path: PathBuf,
    },
    /// The disk takes no writes any more, as where the system made it so after an error.
    #[error("the disk of {path} has become read-only")]
    ReadOnly {
        /// The home.
        path: PathBuf,
    },
    /// The file that is written is no longer the one at its path: the home was removed, moved or replaced.
    #[error("{path} is no longer the journal that this engine writes: it was removed, moved or replaced")]
    StoreReplaced {
        /// What is missing from its place.
        path: PathBuf,
        /// The home that all records were copied to; none if there was no place for one.
        rescue: Option<PathBuf>,
    },
    /// An earlier append failed.
    #[error("an earlier write to the journal failed; only a fresh start can say what is on the disk")]
    Poisoned,
    /// A blob could not be read or written.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Too few files may be open.
    #[error("{wanted} more files can't be opened, which it takes to begin")]
    FewFiles {
        /// How many it takes.
        wanted: usize,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite is too old to be trusted.
    #[error("SQLite {found} has a bug that can lose a WAL; 3.51.3 or newer is needed")]
    OldSqlite {
        /// The version that is linked.
        found: &'static str,
    },
    /// A reader keeps the journal from being made durable.
    #[error("another program has kept {path} from being checkpointed for {seconds} s")]
    Blocked {
        /// The store's file.
        path: PathBuf,
        /// For how long it was tried.
        seconds: u64,
    },
}

impl JournalError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub(crate) fn store(doing: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            if store::says_not_synced(&source) {
                return NotSynced { what: Unsynced::Records, path, source: io::Error::other(source) }.into();
            }
            Self::Store { doing, path, source }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Damaged(damage) => damage.hint(),
            Self::NotSynced(_) | Self::Blob(BlobError::NotSynced(_) | BlobError::Poisoned) => {
                NotSynced::HINT.into()
            }
            Self::Foreign { build, .. } => format!("use Windlass {build} or newer for this home"),
            Self::Layout { .. } => "use the newer Windlass that made it".into(),
            Self::Superseded { .. } => {
                "let one engine use the home at a time; what this one had not written is not lost, it is decided anew"
                    .into()
            }
            Self::DiskFull { path } => format!("free some space on the disk of {}, then resume", path.display()),
            Self::ReadOnly { .. } => "find out why (`dmesg` has its errors), mount it for writing again, then resume".into(),
            Self::StoreReplaced { rescue: Some(rescue), .. } => {
                format!("everything acknowledged is in the copy: go on with --home {}", rescue.display())
            }
            Self::StoreReplaced { rescue: None, .. } => {
                "no copy could be made: look for the home in the trash or where it was moved to".into()
            }
            Self::Blocked { path, .. } => format!("end what holds it open (`fuser {}` names it)", path.display()),
            Self::Io { source, path, .. } if is_refused(source) => where_refused(path).into(),
            Self::Io { source, .. } if is_storage_full(source) => "free some space".into(),
            Self::Io { source, .. } if is_too_large(source) => LARGER_FILES.into(),
            Self::Store { source, .. } if store::says_refused(source) => ANOTHER_HOME.into(),
            Self::Store { source, .. } if store::says_too_large(source) => LARGER_FILES.into(),
            Self::Store { source, .. } if store::says_damage(source) => {
                "`windlass doctor` says what is damaged and how to go on".into()
            }
            Self::Io { .. }
            | Self::Store { .. }
            | Self::NotTheEnd { .. }
            | Self::Malformed { .. }
            | Self::Poisoned
            | Self::Blob(_)
            | Self::FewFiles { .. }
            | Self::OldSqlite { .. } => return None,
        })
    }
}

/// A rule that each batch must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Places go up by one.
    #[error("its place does not follow the one before")]
    Gap,
    /// An event has a largest size.
    #[error("event_too_large: it has {bytes} bytes, {max} are allowed")]
    EventTooLarge {
        /// Its size.
        bytes: usize,
        /// The largest.
        max: usize,
    },
    /// A batch has a largest size.
    #[error("batch_too_large: with it the batch has {bytes} bytes, {max} are allowed")]
    BatchTooLarge {
        /// The batch's size up to it.
        bytes: usize,
        /// The largest.
        max: usize,
    },
    /// Values nest only so deep.
    #[error("event_too_deep: its values nest deeper than {max} levels")]
    EventTooDeep {
        /// The deepest.
        max: usize,
    },
    /// The first record of an opening is its `engine_started`, and it says the epoch of the append.
    #[error("an epoch begins with its engine_started, and only there is one")]
    EpochStart,
    /// The event can't be written as JSON.
    #[error("it can't be written as JSON")]
    NotJson,
}

/// What is missing from a journal, or is not what was written. Nothing on the disk was changed.
#[derive(Debug)]
pub struct Damage {
    /// Where the journal is.
    pub home: PathBuf,
    /// How it was noticed.
    pub cause: DamageCause,
    /// The records up to this one are there and true, as far as this look went.
    pub intact: Seq,
    /// The last record that is known to have been written; what lies between is gone.
    pub known: Seq,
}

/// How damage was noticed.
#[derive(Debug)]
pub enum DamageCause {
    /// There is a journal and no `head` beside it.
    HeadMissing,
    /// No slot of `head` can be trusted.
    HeadUnreadable,
    /// `head` tells of records, and there is no journal.
    StoreMissing,
    /// `head` tells of more records than the journal has.
    EndMissing,
    /// The record at which `head` stands is another one.
    EndDiffers,
    /// A record does not hold against the chain.
    ChainBroken {
        /// The first such record.
        seq: Seq,
    },
    /// SQLite can't read the file.
    StoreUnreadable(rusqlite::Error),
    /// `doctor --accept-loss` was cut short.
    RepairCutShort,
}

impl Damage {
    /// The records that are gone, first and last; none if it is not known that any is.
    pub fn lost(&self) -> Option<(Seq, Seq)> {
        (self.known > self.intact).then(|| (self.intact.next(), self.known))
    }

    fn hint(&self) -> String {
        let accept =
            "`windlass doctor --accept-loss` keeps copies of everything and goes on with what is left";
        match self.cause {
            DamageCause::RepairCutShort => {
                "run `windlass doctor --accept-loss` again: it ends what it had begun".into()
            }
            DamageCause::HeadMissing | DamageCause::StoreMissing => {
                format!("if the files were moved, put them back; else {accept}")
            }
            DamageCause::HeadUnreadable
            | DamageCause::EndMissing
            | DamageCause::EndDiffers
            | DamageCause::ChainBroken { .. }
            | DamageCause::StoreUnreadable(_) => format!("if there is a backup, use it; else {accept}"),
        }
    }
}

impl std::error::Error for Damage {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let DamageCause::StoreUnreadable(source) = &self.cause { Some(source) } else { None }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal in {} is damaged: ", self.home.display())?;
        match &self.cause {
            DamageCause::HeadMissing => {
                f.write_str("its `head` is missing, so nobody knows whether it is whole")?;
            }
            DamageCause::HeadUnreadable => {
                f.write_str("its `head` can't be read, so nobody knows whether it is whole")?;
            }
            DamageCause::StoreMissing => f.write_str("`journal.db` is missing")?,
            DamageCause::EndMissing => {
                write!(f, "it ends at record {}, but there were {}", self.intact, self.known)?;
            }
            DamageCause::EndDiffers => {
                write!(f, "record {} is not the one that was written", self.intact.next())?;
            }
            DamageCause::ChainBroken { seq } => write!(f, "record {seq} is not what was written")?,
            DamageCause::StoreUnreadable(_) => f.write_str("`journal.db` can't be read")?,
            DamageCause::RepairCutShort => f.write_str("a repair was cut short")?,
        }
        match self.lost() {
            Some((first, last)) if first == last => write!(f, "; record {first} is gone"),
            Some((first, last)) => write!(f, "; records {first} to {last} are gone"),
            None => Ok(()),
        }
    }
}

/// Whether an error is for lack of rights, or for a path that leads to no folder.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | NotADirectory)
}

/// The way out where a path may not be touched: of another user's it is no use to mend the rights.
pub(crate) fn where_refused(path: &Path) -> &'static str {
    let owner =
        path.ancestors().find_map(|nearest| fs::symlink_metadata(nearest).ok()).map(|found| found.uid());
    let is_ours = owner.is_none_or(|owner| owner == rustix::process::geteuid().as_raw());
    if is_ours { ANOTHER_HOME } else { OF_ANOTHER_USER }
}

/// Whether an error is for lack of descriptors, in this process or in the system.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Whether an error is for lack of space.
pub(crate) fn is_storage_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether an error is for a limit on the size of files.
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}
