//! A disk that promises no more than POSIX does. What is written to a file is durable once that file has been synced, the
//! names in a folder once that folder has been, and neither says anything of the other. Until then a power cut may keep
//! it or not, in any order. What it does rely on: a sector is written as a whole or not, and a file that is moved has one
//! of its two names at least. Never: what one file system or another does beyond that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_core::id::Digest;

use crate::power::tape::Call;

/// What lies in a file, with its digest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

impl Content {
    pub(crate) fn new(bytes: Vec<u8>) -> Arc<Self> {
        let digest = Digest::of(&bytes);
        Arc::new(Self { bytes, digest })
    }
}

/// A change of a file that is not durable.
#[derive(Debug)]
pub(crate) struct Change {
    /// The line at which it was done.
    pub(crate) ended: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) durable: Arc<Content>,
    pub(crate) pending: Vec<Change>,
    /// What everybody reads while there is power.
    live: Vec<u8>,
    /// Where the next write without a place goes; at the end, where there is none.
    place: Option<usize>,
}

/// A change of the names in a folder that is not durable.
#[derive(Debug)]
pub(crate) struct Naming {
    ended: usize,
    pub(crate) name: String,
    /// What has that name from now on, if anything.
    pub(crate) node: Option<usize>,
    /// The other half of a move to another folder: the new name, where this takes the old one away.
    pub(crate) moved_to: Option<(usize, String)>,
}

/// A folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) durable: BTreeMap<String, usize>,
    pub(crate) pending: Vec<Naming>,
    live: BTreeMap<String, usize>,
}

#[derive(Debug)]
pub(crate) enum Node {
    File(File),
    Folder(Folder),
}

/// All below a folder that was there, and empty, at the beginning.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    pub(crate) nodes: Vec<Node>,
    /// What a descriptor was opened on last, by its number: wherever that is moved to, it is found through it.
    opened: BTreeMap<String, usize>,
}

/// The number of the folder that all others are in.
pub(crate) const ROOT: usize = 0;

/// Where a process finds what it has open.
const DESCRIPTORS: &str = "/proc/self/fd";

impl Disk {
    pub(crate) fn new(root: &Path) -> Self {
        let nodes = vec![Node::Folder(Folder::default())];
        Self { root: root.to_owned(), nodes, opened: BTreeMap::new() }
    }

    /// What these calls have come to.
    pub(crate) fn after(root: &Path, calls: &[Call]) -> Self {
        let mut disk = Self::new(root);
        for call in calls {
            disk.take(call);
        }
        disk
    }

    /// Does what a call did. Says whether anything changed.
    pub(crate) fn take(&mut self, call: &Call) -> bool {
        match call.name.as_str() {
            "open" => self.open(call, &call.opened(), 1),
            "openat" => self.open(call, &call.opened(), 2),
            "creat" => self.create(call, &call.opened(), Node::File(File::empty())),
            "mkdir" => self.create(call, &call.path(0), Node::Folder(Folder::default())),
            "mkdirat" => self.create(call, &call.path(1), Node::Folder(Folder::default())),
            "write" | "writev" => self.write(call, None, &call.bytes(1)),
            "pwrite64" => self.write(call, Some(call.number(3)), &call.bytes(1)),
            "pwritev" | "pwritev2" => self.write(call, Some(call.number(3)), &call.bytes(1)),
            "copy_file_range" => self.copy(call, &call.file(0), &call.file(2)),
            "sendfile" => self.copy(call, &call.file(1), &call.file(0)),
            "splice" => self.copy(call, &call.file(0), &call.file(2)),
            "truncate" => self.set_length(call, &call.path(0), index(call.number(1))),
            "ftruncate" => self.set_length(call, &call.file(0), index(call.number(1))),
            "fallocate" => self.allocate(call),
            "fsync" | "fdatasync" => self.sync(call),
            "rename" => self.rename(call, &call.path(0), &call.path(1)),
            "renameat" | "renameat2" => self.rename(call, &call.path(1), &call.path(3)),
            "link" => self.link(call, &call.path(0), &call.path(1)),
            "linkat" => self.link(call, &call.path(1), &call.path(3)),
            "unlink" | "rmdir" => self.remove(call, &call.path(0)),
            "unlinkat" => self.remove(call, &call.path(1)),
            other => panic!("nobody said what `{other}` does to a disk"),
        }
    }

