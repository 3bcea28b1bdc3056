//! A home that vanishes under a live engine: noticed at once, and everything acknowledged goes on elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use windlass_core::event::{Event, Record};
use windlass_core::fold::evolve;
use windlass_core::id::{Epoch, Seq};
use windlass_core::state::State;
use windlass_journal::Journal;
use windlass_journal::blob::Blobs;
use windlass_journal::error::JournalError;
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::suite::{all_after, created, reaped, revised, started};

use crate::place::{Place, home_at, open_at};

const BUILD: &str = "0.0.0-suite";

fn begun(place: &Place) -> (SqliteJournal, Vec<Record>) {
    let mut journal = place.open(BUILD).unwrap();
    let records = vec![started(1, 1), created(2, &*place.home().blobs()), reaped(3)];
    journal.append(Epoch(1), Seq(0), &records).unwrap();
    journal.check().unwrap();
    (journal, records)
}

fn rescued(error: &JournalError) -> PathBuf {
    let JournalError::StoreReplaced { rescue: Some(rescue), .. } = error else {
        panic!("a copy was made: {error:?}")
    };
    rescue.clone()
}

#[test]
fn a_home_that_was_removed_goes_on_beside_it() {
    let place = Place::new();
    let (mut journal, mut records) = begun(&place);
    fs::remove_dir_all(place.path()).unwrap();
    let error = journal.append(Epoch(1), Seq(3), &[reaped(4)]).unwrap_err();
    let rescue = rescued(&error);
    assert_eq!(rescue.parent(), place.path().parent());
    assert!(error.hint().unwrap().contains(rescue.to_str().unwrap()));
    let id = journal.home_id();
    let refused = journal.append(Epoch(1), Seq(3), &[reaped(4)]);
    assert!(matches!(refused, Err(JournalError::Poisoned)));
    drop(journal);

    let mut journal = open_at(&rescue, BUILD).unwrap();
    // The batch that met the loss was not acknowledged: it may be there or not.
    records.push(reaped(4));
    let all = all_after(&mut journal, 0).unwrap();
    assert!(all == records || all == records[..3], "{all:?}");
    assert_eq!(journal.home_id(), id);
    let end = journal.head().seq;
    journal.append(Epoch(2), end, &[started(end.0 + 1, 2)]).unwrap();
    let blobs = home_at(&rescue).blobs();
    assert_eq!(blobs.list().unwrap().len(), 2, "the plan, and the variables of its run");
}

#[test]
fn plans_that_a_snapshot_only_names_are_in_the_copy_too() {
    let place = Place::new();
    let (mut journal, mut records) = begun(&place);
    records.push(revised(4, &*place.home().blobs()));
    journal.append(Epoch(1), Seq(3), &records[3..]).unwrap();
    journal.close().unwrap();
    let mut state = State::default();
    for (record, seq) in [&records[1], &records[3]].into_iter().zip(1..) {
        evolve(&mut state, &Record { seq: Seq(seq), ..record.clone() });
    }
    let Event::RunCreated { plan, env, .. } = &records[1].event else { panic!("it creates a run") };
    let Event::PlanRevised { plan: other, .. } = &records[3].event else { panic!("it revises it") };
    let wanted = BTreeSet::from([*plan, *other, *env]);
    drop(records);
    let mut journal = place.open(BUILD).unwrap();
    journal.hold(&state);
    journal.append(Epoch(2), Seq(4), &[started(5, 2)]).unwrap();
    fs::remove_dir_all(place.path()).unwrap();
    let rescue = rescued(&journal.check().unwrap_err());
    let kept = home_at(&rescue).blobs().list().unwrap().into_iter().map(|(blob, _)| blob);
    assert_eq!(kept.collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn a_home_that_was_moved_is_noticed_and_its_blobs_are_copied_too() {
    let place = Place::new();
    let (mut journal, records) = begun(&place);
    let output = place.home().blobs().put(b"a large output").unwrap();
    fs::rename(place.path(), place.path().with_file_name("elsewhere")).unwrap();
    let rescue = rescued(&journal.check().unwrap_err());
    assert!(matches!(journal.check(), Err(JournalError::Poisoned)));
    assert_eq!(home_at(&rescue).blobs().get(output).unwrap(), b"a large output");
    assert_eq!(all_after(&mut open_at(&rescue, BUILD).unwrap(), 0).unwrap(), records);
}

#[test]
fn a_log_that_was_removed_or_a_store_that_was_exchanged_is_noticed() {
    for name in ["journal.db-wal", "journal.db", "head"] {
        let place = Place::new();
        let (mut journal, records) = begun(&place);
        let path = place.path().join(name);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if name == "journal.db" {
            fs::write(&path, bytes).unwrap();
        }
        let rescue = rescued(&journal.check().unwrap_err());
        assert_eq!(all_after(&mut open_at(&rescue, BUILD).unwrap(), 0).unwrap(), records, "{name}");
    }
}
