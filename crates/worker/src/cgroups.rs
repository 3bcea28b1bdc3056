//! The control groups of a home: each keeper has one, below that of its engine, and in it each attempt in flight. Their paths
//! are noted in the home, so that the next start finds what outlived engine and keeper, wherever it starts itself.
//! Never: a group that this home has not made.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_core::id::AttemptKey;

use crate::os::cgroup::{self, Emptying, Hierarchy};
use crate::os::{Host, Os as _};
use crate::private;

/// How long an engine that ends, or one that begins, waits for a group to be empty whose processes were ended by force.
pub(crate) const END_WITHIN: Duration = Duration::from_secs(2);
/// A longer name than this is no file's; so long a key stands for itself by its digest.
const NAME_BYTES_MAX: usize = 200;
/// How many names are tried: those of a dead process with this number may be taken.
const TRIES: u32 = 16;

/// The group of a keeper.
#[derive(Debug)]
pub(crate) struct Cgroups {
    folder: PathBuf,
    home: PathBuf,
}

impl Cgroups {
    /// Makes the group of a keeper that is about to start, and notes it first. None where that can't be.
    pub(crate) fn make(home: &Path, home_id: &str) -> Option<Self> {
        let all = Hierarchy::find()?;
        let own = all.own_if_open()?;
        if !home_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return None;
        }
        let pid = rustix::process::getpid().as_raw_nonzero();
        for number in 0..TRIES {
            let name = format!("{}{pid}.{number}", prefix(home_id));
            let folder = own.join(&name);
            if cgroup::is_there(&folder) {
                continue;
            }
            let mut notes = Note::read_all(home);
            notes.push(Note::of(home, all.own().join(&name))?);
            Note::write_all(home, &notes).ok()?;
            let made = Self { folder, home: home.to_owned() };
            if cgroup::make(&made.folder).is_ok() {
                return Some(made);
            }
            made.forget();
            return None;
        }
        None
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The end of what is left of this attempt, whose monitor can't see to it any more.
    pub(crate) fn of_attempt(&self, key: &AttemptKey) -> Emptying {
        Emptying::new(self.folder.join(name_of(key)))
    }

    /// Ends all that is left of a keeper that is over; none when nothing is, else the time until the next step. One that ended
    /// in order has removed its group by itself.
    pub(crate) fn end_step(&self) -> Option<Duration> {
        let next_step = Emptying::new(self.folder.clone()).step();
        if next_step.is_none() {
            self.forget();
        }
        next_step
    }

    /// The same, waiting for it, for some time at most.
    pub(crate) fn end(self) {
        Emptying::new(self.folder.clone()).finish(Some(END_WITHIN));
        self.forget();
    }

    /// Strikes it off the notes, if it is gone.
    fn forget(&self) {
        let name = self.folder.file_name();
        let mut notes = Note::read_all(&self.home);
        notes.retain(|note| note.path.file_name() != name || cgroup::is_there(&self.folder));
        // One that stays is struck off by the next start.
        drop(Note::write_all(&self.home, &notes));
    }
}

/// How the names of a home's groups begin.
fn prefix(home_id: &str) -> String {
    format!("windlass.{home_id}.")
}

/// The name of an attempt's group within its keeper's: its key, with commas for slashes.
pub(crate) fn name_of(key: &AttemptKey) -> String {
    let name = key.to_string().replace('/', ",");
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    windlass_core::id::Digest::of(name.as_bytes()).to_string()
}

/// The attempt whose group has this name, unless its key was too long for one.
fn key_of(folder: &Path) -> Option<AttemptKey> {
    folder.file_name()?.to_str()?.replace(',', "/").parse().ok()
}

/// A group of an attempt that an earlier keeper of the home has left.
#[derive(Debug)]
pub(crate) struct Left {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The attempt, as far as its name says it.
    pub(crate) key: Option<AttemptKey>,
}

