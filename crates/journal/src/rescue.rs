//! When the home of a live journal has vanished from its place: everything that the open files still hold goes into a
//! new home beside it, else in the temp folder. Never: into the old place, where something else may be by now.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::blob::{Blobs, FolderBlobs};
use crate::head::{self, HomeId};
use crate::home::sync_folder;
use crate::needed::Needed;
use crate::os;
use crate::planted::{Bug, is_planted};
use crate::replay::Plans;
use crate::store::{self, Store};

/// How many names are tried for the copy.
const NAMES_MAX: u32 = 1000;

/// What is left of a home.
pub(crate) struct Lost<'a> {
    /// Open on files that may have no name any more.
    pub(crate) store: &'a Store,
    /// The folder that it was, wherever it is now.
    pub(crate) folder: &'a File,
    /// Where it was.
    pub(crate) home: &'a Path,
    pub(crate) home_id: HomeId,
    pub(crate) plans: &'a Plans,
    pub(crate) needed: &'a Needed,
}

/// Copies it into a new home, and says where that is.
pub(crate) fn copy(lost: &Lost<'_>) -> io::Result<PathBuf> {
    let name = lost.home.file_name().unwrap_or("home".as_ref()).to_string_lossy().into_owned();
    let beside = lost.home.parent().map(Path::to_owned);
    let places = beside.into_iter().chain([std::env::temp_dir()]);
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for place in places {
        match make_folder(&place, &name).and_then(|folder| fill(lost, &folder).map(|()| folder)) {
            Ok(folder) => return Ok(folder),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A folder of a name that nothing has.
fn make_folder(place: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 1..NAMES_MAX {
        let path = place.join(format!("{name}.rescued-{number}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn fill(lost: &Lost<'_>, to: &Path) -> io::Result<()> {
    copy_blobs(lost, to)?;
    let path = store::path(to);
    let mut copy = Connection::open(&path).map_err(io::Error::other)?;
    if is_planted(Bug::CopyNotSynced) {
        copy.pragma_update(None, "synchronous", "OFF").map_err(io::Error::other)?;
    }
    Backup::new(&lost.store.connection, &mut copy)
        .and_then(|backup| backup.step(-1))
        .map_err(io::Error::other)?;
    copy.close().map_err(|(_, error)| io::Error::other(error))?;
    // What was copied counts, acknowledged or not: it is asked from the copy.
    let copy = Store::open_read_only(&path).map_err(io::Error::other)?;
    let end = copy.tip().map_err(io::Error::other)?;
    drop(copy);
    if !is_planted(Bug::CopyNotSynced) {
        File::open(&path)?.sync_all()?;
    }
    head::create(to, lost.home_id, end).map_err(io::Error::other)?;
    sync_folder(to.parent().unwrap_or(to))
}

/// Blobs never change: a second name is as good as a copy.
fn copy_blobs(lost: &Lost<'_>, to: &Path) -> io::Result<()> {
    let blobs = FolderBlobs::new(&to.join("blobs"));
    for plan in lost.plans.bodies() {
        blobs.put(&plan).map_err(io::Error::other)?;
    }
    for body in lost.needed.bodies() {
        blobs.put(body).map_err(io::Error::other)?;
    }
    let left = FolderBlobs::new(&os::path_of(lost.folder).join("blobs"));
    for (digest, _) in left.list().unwrap_or_default() {
        let (from, to) = (left.path(digest), blobs.path(digest));
        // Whoever removes the home goes on meanwhile: what is gone already can't be saved, and keeps nothing else from it.
        if !from.exists() {
            continue;
        }
        let shard = to.parent().expect("a blob lies in a shard");
        blobs.make_folder(shard).map_err(io::Error::other)?;
        if !to.exists() && fs::hard_link(&from, &to).is_err() {
            match fs::copy(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                copied => copied?,
            };
            File::open(&to)?.sync_all()?;
        }
        sync_folder(shard)?;
    }
    Ok(())
}
