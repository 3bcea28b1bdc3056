//! States kept beside the journal, so that a start need not replay all of it. Only a cache: another build's is ignored,
//! a torn or damaged one too, and nothing waits for its sync. Never: the only place where anything is.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_core::id::{Digest, Seq};

use crate::chain::Link;
use crate::planted::{Bug, is_planted};
use crate::store::Store;
use crate::unfinished;

/// The layout of what is around the state.
const FORMAT: u32 = 1;
/// How many are kept: the newest, and one before it in case that is damaged.
const KEPT: usize = 2;
const FOLDER: &str = "snapshots";
/// How the name of one begins that is being written.
const UNFINISHED: &str = ".unfinished-";
/// A header longer than this is no header.
const HEADER_BYTES_MAX: u64 = 4096;

/// What stands before the state: one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    format: u32,
    /// The build that can read the state.
    pub build: String,
    /// The record up to which it goes.
    pub seq: Seq,
    /// The chain up to there: the proof that it belongs to this journal.
    link: Digest,
    /// The digest of the state.
    digest: Digest,
}

impl Header {
    pub(crate) fn new(build: &str, seq: Seq, link: Link, bytes: &[u8]) -> Self {
        Self { format: FORMAT, build: build.into(), seq, link: Digest(link.0), digest: Digest::of(bytes) }
    }

    /// Whether this build can read it and it belongs to the journal whose link at its place is this one.
    pub(crate) fn fits(&self, build: &str, link: Link) -> bool {
        let is_ours = self.build == build || is_planted(Bug::ForeignSnapshotTrusted);
        self.format == FORMAT && is_ours && self.link.0 == link.0
    }

    /// Whether the state is what was written.
    pub(crate) fn vouches_for(&self, bytes: &[u8]) -> bool {
        self.digest == Digest::of(bytes)
    }
}

/// The snapshots of a home, newest first, by their headers.
pub fn list(home: &Path) -> Vec<(Header, PathBuf)> {
    let Ok(entries) = fs::read_dir(home.join(FOLDER)) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let (header, _) = open(&path).ok()?;
            (path == path_of(home, header.seq)).then_some((header, path))
        })
        .collect();
    found.sort_by_key(|(header, _)| std::cmp::Reverse(header.seq));
    found
}

/// Removes what was half-written when an engine died.
pub(crate) fn sweep_unfinished(home: &Path) {
    unfinished::sweep(&home.join(FOLDER), UNFINISHED);
}

/// Writes one and removes those that are not needed any more.
pub(crate) fn save(home: &Path, header: &Header, bytes: &[u8]) -> io::Result<()> {
    let folder = home.join(FOLDER);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut file = unfinished::begin(&folder, UNFINISHED)?;
    let mut line = serde_json::to_vec(header).expect("a header is plain data");
    line.push(b'\n');
    file.write_all(&line)?;
    file.write_all(bytes)?;
    file.persist(path_of(home, header.seq))?;
    for (_, old) in list(home).into_iter().skip(KEPT) {
        fs::remove_file(old)?;
    }
    Ok(())
}

/// Reads one whose header fits.
fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let (header, mut rest) = open(path)?;
    let mut bytes = Vec::new();
    rest.read_to_end(&mut bytes)?;
    Ok(header.vouches_for(&bytes).then_some(bytes))
}

/// The newest that this build can read and that belongs to this store.
pub(crate) fn newest(home: &Path, store: &Store, build: &str) -> Option<(Seq, Vec<u8>)> {
    list(home).into_iter().find_map(|(header, path)| {
        let at = store.at(header.seq).ok().flatten()?;
        let bytes = if header.fits(build, at.link) { load(&path).ok().flatten() } else { None };
        bytes.map(|bytes| (header.seq, bytes))
    })
}

fn open(path: &Path) -> io::Result<(Header, BufReader<File>)> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    reader.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok((serde_json::from_slice(&line)?, reader))
}

fn path_of(home: &Path, seq: Seq) -> PathBuf {
    home.join(FOLDER).join(format!("{seq:020}"))
}
