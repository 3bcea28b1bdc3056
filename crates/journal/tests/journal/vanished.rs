//! The power is cut while a home that has vanished is copied: whoever is told of the copy has all of it.

use std::fs;
use std::path::{Path, PathBuf};

use windlass_core::event::{Event, Record};
use windlass_core::id::{Epoch, Seq};
use windlass_core::output::Output;
use windlass_journal::Journal;
use windlass_journal::blob::{Blobs, FolderBlobs};
use windlass_journal::error::JournalError;
use windlass_journal::planted::Bug;
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::suite::{created, reaped, started, succeeded};

use crate::outages::{Recorded, home_on, is_sound, links_in};
use crate::place::{can_trace, home_at, open_at};
use crate::power::cuts::Outcome;

const BUILD: &str = "0.0.0-suite";

/// How many records there are.
const RECORDS: u64 = 6;

/// A record whose output lies among the blobs.
fn large(seq: u64, blobs: &FolderBlobs) -> Record {
    let blob = Some(blobs.put(format!("\"output {seq}\"").as_bytes()).unwrap());
    let mut record = succeeded(seq, serde_json::Value::Null);
    if let Event::TaskSucceeded { output, .. } = &mut record.event {
        *output = Some(Output { blob, ..Output::default() });
    }
    record
}

/// A journal with outputs beside it.
fn begun(home: &Path) -> SqliteJournal {
    let mut journal = open_at(home, BUILD).unwrap();
    let blobs = home_at(home).blobs();
    let batch = [started(1, 1), created(2, &*blobs), large(3, &blobs), large(4, &blobs)];
    journal.append(Epoch(1), Seq(0), &batch).unwrap();
    journal.append(Epoch(1), Seq(4), &[reaped(5), reaped(RECORDS)]).unwrap();
    journal
}

/// Notices that the home is gone, and says that the copy is durable.
fn copy(disk: &Path, mut journal: SqliteJournal) {
    let gone = journal.check();
    let is_copied = matches!(gone, Err(JournalError::StoreReplaced { rescue: Some(_), .. }));
    assert!(is_copied, "{gone:?}");
    fs::write(disk.with_extension("told"), format!("durable {RECORDS}\n")).unwrap();
    // The power goes after a change of the disk, and one of them has to come after the telling.
    fs::write(disk.join("later"), "").unwrap();
}

/// The home is removed under its journal.
pub(crate) fn remove(disk: &Path) {
    let journal = begun(&home_on(disk));
    // The outputs stay: without them no copy is whole.
    for name in ["journal.db", "journal.db-wal", "head"] {
        fs::remove_file(home_on(disk).join(name)).unwrap();
    }
    copy(disk, journal);
}

/// The home is moved under its journal.
pub(crate) fn move_away(disk: &Path) {
    let journal = begun(&home_on(disk));
    fs::rename(home_on(disk), home_on(disk).with_file_name("elsewhere")).unwrap();
    copy(disk, journal);
}

fn copy_of(home: &Path) -> PathBuf {
    home.with_file_name("home.rescued-1")
}

/// What comes of it when the power is cut wherever it can be. Until somebody is told of a copy it may be anything.
fn outages(deed: &str, bug: Option<Bug>) -> Outcome {
    let recorded = Recorded::of(deed, bug);
    let links = links_in(&copy_of(&home_on(&recorded.disk())));
    recorded.cut(2, |home| Ok(is_sound(&copy_of(home), &links).unwrap_or_default()))
}

#[test]
fn wherever_the_power_is_cut_the_copy_of_a_vanished_home_is_whole_once_it_is_told_of() {
    if !can_trace() {
        return;
    }
    for deed in ["remove", "move"] {
        let outcome = outages(deed, None);
        assert!(outcome.moments > 60 && outcome.broken.is_empty(), "{deed}: {outcome:#?}");
    }
}

#[test]
fn a_copy_of_a_vanished_home_that_is_not_synced_is_lost_with_the_power() {
    if !can_trace() {
        return;
    }
    for bug in [Bug::CopyNotSynced, Bug::BlobNotSynced] {
        let broken = outages("move", Some(bug)).broken;
        assert!(broken.iter().any(|broken| broken.contains("had been told")), "{bug:?}: {broken:#?}");
    }
}
