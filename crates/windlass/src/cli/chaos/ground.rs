//! Where it takes place: a folder of its own with the copy, a home, a temp folder, and what engines print. Never: anything
//! outside it that is written.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use windlass_worker::chaos::{Call, Disk, End, Victim};

use super::copying::{self, Held};
use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::opening::OWNERS;
use crate::render::plural::{self, count};
use crate::steer;

/// The ground.
#[derive(Debug)]
pub(super) struct Ground {
    root: PathBuf,
    /// The folder of the copy that stands for the one in which it was called.
    work: PathBuf,
    /// The plan, in the copy where it lay in what was copied.
    plan: PathBuf,
    inputs: Vec<String>,
    home: PathBuf,
    /// The disk of the home, or why it has none of its own.
    disk: io::Result<Disk>,
    /// How many processes have printed something.
    printed: u32,
}

/// What is copied.
pub(super) struct Original<'a> {
    pub(super) plan: &'a Path,
    pub(super) inputs: &'a [String],
    pub(super) bytes_max: u64,
    /// Where the ground is to be; without it below the temp folder.
    pub(super) at: Option<&'a Path>,
}

/// What is left of it for people.
#[derive(Debug)]
pub(super) struct Kept {
    /// Where it lies.
    pub(super) root: PathBuf,
    /// Where its home was while it took place.
    disk: PathBuf,
}

impl Kept {
    /// What was said of places, as they are now.
    pub(super) fn meant_now(&self, what: &str) -> String {
        what.replace(&format!("{}/", self.disk.display()), &format!("{}/", self.root.display()))
    }
}

/// The folder that the disk of the home is mounted at.
const DISK: &str = "disk";

/// What one process printed.
#[derive(Debug)]
pub(super) struct Printed {
    /// Its lines of `events --json`.
    pub(super) out: PathBuf,
    /// What it said beside them.
    pub(super) err: PathBuf,
}

impl Printed {
    /// The last lines of what it said beside its results.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.err).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(4)..].join(" · ")
    }

    fn files(&self) -> io::Result<(File, File)> {
        Ok((File::create(&self.out)?, File::create(&self.err)?))
    }
}

impl Ground {
    /// Copies the project's folder.
    pub(super) fn prepare(desk: &mut Desk, original: &Original<'_>) -> Outcome<Self> {
        let from = desk.place.root.clone();
        let held = Held::by(&from, original.bytes_max)?;
        let root = make_root(desk, original.at)?;
        if root.starts_with(&from) {
            let message = format!("{} lies in the folder that is copied, {}", root.display(), from.display());
            fs::remove_dir(&root).unwrap_or_default();
            return Err(Report::usage(message).hint("name another with --keep".to_owned()).into());
        }
        let copy = root.join("copy");
        copying::copy(&from, &copy).inspect_err(|_| {
            // Half a copy is of no use to anybody.
            fs::remove_dir_all(&root).unwrap_or_default();
        })?;
        let in_copy =
            |path: &Path| path.strip_prefix(&from).map_or_else(|_| path.to_owned(), |below| copy.join(below));
        let plan = in_copy(original.plan);
        say_what_is_copied(desk, &held, &copy);
        if plan == original.plan {
            desk.note("The plan lies outside the folder and is not copied: what it names beside itself is the original.");
        }
        let under_disk = root.join(DISK);
        fs::create_dir(&under_disk).map_err(|error| unwritable(&under_disk, &error))?;
        let mounted = Disk::mount(&under_disk);
        let ground = Self {
            home: if mounted.is_ok() { under_disk.join("home") } else { root.join("home") },
            disk: mounted,
            work: in_copy(&desk.place.folder),
            plan,
            inputs: original.inputs.to_owned(),
            printed: 0,
            root,
        };
        for folder in [ground.printed_folder(), ground.temporary()] {
            fs::create_dir(&folder).map_err(|error| unwritable(&folder, &error))?;
        }
        Ok(ground)
    }

    /// The home of the copy's engines.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    fn printed_folder(&self) -> PathBuf {
        self.root.join("printed")
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Starts an engine that begins a run of the plan.
    pub(super) fn run(&mut self) -> Outcome<(Victim, Printed)> {
        let printed = self.next_printed();
        let mut words = vec![OsStr::new("run"), self.plan.as_os_str(), "--yes".as_ref(), "--json".as_ref()];
        words.extend(self.inputs.iter().flat_map(|input| ["--input", input]).map(OsStr::new));
        self.start(&words, printed)
    }

    /// Starts an engine that goes on with what is unfinished.
    pub(super) fn resume(&mut self) -> Outcome<(Victim, Printed)> {
        let printed = self.next_printed();
        self.start(&["resume", "--yes", "--json"].map(OsStr::new), printed)
    }

