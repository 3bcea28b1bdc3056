//! An engine that is killed at any moment: what it said is durable is there, and nothing is there by half.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::error::JournalError;
use windlass_journal::reader::Reader;
use windlass_journal::suite::{all_after, reaped, started};

use crate::place::{Place, can_trace, open_at, program};

const BUILD: &str = "0.0.0-suite";
/// Names the home for the process that this test starts from its own program.
const HOME: &str = "WINDLASS_JOURNAL_TEST_HOME";
const BATCH: u64 = 3;

/// The engine of the test below, which starts it with a home. By itself it does nothing.
#[test]
fn an_engine_that_appends_until_it_is_killed() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let mut journal = open_at(Path::new(&home), BUILD).unwrap_or_else(|failed| panic!("{failed}"));
    all_after(&mut journal, 0).unwrap();
    let (mut seq, epoch) = (journal.head().seq.0, journal.head().epoch.0 + 1);
    let mut out = std::io::stdout();
    let mut append = |first: u64, records: &[_]| {
        if let Err(failed) = journal.append(Epoch(epoch), Seq(first - 1), records) {
            let again = journal.append(Epoch(epoch), Seq(first - 1), records);
            assert!(matches!(again, Err(JournalError::Poisoned)), "{again:?}");
            panic!("{failed}");
        }
        journal.rest().unwrap();
        writeln!(out, "durable {}", journal.head().seq).and_then(|()| out.flush()).unwrap();
    };
    append(seq + 1, &[started(seq + 1, epoch)]);
    seq += 1;
    loop {
        let records: Vec<_> = (seq + 1..=seq + BATCH).map(reaped).collect();
        append(seq + 1, &records);
        seq += BATCH;
    }
}

