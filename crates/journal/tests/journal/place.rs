//! Homes for tests: in folders of their own, with little in reserve.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use windlass_journal::error::JournalError;
use windlass_journal::home::{Home, HomeSettings};
use windlass_journal::lock::{self, Lock};
use windlass_journal::sqlite::SqliteJournal;

use crate::needs::is_there;

/// A home that is gone with this.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn home(&self) -> Home {
        home_at(&self.path())
    }

    /// Opens its journal; a lock that somebody holds is broken, as by a person who removes the file.
    pub(crate) fn open(&self, build: &str) -> Result<SqliteJournal, JournalError> {
        open_at(&self.path(), build)
    }
}

pub(crate) fn home_at(path: &Path) -> Home {
    let settings = HomeSettings { reserve: 64 << 10, min_free: 0, force: false };
    Home::open(path, settings).unwrap_or_else(|failed| panic!("{failed}"))
}

pub(crate) fn open_at(path: &Path, build: &str) -> Result<SqliteJournal, JournalError> {
    let home = home_at(path);
    drop(std::fs::remove_file(path.join(lock::NAME)));
    let lock = Lock::take(path, None).unwrap();
    home.make_room(&lock).unwrap();
    SqliteJournal::open(&home, &lock, build)
}

/// A program to be started by a test.
#[expect(clippy::disallowed_methods, reason = "tests start real processes, without a keeper")]
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    std::process::Command::new(name)
}

/// Whether system calls can be traced and made to fail. Where they can't be, the test that asks fails, unless a person
/// has left it out.
pub(crate) fn can_trace() -> bool {
    let traced = program("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    is_there("strace", traced.is_ok_and(|status| status.success()))
}
