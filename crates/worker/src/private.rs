//! Folders and files that are nobody else's to read: a home may lie in a folder that others can enter.
//! Never: what attempts make by themselves.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a folder, and those above it that are not there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// How a file is opened that may have to be made.
pub(crate) fn options() -> OpenOptions {
    let mut options = File::options();
    options.create(true).mode(0o600);
    options
}
