//! Going on after damage, because a person said so. Copies of everything are kept; a new store with the longest true
//! beginning is made ready aside, and takes the place of the old one in steps that can be taken up again wherever they
//! were cut short. Never: on its own account, or without the lock of the home.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_core::event::{Event, Record, Role};
use windlass_core::id::{Epoch, Seq};
use windlass_core::time::Time;

use crate::chain::{Follower, Head, Salts, Sealed};
use crate::error::{DamageCause, JournalError};
use crate::head::{self, HomeId};
use crate::home::{Home, sync_folder};
use crate::lock::Lock;
use crate::opening::{Depth, Examined, examine};
use crate::os;
use crate::replay::{Plans, Replay};
use crate::store::{self, Store};

/// Where the new store is made.
const UNFINISHED: &str = "repair.unfinished";
/// Where it stands when it is whole: from then on only the exchange is left to do.
const READY: &str = "repair";
/// What the exchange has to tell, beside the new store.
const REPORT: &str = "report.json";
/// Where the copies go.
const KEPT: &str = "damaged";

/// What a repair came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The records up to this one are kept.
    pub intact: Seq,
    /// The last record that is known to have been written; what lies between is gone.
    pub known: Seq,
    /// Whether there was a `head` to say how many records there were: without one, nobody knows what is gone.
    #[serde(default)]
    pub is_end_known: bool,
    /// Where the copies are.
    pub copies: PathBuf,
}

/// What the person who accepts the loss, and the clock, say.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance<'a> {
    /// The name of the folder for the copies: the time, as text.
    pub name: &'a str,
    /// The time, for the events.
    pub at: Time,
    /// This build.
    pub build: &'a str,
}

/// Whether a repair was begun and not ended.
pub(crate) fn is_pending(home: &Path) -> bool {
    home.join(READY).exists()
}

/// Goes on with what is left of a damaged journal: keeps copies, cuts it behind the longest true beginning, and says so
/// in it (`engine_started`, `journal_repaired`). None if nothing is wrong with it. What a newer build wrote is no damage.
pub fn accept_loss(
    home: &Home,
    _lock: &Lock,
    acceptance: Acceptance<'_>,
) -> Result<Option<Repair>, JournalError> {
    store::demand_version()?;
    let path = home.path();
    if is_pending(path) {
        return exchange(path).map(Some);
    }
    let examined = examine(path, Depth::All)?;
    let beginning = true_beginning(home, &examined)?;
    if examined.fault.is_none() && beginning.head == examined.end {
        return Ok(None);
    }
    let highest = examined.store.as_ref().and_then(|store| store.tip().ok()).unwrap_or_default().epoch;
    let is_end_known = examined.home_id.is_some();
    let id = match examined.home_id {
        Some(id) => id,
        None => HomeId(os::random().map_err(JournalError::io("read random numbers for", path))?),
    };
    let (known, said) = (examined.known.max(beginning.head.seq), examined.said);
    // The copies are read through descriptors of our own: no connection may be open that would lose its locks by it.
    drop(examined);
    let copies = keep_copies(path, acceptance.name).map_err(JournalError::io("copy", path))?;
    let repair = Repair { intact: beginning.head.seq, known, is_end_known, copies };
    let epoch = Epoch(highest.max(said.epoch).max(beginning.head.epoch).0 + 1);
    let made = Renewal { home: path, id, epoch, beginning, acceptance }.make_ready(&repair);
    if made.is_err() && !is_pending(path) {
        // All is as it was. What was made for the repair would only take up space, and what failed is told first.
        let _removed = (remove_folder(&path.join(UNFINISHED)), remove_folder(&repair.copies));
    }
    made?;
    exchange(path).map(Some)
}

/// The part of a journal that can be replayed.
struct Beginning {
    head: Head,
    /// The time of its last record.
    at: Time,
}

