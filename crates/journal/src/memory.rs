//! A journal in memory that keeps, checks and forgets just what SQLite's does: the same bytes, chain, limits and
//! epochs. The simulator's disk. Never: cheaper than the real one in what it promises.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_core::event::Record;
use windlass_core::id::{Epoch, Seq};
use windlass_core::time::Span;

use crate::blob::MemoryBlobs;
use crate::chain::{Body, Follower, Head, Row, SALT_BYTES, Salts, Sealed};
use crate::error::{DamageCause, JournalError};
use crate::journal::Journal;
use crate::planted::{Bug, is_planted};
use crate::repair::{self, Acceptance};
use crate::replay::{Plans, Replay, build_in, damaged};
use crate::snapshot::Header;

/// What stands for the home in messages.
const PLACE: &str = "memory";

/// What a disk would hold. Clones are the same disk; journals come and go on it, as processes do.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
    blobs: MemoryBlobs,
}

#[derive(Clone, Debug, Default)]
struct Disk {
    rows: Vec<Arc<Kept>>,
    snapshots: Vec<(Header, Arc<[u8]>)>,
    /// What the head file says.
    said: Head,
    /// How long it says that the engine was alive after that.
    alive: Span,
    openings: u64,
    fault: Option<Fault>,
    /// How many appends still fit; none where there is room enough.
    room: Option<u64>,
    /// How many rows a power cut leaves, and what the head file says then: it is synced at checkpoints only.
    synced: usize,
    said_synced: Head,
}

#[derive(Clone, Debug)]
struct Kept {
    epoch: Epoch,
    /// Salt and bytes, one behind the other.
    body: Vec<u8>,
    head: Head,
}

/// An append that fails, as if the process had died in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How many appends still work.
    pub after: u64,
    /// Whether the failing batch is found on the disk later: what is not acknowledged may be there or not.
    pub kept: bool,
}

impl MemoryStore {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its blobs.
    pub fn blobs(&self) -> MemoryBlobs {
        self.blobs.clone()
    }

    /// Where the journal on it ends.
    pub fn head(&self) -> Head {
        self.disk().head()
    }

    /// A disk of its own with the same content. Bodies are shared: this costs a pointer a record.
    #[must_use]
    pub fn branch(&self) -> Self {
        Self { disk: Arc::new(Mutex::new(self.disk().clone())), blobs: self.blobs.branch() }
    }

    /// Lets an append fail.
    pub fn arm(&self, fault: Fault) {
        self.disk().fault = Some(fault);
    }

    /// Leaves room for so many appends and no blob, or for everything again.
    pub fn fill(&self, room: Option<u64>) {
        self.disk().room = room;
        self.blobs.fill(room.is_some());
    }

    /// Loses what was not synced, as a machine does that loses its power.
    pub fn cut_power(&self) {
        let mut disk = self.disk();
        let (synced, said) = (disk.synced, disk.said_synced);
        disk.rows.truncate(synced);
        (disk.said, disk.alive) = (said, Span::default());
        drop(disk);
        self.blobs.cut_power();
    }

    /// Changes a bit of a record, as a failing disk does.
    pub fn flip(&self, seq: Seq, bit: usize) {
        let mut disk = self.disk();
        let Some(row) = index(seq).checked_sub(1).and_then(|at| disk.rows.get_mut(at)) else { return };
        let row = Arc::make_mut(row);
        let at = bit % (row.body.len() * 8);
        row.body[at / 8] ^= 1 << (at % 8);
    }

    /// The record that the head file tells of: behind the newest only after a power cut.
    pub fn said(&self) -> Seq {
        self.disk().said.seq
    }

    /// Loses records behind a place without noticing, as a damaged WAL does; the head still tells of them.
    pub fn lose_after(&self, seq: Seq) {
        self.disk().rows.truncate(index(seq));
    }

