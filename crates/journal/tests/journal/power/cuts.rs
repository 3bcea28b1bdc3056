//! What a disk might hold if the power had gone after any of its calls, and whether all that had been told to anybody by
//! then is in it. Never: all that it might hold, which is beyond counting: the extremes, and what seeds choose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use windlass_core::id::Digest;

use crate::power::disk::{Change, Content, Disk, File, Folder, Kind, Node, ROOT};
use crate::power::tape::Call;

/// What a disk writes as a whole or not at all.
const SECTOR: usize = 512;

/// After so many that do not hold, nobody looks for more.
const BROKEN_MAX: usize = 5;

/// What is kept of that which was not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    All,
    /// Every name, with files as they were when they were last synced: empty, if never.
    Names,
    /// What is in the files, where their names are durable.
    Contents,
    /// All but the second half of the newest write.
    Half,
    /// Of the files only one.
    One(u64),
    /// All files but one.
    AllButOne(u64),
    /// What a seed chooses, by sectors.
    Some(u64),
}

/// What is on a disk when the power is back.
#[derive(Debug, Default)]
pub(crate) struct Image {
    pub(crate) files: BTreeMap<PathBuf, Arc<Content>>,
    folders: BTreeSet<PathBuf>,
}

impl Image {
    /// Puts it into a folder of its own: in memory, where that can be, since nobody cuts the power of that one.
    pub(crate) fn lay_out(&self) -> TempDir {
        let at = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder");
        let place = |path: &PathBuf| at.path().join(path);
        self.folders.iter().for_each(|folder| fs::create_dir_all(place(folder)).expect("a folder"));
        self.files.iter().for_each(|(path, content)| fs::write(place(path), &content.bytes).expect("a file"));
        at
    }

    fn digest(&self) -> Digest {
        let mut all = Vec::new();
        for (path, content) in &self.files {
            all.extend_from_slice(path.as_os_str().as_encoded_bytes());
            all.extend_from_slice(&content.digest.0);
        }
        Digest::of(&all)
    }
}

/// What was recorded.
pub(crate) struct Recording<'a> {
    pub(crate) calls: &'a [Call],
    /// The folder on the disk; what was elsewhere is not looked at.
    pub(crate) root: &'a Path,
    /// Which files are of no account.
    pub(crate) is_left_out: &'a (dyn Fn(&Path) -> bool + Sync),
    /// The last record that a call tells somebody of, if it tells of any.
    pub(crate) told: &'a (dyn Fn(&Call) -> Option<u64> + Sync),
    /// How many seeds choose what is kept, after each call.
    pub(crate) seeds: u64,
}

/// What came of all cuts.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many moments the power went at.
    pub(crate) moments: usize,
    /// How many different disks there were.
    pub(crate) disks: usize,
    /// What does not hold.
    pub(crate) broken: Vec<String>,
}

