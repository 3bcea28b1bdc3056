//! A look at everything in a home, for `doctor` and `verify`: the whole chain from the first record, each blob that an
//! event names, what lies beside. Results are values; faces put them into words. Never: changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use windlass_core::event::Event;
use windlass_core::id::{Digest, Epoch, RunId, Seq};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::Plan;

use crate::blob::{BlobError, Blobs, FolderBlobs};
use crate::chain::{Follower, Head};
use crate::error::{Damage, FILES_OF_A_READER, JournalError};
use crate::head::{self, Both, Found, HomeId};
use crate::home::room;
use crate::lock;
use crate::opening::{Depth, Examined, examine};
use crate::os::room_for_files;
use crate::replay::{Plans, Replay, damaged};
use crate::{snapshot, store};

/// How closely blobs are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// Whether they are there.
    Present,
    /// Whether they are what was written: all of them are read.
    Sound,
}

/// What is in a home.
#[derive(Debug)]
pub struct Inspection {
    /// Which home it is; none where no head says so.
    pub home_id: Option<HomeId>,
    /// Where the journal ends.
    pub end: Head,
    /// What is wrong with the journal; nothing is changed by looking.
    pub damage: Option<Damage>,
    /// The record that this build does not understand, if one: then the look ended there.
    pub foreign: Option<JournalError>,
    /// Whether one of the two slots of the head was torn; the other one is good.
    pub is_head_slot_torn: bool,
    /// Whether a live process has the lock.
    pub is_live: bool,
    /// Each opening for writing, with the build that did it.
    pub openings: Vec<Opening>,
    /// How many records there are of each event.
    pub events: BTreeMap<&'static str, u64>,
    /// Digests that an event names and that have no blob.
    pub dangling: Vec<Named>,
    /// Blobs that an event names and that are not what was written.
    pub unsound: Vec<Named>,
    /// How many blobs no event names: what an engine put before it died, or what `gc` may take.
    pub unnamed: u64,
    /// Snapshots, newest first: place, and the build that can read it.
    pub snapshots: Vec<(Seq, String)>,
    /// What takes up space.
    pub sizes: Sizes,
}

/// An opening of the journal for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its number.
    pub epoch: Epoch,
    /// Its first record.
    pub seq: Seq,
    /// The build.
    pub build: String,
}

/// A blob that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The first record that names it.
    pub seq: Seq,
    /// The blob.
    pub digest: Digest,
    /// Whose it is; a plan may be that of several.
    pub runs: BTreeSet<RunId>,
    /// Whether it is a plan: without it nothing can be said of its runs.
    pub is_plan: bool,
    /// Whether a person has given it up since it was named last.
    pub is_given_up: bool,
}

/// What takes up space, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The store.
    pub store: u64,
    /// Its write-ahead log.
    pub wal: u64,
    /// All blobs.
    pub blobs: u64,
    /// How many blobs there are.
    pub blob_count: u64,
    /// What may still be written to its disk, the reserve counted.
    pub free: u64,
}

/// Looks at a home. An error is about being able to look at all; what is found wrong is in the answer.
pub fn inspect(home: &Path, closeness: Closeness) -> Result<Inspection, JournalError> {
    room_for_files(FILES_OF_A_READER)?;
    let examined = examine(home, Depth::All)?;
    let blobs = FolderBlobs::new(&home.join("blobs"));
    let found = head::read(home).map_err(JournalError::io("read", &head::path(home)))?;
    let mut inspection = Inspection {
        home_id: examined.home_id,
        end: examined.end,
        damage: None,
        foreign: None,
        is_head_slot_torn: matches!(found, Found::Slot(_, Both::OneBad)),
        is_live: lock::is_held(home).map_err(JournalError::io("look at the lock of", home))?,
        openings: Vec::new(),
        events: BTreeMap::new(),
        dangling: Vec::new(),
        unsound: Vec::new(),
        unnamed: 0,
        snapshots: snapshot::list(home).into_iter().map(|(header, _)| (header.seq, header.build)).collect(),
        sizes: sizes(home).map_err(JournalError::io("look at", home))?,
    };
    let named = inspection.read_records(home, &examined, &blobs)?;
    inspection.compare_blobs(named, &blobs, closeness)?;
    let (intact, known) = (examined.end.seq, examined.known);
    if let Some(JournalError::Damaged(damage)) =
        examined.fault.map(|cause| damaged(home, cause, intact, known))
    {
        inspection.damage = Some(*damage);
    }
    Ok(inspection)
}