impl Left {
    /// Those that this home has noted.
    pub(crate) fn all(home: &Path, home_id: &str) -> Vec<Self> {
        let Some(all) = Hierarchy::find() else { return Vec::new() };
        let keepers = Note::read_all(home).into_iter().filter_map(|note| note.folder(home, home_id, &all));
        let folders = keepers.flat_map(|keeper| cgroup::within(&keeper));
        folders.map(|folder| Self { key: key_of(&folder), folder }).collect()
    }

    /// Whether this process is in it.
    pub(crate) fn is_around_us(&self) -> bool {
        let own = Hierarchy::find().and_then(|all| all.folder(all.own()));
        own.is_some_and(|own| own.starts_with(&self.folder))
    }
}

/// Removes the groups of earlier keepers that are empty, with their notes, and the notes of those that are gone.
pub(crate) fn tidy(home: &Path, home_id: &str) {
    let noted = Note::read_all(home);
    if noted.is_empty() {
        return;
    }
    let Some(all) = Hierarchy::find() else { return };
    let mut kept = noted.clone();
    kept.retain(|note| {
        if let Some(folder) = note.folder(home, home_id, &all) {
            drop(cgroup::remove(&folder));
        }
        !note.is_of_the_past(&all)
    });
    if kept.len() < noted.len() {
        drop(Note::write_all(home, &kept));
    }
}

/// Where a group lies: a line of the home's file `cgroups`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    boot: String,
    namespace: String,
    /// The number of the home's folder: that of a copy is another.
    home: String,
    path: PathBuf,
}

impl Note {
    fn of(home: &Path, path: PathBuf) -> Option<Self> {
        let (boot, namespace) = (Host::boot_id()?, Host::cgroup_namespace()?);
        Some(Self { boot, namespace, home: number_of(home)?, path })
    }

    /// The folder of its group, if that is there, can be seen from here, and is one that this home has made.
    fn folder(&self, home: &Path, home_id: &str, all: &Hierarchy) -> Option<PathBuf> {
        let is_same = Some(&self.boot) == Host::boot_id().as_ref()
            && Some(&self.namespace) == Host::cgroup_namespace().as_ref()
            && Some(&self.home) == number_of(home).as_ref();
        let name = self.path.file_name()?.to_str()?;
        let (pid, number) = name.strip_prefix(&prefix(home_id))?.split_once('.')?;
        let is_ours = pid.parse::<u32>().is_ok() && number.parse::<u32>().is_ok();
        let is_straight = !self.path.components().any(|part| part == std::path::Component::ParentDir);
        let folder = all.folder(&self.path).filter(|_| is_same && is_ours && is_straight)?;
        cgroup::is_there(&folder).then_some(folder)
    }

    /// Whether its group is gone for certain. What lies where this process does not see may be there.
    fn is_of_the_past(&self, all: &Hierarchy) -> bool {
        let is_seen = Some(&self.namespace) == Host::cgroup_namespace().as_ref();
        let is_gone = || all.folder(&self.path).is_some_and(|folder| !cgroup::is_there(&folder));
        Some(&self.boot) != Host::boot_id().as_ref() || (is_seen && is_gone())
    }

    /// All that are noted. What can't be read names nothing.
    fn read_all(home: &Path) -> Vec<Self> {
        let text = fs::read_to_string(notes(home)).unwrap_or_default();
        text.lines().filter_map(Self::from_line).collect()
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ').map(str::to_owned);
        let (boot, namespace, home) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { boot, namespace, home, path: parts.next()?.into() })
    }

    /// Notes these and no others. It outlives every process; a power cut ends what is noted as well.
    fn write_all(home: &Path, all: &[Self]) -> io::Result<()> {
        let place = notes(home);
        if all.is_empty() {
            return fs::remove_file(place);
        }
        let beside = place.with_extension("new");
        let mut file: File = private::options().write(true).truncate(true).open(&beside)?;
        for Self { boot, namespace, home, path } in all {
            writeln!(file, "{boot} {namespace} {home} {}", path.display())?;
        }
        fs::rename(beside, place)
    }
}

fn notes(home: &Path) -> PathBuf {
    home.join("cgroups")
}

fn number_of(home: &Path) -> Option<String> {
    let found = fs::metadata(home).ok()?;
    Some(format!("{}:{}", found.dev(), found.ino()))
}
