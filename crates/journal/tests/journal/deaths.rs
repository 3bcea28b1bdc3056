//! An engine that is killed at any moment: what it said is durable is there, and nothing is there by half.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::suite::{all_after, reaped, started};

use crate::place::{Place, open_at, program};

const BUILD: &str = "0.0.0-suite";
/// Names the home for the process that this test starts from its own program.
const HOME: &str = "WINDLASS_JOURNAL_TEST_HOME";
const BATCH: u64 = 3;

/// The engine of the test below, which starts it with a home. By itself it does nothing.
#[test]
fn an_engine_that_appends_until_it_is_killed() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let mut journal = open_at(Path::new(&home), BUILD).unwrap();
    all_after(&mut journal, 0).unwrap();
    let (mut seq, epoch) = (journal.head().seq.0, journal.head().epoch.0 + 1);
    let mut out = std::io::stdout();
    let mut append = |first: u64, records: &[_]| {
        journal.append(Epoch(epoch), Seq(first - 1), records).unwrap();
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

#[test]
fn what_a_killed_engine_called_durable_is_there_and_nothing_by_half() {
    let place = Place::new();
    let (mut known, mut begun) = (0, 0);
    for round in 1..=20_u64 {
        let arguments = ["--exact", "deaths::an_engine_that_appends_until_it_is_killed", "--nocapture"];
        let mut engine = program(std::env::current_exe().unwrap());
        engine.args(arguments).env(HOME, OsString::from(place.path()));
        let mut engine = engine.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
        // Each round ends at another moment of its own.
        let mut left = 1 + round * 7 % 13;
        while left > 0 {
            let line = lines.next().unwrap().unwrap();
            if let Some(seq) = line.strip_prefix("durable ") {
                known = seq.parse().unwrap();
                left -= 1;
            }
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            known = line.strip_prefix("durable ").map_or(known, |seq| seq.parse().unwrap_or(known));
        }
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
