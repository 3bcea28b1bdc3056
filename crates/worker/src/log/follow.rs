//! Following a log while it is written, also before it is there. Never: waiting by the clock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{LogLine, LogLines};
use crate::link::wait_for;
use crate::os::{Changes, Host, Os as _};

/// A reader that can wait for more.
#[derive(Debug)]
pub struct Follower {
    lines: LogLines,
    folder: PathBuf,
    changes: Changes,
}

impl Follower {
    /// Follows this log from its start.
    pub fn new(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(path).to_owned();
        let changes = Host::changes()?;
        let follower = Self { lines: LogLines::new(path, false), folder, changes };
        follower.watch()?;
        Ok(follower)
    }

    /// The next line that is there already.
    pub fn next_line(&mut self) -> io::Result<Option<LogLine>> {
        self.lines.next_line()
    }

    /// Waits until there may be more, for this long at most; false when that time passed first.
    pub fn wait(&self, at_most: Option<Duration>) -> io::Result<bool> {
        let [changed] = wait_for([&self.as_fd()], at_most)?;
        if changed {
            Host::drain_changes(&self.changes);
            // A folder on the way may have come into being.
            self.watch()?;
        }
        Ok(changed)
    }

    /// Watches the log's folder, or the nearest one on the way to it that is there.
    fn watch(&self) -> io::Result<()> {
        loop {
            let nearest = self.folder.ancestors().find(|one| one.is_dir()).unwrap_or(Path::new("/"));
            Host::watch_folder(&self.changes, nearest)?;
            // The next one on the way may have come between the look and the watch.
            if self.folder.ancestors().find(|one| one.is_dir()).unwrap_or(Path::new("/")) == nearest {
                return Ok(());
            }
        }
    }
}

impl AsFd for Follower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}
