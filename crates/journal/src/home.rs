//! The folder that holds a journal and all that lies beside it. It is private, on a local disk, and keeps some space
//! in reserve for the moment at which the disk is full. Never: deciding where homes are (that is the face's business).

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blob::FolderBlobs;
use crate::error::{
    ANOTHER_HOME, JournalError, LARGER_FILES, NotSynced, OF_ANOTHER_USER, Unsynced, is_refused,
    is_storage_full, is_too_large, where_refused,
};
use crate::lock::Lock;
use crate::{head, os, snapshot, store};

/// The file that takes up the reserve.
const RESERVE_NAME: &str = "reserve";

/// How much room a home wants; the settings `[home]` or their variables in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeSettings {
    /// What is kept for the moment at which the disk is full, in bytes.
    pub reserve: u64,
    /// Below this there is no start, in bytes.
    pub min_free: u64,
    /// Whether a network or FUSE file system is taken all the same.
    pub force: bool,
}

impl Default for HomeSettings {
    fn default() -> Self {
        Self { reserve: 64 << 20, min_free: 256 << 20, force: false }
    }
}

/// A folder that is fit to hold a journal.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
    settings: HomeSettings,
    blobs: Arc<FolderBlobs>,
}

impl Home {
    /// Opens a home as it is, or makes an empty one. What lies in it may be another's: it is not touched.
    pub fn open(path: &Path, settings: HomeSettings) -> Result<Self, HomeError> {
        Self::open_where(path, settings, os::unsafe_file_system)
    }

    /// The same where this tells what kind of unsafe file system a folder is on, if it is.
    fn open_where(
        path: &Path,
        settings: HomeSettings,
        unsafe_kind: impl FnOnce(&Path) -> io::Result<Option<&'static str>>,
    ) -> Result<Self, HomeError> {
        let nearest = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let kind = unsafe_kind(nearest).map_err(HomeError::io("look at the disk of", nearest))?;
        if let Some(kind) = kind.filter(|_| !settings.force) {
            return Err(HomeError::FileSystem { path: path.to_owned(), kind });
        }
        let path = make_private(path)?;
        Ok(Self { blobs: Arc::new(FolderBlobs::new(&path.join("blobs"))), path, settings })
    }

    /// Demands the room that an engine needs, and makes the reserve. Whoever starts nothing and writes little goes without:
    /// that may be just what a full disk needs.
    pub fn make_room(&self, _lock: &Lock) -> Result<(), HomeError> {
        self.demand_free()?;
        self.make_reserve()
    }