    /// Goes on with the records up to this one, as [`crate::repair::accept_loss`] does where the rest is damaged.
    pub fn accept_loss(
        &self,
        intact: Seq,
        acceptance: Acceptance<'_>,
        seed: u64,
    ) -> Result<(), JournalError> {
        let mut disk = self.disk();
        let (known, highest) = (disk.said.seq, disk.head().epoch);
        disk.rows.truncate(index(intact));
        disk.synced = disk.rows.len();
        disk.said = disk.head();
        drop(disk);
        let epoch = Epoch(highest.0 + 1);
        let mut journal = MemoryJournal::open(self, acceptance.build, seed)?;
        journal.append(epoch, intact, &repair::said(intact, known, epoch, acceptance))
    }

    /// The stored bytes of a record.
    pub fn bytes(&self, seq: Seq) -> Option<Vec<u8>> {
        let at = index(seq).checked_sub(1)?;
        self.disk().rows.get(at).map(|row| row.body[SALT_BYTES..].to_vec())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn head(&self) -> Head {
        self.rows.last().map(|row| row.head).unwrap_or_default()
    }

    fn at(&self, seq: Seq) -> Option<Head> {
        match index(seq).checked_sub(1) {
            None => Some(Head::default()),
            Some(at) => self.rows.get(at).map(|row| row.head),
        }
    }

    /// Whether this append finds no room.
    fn is_full(&mut self) -> bool {
        let Some(room) = &mut self.room else { return false };
        let is_full = *room == 0;
        *room = room.saturating_sub(1);
        is_full
    }

    /// Says whether this append fails, and how.
    fn fails(&mut self) -> Option<Fault> {
        let fault = self.fault.as_mut()?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        self.fault.take()
    }
}

impl Kept {
    fn row(&self) -> Row<'_> {
        let (salt, bytes) = self.body.split_at(SALT_BYTES);
        Row { seq: self.head.seq, epoch: self.epoch, body: Body::Whole { salt, bytes }, link: self.head.link }
    }
}

fn index(seq: Seq) -> usize {
    usize::try_from(seq.0).expect("fewer records than memory has bytes")
}

/// The journal on a [`MemoryStore`].
pub struct MemoryJournal {
    store: MemoryStore,
    build: String,
    head: Head,
    last_alive: Span,
    salts: Salts,
    sealed: Sealed,
    plans: Plans,
    is_poisoned: bool,
}

impl MemoryJournal {
    /// Opens the journal of a disk, as [`crate::sqlite::SqliteJournal::open`] does. Salts follow from the seed, so that
    /// the same world has the same bytes.
    pub fn open(store: &MemoryStore, build: &str, seed: u64) -> Result<Self, JournalError> {
        let mut disk = store.disk();
        let head = disk.head();
        if head.seq < disk.said.seq && !is_planted(Bug::TailSilentlyShorter) {
            return Err(damaged(Path::new(PLACE), DamageCause::EndMissing, head.seq, disk.said.seq));
        }
        let last_alive = if head == disk.said { disk.alive } else { Span::default() };
        disk.openings += 1;
        disk.said_synced = disk.said;
        let mut from = [0; 16];
        from[..8].copy_from_slice(&seed.to_le_bytes());
        from[8..].copy_from_slice(&disk.openings.to_le_bytes());
        drop(disk);
        Ok(Self {
            store: store.clone(),
            build: build.into(),
            head,
            last_alive,
            salts: Salts::new(*blake3::hash(&from).as_bytes()),
            sealed: Sealed::default(),
            plans: Plans::default(),
            is_poisoned: false,
        })
    }

