//! Linux: a disk in memory whose size can be changed, seen by this process and by what it starts alone. Never: a disk that
//! anybody else has, or memory for room that is not used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount,
};
use rustix::process::{WaitOptions, getegid, geteuid, waitpid};

use super::{Host, Os as _};

/// A disk.
#[derive(Debug)]
pub(crate) struct Disk {
    at: PathBuf,
}

const FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

impl Disk {
    /// Mounts one at a folder, where that can be done, as root or in a namespace of users. This process must have a single
    /// thread; from here on it has mounts of its own.
    pub(crate) fn mount(at: &Path) -> io::Result<Self> {
        if mount_for_us(at, false).is_err() {
            // A namespace of users that turns out to be of no use can't be left again.
            try_out(at)?;
            mount_for_us(at, true)?;
        }
        Ok(Self { at: at.to_owned() })
    }

    /// Leaves so much room on it; none is all that the machine's memory has.
    pub(crate) fn leave(&self, bytes: Option<u64>) -> io::Result<()> {
        let size = match bytes {
            None => "size=50%".to_owned(),
            Some(bytes) => {
                let stat = statvfs(&self.at)?;
                format!("size={}", (stat.f_blocks - stat.f_bfree) * stat.f_frsize + bytes)
            }
        };
        Ok(mount_remount(&self.at, FLAGS, size)?)
    }

    /// Takes it away, with all that is on it.
    pub(crate) fn take_away(&self) -> io::Result<()> {
        Ok(unmount(&self.at, UnmountFlags::DETACH)?)
    }
}

fn mount_for_us(at: &Path, with_users: bool) -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    Host::own_mounts(with_users)?;
    if with_users {
        // Everybody is who they were.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(mount("windlass", at, "tmpfs", FLAGS, c"mode=0700")?)
}

/// Does it in another process that ends at once.
fn try_out(at: &Path) -> io::Result<()> {
    let Some(other) = Host::fork()? else {
        let code = mount_for_us(at, true).map_or_else(|error| error.raw_os_error().unwrap_or(1), |()| 0);
        #[expect(clippy::exit, reason = "this process was made for nothing else")]
        std::process::exit(code);
    };
    let ended = waitpid(Some(other), WaitOptions::empty())?;
    match ended.and_then(|(_, status)| status.exit_status()) {
        Some(0) => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.unwrap_or(1))),
    }
}
