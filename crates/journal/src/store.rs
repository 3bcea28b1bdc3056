//! `HOME/journal.db`: the SQLite file, its layout, and the ways to open and read it. SQLite alone opens and closes it
//! in an engine: closing any descriptor of ours would drop SQLite's locks. Never: what the rows mean.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use windlass_core::id::{Epoch, Seq};

use crate::chain::{Body, Head, Link, Row};
use crate::error::JournalError;
use crate::planted::{Bug, is_planted};

/// Its name within the home.
const NAME: &str = "journal.db";
/// The version of the layout.
pub(crate) const LAYOUT: i64 = 1;
/// «WNDL», by which file(1) and others know it.
const APPLICATION_ID: i64 = 0x574E_444C;
/// The first version of SQLite in which resetting a WAL can't lose commits.
const SQLITE_NUMBER_MIN: i32 = 3_051_003;
/// How long a lock of SQLite's is waited for. Readers hold theirs for moments.
pub(crate) const BUSY_SECONDS: u64 = 5;

const CREATE: &str = "
    CREATE TABLE record (
        seq   INTEGER PRIMARY KEY,  -- 1, 2, 3 … without a gap
        epoch INTEGER NOT NULL,     -- of the opening that wrote it
        salt  BLOB,                 -- null once erased
        bytes BLOB,                 -- the event and its time, as JSON; null once erased
        digest BLOB,                -- H(salt ‖ bytes), kept once they are erased
        link  BLOB NOT NULL         -- H(link before ‖ digest)
    ) STRICT;";
const INSERT: &str =
    "INSERT INTO record (seq, epoch, salt, bytes, digest, link) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const SELECT: &str =
    "SELECT seq, epoch, link, salt, bytes, digest FROM record WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const TIP: &str = "SELECT seq, epoch, link FROM record ORDER BY seq DESC LIMIT 1";
const COUNT: &str = "SELECT (SELECT count(*) FROM record), (SELECT max(seq) FROM record)";
const AT: &str = "SELECT seq, epoch, link FROM record WHERE seq = ?1";
const STARTS: &str = "SELECT seq, bytes FROM record WHERE epoch = ?1 ORDER BY seq LIMIT 1";

/// Where the store of a home lies.
pub(crate) fn path(home: &Path) -> PathBuf {
    home.join(NAME)
}

/// Where its write-ahead log lies.
pub(crate) fn wal_path(home: &Path) -> PathBuf {
    home.join("journal.db-wal")
}

/// Where the index of that log lies.
pub(crate) fn shm_path(home: &Path) -> PathBuf {
    home.join("journal.db-shm")
}

/// Refuses a SQLite that can lose a WAL.
pub(crate) fn demand_version() -> Result<(), JournalError> {
    demand(rusqlite::version_number(), rusqlite::version())
}

const fn demand(number: i32, found: &'static str) -> Result<(), JournalError> {
    if number < SQLITE_NUMBER_MIN { Err(JournalError::OldSqlite { found }) } else { Ok(()) }
}

/// A connection to the store of a home.
pub(crate) struct Store {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
}

impl Store {
    /// Opens an existing file so that neither it nor its WAL can change by a byte.
    pub(crate) fn open_read_only(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let store = Self { connection, path: path.to_owned() };
        store.set_up_any()?;
        Ok(store)
    }