    /// The disk below.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn try_append(&mut self, epoch: Epoch, expected: Seq, batch: &[Record]) -> Result<(), JournalError> {
        if expected != self.head.seq {
            return Err(JournalError::NotTheEnd { expected, found: self.head.seq });
        }
        self.sealed.seal(self.head, epoch, batch, &self.salts)?;
        let mut disk = self.store.disk();
        let tip = disk.head();
        if tip.epoch > self.head.epoch {
            return Err(JournalError::Superseded { ours: epoch, newest: tip.epoch });
        }
        if tip != self.head {
            return Err(JournalError::NotTheEnd { expected, found: tip.seq });
        }
        if disk.is_full() {
            return Err(JournalError::DiskFull { path: PLACE.into() });
        }
        let fault = disk.fails();
        if fault.is_none_or(|fault| fault.kept) {
            disk.rows.extend(self.sealed.rows().map(|row| {
                let Body::Whole { salt, bytes } = row.body else { unreachable!("a sealed row is whole") };
                let head = Head { seq: row.seq, link: row.link, epoch: row.epoch };
                Arc::new(Kept { epoch: row.epoch, body: [salt, bytes].concat(), head })
            }));
        }
        if !is_planted(Bug::CommitNotSynced) {
            disk.synced = disk.rows.len();
        }
        if fault.is_some() {
            return Err(JournalError::Poisoned);
        }
        self.head = self.sealed.head;
        self.last_alive = Span::default();
        (disk.said, disk.alive) = (self.head, Span::default());
        Ok(())
    }
}

impl Journal for MemoryJournal {
    fn head(&self) -> Head {
        self.head
    }

    fn append(&mut self, epoch: Epoch, expected: Seq, batch: &[Record]) -> Result<(), JournalError> {
        if self.is_poisoned {
            return Err(JournalError::Poisoned);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let appended = self.try_append(epoch, expected, batch);
        self.is_poisoned = appended.is_err();
        appended
    }

    fn replay(
        &mut self,
        after: Seq,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        // A copy of pointers, so that the disk is free while each record is looked at.
        let disk = self.store.disk();
        let Some(start) = disk.at(after) else {
            return Err(JournalError::NotTheEnd { expected: after, found: self.head.seq });
        };
        let rows = disk.rows.clone();
        let known = disk.said.seq;
        drop(disk);
        let blobs = self.store.blobs();
        let mut replay = Replay {
            home: Path::new(PLACE),
            blobs: &blobs,
            plans: &mut self.plans,
            follower: Follower::from(start),
            trusted: (Seq(0), Seq(0)),
            known,
            build: None,
        };
        for kept in &rows[index(after)..] {
            let build = || {
                let start = rows.iter().find(|row| row.epoch == kept.epoch)?;
                build_in(start.head.seq, &start.body[SALT_BYTES..])
            };
            if let Some(record) = replay.take(&kept.row(), build)?
                && each(record).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn last_alive(&self) -> Span {
        self.last_alive
    }

    fn note_alive(&mut self, alive: Span) {
        // Who has not written has no head open to write in.
        let has_written = self.head.seq > Seq(0) && self.sealed.head == self.head;
        if has_written && !self.is_poisoned {
            self.store.disk().alive = alive;
        }
    }

    fn save_snapshot(&mut self, at: Seq, bytes: &[u8]) -> Result<(), JournalError> {
        let mut disk = self.store.disk();
        let Some(head) = disk.at(at) else {
            return Err(JournalError::NotTheEnd { expected: at, found: self.head.seq });
        };
        let header = Header::new(&self.build, at, head.link, bytes);
        disk.snapshots.push((header, bytes.into()));
        if disk.snapshots.len() > 2 {
            disk.snapshots.remove(0);
        }
        Ok(())
    }

    fn newest_snapshot(&mut self) -> Option<(Seq, Vec<u8>)> {
        let disk = self.store.disk();
        let fitting = disk.snapshots.iter().rev().find(|(header, bytes)| {
            let link = disk.at(header.seq).map(|at| at.link);
            link.is_some_and(|link| header.fits(&self.build, link)) && header.vouches_for(bytes)
        });
        fitting.map(|(header, bytes)| (header.seq, bytes.to_vec()))
    }
}
