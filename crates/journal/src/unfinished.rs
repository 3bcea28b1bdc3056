//! Files that are written beside the place where they will count: under a name that nobody reads, then renamed.
//! Never: taking one away from the process that writes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::NamedTempFile;

/// Begins a file. As long as it is open it is locked, so that a sweep leaves it alone.
pub(crate) fn begin(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new().prefix(prefix).tempfile_in(folder)?;
        file.as_file().lock_shared()?;
        // A sweep may have come between, and found it without its lock.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes what processes that are gone have left, by the start of its name. What can't be removed is in nobody's way.
pub(crate) fn sweep(folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_unfinished = entry.file_name().to_string_lossy().starts_with(prefix);
        let file = is_unfinished.then(|| File::open(entry.path()).ok()).flatten();
        // The lock is held until it is gone: whoever waits for it sees that.
        if let Some(_file) = file.filter(|file| file.try_lock().is_ok()) {
            drop(fs::remove_file(entry.path()));
        }
    }
}
