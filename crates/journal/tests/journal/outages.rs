//! The power is cut after each call of a process that keeps a journal: whatever the disk then holds opens without complaint,
//! has all that was called durable, and goes on. What leaves out a sync is found.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use windlass_core::event::Record;
use windlass_core::id::{Epoch, Seq};
use windlass_core::time::Time;
use windlass_journal::Journal;
use windlass_journal::blob::FolderBlobs;
use windlass_journal::chain::Link;
use windlass_journal::error::JournalError;
use windlass_journal::home::Home;
use windlass_journal::inspect::{Closeness, inspect};
use windlass_journal::planted::{Bug, plant};
use windlass_journal::repair::{Acceptance, accept_loss};
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::suite::{created, reaped, revised, started, succeeded};

use crate::place::{can_trace, home_at, open_at, program};
use crate::power::cuts::{Image, Outcome, Recording};
use crate::power::disk::Disk;
use crate::power::tape::{self, Call};
use crate::vanished;

const BUILD: &str = "0.0.0-suite";
/// For the process that is recorded, which the tests start from this program: where to work, what to do, and with which bug.
const DISK: &str = "WINDLASS_JOURNAL_TEST_DISK";
const DEED: &str = "WINDLASS_JOURNAL_TEST_DEED";
const PLANTED: &str = "WINDLASS_JOURNAL_TEST_PLANTED";

/// Where the home is on the disk: some of the folders above it are made with it.
pub(crate) fn home_on(disk: &Path) -> PathBuf {
    disk.join("deep/er/home")
}

/// Who appends, and says what is durable then.
struct Writer {
    home: Home,
    epoch: Epoch,
    journal: SqliteJournal,
    told: fs::File,
}

impl Writer {
    fn open(disk: &Path) -> Self {
        let told = fs::File::options().append(true).create(true).open(disk.with_extension("told")).unwrap();
        let journal = open_at(&home_on(disk), BUILD).unwrap_or_else(|failed| panic!("{failed}"));
        let epoch = Epoch(journal.head().epoch.0 + 1);
        let mut writer = Self { home: home_at(&home_on(disk)), epoch, journal, told };
        writer.append(|seq, _| started(seq, epoch.0));
        writer
    }

    fn append(&mut self, record: impl Fn(u64, &FolderBlobs) -> Record) {
        self.append_all(1, record);
    }

    fn append_all(&mut self, records: u64, record: impl Fn(u64, &FolderBlobs) -> Record) {
        let (end, epoch, blobs) = (self.journal.head().seq, self.epoch, self.home.blobs());
        let batch: Vec<_> = (end.0 + 1..=end.0 + records).map(|seq| record(seq, &blobs)).collect();
        self.journal.append(epoch, end, &batch).unwrap();
        self.journal.rest().unwrap();
        let told = format!("durable {}\n", self.journal.head().seq);
        self.told.write_all(told.as_bytes()).unwrap();
    }
}

/// Begins a journal, with blobs and snapshots. In between it is opened again.
fn begin(disk: &Path) {
    let mut writer = Writer::open(disk);
    writer.append(|seq, blobs| created(seq, blobs));
    writer.append(|seq, _| reaped(seq));
    writer.journal.save_snapshot(Seq(2), b"two").unwrap();
    writer.append_all(5, |seq, _| reaped(seq));
    // As by one that was killed: the log is as it was.
    drop(writer);
    let mut writer = Writer::open(disk);
    writer.append(|seq, blobs| revised(seq, blobs));
    writer.journal.save_snapshot(Seq(10), b"ten").unwrap();
    writer.append(|seq, _| reaped(seq));
    writer.journal.close().unwrap();
}

/// Fills a journal until its log is moved into the store, and goes on behind that.
fn fill(disk: &Path) {
    let mut writer = Writer::open(disk);
    writer.append_all(18, |seq, _| succeeded(seq, "x".repeat(240_000).into()));
    (0..3).for_each(|_| writer.append(|seq, _| reaped(seq)));
}

