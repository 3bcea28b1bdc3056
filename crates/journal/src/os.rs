//! What is particular to Linux: kinds of file systems, preallocation, the identity of processes, watching files.
//! Never: policy; each function answers a question or does one thing.

#[cfg(not(target_os = "linux"))]
compile_error!("Windlass runs on Linux; other systems need their own os.rs");

use std::fs::{self, File};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use crate::error::{JournalError, is_out_of_files};

/// Random bytes from the operating system, a few: up to 256 come in one piece.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if filled == N { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// That so many files can be opened beside those that are: what begins with fewer ends in the middle, with an error of SQLite's
/// that does not say why.
pub fn room_for_files(wanted: usize) -> Result<(), JournalError> {
    let mut held = Vec::with_capacity(wanted);
    for _ in 0..wanted {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(source) if is_out_of_files(&source) => return Err(JournalError::FewFiles { wanted, source }),
            // What else is wrong with it is nobody's business here.
            Err(_) => break,
        }
    }
    Ok(())
}

/// The file systems on which locks and syncs can't be trusted, by the numbers of statfs(2).
const UNSAFE_FILE_SYSTEMS: [(u32, &str); 20] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x786F_4256, "VirtualBox shared folder"),
    (0x2003_0528, "OrangeFS"),
    (0xBACB_ACBC, "VMware shared folder"),
    (0xAAD7_AAEA, "PanFS"),
];

/// The kind of the file system that a path is on, if a journal is not safe there.
pub(crate) fn unsafe_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    let kind = rustix::fs::statfs(path)?.f_type;
    // The field's type differs between architectures; the numbers have 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
    Ok(unsafe_kind(kind as u32))
}

fn unsafe_kind(number: u32) -> Option<&'static str> {
    UNSAFE_FILE_SYSTEMS.iter().find(|(unsafe_number, _)| *unsafe_number == number).map(|(_, name)| *name)
}

/// What an ordinary user may still write to the disk of a path, in bytes.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes a file take up its space. Where the file system can't promise it, zeros are written.
pub(crate) fn preallocate(file: &mut File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(&*file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            io::copy(&mut io::repeat(0).take(bytes), file).map(|_| ())
        }
        Err(error) => Err(error.into()),
    }
}

/// Which file lies at a path: device and number.
pub(crate) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A path to a folder that is held open, also when it has no name any more.
pub(crate) fn path_of(folder: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", folder.as_raw_fd()).into()
}

/// The boot that this machine is in.
pub(crate) fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}

/// When a process began, in ticks since the boot: with the boot and its id, what tells it from any other.
pub(crate) fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything, parentheses too.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The name of this machine.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Says when one of a few files of a folder was written, closed by a writer, made or replaced.
#[derive(Debug)]
pub(crate) struct FileWatch {
    inotify: OwnedFd,
    folder: PathBuf,
    paths: Vec<PathBuf>,
}

impl FileWatch {
    pub(crate) fn new(folder: &Path, names: &[&str]) -> io::Result<Self> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let paths = names.iter().map(|name| folder.join(name)).collect();
        let watch = Self { inotify: inotify::init(flags)?, folder: folder.to_owned(), paths };
        watch.arm()?;
        Ok(watch)
    }

    /// Watches what lies at the paths by now; what is watched already is not watched twice.
    fn arm(&self) -> io::Result<()> {
        use inotify::WatchFlags as On;
        let written = On::MODIFY | On::CLOSE_WRITE | On::ATTRIB | On::DELETE_SELF | On::MOVE_SELF;
        let made = On::CREATE | On::MOVED_TO;
        for (path, on) in self.paths.iter().map(|path| (path, written)).chain([(&self.folder, made)]) {
            match inotify::add_watch(&self.inotify, path, on) {
                Ok(_) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits until something happened to one of the files, or for so long. Says whether something did.
    pub(crate) fn wait(&self, longest: Duration) -> io::Result<bool> {
        let longest = Timespec::try_from(longest).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        match poll(&mut fds, Some(&longest)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match events.next() {
                Ok(_) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.arm()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_and_fuse_file_systems_are_told_from_disks() {
        let kinds = [
            (0x6969, "NFS"),
            (0xFF53_4D42, "CIFS"),
            (0xFE53_4D42, "SMB2"),
            (0x6573_5546, "FUSE"),
            (0x0102_1997, "9P"),
        ];
        for (number, kind) in kinds {
            assert_eq!(unsafe_kind(number), Some(kind));
        }
        let [ext, xfs, btrfs, zfs] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x2FC1_2FC1];
        let [tmpfs, overlay] = [0x0102_1994, 0x794C_7630];
        for number in [ext, xfs, btrfs, zfs, tmpfs, overlay] {
            assert_eq!(unsafe_kind(number), None);
        }
    }
}
