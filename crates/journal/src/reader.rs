//! How every process but the engine reads a journal: read-only, in short transactions, verifying what it reads and
//! comparing the end with the head. To follow, it waits for `inotify` on the head, which is written after each append,
//! and on the lock, which is closed when its engine dies; nothing is polled. Never: keeping a transaction open while
//! somebody else's code runs, which would keep the engine from emptying its log.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_core::event::Record;
use windlass_core::id::Seq;
use windlass_core::time::Span;

use crate::blob::FolderBlobs;
use crate::chain::{Body, Follower, Head, Row};
use crate::error::{DamageCause, FILES_OF_A_READER, JournalError};
use crate::head::{Found, HomeId};
use crate::opening::{Depth, examine, sound_end};
use crate::replay::{Plans, Replay, build_in, damaged, unreadable};
use crate::store::{self, Store};
use crate::{head, lock, os, snapshot};

/// How many rows are taken in one transaction.
const ROWS_AT_ONCE: u32 = 1024;

/// A journal as other processes see it.
pub struct Reader {
    home: PathBuf,
    build: String,
    blobs: FolderBlobs,
    plans: Plans,
    open: Option<Open>,
    home_id: Option<HomeId>,
    head: Head,
    known: Seq,
}

/// The store with what tells it from another at the same path.
struct Open {
    store: Store,
    identity: (u64, u64),
}

impl Reader {
    /// Opens the journal of a home for reading. A home without one, or no home at all, reads as empty.
    pub fn open(home: &Path, build: &str) -> Result<Self, JournalError> {
        store::demand_version()?;
        os::room_for_files(FILES_OF_A_READER)?;
        let mut reader = Self {
            home: home.to_owned(),
            build: build.into(),
            blobs: FolderBlobs::new(&home.join("blobs")),
            plans: Plans::default(),
            open: None,
            home_id: None,
            head: Head::default(),
            known: Seq(0),
        };
        reader.refresh()?;
        Ok(reader)
    }

    /// Where the journal ended when it was last looked at.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Which home it is; none where there is nothing yet.
    pub fn home_id(&self) -> Option<HomeId> {
        self.home_id
    }

    /// The blobs beside it.
    pub fn blobs(&self) -> &FolderBlobs {
        &self.blobs
    }

    /// Whether a live process writes to it. Without one, its runs are stopped.
    pub fn is_live(&self) -> Result<bool, JournalError> {
        lock::is_held(&self.home).map_err(JournalError::io("look at the lock of", &self.home))
    }

    /// How long the engine, or the one before, was alive after the end, when it last noted it.
    pub fn last_alive(&self) -> Span {
        match head::read(&self.home) {
            Ok(Found::Slot(slot, _)) if slot.head == self.head => slot.alive,
            Ok(_) | Err(_) => Span::default(),
        }
    }

    /// Looks where the journal ends now, and compares that with the head.
    pub fn refresh(&mut self) -> Result<Head, JournalError> {
        let path = store::path(&self.home);
        let identity = os::identity(&path).ok();
        if let Some(open) = self.open.as_ref().filter(|open| Some(open.identity) == identity)
            && let Some(end) = sound_end(&self.home, &open.store)
        {
            self.head = end;
            self.known = end.seq;
            return Ok(end);
        }
        let examined = examine(&self.home, Depth::Nothing)?.sound(&self.home)?;
        self.home_id = examined.home_id;
        self.head = examined.end;
        self.known = examined.known;
        // A connection to what lies at the path no more would read the past for ever.
        self.open = identity.zip(examined.store).map(|(identity, store)| Open { store, identity });
        Ok(self.head)
    }

