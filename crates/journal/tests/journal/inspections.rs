//! What `doctor` and `verify` are told about a home.

use std::fs;

use windlass_core::event::{Event, Record};
use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::blob::Blobs;
use windlass_journal::error::DamageCause;
use windlass_journal::inspect::{Closeness, Opening, inspect};
use windlass_journal::lock::Lock;
use windlass_journal::suite::{created, reaped, started};

use crate::place::Place;

const BUILD: &str = "0.0.0-suite";

fn filled(place: &Place) -> Record {
    let run = created(2, &*place.home().blobs());
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1), run.clone(), reaped(3), reaped(4)]).unwrap();
    journal.save_snapshot(Seq(4), b"state").unwrap();
    drop(journal);
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(2), Seq(4), &[started(5, 2)]).unwrap();
    run
}

#[test]
fn a_sound_home_is_described() {
    let place = Place::new();
    filled(&place);
    place.home().blobs().put(b"nobody names it").unwrap();
    let lock = Lock::take(&place.path(), None).unwrap();
    let found = inspect(&place.path(), Closeness::Sound).unwrap();
    drop(lock);
    assert!(found.damage.is_none() && found.foreign.is_none() && !found.is_head_slot_torn);
    assert!(found.is_live);
    assert_eq!((found.end.seq, found.end.epoch), (Seq(5), Epoch(2)));
    let opening = |epoch, seq| Opening { epoch: Epoch(epoch), seq: Seq(seq), build: BUILD.into() };
    assert_eq!(found.openings, [opening(1, 1), opening(2, 5)]);
    assert_eq!(found.events, [("attempt_reaped", 2), ("engine_started", 2), ("run_created", 1)].into());
    assert_eq!((found.dangling.len(), found.unsound.len(), found.unnamed), (0, 0, 1));
    assert_eq!(found.snapshots, [(Seq(4), BUILD.into())]);
    assert_eq!(found.sizes.blob_count, 3);
    assert!(found.sizes.store > 0 && found.sizes.free > 0);
    assert!(!inspect(&place.path(), Closeness::Present).unwrap().is_live);
}

#[test]
fn missing_and_damaged_blobs_are_named_with_the_record_that_names_them() {
    let place = Place::new();
    let run = filled(&place);
    let Event::RunCreated { run: run_id, env, plan, .. } = run.event else { unreachable!("it is a run") };
    let path = place.home().blobs().path(env);
    fs::write(&path, "damaged").unwrap();
    assert_eq!(inspect(&place.path(), Closeness::Present).unwrap().unsound, []);
    let found = inspect(&place.path(), Closeness::Sound).unwrap();
    assert_eq!(found.unsound.iter().map(|blob| (blob.seq, blob.digest)).collect::<Vec<_>>(), [(Seq(2), env)]);
    fs::remove_file(&path).unwrap();
    let found = inspect(&place.path(), Closeness::Present).unwrap();
    assert_eq!(
        found.dangling.iter().map(|blob| (blob.seq, blob.digest)).collect::<Vec<_>>(),
        [(Seq(2), env)]
    );
    assert!(!found.dangling[0].is_plan);
    fs::remove_file(place.home().blobs().path(plan)).unwrap();
    let found = inspect(&place.path(), Closeness::Present).unwrap();
    assert!(found.damage.is_none(), "only the run is lost");
    assert_eq!(found.events["attempt_reaped"], 2, "what comes after it is looked at");
    let lost = found.dangling.into_iter().find(|blob| blob.is_plan).unwrap();
    assert_eq!((lost.seq, lost.digest, lost.runs), (Seq(2), plan, [run_id].into()));
}

#[test]
fn damage_is_described_and_not_touched() {
    let place = Place::new();
    filled(&place);
    let head = place.path().join("head");
    let mut bytes = fs::read(&head).unwrap();
    bytes[0] ^= 1;
    fs::write(&head, &bytes).unwrap();
    let found = inspect(&place.path(), Closeness::Present).unwrap();
    assert!(found.is_head_slot_torn && found.damage.is_none());
    bytes[4096] ^= 1;
    fs::write(&head, &bytes).unwrap();
    let found = inspect(&place.path(), Closeness::Present).unwrap();
    assert!(matches!(found.damage.unwrap().cause, DamageCause::HeadUnreadable));
    assert_eq!(found.end.seq, Seq(5), "what is there is described all the same");
    assert_eq!(found.events["attempt_reaped"], 2);
    assert_eq!(fs::read(&head).unwrap(), bytes);
}

#[test]
fn no_home_is_nothing() {
    let place = Place::new();
    let found = inspect(&place.path(), Closeness::Sound).unwrap();
    assert!(found.damage.is_none() && found.home_id.is_none());
    assert_eq!(found.end.seq, Seq(0));
    assert!(!place.path().exists());
}