    /// The parts of a path below the root; none where it lies elsewhere, or has no name any more.
    fn below(&self, path: &Path) -> Option<Vec<String>> {
        let rest = path.strip_prefix(&self.root).ok()?;
        let parts: Vec<String> = rest.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        (!parts.last().is_some_and(|last| last.ends_with("(deleted)"))).then_some(parts)
    }

    /// What has a path now.
    fn find(&self, path: &Path) -> Option<usize> {
        let (mut at, names) = match path.strip_prefix(DESCRIPTORS) {
            Ok(rest) => {
                let mut parts = rest.iter().map(|part| part.to_string_lossy().into_owned());
                (*self.opened.get(&parts.next()?)?, parts.collect())
            }
            Err(_) => (ROOT, self.below(path)?),
        };
        for name in names {
            let Node::Folder(folder) = &self.nodes[at] else { return None };
            at = *folder.live.get(&name)?;
        }
        Some(at)
    }

    /// The folder that a path is in, and its name there; none where it lies elsewhere.
    fn place(&self, path: &Path) -> Option<(usize, String)> {
        let mut parts = self.below(path)?;
        let name = parts.pop()?;
        let folder = self.find(path.parent()?);
        Some((folder.unwrap_or_else(|| panic!("{} is in no folder", path.display())), name))
    }

    fn folder(&mut self, at: usize) -> &mut Folder {
        let Node::Folder(folder) = &mut self.nodes[at] else { panic!("it is a folder") };
        folder
    }

    /// The file of a path; none where it lies elsewhere.
    fn file(&mut self, path: &Path) -> Option<&mut File> {
        self.below(path)?;
        let at = self.find(path).unwrap_or_else(|| panic!("{} was never made", path.display()));
        if let Node::File(file) = &mut self.nodes[at] { Some(file) } else { None }
    }

    fn name(&mut self, call: &Call, (folder, name): (usize, String), node: Option<usize>) {
        let folder = self.folder(folder);
        match node {
            Some(node) => drop(folder.live.insert(name.clone(), node)),
            None => drop(folder.live.remove(&name)),
        }
        folder.pending.push(Naming { ended: call.ended, name, node, moved_to: None });
    }

    fn open(&mut self, call: &Call, path: &Path, flags: usize) -> bool {
        let found = self.find(path);
        match (found, call.descriptor()) {
            (Some(at), descriptor) => drop(self.opened.insert(descriptor, at)),
            (None, descriptor) => drop(self.opened.remove(&descriptor)),
        }
        let writes = call.has(flags, "O_WRONLY") || call.has(flags, "O_RDWR");
        if !writes || self.below(path).is_none() {
            return false;
        }
        let is_new = found.is_none() && self.create(call, path, Node::File(File::empty()));
        let Some(file) = self.file(path) else { return false };
        file.place = (!call.has(flags, "O_APPEND")).then_some(0);
        let cuts = call.has(flags, "O_TRUNC") && !file.live.is_empty();
        if cuts {
            file.change(call, Kind::Length(0));
        }
        is_new || cuts
    }

    fn create(&mut self, call: &Call, path: &Path, node: Node) -> bool {
        let Some(place) = self.place(path) else { return false };
        self.nodes.push(node);
        self.name(call, place, Some(self.nodes.len() - 1));
        true
    }

    fn write(&mut self, call: &Call, at: Option<u64>, bytes: &[u8]) -> bool {
        let path = call.file(0);
        let Some(file) = self.file(&path) else { return false };
        let to = at.map_or_else(|| file.place.unwrap_or(file.live.len()), index);
        if at.is_none() && file.place.is_some() {
            file.place = Some(to + bytes.len());
        }
        file.change(call, Kind::Write { at: to, bytes: bytes.to_owned() });
        true
    }

