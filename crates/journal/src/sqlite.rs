//! The journal of a home in SQLite: the default. A batch is one transaction, synced; then the head is written. An opening
//! removes what was left half-written, and nothing else on the disk changes before the first append.
//! Never: going on after a failed write, or syncing a second time after it.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use windlass_core::event::{Event, Record};
use windlass_core::id::{Epoch, Seq};
use windlass_core::state::{Run, State};
use windlass_core::time::Span;

use crate::chain::{Follower, Head, Salts, Sealed};
use crate::error::{JournalError, NotSynced, Unsynced, is_storage_full};
use crate::head::{self, HeadFile, HomeId};
use crate::home::{Home, sync_folder};
use crate::journal::Journal;
use crate::lock::Lock;
use crate::needed::Needed;
use crate::opening::{Depth, examine};
use crate::replay::{Plans, Replay, build_in, unreadable};
use crate::store::{self, Store};
use crate::{os, rescue, snapshot};

/// How much may pile up in the write-ahead log before it is moved between turns, in bytes.
const WAL_BYTES_MAX: usize = 4 << 20;
/// How much may pile up before it is moved within an append, because nobody calls between turns.
const WAL_BYTES_LIMIT: usize = 64 << 20;
/// What a commit costs in the log beside its own bytes: a page or so.
const COMMIT_BYTES: usize = 8 << 10;

/// The journal of a home, in SQLite.
pub struct SqliteJournal {
    home: Home,
    home_id: HomeId,
    build: String,
    head: Head,
    /// How long the engine before was alive after the newest record.
    last_alive: Span,
    /// Where the head file said that the journal ends when it was opened.
    known: Seq,
    /// The rows behind the first place up to the second were verified at the opening, or are ours.
    trusted: (Seq, Seq),
    /// For reading, until the first append; none in an empty home.
    reading: Option<Store>,
    writing: Option<Writing>,
    salts: Salts,
    sealed: Sealed,
    plans: Plans,
    needed: Needed,
    is_poisoned: bool,
}

/// What is open once something has been written.
struct Writing {
    store: Store,
    head: HeadFile,
    /// The home as a folder, wherever it may be moved to.
    folder: File,
    /// The files that must stay in their places.
    placed: [(PathBuf, (u64, u64)); 3],
    /// About how much has piled up in the write-ahead log.
    piled: usize,
}

impl SqliteJournal {
    /// Opens the journal of a home whose lock is held: looks at it, and refuses it if anything is missing. `build` is
    /// this build's name; snapshots of others are ignored.
    pub fn open(home: &Home, _lock: &Lock, build: &str) -> Result<Self, JournalError> {
        store::demand_version()?;
        let path = home.path();
        let examined = examine(path, Depth::SinceSnapshot(build))?.sound(path)?;
        home.sweep_unfinished();
        let random_failed = JournalError::io("read random numbers for", path);
        let salts = Salts::new(os::random().map_err(random_failed)?);
        let home_id = match examined.home_id {
            Some(home_id) => home_id,
            None => make_head(home)?,
        };
        Ok(Self {
            home: home.clone(),
            home_id,
            build: build.into(),
            head: examined.end,
            // What was noted after an earlier record is told by those that follow it.
            last_alive: if examined.said == examined.end { examined.alive } else { Span::default() },
            known: examined.known,
            trusted: (examined.start, examined.end.seq),
            reading: examined.store,
            writing: None,
            salts,
            sealed: Sealed::default(),
            plans: Plans::default(),
            needed: Needed::default(),
            is_poisoned: false,
        })
    }

    /// Which home it is: what the marks of its processes begin with.
    pub fn home_id(&self) -> HomeId {
        self.home_id
    }

    /// Notes what the runs of a state name which a snapshot may have brought back, as a replay does by itself: if the home
    /// vanishes, the copy has it.
    pub fn hold(&mut self, state: &State) {
        for (digest, plan) in state.runs.values().flat_map(Run::written) {
            if let Some(plan) = plan {
                self.plans.note(digest, &plan);
            }
        }
        self.needed.note_all(state);
        self.needed.hold(&*self.home.blobs());
    }

