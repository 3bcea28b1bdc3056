//! The bugs that can be planted in the journal are found, each by the check that is there for it; without them the same
//! checks find nothing.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::blob::{Blobs, FolderBlobs};
use windlass_journal::memory::{MemoryJournal, MemoryStore};
use windlass_journal::planted::{Bug, plant};
use windlass_journal::suite::{self, Subject, reaped, started};

use crate::conformance::Memory;
use crate::locks::is_inherited;
use crate::place::{Place, can_trace, open_at, program};

const BUILD: &str = "0.0.0-suite";
/// For the process that the checks below start from this program: where to write, and with which bug.
const HOME: &str = "WINDLASS_JOURNAL_TEST_WRITER";
const PLANTED: &str = "WINDLASS_JOURNAL_TEST_PLANTED";

/// What a check says with a bug planted on this thread.
fn with<T>(bug: Bug, check: impl FnOnce() -> T) -> T {
    plant(Some(bug));
    let said = catch_unwind(AssertUnwindSafe(check));
    plant(None);
    said.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether the check of the suite with this sentence holds.
fn holds(sentence: &str, subject: &dyn Subject) -> bool {
    let (_, check) = suite::ALL.iter().find(|(named, _)| *named == sentence).unwrap();
    catch_unwind(AssertUnwindSafe(|| check(subject))).is_ok()
}

#[test]
fn the_snapshot_of_another_build_is_found() {
    let sentence = "only this build's snapshots count, the newest first";
    for subject in [&|| Box::new(Place::new()) as Box<dyn Subject>, &|| Box::new(Memory(MemoryStore::new()))]
        as [&dyn Fn() -> Box<dyn Subject>; 2]
    {
        assert!(holds(sentence, &*subject()));
        assert!(!with(Bug::ForeignSnapshotTrusted, || holds(sentence, &*subject())));
    }
}

#[test]
fn a_tail_that_is_silently_shorter_is_found() {
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    journal.append(Epoch(1), Seq(1), &[reaped(2)]).unwrap();
    drop(journal);
    let log = fs::File::options().write(true).open(place.path().join("journal.db-wal")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 1).unwrap();
    let end = || place.open(BUILD).map(|journal| journal.head().seq).ok();
    assert_eq!(end(), None, "it is refused");
    assert_eq!(with(Bug::TailSilentlyShorter, end), Some(Seq(1)), "it is taken as it is");

    let store = MemoryStore::new();
    let mut journal = MemoryJournal::open(&store, BUILD, 1).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1), reaped(2)]).unwrap();
    store.lose_after(Seq(1));
    let end = || MemoryJournal::open(&store, BUILD, 1).map(|journal| journal.head().seq).ok();
    assert_eq!(end(), None, "it is refused");
    assert_eq!(with(Bug::TailSilentlyShorter, end), Some(Seq(1)), "it is taken as it is");
}

#[test]
fn a_lock_that_a_child_inherits_is_found() {
    assert!(!is_inherited());
    assert!(with(Bug::LockInherited, is_inherited));
}

/// The process that is traced: it opens what there is, appends three times and puts a blob. By itself it does nothing.
#[test]
fn a_writer_that_is_traced() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let name = std::env::var_os(PLANTED).unwrap();
    plant(Bug::ALL.into_iter().find(|bug| name == bug.name()));
    let mut journal = open_at(Path::new(&home), BUILD).unwrap();
    let (end, epoch) = (journal.head().seq.0, journal.head().epoch.0 + 1);
    journal.append(Epoch(epoch), Seq(end), &[started(end + 1, epoch)]).unwrap();
    journal.append(Epoch(epoch), Seq(end + 1), &[reaped(end + 2)]).unwrap();
    journal.append(Epoch(epoch), Seq(end + 2), &[reaped(end + 3)]).unwrap();
    FolderBlobs::new(&Path::new(&home).join("blobs")).put(b"body").unwrap();
}

/// The system calls of such a process in a home of its own, one a line.
fn trace(bug: Option<Bug>) -> Vec<String> {
    trace_in(&Place::new(), bug)
}

fn trace_in(place: &Place, bug: Option<Bug>) -> Vec<String> {
    let log: PathBuf = place.path().with_extension("log");
    let mut strace = program("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,/^(write|pwrite64|rename.*|link.*)$", "-o"]);
    strace.arg(&log).arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "planted::a_writer_that_is_traced"]);
    strace.env(HOME, place.path()).env(PLANTED, bug.map_or("none", Bug::name));
    let status = strace.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
    fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
}

/// Whether the log is synced between the last write to it and the write of the head that follows.
fn commits_are_synced(calls: &[String]) -> bool {
    let of_head = |call: &String| call.contains("pwrite64(") && call.contains("/head>");
    let heads: Vec<_> =
        calls.iter().enumerate().filter(|(_, call)| of_head(call)).map(|(at, _)| at).collect();
    assert_eq!(heads.len(), 4, "one at the opening and one each append: {calls:#?}");
    heads.windows(2).all(|pair| {
        let mut between =
            calls[pair[0]..pair[1]].iter().rev().filter(|call| call.contains("journal.db-wal>"));
        between.next().is_some_and(|call| call.contains("sync("))
    })
}

/// Whether a blob is synced before it has its name, and its folder behind that.
fn blobs_are_synced(calls: &[String]) -> bool {
    let named = calls.iter().position(|call| call.contains("rename") && call.contains("/blobs/")).unwrap();
    let is_synced = |call: &String, what: &str| call.contains("sync(") && call.contains(what);
    calls[..named].iter().any(|call| is_synced(call, "/blobs/unfinished/."))
        && calls[named..].iter().any(|call| is_synced(call, "/blobs/"))
}

#[test]
fn a_commit_a_blob_or_a_folder_that_is_not_synced_is_found() {
    if !can_trace() {
        return;
    }
    let sound = trace(None);
    assert!(commits_are_synced(&sound) && blobs_are_synced(&sound), "{sound:#?}");
    assert!(!commits_are_synced(&trace(Some(Bug::CommitNotSynced))));
    assert!(!blobs_are_synced(&trace(Some(Bug::BlobNotSynced))));
    assert!(!blobs_are_synced(&trace(Some(Bug::FolderNotSynced))));
}

#[test]
fn what_an_earlier_engine_left_in_the_log_is_durable_in_the_store_before_anything_is_appended() {
    if !can_trace() {
        return;
    }
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    journal.append(Epoch(1), Seq(1), &[reaped(2)]).unwrap();
    // As by one that was killed: the log is as it was.
    drop(journal);
    let calls = trace_in(&place, None);
    let first = |what: &str, on: &str| calls.iter().position(|call| call.contains(what) && call.contains(on));
    let moved = first("pwrite64(", "/journal.db>").expect("it is moved into the store");
    let synced = first("sync(", "/journal.db>").expect("and synced there");
    let appended = first("pwrite64(", "/journal.db-wal>").expect("then the log is written anew");
    assert!(moved < synced && synced < appended, "{calls:#?}");
}
