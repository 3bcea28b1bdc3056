//! The files of an attempt in the spool: what is laid out for it, and what it gives. Never: left when the attempt is
//! over; an output that is still to be taken is held open.

use std::fs;
use std::io;
use std::path::PathBuf;

use windlass_core::id::Fence;

use crate::private;
use crate::settings::Settings;

/// What each file is for, which is the end of its name.
const OUTPUT: &str = "output";
const FEEDBACK: &str = "feedback";
const NOTES: &str = "notes";
const PRINTED: &str = "stdout";

/// The files of one attempt, there or not.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    fence: Fence,
}

impl Spool {
    /// The files of this attempt.
    pub(super) fn of(settings: &Settings, fence: Fence) -> Self {
        Self { folder: settings.spool(), fence }
    }

    /// Makes the folder that they lie in anew where a task has removed it, or put something else there.
    pub(super) fn make_folder(&self) -> io::Result<()> {
        match private::make_folder(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&self.folder)?;
                private::make_folder(&self.folder)
            }
            made => made,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.{name}", self.fence))
    }

    /// Where the output of the attempt may be written by itself.
    pub(super) fn output(&self) -> PathBuf {
        self.path(OUTPUT)
    }

    /// Where the attempt finds what was wrong with the one before.
    pub(super) fn feedback(&self) -> PathBuf {
        self.path(FEEDBACK)
    }

    /// Where its adapter may have it leave word.
    pub(super) fn notes(&self) -> PathBuf {
        self.path(NOTES)
    }

    /// What it printed, where that is much.
    pub(super) fn printed(&self) -> PathBuf {
        self.path(PRINTED)
    }

    /// Removes them.
    pub(super) fn clear(&self) {
        for path in [OUTPUT, FEEDBACK, NOTES, PRINTED].map(|name| self.path(name)) {
            // Most attempts leave none of them. What can't be removed goes with the next start of an engine.
            if fs::remove_file(&path).is_err_and(|error| error.kind() == io::ErrorKind::IsADirectory) {
                drop(fs::remove_dir_all(&path));
            }
        }
    }
}