    /// Moves everything into the store and syncs it: the orderly end.
    pub fn close(mut self) -> Result<(), JournalError> {
        match self.writing.take() {
            Some(writing) if !self.is_poisoned => {
                let path = head::path(self.home.path());
                let unsynced = NotSynced::of(Unsynced::Head, &path);
                let settled = writing.store.settle_all();
                match settled.and_then(|()| Ok(writing.head.sync().map_err(unsynced)?)) {
                    // All of it is safe in the log, as after a kill.
                    Err(error) if self.is_full(&error) => Ok(()),
                    closed => closed.map_err(|error| self.read_only_or(error)),
                }
            }
            _ => Ok(()),
        }
    }

    fn try_append(&mut self, epoch: Epoch, expected: Seq, batch: &[Record]) -> Result<(), JournalError> {
        if expected != self.head.seq {
            return Err(JournalError::NotTheEnd { expected, found: self.head.seq });
        }
        self.sealed.seal(self.head, epoch, batch, &self.salts)?;
        if self.writing.is_none() {
            self.writing = Some(self.with_reserve(Self::begin_writing)?);
            self.reading = None;
        }
        self.with_reserve(Self::write_batch)?;
        self.with_reserve(Self::write_head)?;
        self.head = self.sealed.head;
        self.last_alive = Span::default();
        self.trusted.1 = self.head.seq;
        let mut has_changed = false;
        for record in batch {
            has_changed |= self.needed.note(&record.event);
            if let Event::RunCreated { plan, hydrated, .. }
            | Event::PlanRevised { plan, hydrated, .. }
            | Event::PlanNested { plan, hydrated, .. } = &record.event
                && let Some(read) = &hydrated.0
            {
                self.plans.note(*plan, read);
            }
        }
        if has_changed {
            self.needed.hold(&*self.home.blobs());
        }
        Ok(())
    }

