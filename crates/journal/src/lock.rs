//! `HOME/lock`: one engine a home. The lock is the kernel's and dies with its process; what stands in the file is only
//! for people and for finding the socket. Never: trusting that content; and never a descriptor that a child inherits.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::os;
use crate::planted::{Bug, is_planted};

/// Its name within the home.
pub const NAME: &str = "lock";

/// Who has the lock, by their own word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process, as its own PID namespace numbers it.
    pub pid: u32,
    /// When it began, in ticks since the boot.
    pub started: Option<u64>,
    /// The boot that it runs in.
    pub boot: Option<String>,
    /// The machine.
    pub host: String,
    /// Where it takes commands.
    pub socket: Option<PathBuf>,
}

impl Owner {
    /// This process.
    pub fn this_process(socket: Option<PathBuf>) -> Self {
        let pid = std::process::id();
        Self { pid, started: os::started_ticks(pid), boot: os::boot_id(), host: os::host(), socket }
    }
}

/// The lock of a home, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock and writes who has it, or says who has it. `socket` is where commands are taken.
    pub fn take(home: &Path, socket: Option<PathBuf>) -> Result<Self, LockError> {
        let lock = Self::hold(home)?;
        lock.tell(&Owner::this_process(socket))?;
        Ok(lock)
    }

    /// Takes the lock, or says who has it. [`Lock::tell`] is to follow: it needs room on the disk.
    pub fn hold(home: &Path) -> Result<Self, LockError> {
        let path = home.join(NAME);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(LockError::io("open", &path))?;
        lock_exclusively(&file).map_err(|error| match error {
            TryLockError::WouldBlock => LockError::Held { owner: owner(home) },
            TryLockError::Error(source) => LockError::Io { doing: "lock", path: path.clone(), source },
        })?;
        if is_planted(Bug::LockInherited) {
            let inherited = rustix::io::FdFlags::empty();
            rustix::io::fcntl_setfd(&file, inherited)
                .map_err(|error| LockError::io("share", &path)(error.into()))?;
        }
        Ok(Self { file, path })
    }

    /// Writes who has the lock, for others to read.
    pub fn tell(&self, owner: &Owner) -> Result<(), LockError> {
        let text = serde_json::to_vec(owner).expect("an owner is plain data");
        let write = || {
            self.file.write_all_at(&text, 0)?;
            self.file.set_len(text.len() as u64)
        };
        write().map_err(LockError::io("write", &self.path))
    }
}

impl Drop for Lock {
    /// Closing would not do: a child between fork and exec holds the same lock by a descriptor of its own.
    fn drop(&mut self) {
        let _unlocked = self.file.unlock();
    }
}

/// Takes an exclusive lock. Those who only look hold a shared one for a moment: that is no reason to give up.
fn lock_exclusively(file: &File) -> Result<(), TryLockError> {
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            done => return done,
        }
        file.try_lock_shared()?;
        file.unlock().map_err(TryLockError::Error)?;
        std::thread::yield_now();
    }
}

/// Whether a live process has the lock of a home. Without one, its runs are stopped.
pub fn is_held(home: &Path) -> io::Result<bool> {
    let file = match File::open(home.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Who says to have the lock of a home, or had it last.
pub fn owner(home: &Path) -> Option<Owner> {
    let text = std::fs::read(home.join(NAME)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Why the lock of a home was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A live process has it.
    #[error("{}", held(.owner.as_ref()))]
    Held {
        /// Who says to have it; none if that can't be read.
        owner: Option<Owner>,
    },
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
}

impl LockError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

fn held(owner: Option<&Owner>) -> String {
    match owner {
        Some(owner) => format!("the home is in use by process {} on {}", owner.pid, owner.host),
        None => "the home is in use by another process".into(),
    }
}
