//! A copy of a folder: files with their rights and times, folders, links. Never: anything through which the copy would
//! reach into the original.

use std::fs::{self, DirEntry, File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{Outcome, Report};
use crate::render::plural::{bytes, count};

/// So many files are copied at most.
const FILES_MAX: u64 = 500_000;

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Sockets, pipes and devices, which are not copied.
    pub(super) left_out: u64,
}

impl Held {
    /// Looks at a folder whose copy may take up so much. Stops where it is too much.
    pub(super) fn by(folder: &Path, bytes_max: u64) -> Outcome<Self> {
        refuse_foreign_repository(folder)?;
        let mut held = Self::default();
        held.add(folder, bytes_max).map_err(|error| unreadable(folder, &error))?;
        if held.files > FILES_MAX || held.bytes > bytes_max {
            let much = if held.files > FILES_MAX { count(FILES_MAX, "file") } else { bytes(bytes_max) };
            let message = format!("{} holds more than {much}, which would all be copied", folder.display());
            let hint =
                "clean what is built, name a smaller folder with --dir, or allow more with --copy-at-most";
            return Err(Report::usage(message).hint(hint.to_owned()).into());
        }
        Ok(held)
    }

    fn add(&mut self, folder: &Path, bytes_max: u64) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            self.files += 1;
            if kind.is_dir() {
                self.add(&entry.path(), bytes_max)?;
            } else if kind.is_file() {
                self.bytes += entry.metadata()?.len();
            } else if !kind.is_symlink() {
                self.left_out += 1;
            }
            if self.files > FILES_MAX || self.bytes > bytes_max {
                break;
            }
        }
        Ok(())
    }
}

/// What is done to a checkout whose `.git` is a file is done to the repository that it names.
fn refuse_foreign_repository(folder: &Path) -> Outcome<()> {
    if !folder.join(".git").is_file() {
        return Ok(());
    }
    let message = format!("{} is the worktree of a repository that lies elsewhere", folder.display());
    let hint = format!("make a clone of it (`git clone {} FOLDER`) and call it there", folder.display());
    Err(Report::usage(message)
        .cause("what tasks do with git in a copy of it, they would do to that repository")
        .hint(hint)
        .into())
}

fn unreadable(path: &Path, error: &io::Error) -> Report {
    Report::environment(format!("{} can't be copied", path.display())).cause(error.to_string())
}

/// Copies a folder to a place that is not there yet.
pub(super) fn copy(from: &Path, to: &Path) -> Outcome<()> {
    Copy { from, to }.folder(Path::new("")).map_err(|error| unreadable(from, &error).into())
}

struct Copy<'a> {
    from: &'a Path,
    to: &'a Path,
}

impl Copy<'_> {
    fn folder(&self, below: &Path) -> io::Result<()> {
        let (from, to) = (self.from.join(below), self.to.join(below));
        fs::create_dir(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            match self.entry(&below.join(entry.file_name()), &entry) {
                // Somebody works there meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        let metadata = fs::metadata(&from)?;
        keep_time(&to, &metadata)?;
        fs::set_permissions(&to, metadata.permissions())
    }

    fn entry(&self, below: &Path, entry: &DirEntry) -> io::Result<()> {
        let (kind, to) = (entry.file_type()?, self.to.join(below));
        if kind.is_dir() {
            return self.folder(below);
        }
        let copied = if kind.is_file() {
            // What builds goes by times.
            fs::copy(entry.path(), &to).and_then(|_| keep_time(&to, &entry.metadata()?))
        } else if kind.is_symlink() {
            fs::read_link(entry.path()).and_then(|target| symlink(self.leads_to(&target), &to))
        } else {
            Ok(())
        };
        copied.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", below.display())))
    }

    /// Where a link leads in the copy: one into the original leads into the copy.
    fn leads_to(&self, target: &Path) -> PathBuf {
        target.strip_prefix(self.from).map_or_else(|_| target.to_owned(), |below| self.to.join(below))
    }
}

fn keep_time(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let times = FileTimes::new().set_modified(metadata.modified()?);
    match File::open(path) {
        Ok(file) => file.set_times(times),
        // Who may not read it may not build by it either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_the_original_has_and_no_link_leads_back() {
        let desk = tempfile::tempdir().expect("a folder");
        let [from, to] = ["from", "to"].map(|name| desk.path().join(name));
        fs::create_dir_all(from.join("a/b")).expect("a folder");
        fs::write(from.join("a/b/text"), "text").expect("a file");
        symlink(from.join("a/b/text"), from.join("into")).expect("a link");
        symlink("a/b", from.join("beside")).expect("a link");
        symlink("/nowhere", from.join("out")).expect("a link");
        let held = Held::by(&from, 100).expect("it is small");
        assert_eq!((held.files, held.bytes), (6, 4));
        assert!(Held::by(&from, 3).is_err());
        copy(&from, &to).expect("it can be copied");
        assert_eq!(fs::read_to_string(to.join("a/b/text")).expect("a file"), "text");
        let link = |name: &str| fs::read_link(to.join(name)).expect("a link");
        assert_eq!(link("into"), to.join("a/b/text"));
        assert_eq!([link("beside"), link("out")], [Path::new("a/b"), Path::new("/nowhere")]);
        let time = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).expect("it is there");
        assert_eq!(time(to.join("a/b/text")), time(from.join("a/b/text")));
    }

    #[test]
    fn the_worktree_of_another_repository_is_not_copied() {
        let desk = tempfile::tempdir().expect("a folder");
        fs::write(desk.path().join(".git"), "gitdir: /elsewhere").expect("a file");
        let refused = Held::by(desk.path(), 1 << 20).expect_err("it leads elsewhere");
        assert!(refused.in_short().is_some_and(|(why, _)| why.contains("lies elsewhere")));
    }
}
