//! Bodies beside the journal, each under the BLAKE3 digest of its content: `blobs/ab/cdef…`. A blob is durable before
//! its digest is given out. Never: changing or removing one (that is `gc`, which asks the journal first).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use tempfile::NamedTempFile;
use windlass_core::id::Digest;

use crate::error::{NotSynced, Unsynced, is_storage_full, is_too_large};
use crate::planted::{Bug, is_planted};
use crate::unfinished;

/// Where half-written blobs are, within the folder.
const UNFINISHED: &str = "unfinished";
/// How their names begin.
const PREFIX: &str = ".blob-";
/// How many digests are remembered as durable before the memory starts anew.
const REMEMBERED_MAX: usize = 1 << 16;

/// A store of blobs. After a sync that has failed ([`BlobError::is_fatal`]) nothing more is put into it.
pub trait Blobs: Send + Sync {
    /// Keeps these bytes, durable when this returns.
    fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError>;
    /// The bytes of a blob, checked by its digest.
    fn get(&self, digest: Digest) -> Result<Vec<u8>, BlobError>;
    /// Whether there is such a blob; its content is not looked at.
    fn contains(&self, digest: Digest) -> Result<bool, BlobError>;
}

/// Blobs in a folder. Any number of threads and processes may put the same or different ones at once.
#[derive(Debug)]
pub struct FolderBlobs {
    folder: PathBuf,
    durable: Mutex<Durable>,
    /// Held while anything is synced, so that nothing is after a sync that has failed.
    syncs: Mutex<Syncs>,
}

/// Whether syncs can still be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Syncs {
    #[default]
    Work,
    /// One has failed: what the next one says proves nothing.
    Failed,
}

/// What this process itself has made durable, so that doing it again costs nothing. What it merely finds may have been
/// left by a process that died before its sync.
#[derive(Debug, Default)]
struct Durable {
    blobs: BTreeSet<Digest>,
    folders: BTreeSet<PathBuf>,
}