/// Replays as far as everything is there and true.
fn true_beginning(home: &Home, examined: &Examined) -> Result<Beginning, JournalError> {
    let mut beginning = Beginning { head: Head::default(), at: Time::default() };
    let path = store::path(home.path());
    let Ok(store) = Store::open_read_only(&path) else { return Ok(beginning) };
    // Where the head vouches for another record, nothing from there on counts.
    let differs = matches!(examined.fault, Some(DamageCause::EndDiffers));
    let last = if differs { examined.end.seq } else { Seq(u64::MAX) };
    let blobs = home.blobs();
    let mut replay = Replay {
        home: home.path(),
        blobs: &*blobs,
        plans: &mut Plans::default(),
        follower: Follower::from(Head::default()),
        trusted: (Seq(0), Seq(0)),
        known: examined.known,
        build: None,
    };
    let mut failed = None;
    let read = store.rows(Seq(0), None, |row| {
        if row.seq > last {
            return ControlFlow::Break(());
        }
        match replay.take(row, || None) {
            Ok(record) => {
                beginning.head = replay.follower.head;
                beginning.at = record.map_or(beginning.at, |record| record.at);
                ControlFlow::Continue(())
            }
            Err(JournalError::Damaged(_)) => ControlFlow::Break(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if !store::says_damage(&error) => Err(store.failed("read")(error)),
        (None, _) => Ok(beginning),
    }
}

/// Copies everything that the repair will take away.
fn keep_copies(home: &Path, name: &str) -> io::Result<PathBuf> {
    let all = home.join(KEPT);
    let folder = all.join(name);
    DirBuilder::new().recursive(true).mode(0o700).create(&all)?;
    DirBuilder::new().mode(0o700).create(&folder)?;
    let copied = copy_into(home, &folder);
    if copied.is_err() {
        // On a full disk what was copied would only take up room, more at each try; what failed is told first.
        let _removed = remove_folder(&folder);
    }
    copied?;
    sync_folder(&all)?;
    sync_folder(home)?;
    Ok(folder)
}

fn copy_into(home: &Path, folder: &Path) -> io::Result<()> {
    for path in [store::path(home), store::wal_path(home), head::path(home)] {
        let to = folder.join(path.file_name().expect("each has a name"));
        match fs::copy(&path, &to) {
            Ok(_) => File::open(&to)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    sync_folder(folder)
}

/// A new store in the making.
struct Renewal<'a> {
    home: &'a Path,
    id: HomeId,
    epoch: Epoch,
    beginning: Beginning,
    acceptance: Acceptance<'a>,
}

impl Renewal<'_> {
    /// Makes the new store with its head, and puts both where the exchange looks for them, at one stroke.
    fn make_ready(&self, repair: &Repair) -> Result<(), JournalError> {
        let unfinished = self.home.join(UNFINISHED);
        let failed =
            |error| JournalError::Io { doing: "make ready", path: unfinished.clone(), source: error };
        remove_folder(&unfinished).map_err(failed)?;
        DirBuilder::new().mode(0o700).create(&unfinished).map_err(failed)?;
        let end = self.fill(&unfinished, repair)?;
        for path in [store::wal_path(&unfinished), store::shm_path(&unfinished)] {
            remove(&path).map_err(failed)?;
        }
        head::create(&unfinished, self.id, end)?;
        let report = serde_json::to_vec(repair).expect("a report is plain data");
        let write = || {
            fs::write(unfinished.join(REPORT), report)?;
            File::open(unfinished.join(REPORT))?.sync_all()?;
            File::open(store::path(&unfinished))?.sync_all()?;
            sync_folder(&unfinished)?;
            fs::rename(&unfinished, self.home.join(READY))?;
            sync_folder(self.home)
        };
        write().map_err(failed)
    }

    /// Copies the true beginning row by row, and adds what has to be said.
    fn fill(&self, folder: &Path, repair: &Repair) -> Result<Head, JournalError> {
        let to = Store::open_for_writing(&store::path(folder))?;
        let from = store::path(self.home);
        let mut sealed = Sealed::default();
        let random = os::random().map_err(JournalError::io("read random numbers for", folder))?;
        sealed.seal(self.beginning.head, self.epoch, &self.records(repair), &Salts::new(random))?;
        let copy = || -> rusqlite::Result<()> {
            let whole = to.connection.unchecked_transaction()?;
            if repair.intact > Seq(0) {
                let mut inserted = Ok(());
                Store::open_read_only(&from)?.rows(Seq(0), None, |row| {
                    inserted = to.insert(row);
                    // The row behind the last true one is not asked for: it may be what can't be read.
                    if inserted.is_ok() && row.seq < repair.intact {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })?;
                inserted?;
            }
            sealed.rows().try_for_each(|row| to.insert(&row))?;
            whole.commit()
        };
        copy().map_err(to.failed("copy the true part of"))?;
        to.settle_all()?;
        Ok(sealed.head)
    }

    fn records(&self, repair: &Repair) -> [Record; 2] {
        let acceptance = Acceptance { at: self.acceptance.at.max(self.beginning.at), ..self.acceptance };
        said(self.beginning.head.seq, repair.known, self.epoch, acceptance)
    }
}

/// What a journal says behind the part that is kept, before it goes on.
pub(crate) fn said(intact: Seq, known: Seq, epoch: Epoch, acceptance: Acceptance<'_>) -> [Record; 2] {
    let (first, at) = (intact.next(), acceptance.at);
    // What was lived through after the last of the lost records, nobody knows.
    let (role, build) = (Role::Command, acceptance.build.into());
    let started = Event::EngineStarted { epoch, role, build, last_alive_ms: None };
    let repaired = Event::JournalRepaired { lost_from: first, lost_to: known, lost_blobs: Vec::new() };
    [Record { seq: first, at, event: started }, Record { seq: first.next(), at, event: repaired }]
}

/// Puts the new store in the place of the old one. The head goes first and comes last: in between the home is refused.
fn exchange(home: &Path) -> Result<Repair, JournalError> {
    let ready = home.join(READY);
    let failed =
        |error| JournalError::Io { doing: "exchange the journal in", path: home.to_owned(), source: error };
    let steps = || {
        let (new_store, new_head) = (store::path(&ready), head::path(&ready));
        if new_store.exists() {
            // The old log must be gone before the new store is there: it would be applied to it.
            for path in [head::path(home), store::wal_path(home), store::shm_path(home)] {
                remove(&path)?;
            }
            sync_folder(home)?;
            fs::rename(new_store, store::path(home))?;
            sync_folder(home)?;
            // It must not be found again where it was, once the new head is in its place.
            sync_folder(&ready)?;
        }
        if new_head.exists() {
            fs::rename(new_head, head::path(home))?;
            sync_folder(home)?;
        }
        let report = serde_json::from_slice(&fs::read(ready.join(REPORT))?)?;
        // At one stroke: a part of it would say that there is something left to do.
        let unfinished = home.join(UNFINISHED);
        remove_folder(&unfinished)?;
        fs::rename(&ready, &unfinished)?;
        sync_folder(home)?;
        // What is left of it is in nobody's way, and goes with the next repair.
        remove_folder(&unfinished).unwrap_or_default();
        Ok(report)
    };
    steps().map_err(failed)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::HomeSettings;
    use crate::journal::Journal;
    use crate::sqlite::SqliteJournal;
    use crate::suite::{all_after, reaped, started};

    const BUILD: &str = "0.0.0-suite";

    /// Takes the steps of an exchange up to one of them, as one that was killed there.
    fn exchange_up_to(home: &Path, step: usize) {
        let ready = home.join(READY);
        let remove = |path: PathBuf| super::remove(&path).unwrap();
        let steps: [&dyn Fn(); 7] = [
            &|| {},
            &|| remove(head::path(home)),
            &|| remove(store::wal_path(home)),
            &|| remove(store::shm_path(home)),
            &|| fs::rename(store::path(&ready), store::path(home)).unwrap(),
            &|| fs::rename(head::path(&ready), head::path(home)).unwrap(),
            &|| fs::create_dir_all(home.join(UNFINISHED)).unwrap(),
        ];
        steps[..=step].iter().for_each(|step| step());
    }

    #[test]
    fn a_repair_that_was_cut_short_is_refused_and_taken_up_again_at_each_step() {
        for step in 0..7 {
            let folder = tempfile::TempDir::new().unwrap();
            let settings = HomeSettings { reserve: 0, min_free: 0, force: false };
            let home = Home::open(&folder.path().join("home"), settings).unwrap();
            let path = home.path().to_owned();
            let lock = Lock::take(&path, None).unwrap();
            let mut journal = SqliteJournal::open(&home, &lock, BUILD).unwrap();
            journal.append(Epoch(1), Seq(0), &[started(1, 1), reaped(2)]).unwrap();
            journal.append(Epoch(1), Seq(2), &[reaped(3)]).unwrap();
            drop(journal);
            let log = File::options().write(true).open(store::wal_path(&path)).unwrap();
            log.set_len(log.metadata().unwrap().len() - 1).unwrap();

            let acceptance = Acceptance { name: "now", at: Time::from_ms(0), build: BUILD };
            let examined = examine(&path, Depth::All).unwrap();
            let beginning = true_beginning(&home, &examined).unwrap();
            let id = examined.home_id.unwrap();
            drop(examined);
            let copies = path.join("damaged/now");
            let repair = Repair { intact: Seq(2), known: Seq(3), is_end_known: true, copies };
            Renewal { home: &path, id, epoch: Epoch(2), beginning, acceptance }.make_ready(&repair).unwrap();
            exchange_up_to(&path, step);

            let refused = SqliteJournal::open(&home, &lock, BUILD).map(|journal| journal.head());
            let Err(JournalError::Damaged(damage)) = refused else { panic!("{refused:?} at step {step}") };
            assert!(matches!(damage.cause, DamageCause::RepairCutShort));
            assert_eq!(accept_loss(&home, &lock, acceptance).unwrap(), Some(repair));
            let mut journal = SqliteJournal::open(&home, &lock, BUILD).unwrap();
            assert_eq!(all_after(&mut journal, 0).unwrap().len(), 4);
            assert_eq!(journal.home_id(), id);
        }
    }
}
