//! Where the socket of a home lies: in the user's runtime folder, or in a private folder of the temp folder, since a
//! path in a deep home may be too long. Never: in a folder that others can write to.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use windlass_core::id::Digest;

use crate::surroundings::Surroundings;

/// The longest path of a socket that Linux takes.
const PATH_BYTES_MAX: usize = 107;

/// The path of a home's socket. Its folder exists when this returns.
pub(crate) fn path_for(home: &Path, surroundings: &Surroundings) -> io::Result<PathBuf> {
    let digest = Digest::of(home.as_os_str().as_bytes()).to_string();
    let name = format!("{}.sock", &digest[..16]);
    let runtime = surroundings.folder("XDG_RUNTIME_DIR").map(|folder| folder.join("windlass"));
    let user = rustix::process::geteuid().as_raw();
    let temp = surroundings.folder("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"));
    let folders =
        [runtime, Some(temp.join(format!("windlass-{user}"))), Some(format!("/tmp/windlass-{user}").into())];
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no folder for it");
    for folder in folders.into_iter().flatten() {
        let path = folder.join(&name);
        if path.as_os_str().len() > PATH_BYTES_MAX {
            continue;
        }
        match make_private(&folder, user) {
            Ok(()) => return Ok(path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Makes a folder that only we can look into, or sees to it that it is one.
fn make_private(folder: &Path, user: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let text = format!("{} is not a folder of ours alone", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_folder_that_is_too_deep_is_passed_over() {
        let desk = tempfile::tempdir().expect("a folder");
        let temp = desk.path().to_str().expect("text").to_owned();
        let deep = format!("{temp}/{}", "x".repeat(120));
        let surroundings =
            Surroundings::from([("XDG_RUNTIME_DIR", deep.as_str()), ("TMPDIR", temp.as_str())]);
        let path = path_for(Path::new("/some/home"), &surroundings).expect("a path");
        assert!(path.starts_with(&temp), "{}", path.display());
        assert_ne!(path, path_for(Path::new("/other/home"), &surroundings).expect("a path"));
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_taken() {
        use std::os::unix::fs::PermissionsExt as _;
        let desk = tempfile::tempdir().expect("a folder");
        let user = rustix::process::geteuid().as_raw();
        let shared = desk.path().join("shared");
        fs::create_dir(&shared).expect("a folder");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(make_private(&shared, user).is_err());
        assert!(make_private(&desk.path().join("own"), user).is_ok());
    }
}