impl Recording<'_> {
    /// Cuts the power after each of these calls that changed the disk. `check` says up to which record a disk has all, or
    /// what is wrong with it.
    pub(crate) fn cut(
        &self,
        calls: Range<usize>,
        check: &mut dyn FnMut(&Image) -> Result<u64, String>,
    ) -> Outcome {
        let mut disk = Disk::new(self.root);
        let (mut outcome, mut told, mut seen) = (Outcome::default(), 0, BTreeMap::new());
        for (number, call) in self.calls[..calls.end].iter().enumerate() {
            told = told.max((self.told)(call).unwrap_or_default());
            if !disk.take(call) || number < calls.start || self.is_within_a_row(number) {
                continue;
            }
            outcome.moments += 1;
            for keep in self.choices(number as u64) {
                let image = self.image(&disk, call, keep);
                let found = seen.entry(image.digest()).or_insert_with(|| check(&image));
                let wrong = match found {
                    Ok(end) if *end >= told => continue,
                    Ok(end) => format!("it ends at {end}, and {told} had been told"),
                    Err(wrong) => wrong.clone(),
                };
                if outcome.broken.len() >= BROKEN_MAX {
                    return outcome;
                }
                outcome.broken.push(format!("cut after {call}, {keep:?} kept: {wrong}"));
            }
        }
        outcome.disks = seen.len();
        outcome
    }

    /// Whether this is one of many writes to the same file in a row, and neither of the first nor of the last of them: then
    /// only a few are looked at.
    fn is_within_a_row(&self, number: usize) -> bool {
        let written = |number: usize| {
            let call = self.calls.get(number)?;
            call.name.contains("write").then(|| call.file(0))
        };
        let near = (number.saturating_sub(3)..=number + 3).map(written).collect::<BTreeSet<_>>();
        near.len() == 1 && !near.contains(&None) && !number.is_multiple_of(100)
    }

    /// What is tried after each call.
    fn choices(&self, number: u64) -> Vec<Keep> {
        let fixed = [Keep::Nothing, Keep::All, Keep::Names, Keep::Contents, Keep::Half];
        let one = [Keep::One(number), Keep::AllButOne(number)];
        let seeds = (0..self.seeds).map(|seed| Keep::Some(number * self.seeds + seed));
        fixed.into_iter().chain(one).chain(seeds).collect()
    }

    /// The same of all calls, on as many threads as this. `check` is made for each of them.
    pub(crate) fn cut_all<C>(&self, threads: usize, check: impl Fn() -> C + Sync) -> Outcome
    where
        C: FnMut(&Image) -> Result<u64, String>,
    {
        let length = self.calls.len().div_ceil(threads);
        let range = |thread: usize| {
            (thread * length).min(self.calls.len())..((thread + 1) * length).min(self.calls.len())
        };
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let cut = |thread| {
                scope.spawn({
                    let check = &check;
                    move || self.cut(range(thread), &mut check())
                })
            };
            let threads: Vec<_> = (0..threads).map(cut).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic of its own")).collect()
        });
        outcomes.into_iter().fold(Outcome::default(), |all, one| Outcome {
            moments: all.moments + one.moments,
            disks: all.disks + one.disks,
            broken: all.broken.into_iter().chain(one.broken).collect(),
        })
    }

    /// What is there if the power goes after a call and that much is kept.
    pub(crate) fn image(&self, disk: &Disk, last: &Call, keep: Keep) -> Image {
        let mut choice = Choice::of(disk, last, keep);
        let mut image = Image::default();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, at)) = open.pop() {
            if (self.is_left_out)(&path) {
                continue;
            }
            match &disk.nodes[at] {
                Node::File(file) => drop(image.files.insert(path, choice.content(at, file))),
                Node::Folder(folder) => {
                    let names = choice.names(at, folder);
                    open.extend(names.into_iter().map(|(name, node)| (path.join(name), node)));
                    image.folders.insert(path);
                }
            }
        }
        image
    }
}

/// How it is chosen what is kept.
struct Choice {
    keep: Keep,
    luck: Luck,
    /// The call after which the power goes.
    ended: usize,
    /// The one file that is kept, or is not.
    one: Option<usize>,
    /// The names, by folder and place among what is pending there, that are kept where a seed chooses.
    named: BTreeSet<(usize, usize)>,
}

impl Choice {
    fn of(disk: &Disk, last: &Call, keep: Keep) -> Self {
        let mut choice = Self { keep, luck: Luck(0), ended: last.ended, one: None, named: BTreeSet::new() };
        match keep {
            Keep::One(seed) | Keep::AllButOne(seed) => {
                choice.luck = Luck(seed);
                let is_pending =
                    |node: &&(usize, &Node)| matches!(node.1, Node::File(file) if !file.pending.is_empty());
                let nodes: Vec<_> = disk.nodes.iter().enumerate().collect();
                let pending: Vec<_> = nodes.iter().filter(is_pending).collect();
                choice.one = (!pending.is_empty()).then(|| pending[choice.luck.below(pending.len())].0);
            }
            Keep::Some(seed) => {
                choice.luck = Luck(seed);
                choice.choose_names(disk);
            }
            Keep::Nothing | Keep::All | Keep::Names | Keep::Contents | Keep::Half => {}
        }
        choice
    }

