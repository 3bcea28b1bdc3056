//! `HOME/head`: a small file that says where the journal ends, so that a store which lost its tail without noticing is
//! found out. Two slots, written in turn, each with its checksum and within one sector: a torn write leaves the other.
//! It is written after each append and synced only at checkpoints; in between it notes how long the engine has been alive
//! since, which no record tells of if it is killed. Never: trusted to say that a record exists.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use windlass_core::id::{Epoch, Seq};
use windlass_core::time::Span;

use crate::chain::{Head, Link};
use crate::error::{JournalError, NotSynced, Unsynced};
use crate::home::sync_folder;
use crate::unfinished;

/// Its name within the home.
pub const NAME: &str = "head";
/// How the name of one begins that is being made.
const UNFINISHED: &str = ".head-";

const MAGIC: &[u8; 8] = b"WLHEAD01";
const SLOT_BYTES: usize = 136;
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
const FILE_BYTES: usize = 4096 + SLOT_BYTES;

/// What tells one home from another, drawn at random when it is made: part of the marks of its processes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HomeId(pub [u8; 16]);

impl fmt::Display for HomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which home it belongs to.
    pub home: HomeId,
    /// Where the journal ended.
    pub head: Head,
    /// How long the engine was alive after that, when it last noted it.
    pub alive: Span,
    /// Goes up with each writing; the higher one counts.
    counter: u64,
}

impl Slot {
    fn to_bytes(self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        let mut rest = &mut bytes[..];
        for part in [
            &MAGIC[..],
            &self.home.0,
            &self.counter.to_le_bytes(),
            &self.head.seq.0.to_le_bytes(),
            &self.head.epoch.0.to_le_bytes(),
            &self.head.link.0,
            &self.alive.ms.to_le_bytes(),
        ] {
            rest.write_all(part).expect("the parts are shorter than a slot");
        }
        let end = SLOT_BYTES - 32;
        let checksum = blake3::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(checksum.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SLOT_BYTES] = bytes.try_into().ok()?;
        let (said, checksum) = bytes.split_at(SLOT_BYTES - 32);
        if blake3::hash(said) != *<&[u8; 32]>::try_from(checksum).ok()? || !said.starts_with(MAGIC) {
            return None;
        }
        let number = |at: usize| u64::from_le_bytes(said[at..at + 8].try_into().expect("eight bytes"));
        Some(Self {
            home: HomeId(said[8..24].try_into().expect("sixteen bytes")),
            counter: number(24),
            head: Head {
                seq: Seq(number(32)),
                epoch: Epoch(number(40)),
                link: Link(said[48..80].try_into().expect("thirty-two bytes")),
            },
            alive: Span::from_ms(number(80)),
        })
    }
}

/// What is found at the place of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Missing,
    /// There is one, and no slot of it can be trusted.
    Unreadable,
    /// The newest slot that can be trusted, and whether the other can be, too.
    Slot(Slot, Both),
}

/// Whether both slots of a head hold against their checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Both {
    /// They do.
    Good,
    /// One was torn or damaged; the other is good.
    OneBad,
}

/// Reads the head of a home.
pub fn read(home: &Path) -> io::Result<Found> {
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    match File::open(home.join(NAME)) {
        Ok(file) => file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    let slot = |offset: u64| {
        let start = usize::try_from(offset).expect("a small number");
        bytes.get(start..start + SLOT_BYTES).and_then(Slot::from_bytes)
    };
    let slots = SLOT_OFFSETS.map(slot);
    let both = if slots.iter().all(Option::is_some) { Both::Good } else { Both::OneBad };
    let newest = slots.into_iter().flatten().max_by_key(|slot| slot.counter);
    Ok(newest.map_or(Found::Unreadable, |slot| Found::Slot(slot, both)))
}

/// The id of a home, where it has a head that can be read.
pub fn home_id(home: &Path) -> Option<HomeId> {
    if let Ok(Found::Slot(slot, _)) = read(home) { Some(slot.home) } else { None }
}

/// Makes a head, durable before this returns. Fails if there is one.
pub(crate) fn create(home: &Path, id: HomeId, head: Head) -> Result<(), JournalError> {
    let path = path(home);
    let mut bytes = vec![0; FILE_BYTES];
    for (counter, offset) in (0..).zip(SLOT_OFFSETS) {
        let start = usize::try_from(offset).expect("a small number");
        let slot = Slot { home: id, head, alive: Span::default(), counter };
        bytes[start..start + SLOT_BYTES].copy_from_slice(&slot.to_bytes());
    }
    let begun = unfinished::begin(home, UNFINISHED).and_then(|mut file| {
        file.write_all(&bytes)?;
        Ok(file)
    });
    let file = begun.map_err(JournalError::io("make", &path))?;
    file.as_file().sync_all().map_err(NotSynced::of(Unsynced::Head, &path))?;
    file.persist_noclobber(&path).map_err(|error| JournalError::io("make", &path)(error.error))?;
    Ok(sync_folder(home).map_err(NotSynced::of(Unsynced::Names, home))?)
}

/// Removes what was half-written when an engine died.
pub(crate) fn sweep_unfinished(home: &Path) {
    unfinished::sweep(home, UNFINISHED);
}

/// The head of a home whose journal is open for writing.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    last: Slot,
}

impl HeadFile {
    /// Opens a head that was read before.
    pub(crate) fn open(home: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(home.join(NAME))?;
        match read(home)? {
            Found::Slot(last, _) => Ok(Self { file, last }),
            Found::Missing | Found::Unreadable => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Writes the slot that is not the newest.
    pub(crate) fn write(&mut self, head: Head, alive: Span) -> io::Result<()> {
        let next = Slot { head, alive, counter: self.last.counter + 1, ..self.last };
        let offset = SLOT_OFFSETS[usize::from(next.counter % 2 == 1)];
        self.file.write_all_at(&next.to_bytes(), offset)?;
        self.last = next;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Where the head of a home lies.
pub(crate) fn path(home: &Path) -> PathBuf {
    home.join(NAME)
}
