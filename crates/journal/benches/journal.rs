//! What a durable write and a replay cost, beside the plain `fdatasync` of the same disk in the same run.
//! `cargo bench -p windlass-journal`. Never: a test; it has no threshold.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::unwrap_used, reason = "where it can't measure it may end")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use windlass_core::event::{Event, Exit, Record, Usage};
use windlass_core::id::{Digest, Epoch, Fence, RunId, Seq, TaskId};
use windlass_core::output::{Output, RawOutput};
use windlass_core::time::Time;
use windlass_journal::Journal;
use windlass_journal::home::{Home, HomeSettings};
use windlass_journal::lock::Lock;
use windlass_journal::reader::Reader;
use windlass_journal::sqlite::SqliteJournal;
use windlass_journal::{record, suite};

const BUILD: &str = "bench";
const REPLAYED: u64 = 100_000;

fn main() {
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("SQLite {}, on {}", rusqlite::version(), folder.path().display());
    encoding();
    for round in 1..=3 {
        println!("round {round}");
        floor(folder.path());
        for (batch, turns) in [(1, 2000), (5, 2000), (16, 2000), (256, 400)] {
            appends(&folder.path().join(format!("home-{round}-{batch}")), batch, turns);
        }
    }
    replays(&folder.path().join("long"));
}

/// A new home without its usual demands.
fn open(path: &Path) -> SqliteJournal {
    let settings = HomeSettings { reserve: 0, min_free: 0, force: true };
    let home = Home::open(path, settings).unwrap();
    let _ = std::fs::remove_file(path.join("lock")).is_ok();
    let lock = Lock::take(path, None).unwrap();
    SqliteJournal::open(&home, &lock, BUILD).unwrap()
}

/// What a task of `true` leaves: five records, in turn.
fn record_at(seq: u64) -> Record {
    let run: RunId = "abcdef".parse().unwrap();
    let task: TaskId = format!("layer-{}-task-{}", seq / 5 % 40, seq / 5).parse().unwrap();
    let (attempt, fence) = (1, Fence(seq - seq % 5));
    let event = match seq % 5 {
        0 => Event::AttemptStarted {
            run,
            task,
            attempt,
            agent: None,
            prompt: Digest::of(&seq.to_le_bytes()),
            plan_version: 1,
            alone: false,
            seen: BTreeMap::new(),
        },
        1 => Event::AttemptFinished {
            run,
            task,
            attempt,
            fence,
            exit: Exit::Code(0),
            error: None,
            output: RawOutput::default(),
            usage: Usage { cpu_ms: 1, memory_bytes_peak: 1 << 20, processes_peak: 1, ..Usage::default() },
        },
        2 => Event::AttemptReaped { run, task, attempt, fence, leftovers: 0 },
        3 => Event::ExtractsRecorded { run, task, attempt, fence, output: Output::default(), error: None },
        _ => return suite::succeeded(seq, "".into()),
    };
    Record { seq: Seq(seq), at: Time::from_ms(1_764_000_000_000 + seq.cast_signed()), event }
}

fn encoding() {
    let records: Vec<_> = (5..50_005).map(record_at).collect();
    let mut bytes = Vec::new();
    let began = Instant::now();
    for record in &records {
        record::encode(record, &mut bytes).unwrap();
    }
    let each = began.elapsed() / 50_000;
    println!("encode: {each:?} and {} bytes a record", bytes.len() / 50_000);
    let stored: Vec<Vec<u8>> = records
        .iter()
        .map(|record| {
            let mut bytes = Vec::new();
            record::encode(record, &mut bytes).unwrap();
            bytes
        })
        .collect();
    let began = Instant::now();
    for bytes in &stored {
        record::decode(Seq(1), bytes, String::new).unwrap();
    }
    println!("decode: {:?} a record", began.elapsed() / 50_000);
}

/// The least that a durable write can cost here: a page into a file that has its size already, and at its end.
fn floor(folder: &Path) {
    const WRITES: u32 = 2000;
    let page = [7; 4096];
    let mut growing = File::create(folder.join("growing")).unwrap();
    let began = Instant::now();
    for _ in 0..WRITES {
        growing.write_all(&page).unwrap();
        growing.sync_data().unwrap();
    }
    let grown = began.elapsed() / WRITES;
    let began = Instant::now();
    for write in 0..u64::from(WRITES) {
        growing.write_all_at(&page, write * 4096).unwrap();
        growing.sync_data().unwrap();
    }
    println!(
        "  fdatasync of a page: {grown:?} at the end of a file, {:?} in place",
        began.elapsed() / WRITES
    );
}

fn appends(home: &Path, batch: u64, turns: u32) {
    let mut journal = open(home);
    journal.append(Epoch(1), Seq(0), &[suite::started(1, 1)]).unwrap();
    let batches: Vec<Vec<Record>> = (0..u64::from(turns))
        .map(|turn| (0..batch).map(|nth| record_at(2 + turn * batch + nth)).collect())
        .collect();
    let began = Instant::now();
    for records in &batches {
        journal.append(Epoch(1), journal.head().seq, records).unwrap();
        journal.rest().unwrap();
    }
    let took = began.elapsed();
    let each = took / turns;
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = (u64::from(turns) * batch) as f64 / took.as_secs_f64();
    println!("  {batch:3} a turn: {each:?} a turn, {rate:.0} records/s");
}

fn replays(path: &Path) {
    let mut journal = open(path);
    journal.append(Epoch(1), Seq(0), &[suite::started(1, 1)]).unwrap();
    while journal.head().seq.0 < REPLAYED {
        let at = journal.head().seq;
        let batch: Vec<_> = (at.0 + 1..=(at.0 + 500).min(REPLAYED)).map(record_at).collect();
        journal.append(Epoch(1), at, &batch).unwrap();
        journal.rest().unwrap();
    }
    drop(journal);
    let bytes = std::fs::metadata(path.join("journal.db")).unwrap().len();
    println!("{REPLAYED} records, {} MiB", bytes >> 20);
    for round in 1..=5 {
        let began = Instant::now();
        let mut journal = open(path);
        let opened = began.elapsed();
        let mut count = 0;
        journal
            .replay(Seq(0), &mut |record| {
                count += record.seq.0 & 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        let whole = began.elapsed();
        let began = Instant::now();
        let mut reader = Reader::open(path, BUILD).unwrap();
        reader.replay(Seq(0), &mut |_| ControlFlow::Continue(())).unwrap();
        let read = began.elapsed();
        println!(
            "  round {round}: open and verify {opened:?}, with replay {whole:?}; another reader {read:?}"
        );
        assert_eq!(count, REPLAYED / 2);
    }
}
