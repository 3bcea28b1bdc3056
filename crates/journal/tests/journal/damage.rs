//! Damage is detected and named, never silent; and looking at it changes nothing.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use windlass_core::event::{Event, Record};
use windlass_core::id::{Epoch, Seq};
use windlass_core::time::{Span, Time};
use windlass_journal::Journal;
use windlass_journal::error::{Damage, DamageCause, JournalError};
use windlass_journal::head;
use windlass_journal::lock::Lock;
use windlass_journal::reader::Reader;
use windlass_journal::repair::{Acceptance, Repair, accept_loss};
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::suite::{all_after, created, reaped, started};

use crate::place::Place;

const BUILD: &str = "0.0.0-suite";

/// A home whose journal has a few records, in a store and a log or, closed in order, in the store alone.
fn filled(last: u64, is_closed: bool) -> (Place, Vec<Record>) {
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    let mut records = vec![started(1, 1), created(2, &*place.home().blobs())];
    records.extend((3..=last).map(reaped));
    for batch in records.chunks(3) {
        journal.append(Epoch(1), journal.head().seq, batch).unwrap();
    }
    if is_closed {
        journal.close().unwrap();
    }
    (place, records)
}

fn store(place: &Place) -> PathBuf {
    place.path().join("journal.db")
}

fn wal(place: &Place) -> PathBuf {
    place.path().join("journal.db-wal")
}

fn replay(place: &Place) -> Result<Vec<Record>, JournalError> {
    all_after(&mut place.open(BUILD)?, 0)
}

fn damage_of(result: Result<Vec<Record>, JournalError>) -> Damage {
    match result {
        Err(JournalError::Damaged(damage)) => *damage,
        other => panic!("damage is named: {other:?}"),
    }
}

/// Flips each byte of a file in turn, and looks at the journal each time. Says how often damage was found.
fn flip_each_byte(place: &Place, records: &[Record], path: &Path) -> usize {
    let before = fs::read(path).unwrap();
    let store_before = fs::read(store(place)).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    let home = place.home();
    let lock = Lock::take(home.path(), None).unwrap();
    let all = || all_after(&mut SqliteJournal::open(&home, &lock, BUILD)?, 0);
    // Each link vouches for all before it, and the opening has looked at all of them.
    let end = || Ok(SqliteJournal::head(&SqliteJournal::open(&home, &lock, BUILD)?));
    let whole = end().unwrap();
    let mut found = 0;
    for (offset, byte) in before.iter().enumerate() {
        // Most zeros are in the unused parts of pages: every eighth will do.
        if *byte == 0 && offset % 8 != 0 {
            continue;
        }
        let flipped = [byte ^ (1 << (offset % 8))];
        file.write_all_at(&flipped, offset as u64).unwrap();
        match end() {
            // What opens without complaint has everything, and nothing else.
            Ok(end) => assert_eq!(end, whole, "byte {offset} of {}", path.display()),
            Err(JournalError::Damaged(damage)) => {
                found += 1;
                assert!(damage.intact.0 <= records.len() as u64, "{damage}");
                if found % 16 == 0 {
                    assert_eq!(
                        end().unwrap_err().to_string(),
                        damage.to_string(),
                        "a second look says the same"
                    );
                }
            }
            Err(JournalError::Layout { .. } | JournalError::Store { .. }) => found += 1,
            Err(other) => panic!("byte {offset} of {}: {other:?}", path.display()),
        }
        file.write_all_at(&before[offset..=offset], offset as u64).unwrap();
    }
    assert_eq!(fs::read(path).unwrap(), before, "looking changes nothing");
    assert_eq!(fs::read(store(place)).unwrap(), store_before, "looking changes nothing");
    assert_eq!(all().unwrap(), records);
    found
}

#[test]
fn a_flipped_byte_of_the_log_is_found() {
    let (place, records) = filled(6, false);
    let written = fs::read(wal(&place)).unwrap().into_iter().filter(|byte| *byte != 0).count();
    assert!(flip_each_byte(&place, &records, &wal(&place)) > written / 2);
}

#[test]
fn a_flipped_byte_of_the_store_is_found() {
    let (place, records) = filled(200, true);
    assert!(flip_each_byte(&place, &records, &store(&place)) > 200 * 100);
}

#[test]
fn a_flipped_byte_of_the_head_is_made_good_by_its_other_slot() {
    let (place, records) = filled(9, false);
    assert_eq!(flip_each_byte(&place, &records, &place.path().join(head::NAME)), 0);
}

