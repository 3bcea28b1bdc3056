//! Folders that stand where a worktree is to be and are none, or not a whole one: put aside, with all that is in them.
//! Never: deleting anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use windlass_core::failure::Failure;

use super::{durable, failed, say, step};

/// The folder beside worktrees that holds what was put aside. No task's name begins with a dot.
const FOLDER: &str = ".quarantine";

/// Its link to the repository is kept under another name: the worktree that is made instead of it may get the same git folder,
/// and a git in here would work on that one.
const LINK: &str = ".git.aside";

/// Puts aside what is at this path; where it is then.
pub(super) fn put_aside(path: &Path, why: &str) -> Result<PathBuf, Failure> {
    let broken = |error: &io::Error| failed("can't put aside", path, error);
    let (parent, name) = path
        .parent()
        .zip(path.file_name())
        .ok_or_else(|| broken(&io::Error::new(io::ErrorKind::InvalidInput, "it has no name")))?;
    let link = path.join(".git");
    if link.is_file() {
        step::begins();
        fs::rename(&link, path.join(LINK)).map_err(|error| broken(&error))?;
    }
    let folder = parent.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| broken(&error))?;
    let free = |number: u32| {
        let place = folder.join(format!("{}.{number}", name.display()));
        place.symlink_metadata().is_err().then_some(place)
    };
    let place = (1..).find_map(free).expect("some number is free");
    step::begins();
    fs::rename(path, &place).map_err(|error| broken(&error))?;
    durable::folder(&folder)?;
    durable::folder(parent)?;
    say(&format!("{why}: it was put aside as `{}`", place.display()));
    Ok(place)
}
