//! Blobs: named by their content, durable before they have a name, checked when they are read.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use windlass_core::id::Digest;
use windlass_journal::blob::{BlobError, Blobs, FolderBlobs, MemoryBlobs};

use crate::place::Place;

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