    /// Opens or makes the file for writing: WAL, every commit synced, no checkpoint but our own.
    pub(crate) fn open_for_writing(path: &Path) -> Result<Self, JournalError> {
        // SQLite would make it readable for others. No lock of ours can be lost here: there is no file yet.
        match File::options().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(JournalError::io("make", path)(error));
            }
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags);
        let connection = opened.map_err(JournalError::store("open", path))?;
        let store = Self { connection, path: path.to_owned() };
        store.set_up_for_writing().map_err(JournalError::store("set up", path))?;
        let found = store.layout().map_err(JournalError::store("read", path))?;
        match found {
            0 => store.create().map_err(JournalError::store("set up", path))?,
            LAYOUT => {}
            found => return Err(JournalError::Layout { path: path.to_owned(), found, known: LAYOUT }),
        }
        Ok(store)
    }

    fn set_up_any(&self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(Duration::from_secs(BUSY_SECONDS))?;
        self.connection.pragma_update(None, "cell_size_check", true)?;
        self.connection.pragma_update(None, "trusted_schema", false)?;
        self.connection.set_prepared_statement_cache_capacity(16);
        Ok(())
    }

    fn set_up_for_writing(&self) -> rusqlite::Result<()> {
        self.set_up_any()?;
        // Closing must not checkpoint: after a failed write nothing may be synced a second time.
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        self.turn_log_on()?;
        let synced = if is_planted(Bug::CommitNotSynced) { "normal" } else { "full" };
        self.connection.pragma_update(None, "synchronous", synced)?;
        self.connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.connection.pragma_update(None, "temp_store", "memory")
    }

    /// The statement must be run to its end: it answers «wal» first and commits then, and only its end tells of a sync
    /// that failed in between.
    fn turn_log_on(&self) -> rusqlite::Result<()> {
        let mut turn_on = self.connection.prepare("PRAGMA journal_mode = wal")?;
        let modes = turn_on.query_map([], |row| row.get::<_, String>(0))?;
        if modes.collect::<rusqlite::Result<Vec<_>>>()? == ["wal"] {
            return Ok(());
        }
        let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        Err(rusqlite::Error::SqliteFailure(failure, Some("it can't have a write-ahead log".into())))
    }

    fn create(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {CREATE} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT}; COMMIT"
        ))
    }

    /// The version of the layout; 0 in a file that was never filled.
    pub(crate) fn layout(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "user_version", |row| row.get(0))
    }

    /// Where the journal ends: nowhere in an empty one.
    pub(crate) fn tip(&self) -> rusqlite::Result<Head> {
        let tip = self.connection.prepare_cached(TIP)?.query_row([], head_of).optional()?;
        Ok(tip.unwrap_or_default())
    }

    /// The journal up to a record; the default for «before the first».
    pub(crate) fn at(&self, seq: Seq) -> rusqlite::Result<Option<Head>> {
        if seq == Seq(0) {
            return Ok(Some(Head::default()));
        }
        self.connection.prepare_cached(AT)?.query_row([number(seq.0)], head_of).optional()
    }

    /// The first record of an epoch.
    pub(crate) fn start_of(&self, epoch: Epoch) -> rusqlite::Result<Option<(Seq, Vec<u8>)>> {
        let mut select = self.connection.prepare_cached(STARTS)?;
        select
            .query_row([number(epoch.0)], |row| Ok((Seq(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?)))
            .optional()
    }

    /// Hands over the rows after a place, in order, until told to stop.
    pub(crate) fn rows(
        &self,
        after: Seq,
        most: Option<u32>,
        mut each: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(SELECT)?;
        let mut rows = select.query([number(after.0), most.map_or(-1, i64::from)])?;
        while let Some(row) = rows.next()? {
            let head = head_of(row)?;
            let blob = |column| -> rusqlite::Result<Option<&[u8]>> {
                Ok(if let ValueRef::Blob(bytes) = row.get_ref(column)? { Some(bytes) } else { None })
            };
            let body = match (blob(3)?, blob(4)?, blob(5)?.map(TryInto::try_into)) {
                (Some(salt), Some(bytes), _) => Body::Whole { salt, bytes },
                (None, None, Some(Ok(digest))) => Body::Erased { digest },
                _ => Body::Lost,
            };
            if each(&Row { seq: head.seq, epoch: head.epoch, body, link: head.link }).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Adds a row, within a transaction of the caller's.
    pub(crate) fn insert(&self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (salt, bytes, digest) = match &row.body {
            Body::Whole { salt, bytes } => (Some(*salt), Some(*bytes), None),
            Body::Erased { digest } => (None, None, Some(&digest[..])),
            Body::Lost => (None, None, None),
        };
        let (seq, epoch) = (number(row.seq.0), number(row.epoch.0));
        let mut insert = self.connection.prepare_cached(INSERT)?;
        insert.execute(rusqlite::params![seq, epoch, salt, bytes, digest, &row.link.0[..]])?;
        Ok(())
    }

    /// Moves the WAL into the store and empties it, so that all of it is durable wherever it came from.
    pub(crate) fn settle_all(&self) -> Result<(), JournalError> {
        let (busy, frames, moved) = self.checkpoint("TRUNCATE").map_err(self.failed("checkpoint"))?;
        // A reader may keep the WAL from being emptied, but not its frames from being moved and synced.
        if busy && frames != moved {
            return Err(JournalError::Blocked { path: self.path.clone(), seconds: BUSY_SECONDS });
        }
        Ok(())
    }

    /// Moves what it can without waiting for anyone. Says whether all was moved.
    pub(crate) fn settle_some(&self) -> rusqlite::Result<bool> {
        let (_, frames, moved) = self.checkpoint("PASSIVE")?;
        Ok(frames == moved)
    }

    fn checkpoint(&self, mode: &str) -> rusqlite::Result<(bool, i64, i64)> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        self.connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    pub(crate) fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> JournalError {
        JournalError::store(doing, &self.path)
    }
}

/// Whether SQLite can walk every page of the table, and finds as many rows as there are places. What stands in the rows
/// is not looked at: the chain does that. On a connection of its own: SQLite complains of a page only once, when it first
/// takes it into its cache.
pub(crate) fn has_sound_pages(path: &Path) -> bool {
    let count = |store: Store| {
        let counted = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?));
        store.connection.query_row(COUNT, [], counted)
    };
    let counted = Store::open_read_only(path).and_then(count);
    counted.is_ok_and(|(rows, last)| rows == last.unwrap_or(0))
}