impl Inspection {
    /// Decodes every record that is there and true. Gives each blob that one names, with the first that does.
    fn read_records(
        &mut self,
        home: &Path,
        examined: &Examined,
        blobs: &FolderBlobs,
    ) -> Result<BTreeMap<Digest, Named>, JournalError> {
        let mut named = BTreeMap::new();
        let Some(store) = &examined.store else { return Ok(named) };
        let mut replay = Replay {
            home,
            blobs,
            plans: &mut Plans::default(),
            follower: Follower::from(Head::default()),
            // The whole chain was followed a moment ago.
            trusted: (Seq(0), examined.end.seq),
            known: examined.known,
            build: None,
        };
        let mut failed = None;
        let read = store.rows(Seq(0), None, |row| {
            if row.seq > examined.end.seq {
                return ControlFlow::Break(());
            }
            match replay.take(row, || None) {
                Ok(record) => {
                    if let Some(record) = record {
                        self.note(record.seq, &record.event, &mut named);
                    }
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match failed {
            Some(JournalError::Damaged(damage)) => self.damage = Some(*damage),
            Some(error @ JournalError::Foreign { .. }) => self.foreign = Some(error),
            Some(error) => return Err(error),
            None => {}
        }
        match read {
            Err(error) if !store::says_damage(&error) => Err(store.failed("read")(error)),
            _ => Ok(named),
        }
    }

    fn note(&mut self, seq: Seq, event: &Event, named: &mut BTreeMap<Digest, Named>) {
        *self.events.entry(event.name()).or_default() += 1;
        if let Event::EngineStarted { epoch, build, .. } = event {
            self.openings.push(Opening { epoch: *epoch, seq, build: build.clone() });
        }
        if let Event::JournalRepaired { lost_blobs, .. } = event {
            for digest in lost_blobs {
                if let Some(blob) = named.get_mut(digest) {
                    blob.is_given_up = true;
                }
            }
        }
        for digest in blobs_of(event) {
            let new = || Named { seq, digest, runs: BTreeSet::new(), is_plan: false, is_given_up: false };
            let blob = named.entry(digest).or_insert_with(new);
            blob.is_given_up = false;
            blob.runs.extend(event.run());
            if let Event::RunCreated { plan, .. }
            | Event::PlanRevised { plan, .. }
            | Event::PlanNested { plan, .. } = event
            {
                blob.is_plan |= *plan == digest;
            }
        }
    }

    fn compare_blobs(
        &mut self,
        named: BTreeMap<Digest, Named>,
        blobs: &FolderBlobs,
        closeness: Closeness,
    ) -> Result<(), JournalError> {
        let there: BTreeMap<Digest, u64> = blobs.list()?.into_iter().collect();
        self.sizes.blobs = there.values().sum();
        self.sizes.blob_count = there.len() as u64;
        self.unnamed = there.keys().filter(|digest| !named.contains_key(*digest)).count() as u64;
        for blob in named.into_values() {
            if !there.contains_key(&blob.digest) {
                self.dangling.push(blob);
            } else if closeness == Closeness::Sound {
                match blobs.get(blob.digest) {
                    Ok(bytes) if blob.is_plan && is_unsound_plan(&bytes) => self.unsound.push(blob),
                    Ok(_) => {}
                    Err(BlobError::Damaged(_)) => self.unsound.push(blob),
                    Err(BlobError::Missing(_)) => self.dangling.push(blob),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Whether a plan is one that no run can go by. What can't be read at all is told as a foreign record.
fn is_unsound_plan(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Plan>(bytes).is_ok_and(|plan| plan.validate().is_err())
}

/// Every blob that an event names. The digests of prompts and of what approvals show name no blob.
pub fn blobs_of(event: &Event) -> BTreeSet<Digest> {
    let raw = |output: &RawOutput| output.blob;
    let settled = |output: &Output| output.blob;
    let mut named = BTreeSet::new();
    if let Event::RunCreated { plan, env, .. } | Event::PlanNested { plan, env, .. } = event {
        named.extend([*plan, *env]);
    }
    if let Event::PlanRevised { plan, .. } = event {
        named.insert(*plan);
    }
    if let Event::AttemptFinished { output, .. } = event {
        named.extend(raw(output));
    }
    if let Event::ExtractsRecorded { output, .. } = event {
        named.extend(settled(output));
    }
    if let Event::TaskSucceeded { output: Some(output), .. } = event {
        named.extend(settled(output));
    }
    named
}

fn sizes(home: &Path) -> io::Result<Sizes> {
    let of = |path| match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    };
    let free = room(home)?;
    Ok(Sizes { store: of(store::path(home))?, wal: of(store::wal_path(home))?, free, ..Sizes::default() })
}