impl FolderBlobs {
    /// The store in this folder, which is made with the first blob.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), durable: Mutex::default(), syncs: Mutex::default() }
    }

    /// Where a blob lies.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(&name[2..])
    }

    /// Begins a blob whose content comes bit by bit.
    pub fn writer(&self) -> Result<BlobWriter<'_>, BlobError> {
        drop(self.sound_syncs()?);
        let folder = self.folder.join(UNFINISHED);
        self.make_folder(&folder)?;
        let file = unfinished::begin(&folder, PREFIX).map_err(BlobError::io("write to", &folder))?;
        Ok(BlobWriter { blobs: self, file, hasher: blake3::Hasher::new(), bytes: 0 })
    }

    /// Keeps what is read to its end. Gives its digest and length.
    pub fn put_all(&self, from: &mut dyn Read) -> Result<(Digest, u64), BlobError> {
        let mut to = self.writer()?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return to.finish(),
                Ok(length) => {
                    to.write_all(&buffer[..length]).map_err(BlobError::io("write", to.file.path()))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::Unread(error)),
            }
        }
    }

    /// A blob to be streamed: whoever has read it to its end knows that it was sound.
    pub fn open(&self, digest: Digest) -> Result<BlobReader, BlobError> {
        let path = self.path(digest);
        let file = File::open(&path).map_err(|error| missing_or(digest, "read", &path, error))?;
        Ok(BlobReader { digest, file, hasher: blake3::Hasher::new() })
    }

    /// Every blob with its length, in no particular order. What has no blob's name is left out.
    pub fn list(&self) -> Result<Vec<(Digest, u64)>, BlobError> {
        let mut found = Vec::new();
        for shard in entries(&self.folder)? {
            let name = shard.file_name();
            let Some(shard_name) = name.to_str().filter(|name| name.len() == 2) else { continue };
            for entry in entries(&shard.path())? {
                let name = entry.file_name();
                let digest = name.to_str().and_then(|rest| format!("{shard_name}{rest}").parse().ok());
                if let (Some(digest), Ok(metadata)) = (digest, entry.metadata()) {
                    found.push((digest, metadata.len()));
                }
            }
        }
        Ok(found)
    }

    /// Removes what was half-written when a process died.
    pub(crate) fn sweep_unfinished(&self) {
        unfinished::sweep(&self.folder.join(UNFINISHED), "");
    }

    /// Gives a written file its name and makes that durable. It takes the place of what lies there already, which has the
    /// same content or is damaged.
    fn keep(&self, file: NamedTempFile, digest: Digest) -> Result<(), BlobError> {
        let path = self.path(digest);
        let shard = path.parent().expect("a blob lies in a shard").to_owned();
        self.make_folder(&shard)?;
        if !is_planted(Bug::BlobNotSynced) {
            self.sync(file.as_file(), Unsynced::Blob, file.path())?;
        }
        file.persist(&path).map_err(|error| BlobError::io("name", &path)(error.error))?;
        if !is_planted(Bug::FolderNotSynced) {
            self.sync_names(&shard)?;
        }
        self.remember(digest);
        Ok(())
    }

    fn sync_names(&self, folder: &Path) -> Result<(), BlobError> {
        // Where it can't be opened nothing was synced, and nothing has failed that can't be tried again.
        let names = File::open(folder).map_err(BlobError::io("open", folder))?;
        self.sync(&names, Unsynced::Names, folder)
    }

    fn sync(&self, file: &File, what: Unsynced, path: &Path) -> Result<(), BlobError> {
        let mut syncs = self.sound_syncs()?;
        let synced = file.sync_all();
        if synced.is_err() {
            *syncs = Syncs::Failed;
        }
        Ok(synced.map_err(NotSynced::of(what, path))?)
    }

    fn sound_syncs(&self) -> Result<MutexGuard<'_, Syncs>, BlobError> {
        let syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        if *syncs == Syncs::Failed { Err(BlobError::Poisoned) } else { Ok(syncs) }
    }

    fn is_remembered(&self, digest: Digest) -> bool {
        self.durable().blobs.contains(&digest) && self.path(digest).exists()
    }

    fn remember(&self, digest: Digest) {
        let blobs = &mut self.durable().blobs;
        if blobs.len() >= REMEMBERED_MAX {
            blobs.clear();
        }
        blobs.insert(digest);
    }

    fn durable(&self) -> MutexGuard<'_, Durable> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a private folder within the home, durable in the one above it.
    pub(crate) fn make_folder(&self, folder: &Path) -> Result<(), BlobError> {
        if self.durable().folders.contains(folder) && folder.is_dir() {
            return Ok(());
        }
        let above = folder.parent().expect("a folder of blobs lies in a home");
        if folder != self.folder {
            self.make_folder(above)?;
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(BlobError::io("make", folder)(error));
            }
            _ => self.sync_names(above)?,
        }
        self.durable().folders.insert(folder.to_owned());
        Ok(())
    }
}

impl Blobs for FolderBlobs {
    fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        drop(self.sound_syncs()?);
        let digest = Digest::of(bytes);
        if self.is_remembered(digest) {
            return Ok(digest);
        }
        // One that an earlier process put may not be durable, or not be sound: writing it anew settles both.
        let mut writer = self.writer()?;
        writer.write_all(bytes).map_err(BlobError::io("write", writer.file.path()))?;
        writer.finish().map(|(digest, _)| digest)
    }

    fn get(&self, digest: Digest) -> Result<Vec<u8>, BlobError> {
        let path = self.path(digest);
        let bytes = fs::read(&path).map_err(|error| missing_or(digest, "read", &path, error))?;
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(BlobError::Damaged(digest)) }
    }

    fn contains(&self, digest: Digest) -> Result<bool, BlobError> {
        let path = self.path(digest);
        path.try_exists().map_err(BlobError::io("look for", &path))
    }
}

/// A blob that is read bit by bit. Its end comes only where all before it was what its digest names; else an error does.
#[derive(Debug)]
pub struct BlobReader {
    digest: Digest,
    file: File,
    hasher: blake3::Hasher,
}

impl Read for BlobReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        self.hasher.update(&into[..length]);
        let is_end = length == 0 && !into.is_empty();
        if is_end && Digest(*self.hasher.finalize().as_bytes()) != self.digest {
            return Err(io::Error::other(BlobError::Damaged(self.digest)));
        }
        Ok(length)
    }
}