    /// What is copied goes to the same place that it came from: nobody copies parts.
    fn copy(&mut self, call: &Call, from: &Path, to: &Path) -> bool {
        if self.below(to).is_none() || call.count() == 0 {
            return false;
        }
        let at = self.file(to).and_then(|file| file.place).expect("it is written from its beginning");
        let from = &self.file(from).expect("copied from where it was recorded").live;
        let bytes = from[at..at + call.count()].to_owned();
        let file = self.file(to).expect("it was just there");
        file.place = Some(at + bytes.len());
        file.change(call, Kind::Write { at, bytes });
        true
    }

    fn set_length(&mut self, call: &Call, path: &Path, length: usize) -> bool {
        let Some(file) = self.file(path) else { return false };
        file.change(call, Kind::Length(length));
        true
    }

    fn allocate(&mut self, call: &Call) -> bool {
        let end = index(call.number(2) + call.number(3));
        let path = call.file(0);
        let Some(file) = self.file(&path).filter(|file| file.live.len() < end) else { return false };
        file.change(call, Kind::Length(end));
        true
    }

    /// Only what had been done before the sync began is durable when it ends.
    fn sync(&mut self, call: &Call) -> bool {
        let Some(at) = self.find(&call.file(0)) else { return false };
        let begun = call.begun;
        let moved = match &mut self.nodes[at] {
            Node::File(file) => {
                file.sync(begun);
                return true;
            }
            Node::Folder(folder) => folder.sync(begun),
        };
        // What has lost its old name for good has its new one.
        for (folder, name) in moved {
            self.folder(folder).settle(&name);
        }
        true
    }

    fn rename(&mut self, call: &Call, from: &Path, to: &Path) -> bool {
        let (Some(from), Some(to)) = (self.place(from), self.place(to)) else { return false };
        let node = self.folder(from.0).live[&from.1];
        self.name(call, to.clone(), Some(node));
        self.name(call, from.clone(), None);
        self.folder(from.0).pending.last_mut().expect("it was just named").moved_to = Some(to);
        true
    }

    fn link(&mut self, call: &Call, from: &Path, to: &Path) -> bool {
        let (Some(node), Some(to)) = (self.find(from), self.place(to)) else { return false };
        self.name(call, to, Some(node));
        true
    }

    fn remove(&mut self, call: &Call, path: &Path) -> bool {
        let Some(place) = self.place(path) else { return false };
        self.name(call, place, None);
        true
    }

    /// What everybody reads while there is power: each file by its path.
    pub(crate) fn live(&self) -> BTreeMap<PathBuf, &[u8]> {
        let mut found = BTreeMap::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, at)) = open.pop() {
            match &self.nodes[at] {
                Node::File(file) => drop(found.insert(path, &*file.live)),
                Node::Folder(folder) => {
                    open.extend(folder.live.iter().map(|(name, node)| (path.join(name), *node)));
                }
            }
        }
        found
    }
}

impl File {
    fn empty() -> Self {
        Self { durable: Content::new(Vec::new()), pending: Vec::new(), live: Vec::new(), place: Some(0) }
    }

    fn change(&mut self, call: &Call, kind: Kind) {
        kind.apply(&mut self.live);
        self.pending.push(Change { ended: call.ended, kind });
    }

    fn sync(&mut self, begun: usize) {
        let mut bytes = self.durable.bytes.clone();
        let (done, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|change| change.ended < begun);
        for change in &done {
            change.kind.apply(&mut bytes);
        }
        self.durable = Content::new(bytes);
        self.pending = left;
    }
}

impl Kind {
    /// Does it to these bytes.
    pub(crate) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Write { at, bytes } => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl Folder {
    /// Gives the new names of what was moved away.
    fn sync(&mut self, begun: usize) -> Vec<(usize, String)> {
        let (done, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|naming| naming.ended < begun);
        self.pending = left;
        done.into_iter().filter_map(|naming| self.keep(naming)).collect()
    }

    fn keep(&mut self, naming: Naming) -> Option<(usize, String)> {
        match naming.node {
            Some(node) => drop(self.durable.insert(naming.name, node)),
            None => drop(self.durable.remove(&naming.name)),
        }
        naming.moved_to
    }

    /// Makes durable what has become of a name.
    fn settle(&mut self, name: &str) {
        let (done, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|naming| naming.name == name);
        self.pending = left;
        for naming in done {
            self.keep(naming);
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("it fits into memory")
}
