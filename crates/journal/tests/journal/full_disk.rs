//! A disk that is full: the reserve carries one more batch, then the journal ends in order, and nothing that was
//! acknowledged is missing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::blob::Blobs;
use windlass_journal::error::JournalError;
use windlass_journal::home::{Home, HomeSettings};
use windlass_journal::lock::Lock;
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::suite::{all_after, started, succeeded};

use crate::needs::mounting;
use crate::place::program;

const BUILD: &str = "0.0.0-suite";

/// A small disk of its own.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut mount = program("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        assert!(mount.status().is_ok_and(|status| status.success()));
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes up all that is left.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut filler = File::create(&path).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![1; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = program("umount").arg("-l").arg(self.folder.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

fn open(disk: &SmallDisk, reserve: u64) -> (Home, SqliteJournal) {
    let settings = HomeSettings { reserve, min_free: 0, force: false };
    let home = Home::open(&disk.path().join("home"), settings).unwrap();
    drop(fs::remove_file(home.path().join("lock")));
    let lock = Lock::take(home.path(), None).unwrap();
    home.make_room(&lock).unwrap();
    let journal = SqliteJournal::open(&home, &lock, BUILD).unwrap();
    (home, journal)
}

/// Appends until the disk says no. Gives the last record that was acknowledged, and the error.
fn append_until_full(journal: &mut SqliteJournal) -> (u64, JournalError) {
    loop {
        let seq = journal.head().seq;
        let record = succeeded(seq.0 + 1, "x".repeat(8 << 10).into());
        if let Err(error) = journal.append(Epoch(1), seq, &[record]) {
            return (seq.0, error);
        }
    }
}

#[test]
fn the_reserve_carries_the_batch_that_meets_a_full_disk() {
    if !mounting("full_disk::the_reserve_carries_the_batch_that_meets_a_full_disk") {
        return;
    }
    let disk = SmallDisk::mount("4m");
    let (home, mut journal) = open(&disk, 1 << 20);
    assert!(!home.is_low().unwrap());
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    let filler = disk.fill();
    assert!(home.is_low().unwrap());
    let (last, error) = append_until_full(&mut journal);
    assert!(matches!(error, JournalError::DiskFull { .. }), "{error:?}");
    assert!(error.hint().is_some());
    assert!(last > 20, "the reserve was used: {last}");
    let reserve = home.path().join("reserve");
    assert!(!reserve.exists());
    home.restore_reserve().unwrap();
    assert!(!reserve.exists(), "there is no room for it");
    let refused = journal.append(Epoch(1), Seq(last), &[succeeded(last + 1, 1.into())]);
    assert!(matches!(refused, Err(JournalError::Poisoned)));
    drop(journal);
    fs::remove_file(filler).unwrap();
    home.restore_reserve().unwrap();
    assert!(!home.is_low().unwrap() || !reserve.exists(), "it does not take what is wanted free");

    let (_, mut journal) = open(&disk, 0);
    let all = all_after(&mut journal, 0).unwrap();
    // The batch that failed may be there or not, but not by half.
    assert!((last..=last + 1).contains(&(all.len() as u64)), "{last} of {}", all.len());
    let end = journal.head().seq;
    journal.append(Epoch(2), end, &[started(end.0 + 1, 2)]).unwrap();
}

#[test]
fn a_disk_that_is_full_from_the_first_append_is_named() {
    if !mounting("full_disk::a_disk_that_is_full_from_the_first_append_is_named") {
        return;
    }
    let disk = SmallDisk::mount("4m");
    let (home, mut journal) = open(&disk, 0);
    disk.fill();
    let error = journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap_err();
    assert!(matches!(error, JournalError::DiskFull { .. }), "{error:?}");
    let error = home.blobs().put(&vec![1; 100_000]).unwrap_err();
    assert!(error.is_disk_full(), "{error:?}");
    assert!(io::Error::from_raw_os_error(28).kind() == io::ErrorKind::StorageFull);
}

#[test]
fn a_snapshot_that_finds_no_room_is_no_loss() {
    if !mounting("full_disk::a_snapshot_that_finds_no_room_is_no_loss") {
        return;
    }
    let disk = SmallDisk::mount("4m");
    let (_home, mut journal) = open(&disk, 256 << 10);
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    let filler = disk.fill();
    journal.save_snapshot(Seq(1), &vec![0; 1 << 20]).unwrap_err();
    fs::remove_file(filler).unwrap();
    journal.append(Epoch(1), Seq(1), &[succeeded(2, 1.into())]).unwrap();
    assert_eq!(journal.newest_snapshot(), None);
    journal.save_snapshot(Seq(2), b"state").unwrap();
    assert_eq!(journal.newest_snapshot().unwrap().0, Seq(2));
}