/// Appends twice, says nothing of it, and opens the journal again.
fn inherit(disk: &Path) {
    let mut journal = open_at(&home_on(disk), BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    journal.append(Epoch(1), Seq(1), &[reaped(2)]).unwrap();
    drop(journal);
    Writer::open(disk).append(|seq, _| reaped(seq));
}

/// Damages a journal, accepts that, and goes on; what is durable is told from then on only.
fn mend(disk: &Path) {
    let mut journal = open_at(&home_on(disk), BUILD).unwrap();
    journal
        .append(Epoch(1), Seq(0), &[started(1, 1), created(2, &*home_at(&home_on(disk)).blobs())])
        .unwrap();
    (3..9).for_each(|seq| journal.append(Epoch(1), Seq(seq - 1), &[reaped(seq)]).unwrap());
    drop(journal);
    let log = fs::File::options().write(true).open(home_on(disk).join("journal.db-wal")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 1).unwrap();
    log.sync_all().unwrap();
    let intact = accept(&home_on(disk), "2026-01-31").unwrap().unwrap();
    assert_eq!(intact, Seq(7));
    let mut writer = Writer::open(disk);
    writer.append(|seq, _| reaped(seq));
    writer.journal.close().unwrap();
}

/// Goes on with what is left of a damaged journal. Says up to where it was kept; none if nothing was wrong.
fn accept(home: &Path, name: &str) -> Result<Option<Seq>, JournalError> {
    let home = home_at(home);
    let lock = windlass_journal::lock::Lock::take(home.path(), None).unwrap();
    let acceptance = Acceptance { name, at: Time::from_ms(7), build: BUILD };
    Ok(accept_loss(&home, &lock, acceptance)?.map(|repair| repair.intact))
}

/// The process that is recorded. By itself it does nothing.
#[test]
fn a_process_that_is_recorded() {
    let Some(disk) = std::env::var_os(DISK) else { return };
    let name = std::env::var_os(PLANTED).unwrap();
    plant(Bug::ALL.into_iter().find(|bug| name == bug.name()));
    let deeds = [
        ("begin", begin as fn(&Path)),
        ("fill", fill),
        ("inherit", inherit),
        ("mend", mend),
        ("remove", vanished::remove),
        ("move", vanished::move_away),
    ];
    let deed = std::env::var_os(DEED).unwrap();
    deeds.iter().filter(|(name, _)| deed == *name).for_each(|(_, deed)| deed(Path::new(&disk)));
}

/// What such a process has done to its disk.
pub(crate) struct Recorded {
    folder: TempDir,
    calls: Vec<Call>,
}

impl Recorded {
    pub(crate) fn of(deed: &str, bug: Option<Bug>) -> Self {
        let folder = TempDir::new().unwrap();
        let (log, disk) = (folder.path().join("log"), folder.path().join("disk"));
        fs::create_dir(&disk).unwrap();
        let mut strace = program("strace");
        strace.args(tape::options(&log)).arg(std::env::current_exe().unwrap());
        strace.args(["--exact", "outages::a_process_that_is_recorded"]);
        strace.env(DISK, &disk).env(DEED, deed).env(PLANTED, bug.map_or("none", Bug::name));
        let ended = strace.stdout(Stdio::null()).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let calls = tape::read(&fs::read_to_string(log).unwrap());
        for (path, bytes) in Disk::after(&disk, &calls).live() {
            let is_missed = !is_left_out(&path) && fs::read(disk.join(&path)).unwrap() != bytes;
            assert!(!is_missed, "the recording misses something of {}", path.display());
        }
        Self { folder, calls }
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// The end of each beginning of the journal that came of it.
    fn links(&self) -> Vec<Link> {
        links_in(&home_on(&self.disk()))
    }

    /// Cuts the power at each of its calls.
    pub(crate) fn cut(&self, seeds: u64, check: impl Fn(&Path) -> Result<u64, String> + Sync) -> Outcome {
        let disk = self.disk();
        let recording =
            Recording { calls: &self.calls, root: &disk, is_left_out: &is_left_out, told: &told, seeds };
        let check = |image: &Image| {
            let disk = image.lay_out();
            check(&home_on(disk.path()))
        };
        recording.cut_all(2, || check)
    }
}

/// The end of each beginning of the journal in a home.
pub(crate) fn links_in(home: &Path) -> Vec<Link> {
    let store = rusqlite::Connection::open(home.join("journal.db")).unwrap();
    let mut select = store.prepare("SELECT link FROM record ORDER BY seq").unwrap();
    let links = select.query_map([], |row| Ok(Link(row.get(0)?))).unwrap();
    [Ok(Link::default())].into_iter().chain(links).collect::<Result<_, _>>().unwrap()
}

/// The index of the log is made anew by whoever needs it.
fn is_left_out(path: &Path) -> bool {
    path.ends_with("journal.db-shm")
}

/// The last record that a call says is durable.
fn told(call: &Call) -> Option<u64> {
    if call.name != "write" {
        return None;
    }
    let text = String::from_utf8(call.bytes(1)).ok()?;
    text.strip_prefix("durable ")?.trim().parse().ok()
}

/// Whether a home is sound, has a beginning of the journal with these links, and goes on. Says how much of it.
pub(crate) fn is_sound(home: &Path, links: &[Link]) -> Result<u64, String> {
    if !home.exists() {
        return Ok(0);
    }
    let failed = |failed: JournalError| format!("{failed}: {failed:?}");
    let seen = inspect(home, Closeness::Sound).map_err(failed)?;
    let is_whole = seen.damage.is_none() && seen.foreign.is_none() && !seen.is_head_slot_torn;
    if !is_whole || !seen.dangling.is_empty() || !seen.unsound.is_empty() {
        return Err(format!("{seen:?}"));
    }
    let end = seen.end.seq;
    if links.get(usize::try_from(end.0).unwrap()) != Some(&seen.end.link) {
        return Err(format!("another journal, of {end} records"));
    }
    let mut journal = open_at(home, BUILD).map_err(failed)?;
    let snapshots = [None, Some((Seq(2), b"two".to_vec())), Some((Seq(10), b"ten".to_vec()))];
    let snapshot = journal.newest_snapshot();
    if !snapshots.contains(&snapshot) || snapshot.is_some_and(|(at, _)| at > end) {
        return Err("a snapshot of nothing".into());
    }
    let epoch = journal.head().epoch.0 + 1;
    journal.append(Epoch(epoch), end, &[started(end.0 + 1, epoch)]).map_err(failed)?;
    journal.close().map_err(failed)?;
    Ok(end.0)
}

/// What comes of it when the power is cut wherever it can be.
fn outages(deed: &str, bug: Option<Bug>) -> Outcome {
    let recorded = Recorded::of(deed, bug);
    let links = recorded.links();
    recorded.cut(2, |home| is_sound(home, &links))
}

#[test]
fn wherever_the_power_is_cut_all_that_was_called_durable_is_there() {
    if !can_trace() {
        return;
    }
    let begun = outages("begin", None);
    assert!(begun.moments > 100 && begun.broken.is_empty(), "{begun:#?}");
    let filled = outages("fill", None);
    assert!(filled.moments > 100 && filled.broken.is_empty(), "{filled:#?}");
}

#[test]
fn what_an_engine_wrote_that_was_killed_before_its_sync_is_durable_before_anything_more_is_said() {
    if !can_trace() {
        return;
    }
    let mut recorded = Recorded::of("inherit", None);
    let links = recorded.links();
    // As if the first one had been killed before the second of its syncs, and of its writes of the head behind that. One
    // is written before the first append.
    let is_of_head = |call: &Call| call.name == "pwrite64" && call.file(0).ends_with("head");
    let heads: Vec<_> = (0..recorded.calls.len()).filter(|at| is_of_head(&recorded.calls[*at])).collect();
    let is_left = |(at, call): &(usize, Call)| {
        !(heads[1] + 1..=heads[2]).contains(at) || (call.name == "pwrite64" && !is_of_head(call))
    };
    let calls = std::mem::take(&mut recorded.calls).into_iter().enumerate();
    recorded.calls = calls.filter(is_left).map(|(_, call)| call).collect();
    let outcome = recorded.cut(4, |home| is_sound(home, &links));
    assert!(outcome.moments > 50 && outcome.broken.is_empty(), "{outcome:#?}");
}

#[test]
fn a_commit_a_blob_or_a_folder_that_is_not_synced_is_lost_with_the_power() {
    if !can_trace() {
        return;
    }
    for (bug, said) in [
        (Bug::CommitNotSynced, "had been told"),
        (Bug::BlobNotSynced, "unsound: [Named"),
        (Bug::FolderNotSynced, "dangling: [Named"),
    ] {
        let broken = outages("begin", Some(bug)).broken;
        assert!(broken.iter().any(|broken| broken.contains(said)), "{bug:?}: {broken:#?}");
    }
}

#[test]
fn a_repair_that_the_power_cut_short_is_taken_up_again() {
    if !can_trace() {
        return;
    }
    let mended = Recorded::of("mend", None).cut(6, |home| match open_at(home, BUILD) {
        Ok(journal) => Ok(journal.head().seq.0),
        Err(JournalError::Damaged(damage)) => {
            let accepted = accept(home, "2026-02-01")
                .map_err(|failed| format!("{damage}, then: {failed}: {failed:?}"))?;
            let end =
                open_at(home, BUILD).map_err(|failed| format!("{accepted:?}, then: {failed:?}"))?.head();
            if end.seq == Seq(9) { Ok(0) } else { Err(format!("{accepted:?}, then it ended at {end:?}")) }
        }
        Err(failed) => Err(format!("{failed}: {failed:?}")),
    });
    assert!(mended.moments > 100 && mended.broken.is_empty(), "{mended:#?}");
}
