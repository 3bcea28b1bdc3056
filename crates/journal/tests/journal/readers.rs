//! Other processes read while the engine writes, are woken when there is more, and see only what is whole.

use std::ops::ControlFlow;
use std::time::Duration;

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::lock::Lock;
use windlass_journal::reader::{Heard, Reader};
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::suite::{reaped, started};

use crate::place::Place;

const BUILD: &str = "0.0.0-suite";
/// Only a bound for a test that hangs: nobody waits that long.
const LONG: Duration = Duration::from_mins(1);

#[test]
fn no_home_and_an_empty_home_read_as_empty() {
    let place = Place::new();
    let mut reader = Reader::open(&place.path(), BUILD).unwrap();
    assert_eq!((reader.head().seq, reader.home_id()), (Seq(0), None));
    let id = place.open(BUILD).unwrap().home_id();
    assert_eq!(reader.refresh().unwrap().seq, Seq(0));
    assert_eq!(reader.home_id(), Some(id));
    reader.replay(Seq(0), &mut |record| panic!("there is none: {record:?}")).unwrap();
    assert!(!reader.is_live().unwrap());
}

#[test]
fn a_reader_follows_an_engine_batch_by_batch_to_its_end() {
    const BATCHES: u64 = 200;
    let place = Place::new();
    let home = place.home();
    let lock = Lock::take(home.path(), None).unwrap();
    let mut journal = SqliteJournal::open(&home, &lock, BUILD).unwrap();
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut reader = Reader::open(&place.path(), BUILD).unwrap();
            let (mut seen, mut ends) = (0, Vec::new());
            let hear = &mut |heard: Heard| match heard {
                Heard::Record(record) => {
                    seen += 1;
                    assert_eq!(record.seq.0, seen, "nothing twice, nothing left out");
                    ControlFlow::Continue(())
                }
                Heard::NoMore { is_live } => {
                    ends.push(seen);
                    if is_live { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                }
            };
            reader.follow(Seq(0), LONG, hear).unwrap();
            ends
        });
        journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
        for batch in 0..BATCHES {
            let first = 2 + batch * 5;
            let records: Vec<_> = (first..first + 5).map(reaped).collect();
            journal.append(Epoch(1), Seq(first - 1), &records).unwrap();
            journal.rest().unwrap();
        }
        drop(lock);
        let ends = follower.join().unwrap();
        assert!(ends.iter().all(|end| *end == 0 || end % 5 == 1), "batches are whole: {ends:?}");
        assert_eq!(*ends.last().unwrap(), 1 + 5 * BATCHES, "of a dead engine all is there");
    });
}

#[test]
fn a_reader_does_not_keep_the_log_from_being_emptied() {
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1), reaped(2), reaped(3)]).unwrap();
    let mut reader = Reader::open(&place.path(), BUILD).unwrap();
    let mut journal = Some(journal);
    reader
        .replay(Seq(0), &mut |record| {
            if record.seq == Seq(2) {
                journal.take().unwrap().close().unwrap();
                let log = std::fs::metadata(place.path().join("journal.db-wal")).unwrap();
                assert_eq!(log.len(), 0, "it was emptied in the middle of the replay");
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(journal.is_none());
}

#[test]
fn a_reader_finds_the_snapshots_of_its_own_build() {
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1), reaped(2)]).unwrap();
    journal.save_snapshot(Seq(2), b"state").unwrap();
    let reader = |build| Reader::open(&place.path(), build).unwrap();
    assert_eq!(reader(BUILD).newest_snapshot(), Some((Seq(2), b"state".to_vec())));
    assert_eq!(reader("another").newest_snapshot(), None);
}
