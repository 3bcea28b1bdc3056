//! One engine a home: the lock is the kernel's, and what stands in it is for people.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::lock::{self, Lock, LockError, Owner};
use windlass_journal::suite::{all_after, started, succeeded};

use crate::place::{Place, program};

#[test]
fn a_second_engine_is_told_who_has_the_lock() {
    let place = Place::new();
    let home = place.home();
    assert!(!lock::is_held(home.path()).unwrap());
    let socket = Some("/run/user/1/windlass/abc".into());
    let lock = Lock::take(home.path(), socket.clone()).unwrap();
    assert!(lock::is_held(home.path()).unwrap());
    let refused = Lock::take(home.path(), None).unwrap_err();
    let LockError::Held { owner: Some(owner) } = &refused else { panic!("{refused:?}") };
    assert_eq!(owner, &Owner::this_process(socket));
    assert_eq!(owner.pid, std::process::id());
    assert!(owner.started.is_some() && owner.boot.is_some());
    assert!(refused.to_string().contains(&owner.pid.to_string()), "{refused}");
    drop(lock);
    assert!(!lock::is_held(home.path()).unwrap());
    Lock::take(home.path(), None).unwrap();
}

#[test]
fn the_socket_can_be_told_later() {
    let place = Place::new();
    let lock = Lock::take(place.home().path(), Some("/a/long/path/to/a/socket".into())).unwrap();
    lock.tell(&Owner::this_process(Some("/short".into()))).unwrap();
    assert_eq!(lock::owner(&place.path()).unwrap().socket, Some("/short".into()));
}

#[test]
fn a_child_does_not_inherit_the_lock() {
    assert!(!is_inherited());
}

/// Whether a child has the lock of its parent open.
pub(crate) fn is_inherited() -> bool {
    let place = Place::new();
    let _lock = Lock::take(place.home().path(), None).unwrap();
    let mut child = program("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // When it answers it has everything open that it will have.
    child.stdin.as_mut().unwrap().write_all(b"?").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let open = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let open: Vec<_> = open.map(|entry| fs::read_link(entry.unwrap().path()).unwrap()).collect();
    assert!(open.len() >= 3, "its own are seen: {open:?}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    open.contains(&place.path().join(lock::NAME))
}

/// How many locks this process has on a file that it has open; a lock of POSIX is gone with any descriptor that is closed.
fn locks_on(path: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        // Another test may have closed it by now.
        let leads_there = fs::read_link(entry.path()).is_ok_and(|to| to == path);
        leads_there.then(|| Path::new("/proc/self/fdinfo").join(entry.file_name()))
    });
    let texts = open.map(|info| fs::read_to_string(info).unwrap());
    texts.map(|text| text.lines().filter(|line| line.starts_with("lock:")).count()).max().unwrap_or(0)
}

#[test]
fn in_an_engine_nobody_but_sqlite_closes_the_files_of_the_store() {
    let place = Place::new();
    let mut journal = place.open("build").unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    let [store, index] = ["journal.db", "journal.db-shm"].map(|name| place.path().join(name));
    let held = || [&store, &index].map(|path| locks_on(path));
    let before = held();
    assert!(before.iter().all(|locks| *locks > 0), "{before:?}");
    // About as much as is moved out of the log between turns, and then some.
    for seq in 2..40 {
        let record = succeeded(seq, "x".repeat(200 << 10).into());
        journal.append(Epoch(1), Seq(seq - 1), &[record]).unwrap();
        journal.rest().unwrap();
        journal.check().unwrap();
    }
    journal.save_snapshot(Seq(39), b"state").unwrap();
    assert!(journal.newest_snapshot().is_some());
    all_after(&mut journal, 0).unwrap();
    place.home().restore_reserve().unwrap();
    assert_eq!(held(), before);
    drop(fs::File::open(&store).unwrap());
    assert_eq!(locks_on(&store), 0, "it would be seen");
}

#[test]
fn those_who_look_do_not_keep_an_engine_out() {
    let place = Place::new();
    let path = place.home().path().to_owned();
    drop(Lock::take(&path, None).unwrap());
    let is_over = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                lock::is_held(&path).unwrap();
            }
        });
        let taken = (0..2000).all(|_| Lock::take(&path, None).is_ok());
        is_over.store(true, Ordering::Relaxed);
        taken
    });
    assert!(taken);
}