/// A blob on its way. Dropped unfinished, it leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter<'a> {
    blobs: &'a FolderBlobs,
    file: NamedTempFile,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter<'_> {
    /// Makes the blob durable. Gives its digest and length.
    pub fn finish(self) -> Result<(Digest, u64), BlobError> {
        let digest = Digest(*self.hasher.finalize().as_bytes());
        self.blobs.keep(self.file, digest)?;
        Ok((digest, self.bytes))
    }
}

/// Blobs in memory. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs {
    held: Arc<Mutex<Held>>,
}

#[derive(Clone, Debug, Default)]
struct Held {
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// Those that a power cut takes.
    unsynced: BTreeSet<Digest>,
    is_full: bool,
}

impl MemoryBlobs {
    /// A store of its own with the same content.
    #[must_use]
    pub fn branch(&self) -> Self {
        let held = self.held().clone();
        Self { held: Arc::new(Mutex::new(held)) }
    }

    /// Every digest in it.
    pub fn digests(&self) -> Vec<Digest> {
        self.held().blobs.keys().copied().collect()
    }

    /// Loses one, as a disk might.
    pub fn lose(&self, digest: Digest) {
        self.held().blobs.remove(&digest);
    }

    /// Has no room for another one, or has.
    pub(crate) fn fill(&self, is_full: bool) {
        self.held().is_full = is_full;
    }

    /// Loses those that were not synced.
    pub(crate) fn cut_power(&self) {
        let held = &mut *self.held();
        for digest in std::mem::take(&mut held.unsynced) {
            held.blobs.remove(&digest);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::of(bytes);
        let mut held = self.held();
        if held.is_full && !held.blobs.contains_key(&digest) {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(BlobError::io("write", Path::new("memory"))(full));
        }
        held.blobs.entry(digest).or_insert_with(|| bytes.into());
        if is_planted(Bug::BlobNotSynced) || is_planted(Bug::FolderNotSynced) {
            held.unsynced.insert(digest);
        } else {
            held.unsynced.remove(&digest);
        }
        Ok(digest)
    }

    fn get(&self, digest: Digest) -> Result<Vec<u8>, BlobError> {
        self.held().blobs.get(&digest).map(|bytes| bytes.to_vec()).ok_or(BlobError::Missing(digest))
    }

    fn contains(&self, digest: Digest) -> Result<bool, BlobError> {
        Ok(self.held().blobs.contains_key(&digest))
    }
}

fn missing_or(digest: Digest, doing: &'static str, path: &Path, error: io::Error) -> BlobError {
    if error.kind() == io::ErrorKind::NotFound {
        BlobError::Missing(digest)
    } else {
        BlobError::io(doing, path)(error)
    }
}

/// The entries of a folder; none if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, BlobError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed.collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
    };
    listed.map_err(BlobError::io("look into", folder))
}

/// A failure of the store of blobs.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is none of that name.
    #[error("there is no blob {0}")]
    Missing(Digest),
    /// Its content is not what its name says.
    #[error("blob {0} is not what was written")]
    Damaged(Digest),
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
    /// What was to be kept can't be read: nothing is wrong with the store.
    #[error("it could not be read: {0}")]
    Unread(io::Error),
    /// The disk did not make durable what was written.
    #[error(transparent)]
    NotSynced(#[from] NotSynced),
    /// An earlier sync failed.
    #[error(
        "an earlier output or plan could not be made durable; only a fresh start can say what is on the disk"
    )]
    Poisoned,
}

impl BlobError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether it is for lack of space. A sync that says so has failed like any other.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_storage_full(source))
    }

    /// Whether it is for lack of descriptors or memory, which may be had later.
    pub fn is_exhausted(&self) -> bool {
        let exhausted = |errno| [Errno::MFILE, Errno::NFILE, Errno::NOMEM].contains(&errno);
        matches!(self, Self::Io { source, .. } if Errno::from_io_error(source).is_some_and(exhausted))
    }

    /// Whether nobody may go on after it: a sync has failed, and what the next one says proves nothing.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::NotSynced(_) | Self::Poisoned)
    }

    /// Whether it is for a limit on the size of files.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_too_large(source))
    }
}