    /// Does a step; if the disk is full, gives the reserve up and does it once more.
    fn with_reserve<T>(
        &mut self,
        step: impl Fn(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let failed = match step(self) {
            Err(error) if self.is_full(&error) => error,
            done => return done,
        };
        if !self.home.release_reserve().unwrap_or(false) {
            return Err(self.full_or(failed));
        }
        step(self).map_err(|error| self.full_or(error))
    }

    /// Whether a step failed for lack of space. A sync that says so has failed like any other.
    fn is_full(&self, error: &JournalError) -> bool {
        if let JournalError::Store { source, .. } = error {
            return store::says_full(source, || self.home.free().unwrap_or(u64::MAX));
        }
        matches!(error, JournalError::Io { source, .. } if is_storage_full(source))
    }

    fn full_or(&self, error: JournalError) -> JournalError {
        if self.is_full(&error) {
            return JournalError::DiskFull { path: self.home.path().to_owned() };
        }
        error
    }

    /// An error of writing, by its reason where the disk takes no writes at all: SQLite does not tell what the system said.
    fn read_only_or(&self, error: JournalError) -> JournalError {
        let is_said = matches!(&error, JournalError::Io { source, .. }
            if source.kind() == io::ErrorKind::ReadOnlyFilesystem);
        let may_be = matches!(
            error,
            JournalError::Io { .. } | JournalError::Store { .. } | JournalError::NotSynced(_)
        );
        if is_said || (may_be && self.home.is_read_only()) {
            return JournalError::ReadOnly { path: self.home.path().to_owned() };
        }
        error
    }

    /// Opens the store for writing and makes durable what was found: it may be in the page cache only.
    fn begin_writing(&mut self) -> Result<Writing, JournalError> {
        let home = self.home.path();
        let path = store::path(home);
        let store = Store::open_for_writing(&path)?;
        store.settle_all()?;
        self.demand_tip(&store)?;
        let head_path = head::path(home);
        let mut head = HeadFile::open(home).map_err(JournalError::io("open", &head_path))?;
        head.write(self.head, self.last_alive).map_err(JournalError::io("write", &head_path))?;
        head.sync().map_err(NotSynced::of(Unsynced::Head, &head_path))?;
        sync_folder(home).map_err(NotSynced::of(Unsynced::Names, home))?;
        let folder = File::open(home).map_err(JournalError::io("open", home))?;
        let mut placed = [path, store::wal_path(home), head_path].map(|path| (path, (0, 0)));
        for (path, identity) in &mut placed {
            *identity = os::identity(path).map_err(JournalError::io("look at", path))?;
        }
        Ok(Writing { store, head, folder, placed, piled: 0 })
    }

    /// Refuses a store that does not end where this journal does.
    fn demand_tip(&self, store: &Store) -> Result<(), JournalError> {
        let tip = store.tip().map_err(store.failed("read"))?;
        if tip.epoch > self.head.epoch {
            Err(JournalError::Superseded { ours: self.head.epoch, newest: tip.epoch })
        } else if tip != self.head {
            Err(JournalError::NotTheEnd { expected: self.head.seq, found: tip.seq })
        } else {
            Ok(())
        }
    }

    /// One transaction: the end is looked at, the rows are added, the disk has them.
    fn write_batch(&mut self) -> Result<(), JournalError> {
        let store = &self.writing.as_ref().expect("opened before the first batch").store;
        let run = |sql| -> rusqlite::Result<()> {
            store.connection.prepare_cached(sql)?.execute([])?;
            Ok(())
        };
        run("BEGIN IMMEDIATE").map_err(store.failed("begin to write"))?;
        let written = self.demand_tip(store).and_then(|()| {
            let mut rows = self.sealed.rows();
            let inserted = rows.try_for_each(|row| store.insert(&row));
            inserted.and_then(|()| run("COMMIT")).map_err(store.failed("write to"))
        });
        if written.is_err() && !store.connection.is_autocommit() {
            // Whether this works makes no difference: the error stands, and without a commit nothing counts.
            let _undone = run("ROLLBACK");
        }
        written
    }

    fn write_head(&mut self) -> Result<(), JournalError> {
        let writing = self.writing.as_mut().expect("opened before the first batch");
        writing.piled += self.sealed.bytes() + COMMIT_BYTES;
        let path = head::path(self.home.path());
        writing.head.write(self.sealed.head, Span::default()).map_err(JournalError::io("write", &path))
    }

    /// Moves what has piled up, as far as readers let it.
    fn settle(&mut self) -> Result<(), JournalError> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        match writing.store.settle_some() {
            Ok(true) => writing.piled = 0,
            // A reader is in the way: what could be moved was, and the rest waits.
            Ok(false) => writing.piled /= 2,
            Err(error) if store::says_full(&error, || self.home.free().unwrap_or(u64::MAX)) => {
                // All of it is safe in the log; the next append will meet the full disk and say so.
                self.home
                    .release_reserve()
                    .map_err(JournalError::io("release the reserve of", self.home.path()))?;
                writing.piled /= 2;
            }
            Err(error) => return Err(writing.store.failed("checkpoint")(error)),
        }
        Ok(writing.head.sync().map_err(NotSynced::of(Unsynced::Head, &head::path(self.home.path())))?)
    }

    /// Compares the files in their places with those that are written.
    fn demand_in_place(&self) -> Result<(), JournalError> {
        let Some(writing) = &self.writing else { return Ok(()) };
        let moved = writing.placed.iter().find(|(path, identity)| {
            // Not to be able to look is no proof that it is gone.
            os::identity(path).map_or_else(|error| says_gone(&error), |found| found != *identity)
        });
        let Some((path, _)) = moved else { return Ok(()) };
        let lost = rescue::Lost {
            store: &writing.store,
            folder: &writing.folder,
            home: self.home.path(),
            home_id: self.home_id,
            plans: &self.plans,
            needed: &self.needed,
        };
        Err(JournalError::StoreReplaced { path: path.clone(), rescue: rescue::copy(&lost).ok() })
    }

    fn store(&self) -> Option<&Store> {
        self.writing.as_ref().map(|writing| &writing.store).or(self.reading.as_ref())
    }
}