#[test]
fn a_log_that_was_cut_short_is_found_at_every_frame() {
    let (place, records) = filled(200, false);
    let whole = fs::read(wal(&place)).unwrap();
    let frame = 4096 + 24;
    let mut ends = Vec::new();
    for length in (0..whole.len()).step_by(frame).chain((32..whole.len()).step_by(frame)) {
        fs::write(wal(&place), &whole[..length]).unwrap();
        let damage = damage_of(replay(&place));
        assert_eq!(damage.lost(), Some((damage.intact.next(), Seq(200))));
        assert!(damage.to_string().contains("200"), "{damage}");
        ends.push(damage.intact.0);
        assert_eq!(fs::read(wal(&place)).unwrap(), whole[..length], "looking changes nothing");
    }
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends, (0..200).step_by(3).collect::<Vec<_>>(), "each end is that of a batch");
    fs::write(wal(&place), &whole).unwrap();
    assert_eq!(replay(&place).unwrap(), records);
}

#[test]
fn readers_find_damage_too() {
    let (place, _) = filled(30, false);
    let whole = fs::read(wal(&place)).unwrap();
    fs::write(wal(&place), &whole[..whole.len() / 2]).unwrap();
    let refused = Reader::open(&place.path(), BUILD).map(|reader| reader.head());
    assert!(matches!(refused, Err(JournalError::Damaged(_))), "{refused:?}");
}

#[test]
fn a_missing_head_is_loss_and_an_empty_home_is_none() {
    let (place, _) = filled(9, true);
    let path = place.path().join(head::NAME);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, []).unwrap();
    assert!(matches!(damage_of(replay(&place)).cause, DamageCause::HeadUnreadable));
    fs::remove_file(&path).unwrap();
    let damage = damage_of(replay(&place));
    assert!(matches!(damage.cause, DamageCause::HeadMissing));
    assert_eq!((damage.intact, damage.lost()), (Seq(9), None));
    fs::write(&path, whole).unwrap();
    fs::remove_file(store(&place)).unwrap();
    let damage = damage_of(replay(&place));
    assert!(matches!(damage.cause, DamageCause::StoreMissing));
    assert_eq!(damage.lost(), Some((Seq(1), Seq(9))));

    let new = Place::new();
    drop(new.open(BUILD).unwrap());
    assert!(new.path().join(head::NAME).exists(), "the head comes first");
    assert!(!store(&new).exists());
    assert_eq!(replay(&new).unwrap(), [], "a first start that was cut short leaves an empty home");
}

#[test]
fn a_journal_ahead_of_its_head_is_whole() {
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    let head = fs::read(place.path().join(head::NAME)).unwrap();
    journal.append(Epoch(1), Seq(1), &[reaped(2), reaped(3)]).unwrap();
    drop(journal);
    // As if the engine had been killed between the two writes of an append.
    fs::write(place.path().join(head::NAME), head).unwrap();
    let mut journal = place.open(BUILD).unwrap();
    assert_eq!(all_after(&mut journal, 0).unwrap(), [started(1, 1), reaped(2), reaped(3)]);
    journal.append(Epoch(2), Seq(3), &[started(4, 2)]).unwrap();
    drop(journal);
    assert_eq!(replay(&place).unwrap().len(), 4);
}

#[test]
fn the_head_of_another_journal_is_found() {
    let (place, _) = filled(9, true);
    let (other, _) = filled(9, true);
    let from = other.path().join(head::NAME);
    fs::copy(from, place.path().join(head::NAME)).unwrap();
    assert!(matches!(damage_of(replay(&place)).cause, DamageCause::EndDiffers));
}

fn accept(place: &Place) -> Result<Option<Repair>, JournalError> {
    let home = place.home();
    let lock = Lock::take(home.path(), None).unwrap();
    let acceptance = Acceptance { name: "2026-01-31", at: Time::from_ms(7), build: BUILD };
    accept_loss(&home, &lock, acceptance)
}

#[test]
fn after_accepting_the_loss_the_true_beginning_goes_on() {
    let (place, records) = filled(30, false);
    let whole = fs::read(wal(&place)).unwrap();
    let cut = &whole[..whole.len() / 2];
    fs::write(wal(&place), cut).unwrap();
    let intact = damage_of(replay(&place)).intact;
    let store_before = fs::read(store(&place)).unwrap();
    let repair = accept(&place).unwrap().unwrap();
    assert_eq!((repair.intact, repair.known), (intact, Seq(30)));
    assert_eq!(fs::read(repair.copies.join("journal.db-wal")).unwrap(), cut);
    assert_eq!(fs::read(repair.copies.join("journal.db")).unwrap(), store_before);
    assert!(repair.copies.join("head").exists());

    let mut journal = place.open(BUILD).unwrap();
    let kept = usize::try_from(intact.0).unwrap();
    let all = all_after(&mut journal, 0).unwrap();
    assert_eq!(all[..kept], records[..kept]);
    let [first, second] = &all[kept..] else { panic!("two records say what happened: {all:?}") };
    assert!(matches!(first.event, Event::EngineStarted { epoch: Epoch(2), .. }));
    let lost = Event::JournalRepaired { lost_from: intact.next(), lost_to: Seq(30), lost_blobs: Vec::new() };
    assert_eq!(second.event, lost);
    assert!(second.at >= records[kept - 1].at, "time does not go back");
    let end = journal.head();
    journal.append(Epoch(3), end.seq, &[started(end.seq.0 + 1, 3)]).unwrap();
    drop(journal);
    assert_eq!(replay(&place).unwrap().len(), kept + 3);
    assert_eq!(accept(&place).unwrap(), None, "nothing is wrong any more");
}