fn head_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Head> {
    let unsigned = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(Head { seq: Seq(unsigned(0)?), epoch: Epoch(unsigned(1)?), link: Link(row.get(2)?) })
}

/// SQLite's integers have a sign; no journal has 2⁶³ records.
fn number(unsigned: u64) -> i64 {
    unsigned.cast_signed()
}

/// Whether an error of reading says that the file is not what was written, rather than that it can't be read now.
pub(crate) fn says_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_SHORT_READ};
    let Some(failure) = error.sqlite_error() else {
        // Our own statements are right: where what they give does not fit, it is in the file.
        return matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::SqlInputError { .. }
        );
    };
    // Unknown is SQLite's plain «error»: no such table, no such column.
    let said = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase, ErrorCode::TooBig, ErrorCode::Unknown];
    said.contains(&failure.code)
        || [SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_SHORT_READ].contains(&failure.extended_code)
}

/// Whether an error says that a transaction without a write-ahead log was cut short. There are none but the first, that
/// turns the log on in an empty file; the next one to write undoes it.
pub(crate) fn says_making_cut_short(error: &rusqlite::Error) -> bool {
    let failure = error.sqlite_error();
    failure.is_some_and(|failure| failure.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

/// Whether an error says that the file may not be opened or written by this user.
pub(crate) fn says_refused(error: &rusqlite::Error) -> bool {
    let refused = [ErrorCode::ReadOnly, ErrorCode::CannotOpen, ErrorCode::PermissionDenied];
    error.sqlite_error_code().is_some_and(|code| refused.contains(&code))
}

/// Whether an error says that a sync has failed.
pub(crate) fn says_not_synced(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
    error
        .sqlite_error()
        .is_some_and(|failure| [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&failure.extended_code))
}

/// Whether an error of writing is one under a limit on the size of files. SQLite does not tell what the system said.
pub(crate) fn says_too_large(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE};
    let writing = [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE];
    error.sqlite_error().is_some_and(|failure| writing.contains(&failure.extended_code)) && is_limited()
}

/// Whether the size of files is limited.
fn is_limited() -> bool {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some()
}

/// Whether an error of writing says that the disk is full. From a sync the same answer means failure: what was written
/// before it may be gone. `free` is what the disk has left, in bytes.
pub(crate) fn says_full(error: &rusqlite::Error, free: impl FnOnce() -> u64) -> bool {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
    error.sqlite_error().is_some_and(|failure| match failure.extended_code {
        SQLITE_FULL => true,
        SQLITE_IOERR_SHMSIZE => !is_limited(),
        // SQLite names ENOSPC itself; this one is a quota, or a disk that fails.
        SQLITE_IOERR_WRITE => free() < 1 << 20,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_can_lose_commits_is_refused_by_its_version() {
        for (number, found) in [(3_040_001, "3.40.1"), (3_051_002, "3.51.2")] {
            let refused = demand(number, found).expect_err("it is too old").to_string();
            assert!(refused.starts_with(&format!("SQLite {found} has a bug")), "{refused}");
        }
        assert!(demand(3_051_003, "3.51.3").is_ok());
        assert!(demand_version().is_ok(), "the one that is built in");
    }
}