/// The engine, about to be started with a home.
fn engine(place: &Place, mut starter: Command) -> Command {
    let arguments = ["--exact", "deaths::an_engine_that_appends_until_it_is_killed", "--nocapture"];
    starter.args(arguments).env(HOME, place.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    starter
}

/// The seq that a line of the engine calls durable.
fn durable(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")?.parse().ok()
}

#[test]
fn what_a_killed_engine_called_durable_is_there_and_nothing_by_half() {
    let place = Place::new();
    let (mut known, mut begun) = (0, 0);
    for round in 1..=20_u64 {
        let mut engine = engine(&place, program(std::env::current_exe().unwrap())).spawn().unwrap();
        let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
        // Each round ends at another moment of its own.
        let mut left = 1 + round * 7 % 13;
        while left > 0 {
            if let Some(seq) = durable(&lines.next().unwrap().unwrap()) {
                known = seq;
                left -= 1;
            }
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        // A last line may have been cut short by the kill; what it would have said is not counted.
        let said = lines.map_while(Result::ok).filter_map(|line| durable(&line));
        known = said.take_while(|seq| (seq - begun - 1) % BATCH == 0).last().unwrap_or(known);
        let mut journal = place.open(BUILD).unwrap();
        let all = all_after(&mut journal, 0).unwrap();
        let end = all.len() as u64;
        assert!(end >= known, "round {round}: {end} records, {known} were durable");
        begun += 1;
        let openings = all.iter().filter(|record| record.event.name() == "engine_started").count() as u64;
        assert_eq!(openings, begun);
        assert_eq!((end - openings) % BATCH, 0, "batches are whole");
        assert_eq!(journal.head().epoch, Epoch(round));
    }
}

#[test]
fn a_home_whose_making_was_cut_short_at_any_write_is_read_as_what_it_is_and_opens() {
    if !can_trace() {
        return;
    }
    let killed = |call| (1..=12).take_while(|nth| kill_at(call, *nth)).count();
    let killed = ["pwrite64", "fsync", "fdatasync", "unlink"].map(killed);
    assert!(
        killed.iter().sum::<usize>() > 20,
        "the making has its writes, and each was the last: {killed:?}"
    );
}

/// Kills an engine at one of its first calls of a kind. Says whether there was such a one.
fn kill_at(call: &str, nth: usize) -> bool {
    let place = Place::new();
    let mut strace = program("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
    strace.arg(format!("inject={call}:signal=KILL:when={nth}")).arg(std::env::current_exe().unwrap());
    let mut engine = engine(&place, strace).spawn().unwrap();
    let lines = BufReader::new(engine.stdout.take().unwrap()).lines().map_while(Result::ok);
    let appended = lines.filter_map(|line| durable(&line)).take(10).count();
    // An engine that goes on is told so by a closed pipe.
    engine.wait_with_output().unwrap();
    let read = Reader::open(&place.path(), BUILD).map(|reader| reader.head());
    let read = read.unwrap_or_else(|failed| panic!("{call} {nth}: {failed}"));
    let mut journal = place.open(BUILD).unwrap_or_else(|failed| panic!("{call} {nth}: {failed}"));
    let (seq, epoch) = (journal.head().seq.0, journal.head().epoch.0 + 1);
    assert_eq!((read, all_after(&mut journal, 0).unwrap().len() as u64), (journal.head(), seq));
    journal.append(Epoch(epoch), Seq(seq), &[started(seq + 1, epoch)]).unwrap();
    appended < 10
}

/// Whether the last of these calls belongs to the making of an empty store, in which nothing can be lost yet: until it
/// has its write-ahead log, and the sync of its folder with that, SQLite has ways of its own.
fn is_of_the_making(calls: &str) -> bool {
    let (before, last) = calls.trim_end().rsplit_once('\n').unwrap_or(("", calls));
    let of_the_folder = last.contains("/home>") && before.ends_with("journal.db-wal>) = 0");
    of_the_folder || (before.contains("journal.db-journal>") && !calls.contains("journal.db-wal>"))
}

#[test]
fn when_a_sync_fails_nothing_more_is_called_durable_and_nothing_is_synced_again() {
    if !can_trace() {
        return;
    }
    let failed = |call| (1..=18).take_while(|nth| fail_a_sync(call, *nth)).count();
    assert!(failed("fsync") + failed("fdatasync") > 15, "each sync of the first appends was failed");
}

/// Whether the engine said what was not made durable by this call.
fn is_named(said: &str, failed: &str) -> bool {
    let what = [
        ("/journal.db", "the newest records"),
        ("/home/head>", "where the journal ends"),
        ("/home/.", "where the journal ends"),
    ];
    let what =
        what.iter().find(|(path, _)| failed.contains(path)).map_or("the names of files", |(_, what)| what);
    said.contains(&format!("{what} could not be made durable"))
}

/// Lets one sync of an engine fail. Says whether there was such a one.
fn fail_a_sync(call: &str, nth: usize) -> bool {
    let place = Place::new();
    let log = place.path().with_extension("log");
    let mut strace = program("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-e"]);
    strace.arg(format!("inject={call}:error=EIO:when={nth}")).arg("-o").arg(&log);
    strace.arg(std::env::current_exe().unwrap());
    let mut engine = engine(&place, strace).spawn().unwrap();
    let lines = BufReader::new(engine.stdout.take().unwrap()).lines().map_while(Result::ok);
    let known = lines.filter_map(|line| durable(&line)).take(10).last().unwrap_or(0);
    // An engine that goes on is told so by a closed pipe.
    let ended = engine.wait_with_output().unwrap();
    assert!(!ended.status.success());
    let log = std::fs::read_to_string(log).unwrap();
    let Some((before, after)) = log.split_once("(INJECTED)") else { return false };
    let is_quiet = !after.contains("sync(") || is_of_the_making(before);
    assert!(is_quiet, "nothing is synced after {call} {nth} has failed: {log}");
    let (said, (_, failed)) =
        (String::from_utf8_lossy(&ended.stderr), before.rsplit_once('\n').unwrap_or(("", before)));
    assert!(is_named(&said, failed) || is_of_the_making(before), "{failed}: {said}");
    let mut journal = place.open(BUILD).unwrap();
    let all = all_after(&mut journal, 0).unwrap();
    assert!(all.len() as u64 >= known, "{call} {nth}: {} records, {known} were durable", all.len());
    assert!(all.is_empty() || (all.len() as u64 - 1).is_multiple_of(BATCH), "batches are whole");
    true
}