#[test]
fn every_damage_can_be_accepted() {
    let head = |place: &Place| place.path().join(head::NAME);
    let harms: [&dyn Fn(&Place); 5] = [
        &|place| fs::remove_file(head(place)).unwrap(),
        &|place| fs::write(head(place), b"no head").unwrap(),
        &|place| fs::remove_file(store(place)).unwrap(),
        &|place| fs::write(store(place), b"no store").unwrap(),
        &|place| {
            let mut bytes = fs::read(store(place)).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(store(place), bytes).unwrap();
        },
    ];
    let intact = harms.map(|harm| {
        let (place, records) = filled(9, true);
        harm(&place);
        let damage = damage_of(replay(&place));
        let repair = accept(&place).unwrap().unwrap();
        let all = replay(&place).unwrap();
        let kept = usize::try_from(repair.intact.0).unwrap();
        assert_eq!(all[..kept], records[..kept], "{damage}");
        assert_eq!(all.len(), kept + 2, "{damage}");
        assert_eq!(repair.is_end_known, place_says_end(&damage), "{damage}");
        repair.intact.0
    });
    assert_eq!(intact, [9, 9, 0, 0, 0]);
}

/// Whether somebody knows how many records there were.
fn place_says_end(damage: &Damage) -> bool {
    !matches!(damage.cause, DamageCause::HeadMissing | DamageCause::HeadUnreadable)
}

#[test]
fn a_plan_that_is_gone_cuts_nothing_off() {
    let (place, records) = filled(9, true);
    let Event::RunCreated { plan, .. } = &records[1].event else { unreachable!("it is a run") };
    fs::write(place.home().blobs().path(*plan), "damaged").unwrap();
    assert_eq!(replay(&place).unwrap(), records);
    assert_eq!(accept(&place).unwrap(), None, "the journal itself is whole");
    fs::remove_file(place.path().join(head::NAME)).unwrap();
    let repair = accept(&place).unwrap().unwrap();
    assert_eq!(repair.intact, Seq(9));
    assert_eq!(replay(&place).unwrap().len(), 11);
}