    /// Hands over every record after a place up to the end as it is now, verified, and with its plan. Stops when told.
    pub fn replay(
        &mut self,
        after: Seq,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let end = self.refresh()?.seq;
        let Some(Open { store, .. }) = &self.open else { return Ok(()) };
        let start = store.at(after).map_err(unreadable(&self.home, store, (Seq(0), self.known)))?;
        let Some(start) = start else {
            return Err(JournalError::NotTheEnd { expected: after, found: end });
        };
        let mut replay = Replay {
            home: &self.home,
            blobs: &self.blobs,
            plans: &mut self.plans,
            follower: Follower::from(start),
            trusted: (Seq(0), Seq(0)),
            known: self.known,
            build: None,
        };
        while replay.follower.head.seq < end {
            let after = replay.follower.head.seq;
            let (rows, read) = some_rows(store, after);
            if rows.is_empty() && read.is_ok() {
                let at = replay.follower.head.seq;
                return Err(damaged(&self.home, DamageCause::EndMissing, at, end));
            }
            for row in &rows {
                let build = || {
                    store
                        .start_of(row.head.epoch)
                        .ok()
                        .flatten()
                        .and_then(|(seq, bytes)| build_in(seq, &bytes))
                };
                let record = replay.take(&row.row(), build)?;
                if record.is_some_and(|record| each(record).is_break()) {
                    return Ok(());
                }
            }
            // Only now: what lies before the failure is as good as ever.
            let place = (replay.follower.head.seq, self.known);
            read.map_err(unreadable(&self.home, store, place))?;
        }
        Ok(())
    }

    /// The newest state kept by this very build that belongs to this journal.
    pub fn newest_snapshot(&self) -> Option<(Seq, Vec<u8>)> {
        snapshot::newest(&self.home, &self.open.as_ref()?.store, &self.build)
    }

    /// Begins to watch. Made before a replay, it misses nothing that the replay does not see.
    pub fn watch(&self) -> Result<Lookout, JournalError> {
        let watch = os::FileWatch::new(&self.home, &[head::NAME, lock::NAME]);
        Ok(Lookout { watch: watch.map_err(JournalError::io("watch", &self.home))? })
    }

    /// Hands over every record after a place, and then each new one once it is there, until told to stop. In between,
    /// at the latest after `longest`, it says that there is no more.
    pub fn follow(
        &mut self,
        after: Seq,
        longest: Duration,
        hear: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let watch = self.watch()?;
        let mut at = after;
        loop {
            // Looked at before the records: of a dead engine they are all there.
            let is_live = self.is_live()?;
            let mut flow = ControlFlow::Continue(());
            self.replay(at, &mut |record| {
                at = record.seq;
                flow = hear(Heard::Record(record));
                flow
            })?;
            if flow.is_break() || hear(Heard::NoMore { is_live }).is_break() {
                return Ok(());
            }
            watch.wait(longest).map_err(JournalError::io("watch", &self.home))?;
        }
    }
}

/// What reaches one who follows a journal.
#[expect(clippy::large_enum_variant, reason = "it is handed over, not kept")]
pub enum Heard {
    /// A record.
    Record(Record),
    /// There is no more by now.
    NoMore {
        /// Whether a live process wrote to the journal before this was looked at.
        is_live: bool,
    },
}

/// Says when there may be something new to read, or when the engine is gone.
#[derive(Debug)]
pub struct Lookout {
    watch: os::FileWatch,
}

impl Lookout {
    /// Waits until something happened, or for so long. Says whether something did; it may have been nothing that counts.
    pub fn wait(&self, longest: Duration) -> io::Result<bool> {
        self.watch.wait(longest)
    }
}

/// A row that was copied out of its transaction.
struct Copied {
    head: Head,
    body: CopiedBody,
}

enum CopiedBody {
    Whole { salt: Vec<u8>, bytes: Vec<u8> },
    Erased { digest: [u8; 32] },
    Lost,
}

impl Copied {
    fn of(row: &Row<'_>) -> Self {
        let body = match row.body {
            Body::Whole { salt, bytes } => CopiedBody::Whole { salt: salt.into(), bytes: bytes.into() },
            Body::Erased { digest } => CopiedBody::Erased { digest },
            Body::Lost => CopiedBody::Lost,
        };
        let head = Head { seq: row.seq, link: row.link, epoch: row.epoch };
        Self { head, body }
    }

    fn row(&self) -> Row<'_> {
        let body = match &self.body {
            CopiedBody::Whole { salt, bytes } => Body::Whole { salt, bytes },
            CopiedBody::Erased { digest } => Body::Erased { digest: *digest },
            CopiedBody::Lost => Body::Lost,
        };
        Row { seq: self.head.seq, epoch: self.head.epoch, body, link: self.head.link }
    }
}

fn some_rows(store: &Store, after: Seq) -> (Vec<Copied>, rusqlite::Result<()>) {
    let mut rows = Vec::new();
    let read = store.rows(after, Some(ROWS_AT_ONCE), |row| {
        rows.push(Copied::of(row));
        ControlFlow::Continue(())
    });
    (rows, read)
}