    /// Makes durable that the home has its name, and the folders above it theirs: whoever made them may not have come to
    /// that. Those that we make are private; one that is not was there.
    pub(crate) fn sync_names(&self) -> Result<(), JournalError> {
        let mut folder = self.path.as_path();
        while let Some(above) = folder.parent() {
            match sync_folder(above) {
                // None was made where nobody may look.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                synced => synced.map_err(NotSynced::of(Unsynced::Names, above))?,
            }
            let metadata = fs::metadata(above).map_err(JournalError::io("look at", above))?;
            if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
                break;
            }
            folder = above;
        }
        Ok(())
    }

    /// Where it is: absolute, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings that it was opened with.
    pub fn settings(&self) -> HomeSettings {
        self.settings
    }

    /// The blobs in it.
    pub fn blobs(&self) -> Arc<FolderBlobs> {
        Arc::clone(&self.blobs)
    }

    /// What may still be written to its disk, in bytes, the reserve not counted.
    pub fn free(&self) -> io::Result<u64> {
        os::free_bytes(&self.path)
    }

    /// Whether less than twice the reserve is free: runs pause then, while there is room to say so. Cheap.
    pub fn is_low(&self) -> io::Result<bool> {
        Ok(self.free()? < self.settings.reserve.saturating_mul(2))
    }

    /// Removes what was half-written when an engine died: for the one who holds the lock, and found the journal sound.
    pub(crate) fn sweep_unfinished(&self) {
        self.blobs.sweep_unfinished();
        snapshot::sweep_unfinished(&self.path);
        head::sweep_unfinished(&self.path);
    }

    /// Whether its disk takes no writes. A new file asks for that: a disk that the system has stopped after an error may
    /// still be said to be mounted for writing.
    pub(crate) fn is_read_only(&self) -> bool {
        tempfile::tempfile_in(&self.path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Makes the reserve anew where it was spent and there is room again: so much that the disk is not low with it.
    pub fn restore_reserve(&self) -> Result<(), HomeError> {
        let wanted = self.settings.reserve;
        if reserved(&self.path) >= wanted {
            return Ok(());
        }
        let free = self.free().map_err(HomeError::io("look at the disk of", &self.path))?;
        if free < wanted.saturating_mul(3) { Ok(()) } else { self.make_reserve() }
    }

    /// Gives the reserve up. Says whether there was one. Once there is room, or with the next opening, it is made anew.
    pub fn release_reserve(&self) -> io::Result<bool> {
        match fs::remove_file(self.reserve_path()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn reserve_path(&self) -> PathBuf {
        self.path.join(RESERVE_NAME)
    }

    fn demand_free(&self) -> Result<(), HomeError> {
        let free = room(&self.path).map_err(HomeError::io("look at the disk of", &self.path))?;
        let needed = self.settings.min_free;
        if free < needed { Err(HomeError::NoSpace { path: self.path.clone(), free, needed }) } else { Ok(()) }
    }

    fn make_reserve(&self) -> Result<(), HomeError> {
        let (path, bytes) = (self.reserve_path(), self.settings.reserve);
        if reserved(&self.path) >= bytes && fs::metadata(&path).map_or(0, |file| file.len()) == bytes {
            return Ok(());
        }
        let failed = |error| HomeError::Io { doing: "reserve space in", path: path.clone(), source: error };
        self.release_reserve().map_err(failed)?;
        if bytes == 0 {
            return Ok(());
        }
        let mut file =
            File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        os::preallocate(&mut file, bytes).map_err(|error| {
            // A part of it would be in the way of everybody else.
            self.release_reserve().unwrap_or_default();
            failed(error)
        })
    }
}

/// What may be written to the disk of a home, in bytes, its reserve counted: what a start needs enough of. The home need
/// not exist.
pub fn room(home: &Path) -> io::Result<u64> {
    let nearest = home.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    Ok(os::free_bytes(nearest)?.saturating_add(reserved(home)))
}

/// The space that the reserve of a home takes up now.
fn reserved(home: &Path) -> u64 {
    fs::metadata(home.join(RESERVE_NAME)).map_or(0, |file| file.blocks() * 512)
}

/// Makes sure that the folder exists and that nobody else can look into it.
fn make_private(path: &Path) -> Result<PathBuf, HomeError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).map_err(HomeError::io("make the home", path))?;
    let path = fs::canonicalize(path).map_err(HomeError::io("find the home", path))?;
    let metadata = fs::metadata(&path).map_err(HomeError::io("look at", &path))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(HomeError::NotOurs { path });
    }
    let is_empty = fs::read_dir(&path).map_err(HomeError::io("look into", &path))?.next().is_none();
    let is_home = head::path(&path).exists() || store::path(&path).exists();
    // A folder that holds other things keeps its mode: it may be shared on purpose; our files are private anyway.
    if metadata.mode() & 0o077 != 0 && (is_empty || is_home) {
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(HomeError::io("protect", &path))?;
    }
    Ok(path)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Why a folder can't be a home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
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
    /// Locks and syncs can't be trusted there.
    #[error("{path} is on a {kind} file system, where a journal can't be kept safe")]
    FileSystem {
        /// The home.
        path: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },
    /// There is too little space to begin.
    #[error("the disk of {path} has {} MiB free, the reserve counted; {} MiB are needed to start", .free >> 20, .needed >> 20)]
    NoSpace {
        /// The home.
        path: PathBuf,
        /// What is free, in bytes, the reserve counted.
        free: u64,
        /// What is asked for.
        needed: u64,
    },
    /// The disk did not make durable what was written.
    #[error(transparent)]
    NotSynced(#[from] NotSynced),
    /// Somebody else owns it.
    #[error("{path} belongs to another user")]
    NotOurs {
        /// The home.
        path: PathBuf,
    },
}

impl HomeError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::FileSystem { .. } => {
                Some("choose a local folder with --home, or set WINDLASS_FORCE_HOME=1 and take the risk")
            }
            Self::NoSpace { .. } => {
                Some("free some space, choose another disk with --home, or lower [home] min_free")
            }
            Self::NotOurs { .. } => Some(OF_ANOTHER_USER),
            Self::Io { source, .. } if is_storage_full(source) => {
                Some("free some space, or choose another disk with --home")
            }
            Self::Io { source, .. } if is_too_large(source) => Some(LARGER_FILES),
            Self::Io { source, path, .. } if is_refused(source) => Some(where_refused(path)),
            Self::Io { .. } => Some(ANOTHER_HOME),
            Self::NotSynced(_) => Some(NotSynced::HINT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_where_locks_and_syncs_can_not_be_trusted_is_refused_before_it_is_made() {
        let disk = tempfile::TempDir::new().expect("a folder");
        let path = disk.path().join("deep/home");
        let open = |force| {
            Home::open_where(&path, HomeSettings { force, ..HomeSettings::default() }, |folder| {
                assert_eq!(folder, disk.path(), "what is there already is asked");
                Ok(Some("FUSE"))
            })
        };
        let refused = open(false).expect_err("it is on FUSE");
        assert!(matches!(refused, HomeError::FileSystem { kind: "FUSE", .. }), "{refused:?}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("WINDLASS_FORCE_HOME=1")));
        assert!(!disk.path().join("deep").exists());
        assert!(open(true).is_ok(), "who takes the risk may");
    }
}
