//! What a merge rests on is made durable: an agent's git writes objects and refs without syncing them, and git never
//! syncs the folders that their names are in. Never: an object that was there before the work.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use windlass_core::errand::ObjectId;
use windlass_core::failure::Failure;

use super::git::Git;
use super::{failed, step};

/// Makes all objects durable that are reachable from `new` and from none of `old`.
pub(super) fn objects(git: &Git, common: &Path, new: &ObjectId, old: &[&ObjectId]) -> Result<(), Failure> {
    let mut arguments = vec!["rev-list", "--objects", "--no-object-names", &new.0, "--not"];
    arguments.extend(old.iter().map(|old| old.0.as_str()));
    let listed = git.run(&arguments)?;
    let store = common.join("objects");
    let mut folders = BTreeSet::from([store.clone()]);
    let mut packed = false;
    step::begins();
    for id in String::from_utf8_lossy(&listed).lines() {
        let Some((folder, file)) = id.split_at_checked(2) else { continue };
        let folder = store.join(folder);
        // One that lies in no file of its own is in a pack, or in a store that this one borrows from.
        packed |= !sync_if_there(&folder.join(file))?;
        folders.insert(folder);
    }
    if packed {
        let packs = store.join("pack");
        for entry in fs::read_dir(&packs).into_iter().flatten().flatten() {
            sync_if_there(&entry.path())?;
        }
        folders.insert(packs);
    }
    folders.iter().try_for_each(|folder| sync_if_there(folder).map(drop))
}

/// Makes durable where a ref is: its file with all folders up to the store of refs, its log, and the packed ones.
pub(super) fn reference(common: &Path, name: &str) -> Result<(), Failure> {
    step::begins();
    for top in [common.to_owned(), common.join("logs")] {
        let file = top.join(name);
        let above: Vec<PathBuf> =
            file.ancestors().take_while(|path| *path != top).map(Path::to_owned).collect();
        for path in above.iter().chain([&top]) {
            sync_if_there(path)?;
        }
    }
    for other in ["packed-refs", "reftable"] {
        sync_if_there(&common.join(other))?;
    }
    for entry in fs::read_dir(common.join("reftable")).into_iter().flatten().flatten() {
        sync_if_there(&entry.path())?;
    }
    Ok(())
}

/// Makes durable what lies directly in a folder.
pub(super) fn folder(path: &Path) -> Result<(), Failure> {
    sync_if_there(path).map(drop)
}

fn sync_if_there(path: &Path) -> Result<bool, Failure> {
    match File::open(path).and_then(|file| file.sync_all()) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(failed("can't make durable", path, &error)),
    }
}
