//! The folder of a home: private, on a disk with room, with space in reserve.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::blob::Blobs;
use windlass_journal::home::{Home, HomeError, HomeSettings};
use windlass_journal::lock::Lock;
use windlass_journal::suite::started;

use crate::place::Place;

const SMALL: HomeSettings = HomeSettings { reserve: 1 << 20, min_free: 0, force: false };

/// Opens a home as an engine does.
fn opened(place: &Place, settings: HomeSettings) -> Result<Home, HomeError> {
    let home = Home::open(&place.path(), settings)?;
    let lock = Lock::take(home.path(), None).unwrap();
    home.make_room(&lock).map(|()| home)
}

#[test]
fn a_home_and_all_in_it_is_private() {
    let place = Place::new();
    let mut journal = place.open("build").unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    journal.save_snapshot(Seq(1), b"state").unwrap();
    place.home().blobs().put(b"body").unwrap();
    let mut folders = vec![place.path()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                seen += 1;
                assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{}", entry.path().display());
            }
        }
    }
    assert!(seen >= 7, "store, log, index, head, lock, reserve, snapshot, blob");
}

#[test]
fn a_home_that_others_can_read_is_closed() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place.home();
    assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_with_other_things_in_it_keeps_its_mode() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    fs::write(place.path().join("notes"), "").unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place.home();
    assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o755);
}

#[test]
fn too_little_space_is_refused_and_nothing_is_begun() {
    let place = Place::new();
    let settings = HomeSettings { min_free: u64::MAX, ..SMALL };
    let refused = opened(&place, settings).unwrap_err();
    assert!(matches!(refused, HomeError::NoSpace { needed: u64::MAX, .. }), "{refused}");
    assert!(refused.hint().is_some());
    let begun = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(begun.collect::<Vec<_>>(), ["lock"]);
}

#[test]
fn the_reserve_takes_up_space_until_it_is_released() {
    let place = Place::new();
    let home = opened(&place, SMALL).unwrap();
    let reserve = place.path().join("reserve");
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 1 << 20);
    assert!(fs::metadata(&reserve).unwrap().blocks() * 512 >= 1 << 20, "it is no hole");
    assert!(home.release_reserve().unwrap());
    assert!(!reserve.exists());
    assert!(!home.release_reserve().unwrap(), "there is none any more");
    home.restore_reserve().unwrap();
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 1 << 20);
    home.release_reserve().unwrap();
    opened(&place, SMALL).unwrap();
    assert!(reserve.exists(), "the next opening makes it anew");
    opened(&place, HomeSettings { reserve: 0, ..SMALL }).unwrap();
    assert!(!reserve.exists(), "it follows the settings");
}

#[test]
fn the_same_home_has_one_id_for_ever_and_another_has_another() {
    let (place, other) = (Place::new(), Place::new());
    let id = place.open("build").unwrap().home_id();
    assert_eq!(place.open("build").unwrap().home_id(), id);
    assert_eq!(windlass_journal::head::home_id(&place.path()), Some(id));
    assert_ne!(other.open("build").unwrap().home_id(), id);
    assert_eq!(id.to_string().len(), 32);
}

#[test]
fn what_an_engine_that_died_left_half_written_goes_with_the_next_opening() {
    let place = Place::new();
    let mut journal = place.open("build").unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    journal.save_snapshot(Seq(1), b"state").unwrap();
    drop(journal);
    for name in [".head-abc123", "snapshots/.unfinished-abc123"] {
        fs::write(place.path().join(name), "half").unwrap();
    }
    let names = |folder: &str| {
        let entries = fs::read_dir(place.path().join(folder)).unwrap().map(Result::unwrap);
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let journal = place.open("build").unwrap();
    assert!(names("").iter().all(|name| !name.starts_with('.')), "{:?}", names(""));
    assert_eq!(names("snapshots").len(), 1);
    drop(journal);
    assert!(place.path().join("head").exists());
}