    fn start(&self, words: &[&OsStr], printed: Printed) -> Outcome<(Victim, Printed)> {
        let started = self.call(words, |call| {
            let (out, err) = printed.files()?;
            Victim::start(call, out, err)
        });
        Ok((started.map_err(|error| not_started(&error))?, printed))
    }

    /// Carries a command out.
    pub(super) fn ask(&mut self, words: &[&str]) -> Outcome<(End, Printed)> {
        let printed = self.next_printed();
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let ended = self.call(&words, |call| {
            let (out, err) = printed.files()?;
            call.to_its_end(out, err)
        });
        Ok((ended.map_err(|error| not_started(&error))?, printed))
    }

    fn next_printed(&mut self) -> Printed {
        self.printed += 1;
        let of_kind = |kind: &str| self.printed_folder().join(format!("{:04}.{kind}", self.printed));
        Printed { out: of_kind("out"), err: of_kind("err") }
    }

    /// How this binary is called here. A home on so small a scale keeps a small reserve.
    fn call<T>(&self, words: &[&OsStr], with: impl FnOnce(&Call<'_>) -> T) -> T {
        let temporary = self.temporary();
        let size = Some(OsStr::new("1MiB"));
        let variables = [
            ("WINDLASS_HOME", Some(self.home.as_os_str())),
            ("WINDLASS_HOME_RESERVE", size),
            ("WINDLASS_HOME_MIN_FREE", size),
            ("TMPDIR", Some(temporary.as_os_str())),
            ("PWD", Some(self.work.as_os_str())),
            (OWNERS, None),
        ];
        with(&Call { words, folder: &self.work, variables: &variables })
    }

    /// Why the disk can't be full, if it can't.
    pub(super) fn why_no_disk(&self) -> Option<String> {
        self.disk.as_ref().err().map(ToString::to_string)
    }

    /// Leaves so much room on the disk of the home; none is as much as there is. Says whether that could be done.
    pub(super) fn leave_room(&self, bytes: Option<u64>) -> bool {
        self.disk.as_ref().is_ok_and(|disk| disk.leave(bytes).is_ok())
    }

    /// Leaves it for people to look at: what lies on its disk comes to where all see it.
    pub(super) fn leave_for_people(self) -> Outcome<Kept> {
        let (disk, root) = (self.root.join(DISK), self.root);
        let failed = |error: io::Error| unwritable(&disk, &error);
        if self.disk.is_ok() {
            for entry in fs::read_dir(&disk).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                let name = path.file_name().unwrap_or_default();
                if path.is_dir() {
                    copying::copy(&path, &root.join(name))?;
                }
            }
        }
        Ok(Kept { root, disk })
    }

    /// Removes it.
    pub(super) fn remove(self, desk: &mut Desk) {
        if let Ok(Err(error)) = self.disk.map(Disk::take_away) {
            desk.warn(&format!("its disk could not be taken away: {error}"), None);
        }
        if let Err(error) = fs::remove_dir_all(&self.root) {
            desk.warn(&format!("{} could not be removed: {error}", self.root.display()), None);
        }
    }
}

/// Makes the folder of it all, which must be new or empty.
fn make_root(desk: &Desk, at: Option<&Path>) -> Outcome<PathBuf> {
    let root = if let Some(path) = at {
        path.to_owned()
    } else {
        let temporary = desk.surroundings.folder("TMPDIR").unwrap_or_else(|| "/tmp".into());
        let id = steer::new_id()?.0;
        temporary.join(format!("windlass-chaos-{}", id.get(..8).unwrap_or(&id)))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&root).map_err(|error| unwritable(&root, &error))?;
    let root = root.canonicalize().map_err(|error| unwritable(&root, &error))?;
    let mut entries = fs::read_dir(&root).map_err(|error| unwritable(&root, &error))?;
    if entries.next().is_some() {
        let message = format!("{} is not empty", root.display());
        return Err(Report::usage(message)
            .hint("name a folder that is empty or not there".to_owned())
            .into());
    }
    Ok(root)
}

fn say_what_is_copied(desk: &mut Desk, held: &Held, copy: &Path) {
    let (from, Held { files, bytes, left_out }) = (desk.place.root.display().to_string(), held);
    let much = format!("{}, {}", count(*files, "file"), plural::bytes(*bytes));
    desk.note(&format!("{from} ({much}) is copied to {}; only the copy is worked on.", copy.display()));
    if *left_out > 0 {
        desk.note(&format!("{} left out of it.", count(*left_out, "pipe, socket or device")));
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Report {
    let report = Report::environment(format!("{} can't be made", path.display())).cause(error.to_string());
    report.hint("name a folder that can be written with --keep".to_owned())
}

fn not_started(error: &io::Error) -> Report {
    Report::environment("an engine could not be started").cause(error.to_string())
}
