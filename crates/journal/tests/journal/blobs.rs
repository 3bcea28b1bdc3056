//! Blobs: named by their content, durable before they have a name, checked when they are read.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use windlass_core::id::Digest;
use windlass_journal::blob::{BlobError, Blobs, FolderBlobs, MemoryBlobs};

use crate::place::{Place, can_trace, program};

/// Names the home for the process that a test here starts from its own program.
const HOME: &str = "WINDLASS_JOURNAL_TEST_BLOBS";

fn subjects(place: &Place) -> [Arc<dyn Blobs>; 2] {
    [place.home().blobs(), Arc::new(MemoryBlobs::default())]
}

#[test]
fn what_was_put_is_there_under_its_digest() {
    let place = Place::new();
    for blobs in subjects(&place) {
        for body in [&b""[..], b"body", &vec![0xFF; 100_000]] {
            assert!(!blobs.contains(Digest::of(body)).unwrap());
            assert!(matches!(blobs.get(Digest::of(body)), Err(BlobError::Missing(_))));
            assert_eq!(blobs.put(body).unwrap(), Digest::of(body));
            assert_eq!(blobs.put(body).unwrap(), Digest::of(body), "twice is once");
            assert_eq!(blobs.get(Digest::of(body)).unwrap(), body);
        }
    }
    let listed = place.home().blobs().list().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed.iter().map(|(_, bytes)| bytes).sum::<u64>(), 100_004);
}

#[test]
fn a_damaged_blob_is_named_and_putting_it_again_mends_it() {
    let place = Place::new();
    let digest = place.home().blobs().put(b"body").unwrap();
    let path = place.home().blobs().path(digest);
    fs::write(&path, b"bodY").unwrap();
    assert!(matches!(place.home().blobs().get(digest), Err(BlobError::Damaged(_))));
    place.home().blobs().put(b"body").unwrap();
    assert_eq!(place.home().blobs().get(digest).unwrap(), b"body");
}

#[test]
fn what_is_read_and_a_stream_become_blobs() {
    let place = Place::new();
    let blobs = place.home().blobs();
    let body = vec![7; 1_000_000];
    assert_eq!(blobs.put_all(&mut &body[..]).unwrap(), (Digest::of(&body), 1_000_000));
    let mut writer = blobs.writer().unwrap();
    writer.write_all(b"bit by ").unwrap();
    writer.write_all(b"bit").unwrap();
    let (digest, bytes) = writer.finish().unwrap();
    assert_eq!((digest, bytes), (Digest::of(b"bit by bit"), 10));
    assert_eq!(std::io::read_to_string(blobs.open(digest).unwrap()).unwrap(), "bit by bit");
    assert!(matches!(blobs.open(Digest::of(b"?")), Err(BlobError::Missing(_))));
    // A folder opens like a file, and can't be read.
    let mut folder = fs::File::open(place.path()).unwrap();
    assert!(matches!(blobs.put_all(&mut folder), Err(BlobError::Unread(_))));
}

#[test]
fn what_was_left_half_written_is_swept_and_never_listed() {
    let place = Place::new();
    let blobs = place.home().blobs();
    blobs.put(b"body").unwrap();
    let half = place.path().join("blobs/unfinished/half");
    fs::write(&half, b"bo").unwrap();
    assert_eq!(blobs.list().unwrap(), [(Digest::of(b"body"), 4)]);
    let mut writer = blobs.writer().unwrap();
    writer.write_all(b"given up").unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(place.path().join("blobs/unfinished")).unwrap().count(), 1);
    place.open("build").unwrap();
    assert_eq!(fs::read_dir(place.path().join("blobs/unfinished")).unwrap().count(), 0);
    assert_eq!(blobs.list().unwrap(), [(Digest::of(b"body"), 4)]);
}

#[test]
fn what_is_being_written_while_an_engine_opens_its_home_is_not_swept() {
    let place = Place::new();
    // As another process does, which needs no lock for it.
    let others = FolderBlobs::new(&place.path().join("blobs"));
    let home = place.home();
    let mut writer = others.writer().unwrap();
    writer.write_all(b"bit by ").unwrap();
    place.open("build").unwrap();
    writer.write_all(b"bit").unwrap();
    let (digest, _) = writer.finish().unwrap();
    assert_eq!(home.blobs().get(digest).unwrap(), b"bit by bit");
}

#[test]
fn many_threads_put_the_same_and_different_blobs() {
    let place = Place::new();
    let blobs = place.home().blobs();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let blobs = &blobs;
            scope.spawn(move || {
                for number in 0..50_u8 {
                    blobs.put(&[number]).unwrap();
                    blobs.put(&[number, thread]).unwrap();
                }
            });
        }
    });
    assert_eq!(blobs.list().unwrap().len(), 250);
}

#[test]
fn a_branch_of_blobs_in_memory_goes_its_own_way() {
    let blobs = MemoryBlobs::default();
    let digest = blobs.put(b"body").unwrap();
    let branch = blobs.branch();
    blobs.lose(digest);
    assert_eq!(branch.digests(), [digest]);
    assert_eq!(blobs.digests(), []);
}

/// The process whose syncs fail. By itself it does nothing.
#[test]
fn a_writer_of_blobs() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let blobs = FolderBlobs::new(&Path::new(&home).join("blobs"));
    let Err(failed) = blobs.put(b"body") else { return };
    assert!(matches!(failed, BlobError::NotSynced(_)), "{failed:?}");
    assert!(failed.is_fatal() && !failed.is_disk_full(), "{failed:?}");
    for body in [&b"body"[..], b"another"] {
        let again = [blobs.put(body), blobs.put_all(&mut &body[..]).map(|(digest, _)| digest)];
        assert!(again.iter().all(|put| matches!(put, Err(BlobError::Poisoned))), "{again:?}");
    }
    println!("refused for good");
}

/// Lets one sync of such a process fail. Says whether there was such a one.
fn fail_a_sync(error: &str, nth: usize) -> bool {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let log = place.path().with_extension("log");
    let mut strace = program("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-e"]);
    strace.arg(format!("inject=fsync:error={error}:when={nth}")).arg("-o").arg(&log);
    strace.arg(std::env::current_exe().unwrap()).args(["--exact", "blobs::a_writer_of_blobs", "--nocapture"]);
    let done = strace.env(HOME, place.path()).stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "{error} {nth}");
    let log = fs::read_to_string(log).unwrap();
    let Some((_, after)) = log.split_once("(INJECTED)") else { return false };
    assert!(!after.contains("sync("), "nothing is synced after that: {log}");
    assert!(String::from_utf8_lossy(&done.stdout).contains("refused for good"));
    true
}

#[test]
fn when_a_sync_fails_no_blob_is_put_any_more_and_nothing_is_synced_again() {
    if !can_trace() {
        return;
    }
    // From a sync a full disk is a failure like any other: what was written may be gone.
    for error in ["EIO", "ENOSPC"] {
        let failed = (1..=9).take_while(|nth| fail_a_sync(error, *nth)).count();
        assert_eq!(failed, 5, "three folders that get a name, the body, and its own name");
    }
}