#[test]
fn what_a_newer_windlass_wrote_is_refused_and_is_no_damage() {
    let (place, _) = filled(9, true);
    let database = rusqlite::Connection::open(store(&place)).unwrap();
    let mut link = SqliteJournal::head(&place.open(BUILD).unwrap()).link;
    for (seq, bytes) in [
        (10, r#"{"at":1,"v":1,"event":{"engine_started":{"epoch":2,"role":"engine","build":"9.9.9"}}}"#),
        (11, r#"{"at":1,"v":1,"event":{"foo_happened":{}}}"#),
    ] {
        let salted = [&[0; 16][..], bytes.as_bytes()].concat();
        link = link.then(blake3::hash(&salted).as_bytes());
        let row = rusqlite::params![seq, 2, &[0_u8; 16][..], bytes.as_bytes(), &link.0[..]];
        let insert = "INSERT INTO record (seq, epoch, salt, bytes, link) VALUES (?1, ?2, ?3, ?4, ?5)";
        database.execute(insert, row).unwrap();
    }
    drop(database);
    for after in [0, 10] {
        let refused = all_after(&mut place.open(BUILD).unwrap(), after).unwrap_err();
        assert!(
            refused.to_string().contains("(`foo_happened`, v1) was written by Windlass 9.9.9"),
            "{refused}"
        );
    }
    let refused = accept(&place);
    assert!(matches!(refused, Err(JournalError::Foreign { .. })), "{refused:?}");
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let (place, records) = filled(9, false);
    let mut journal = place.open(BUILD).unwrap();
    journal.save_snapshot(Seq(5), b"five").unwrap();
    journal.save_snapshot(Seq(9), b"nine").unwrap();
    let newest = place.path().join("snapshots").join(format!("{:020}", 9));
    let mut bytes = fs::read(&newest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&newest, bytes).unwrap();
    let mut journal = place.open(BUILD).unwrap();
    assert_eq!(journal.newest_snapshot(), Some((Seq(5), b"five".to_vec())));
    assert_eq!(all_after(&mut journal, 5).unwrap(), records[5..]);
}

#[test]
fn damage_before_the_newest_snapshot_is_found_when_it_is_read() {
    let (place, _) = filled(40, true);
    place.open(BUILD).unwrap().save_snapshot(Seq(40), b"state").unwrap();
    let mut bytes = fs::read(store(&place)).unwrap();
    // A page may hold what is left of a row that was moved to another one: every copy is changed.
    let text = b"task-3\"";
    let found: Vec<_> = bytes.windows(text.len()).enumerate().filter(|(_, window)| window == text).collect();
    for at in found.into_iter().map(|(at, _)| at).collect::<Vec<_>>() {
        bytes[at] = b'T';
    }
    fs::write(store(&place), bytes).unwrap();
    let mut journal = place.open(BUILD).unwrap();
    assert_eq!(all_after(&mut journal, 40).unwrap(), []);
    let damage = damage_of(all_after(&mut journal, 0));
    assert!(matches!(damage.cause, DamageCause::ChainBroken { seq: Seq(3) }), "{damage}");
    let without_it = place.open("another build").and_then(|mut journal| all_after(&mut journal, 0));
    assert_eq!(damage_of(without_it).intact, Seq(2));
}

#[test]
fn a_damaged_page_before_the_newest_snapshot_is_refused_and_mended() {
    let (whole, records) = filled(200, true);
    whole.open(BUILD).unwrap().save_snapshot(Seq(200), b"state").unwrap();
    let bytes = fs::read(store(&whole)).unwrap();
    let pages = bytes.len() / 4096;
    assert!(pages > 8);
    for page in 2..pages {
        let place = Place::new();
        copy_home(&whole.path(), &place.path());
        // The kind of the page, or the first pointer to one of its rows.
        let offset = page * 4096 + if page % 2 == 0 { 0 } else { 8 };
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0xf0;
        fs::write(store(&place), &damaged).unwrap();

        let refused = place.open(BUILD).map(|journal| journal.head());
        let Err(JournalError::Damaged(damage)) = refused else { panic!("{refused:?} with page {page}") };
        let mut seen = 0;
        let failed = Reader::open(&place.path(), BUILD).and_then(|mut reader| {
            reader.replay(Seq(0), &mut |_| {
                seen += 1;
                ControlFlow::Continue(())
            })
        });
        let Err(JournalError::Damaged(failed)) = failed else { panic!("{failed:?} with page {page}") };
        assert_eq!((failed.intact, failed.known), (damage.intact, Seq(200)));
        assert!(page == pages - 1 || seen == failed.intact.0, "what lies before is handed over");

        let repair = accept(&place).unwrap().unwrap();
        assert_eq!((repair.intact, repair.known), (damage.intact, Seq(200)));
        assert!(repair.intact < Seq(200), "page {page}");
        assert_eq!(fs::read(repair.copies.join("journal.db")).unwrap(), damaged);
        assert!(!place.path().join("repair.unfinished").exists());
        let kept = usize::try_from(repair.intact.0).unwrap();
        let all = replay(&place).unwrap();
        assert_eq!(all[..kept], records[..kept]);
        assert_eq!(all.len(), kept + 2);
        assert_eq!(accept(&place).unwrap(), None, "nothing is wrong any more");
    }
}

/// Copies a home as it lies on the disk.
fn copy_home(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_home(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn of_how_long_an_engine_was_alive_a_torn_head_tells_what_was_noted_before() {
    let (place, _) = filled(9, false);
    let path = place.path().join(head::NAME);
    let known = || place.open(BUILD).unwrap().last_alive().ms;
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(2), Seq(9), &[started(10, 2)]).unwrap();
    for ms in [1000, 2000] {
        let before = fs::read(&path).unwrap();
        journal.note_alive(Span::from_ms(ms));
        let whole = fs::read(&path).unwrap();
        assert_eq!(known(), ms);
        // The sector of the slot that was written holds half of it.
        let mut torn = whole.clone();
        let changed = (0..whole.len()).filter(|at| whole[*at] != before[*at]).collect::<Vec<_>>();
        let half = changed.len() / 2;
        changed[half..].iter().for_each(|at| torn[*at] = before[*at]);
        fs::write(&path, &torn).unwrap();
        assert_eq!(known(), ms - 1000);
        fs::write(&path, &whole).unwrap();
    }
    // Killed between the two writes of an append: the record that was written tells it.
    let behind = fs::read(&path).unwrap();
    journal.append(Epoch(2), Seq(10), &[reaped(11)]).unwrap();
    fs::write(&path, behind).unwrap();
    assert_eq!(known(), 0);
}