    fn choose_names(&mut self, disk: &Disk) {
        let folders = disk.nodes.iter().enumerate().filter_map(|(at, node)| match node {
            Node::Folder(folder) => Option::Some((at, folder)),
            Node::File(_) => None,
        });
        let folders: BTreeMap<usize, &Folder> = folders.collect();
        for (at, folder) in &folders {
            for (place, naming) in folder.pending.iter().enumerate() {
                if self.luck.below(2) == 0 {
                    continue;
                }
                self.named.insert((*at, place));
                // What has lost its old name has its new one.
                if let Option::Some((to, name)) = &naming.moved_to {
                    let there = folders[to].pending.iter().enumerate();
                    self.named
                        .extend(there.filter(|(_, new)| new.name == *name).map(|(place, _)| (*to, place)));
                }
            }
        }
    }

    /// The names that a folder has.
    fn names(&self, at: usize, folder: &Folder) -> BTreeMap<String, usize> {
        let mut names = folder.durable.clone();
        for (place, naming) in folder.pending.iter().enumerate() {
            let is_kept = match self.keep {
                Keep::Nothing | Keep::Contents => false,
                Keep::All | Keep::Names | Keep::Half | Keep::One(_) | Keep::AllButOne(_) => true,
                Keep::Some(_) => self.named.contains(&(at, place)),
            };
            match naming.node {
                _ if !is_kept => {}
                Option::Some(node) => drop(names.insert(naming.name.clone(), node)),
                None => drop(names.remove(&naming.name)),
            }
        }
        names
    }

    /// What a file holds.
    fn content(&mut self, at: usize, file: &File) -> Arc<Content> {
        let is_one = self.one == Option::Some(at);
        let is_old = match self.keep {
            Keep::Nothing | Keep::Names => true,
            Keep::All | Keep::Contents | Keep::Half | Keep::Some(_) => false,
            Keep::One(_) => !is_one,
            Keep::AllButOne(_) => is_one,
        };
        if is_old || file.pending.is_empty() {
            return Arc::clone(&file.durable);
        }
        let mut bytes = file.durable.bytes.clone();
        for change in &file.pending {
            if matches!(self.keep, Keep::Some(_)) {
                self.apply_by_luck(change, &mut bytes);
            } else if self.keep == Keep::Half && change.ended == self.ended {
                half(change, &mut bytes);
            } else {
                change.kind.apply(&mut bytes);
            }
        }
        Content::new(bytes)
    }

    fn apply_by_luck(&mut self, change: &Change, to: &mut Vec<u8>) {
        match (&change.kind, self.luck.below(4)) {
            (_, 0) => {}
            (Kind::Write { at, bytes }, 1) => {
                // The length is another thing than what is in it.
                to.resize(to.len().max(at + bytes.len()), 0);
                for (from, piece) in sectors(*at, bytes) {
                    if self.luck.below(2) == 0 {
                        to[from..from + piece.len()].copy_from_slice(piece);
                    }
                }
            }
            (kind, _) => kind.apply(to),
        }
    }
}

/// The half of a write: of one that makes the file longer it may end anywhere, else with a sector.
fn half(change: &Change, to: &mut Vec<u8>) {
    if let Kind::Write { at, bytes } = &change.kind {
        let middle = at + bytes.len() / 2;
        let end = if at + bytes.len() > to.len() { middle } else { middle / SECTOR * SECTOR };
        let bytes = bytes[..end.saturating_sub(*at)].to_owned();
        Kind::Write { at: *at, bytes }.apply(to);
    }
}

/// The parts of a write that lie in one sector each.
fn sectors(mut at: usize, mut bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at(bytes.len().min(SECTOR - at % SECTOR));
        parts.push((at, part));
        (at, bytes) = (at + part.len(), rest);
    }
    parts
}

/// A row of numbers that only its seed decides.
struct Luck(u64);

impl Luck {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).expect("it is below a length")
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in line {}", self.name, self.ended + 1)
    }
}