impl Journal for SqliteJournal {
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
        // Until it is known to have worked it has failed.
        self.is_poisoned = true;
        let appended = self.try_append(epoch, expected, batch);
        // Into a file that nobody will find again one can write without an error, and with one.
        self.demand_in_place()?;
        appended.map_err(|error| self.read_only_or(error))?;
        if self.writing.as_ref().is_some_and(|writing| writing.piled > WAL_BYTES_LIMIT) {
            self.settle().map_err(|error| self.read_only_or(error))?;
        }
        self.is_poisoned = false;
        Ok(())
    }

    fn replay(
        &mut self,
        after: Seq,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let store = self.writing.as_ref().map(|writing| &writing.store).or(self.reading.as_ref());
        let Some(store) = store else { return Ok(()) };
        let place = (Seq(0), self.known.max(self.head.seq));
        let start = store.at(after).map_err(unreadable(self.home.path(), store, place))?;
        let Some(start) = start else {
            return Err(JournalError::NotTheEnd { expected: after, found: self.head.seq });
        };
        let blobs = self.home.blobs();
        let mut replay = Replay {
            home: self.home.path(),
            blobs: &*blobs,
            plans: &mut self.plans,
            follower: Follower::from(start),
            trusted: self.trusted,
            known: self.known.max(self.head.seq),
            build: None,
        };
        let needed = &mut self.needed;
        let mut failed = None;
        let read = store.rows(after, None, |row| {
            let build =
                || store.start_of(row.epoch).ok().flatten().and_then(|(seq, bytes)| build_in(seq, &bytes));
            match replay.take(row, build) {
                Ok(Some(record)) => {
                    needed.note(&record.event);
                    each(record)
                }
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        let place = (replay.follower.head.seq, replay.known);
        needed.hold(&*blobs);
        read.map_err(unreadable(self.home.path(), store, place))?;
        failed.map_or(Ok(()), Err)
    }

    fn save_snapshot(&mut self, at: Seq, bytes: &[u8]) -> Result<(), JournalError> {
        let Some(store) = self.store() else { return Ok(()) };
        let Some(head) = store.at(at).map_err(store.failed("read"))? else {
            return Err(JournalError::NotTheEnd { expected: at, found: self.head.seq });
        };
        let header = snapshot::Header::new(&self.build, at, head.link, bytes);
        snapshot::save(self.home.path(), &header, bytes)
            .map_err(JournalError::io("write a snapshot in", self.home.path()))
    }

    fn newest_snapshot(&mut self) -> Option<(Seq, Vec<u8>)> {
        snapshot::newest(self.home.path(), self.store()?, &self.build)
    }

    fn last_alive(&self) -> Span {
        self.last_alive
    }

    fn note_alive(&mut self, alive: Span) {
        if let Some(writing) = self.writing.as_mut().filter(|_| !self.is_poisoned) {
            writing.head.write(self.head, alive).unwrap_or_default();
        }
    }

    fn rest(&mut self) -> Result<(), JournalError> {
        if self.is_poisoned {
            return Err(JournalError::Poisoned);
        }
        if self.writing.as_ref().is_none_or(|writing| writing.piled < WAL_BYTES_MAX) {
            return Ok(());
        }
        self.is_poisoned = true;
        self.settle().map_err(|error| self.read_only_or(error))?;
        self.is_poisoned = false;
        Ok(())
    }

    fn check(&mut self) -> Result<(), JournalError> {
        if self.is_poisoned {
            return Err(JournalError::Poisoned);
        }
        let in_place = self.demand_in_place();
        self.is_poisoned = in_place.is_err();
        in_place
    }
}

/// Whether an error of looking says that there is nothing.
fn says_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes the head of an empty home, before there is a store. Where there is a head, the home has its name for good.
fn make_head(home: &Home) -> Result<HomeId, JournalError> {
    home.sync_names()?;
    let path = home.path();
    let id = HomeId(os::random().map_err(JournalError::io("read random numbers for", path))?);
    head::create(path, id, Head::default())?;
    Ok(id)
}
