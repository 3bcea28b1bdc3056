//! What is synced, as the system sees it: the log once a step, and nothing any more once a sync has failed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::desk::{Desk, Running, can_trace};

/// The folders that the blobs of the newest run in a home lie in, within that of all blobs; that of its plan first.
fn shards(desk: &Desk, home: &str) -> [String; 2] {
    let events = desk.windlass(&["events", "last", "--json", "--home", home]);
    let lines: Vec<Value> = events.lines();
    let created = lines.iter().find(|line| line["type"] == "run_created").expect("it was made");
    ["plan", "env"].map(|key| created[key].as_str().expect("a digest")[..2].to_owned())
}

/// A desk with a plan `plan.yaml` that stays at a gate, and `second.yaml`. Gives the folder, within that of all blobs,
/// in which only the second one's plan will lie.
fn two() -> (Desk, String) {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    let other = desk.work().with_file_name("other").display().to_string();
    desk.gate("gate");
    desk.windlass(&["run", "plan.yaml", "--detach", "--home", &other]);
    desk.open_gate("gate");
    let others = BTreeSet::from(shards(&desk, &other));
    let shard = (0..100).find_map(|number| {
        desk.write("second.yaml", &format!("tasks: {{ b: {{ run: echo {number} > got }} }}"));
        desk.windlass(&["run", "second.yaml", "--home", &other]);
        let [plan, _] = shards(&desk, &other);
        Some(plan).filter(|plan| !others.contains(plan))
    });
    fs::remove_file(desk.work().join("got")).expect("it ran");
    (desk, shard.expect("not all plans lie in the same folder"))
}

#[test]
fn a_folder_of_blobs_that_was_not_synced_ends_the_engine_that_was_asked_and_is_not_synced_again() {
    if !can_trace() {
        return;
    }
    for error in ["EIO", "ENOSPC"] {
        let (desk, shard) = two();
        let log = desk.work().join("log");
        let home = desk.work().with_file_name("traced");
        let names = home.join("blobs").join(shard);
        let [log, home, names] = [log, home, names].map(|path: PathBuf| path.display().to_string());
        let inject = format!("inject=fsync:error={error}:when=1");
        let options = ["-e", "trace=fsync", "-e", &inject, "-P", &names, "-o", &log];
        let mut host = desk.start_traced(&options, &["run", "plan.yaml", "--home", &home]);
        host.wait_for("started   a");
        let guest = desk.windlass(&["run", "second.yaml", "--home", &home]);
        // Nobody took it: the one that asked opens the home itself, which is a fresh start.
        assert_eq!(guest.code, Some(0), "{}", guest.all());
        assert!(desk.work().join("got").exists());
        let host = host.end();
        assert_eq!(host.code, Some(4), "{}", host.all());
        assert!(host.err.contains("the names of files could not be made durable"), "{}", host.all());
        assert!(host.err.contains("hint: the disk may be failing, or full"), "{}", host.all());
        let log = desk.read("log");
        assert_eq!(log.matches("sync(").count(), 1, "{log}");
        assert!(log.contains("(INJECTED)"), "{log}");
    }
}

/// An engine whose run stays at a gate, with what is made to fail of the syncs of its log. Says how many there were.
fn at_its_gate(inject: &[&str]) -> (Desk, Running, String, usize) {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.write("second.yaml", "tasks: { b: { run: echo b >> got } }");
    desk.gate("gate");
    let [log, home] = ["log", "other"].map(|name| desk.work().with_file_name(name).display().to_string());
    let store_log = format!("{home}/journal.db-wal");
    let options = [&["-e", "trace=fdatasync", "-P", &store_log, "-o", &log], inject].concat();
    let mut host = desk.start_traced(&options, &["run", "plan.yaml", "--home", &home]);
    host.wait_for("started   a");
    let syncs = fs::read_to_string(log).expect("it is traced").matches("fdatasync(").count();
    (desk, host, home, syncs)
}

#[test]
fn a_plan_whose_taking_was_written_and_not_synced_is_begun_once_whoever_asks_again() {
    if !can_trace() {
        return;
    }
    let (desk, host, _, syncs) = at_its_gate(&[]);
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    let inject = format!("inject=fdatasync:error=EIO:when={}", syncs + 1);
    let (desk, host, home, _) = at_its_gate(&["-e", &inject]);
    let guest = desk.windlass(&["run", "second.yaml", "--home", &home]);
    let host = host.end();
    assert_eq!(host.code, Some(4), "{}", host.all());
    assert!(host.err.contains("could not be made durable"), "{}", host.all());
    // It is in the store, since nobody took the page cache away; whoever was told nothing looks for it there.
    if guest.code != Some(0) {
        assert_eq!(guest.code, Some(4), "{}", guest.all());
        let resumed = desk.windlass(&["resume", "last", "--home", &home]);
        assert_eq!(resumed.code, Some(0), "{}\n{}", guest.all(), resumed.all());
    }
    let events = desk.windlass(&["events", "--json", "--home", &home]);
    let taken = events.lines().iter().filter(|event| event["type"] == "run_created").count();
    assert_eq!((taken, desk.read("got").as_str()), (2, "b\n"), "{}\n{}", guest.all(), events.all());
}

/// How often the log is synced in a run of a chain of so many tasks.
fn syncs_of_a_chain(tasks: usize) -> usize {
    let task = |number: usize| match number {
        0 => "t0: { run: 'true' }".to_owned(),
        number => format!("t{number}: {{ needs: [t{}], run: 'true' }}", number - 1),
    };
    let chain: Vec<String> = (0..tasks).map(task).collect();
    let desk = Desk::with(&format!("tasks: {{ {} }}", chain.join(", ")));
    let [log, home] = ["log", "home"].map(|name| desk.work().with_file_name(name).display().to_string());
    let store_log = format!("{home}/journal.db-wal");
    let options = ["-e", "trace=fsync,fdatasync", "-P", &store_log, "-o", &log];
    let done = desk.start_traced(&options, &["run", "plan.yaml", "--home", &home]).end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    fs::read_to_string(log).expect("it was traced").matches("sync(").count()
}

#[test]
fn a_chain_of_tasks_costs_one_sync_of_the_log_a_step() {
    if can_trace() {
        assert_eq!(syncs_of_a_chain(23) - syncs_of_a_chain(3), 20);
    }
}

/// A run with an output that is kept beside the journal, in which one sync fails. Says whether there was such a one.
fn fail_a_sync(call: &str, nth: usize) -> bool {
    let desk = Desk::with("tasks: { a: { run: seq 20000 }, b: { needs: [a], run: echo b >> got } }");
    let [log, home] =
        ["log", "other/home"].map(|name| desk.work().with_file_name(name).display().to_string());
    let inject = format!("inject={call}:error=EIO:when={nth}");
    let options = ["-e", "trace=fsync,fdatasync", "-e", &inject, "-o", &log];
    let done = desk.start_traced(&options, &["run", "plan.yaml", "--json", "--home", &home]).end();
    let log = fs::read_to_string(log).expect("it was traced");
    let Some((before, after)) = log.split_once("(INJECTED)") else {
        assert_eq!(done.code, Some(0), "{}", done.all());
        return false;
    };
    let failed = before.rsplit(['<', '>']).nth(1).expect("it was a file");
    // SQLite does not tell of the folder in which it has made its files: the one who opens it syncs that himself.
    if !(call == "fdatasync" && failed.ends_with("/home")) {
        assert_eq!(done.code, Some(4), "{call} {nth}: {}", done.all());
        assert!(done.err.contains("could not be made durable"), "{call} {nth}: {}", done.all());
        // Until the store has its log it is empty, and SQLite undoes what it had begun.
        let is_again = before.contains("journal.db-wal>") && after.contains(&format!("<{failed}>"));
        assert!(!is_again, "{call} {nth}: it is not synced again: {after}");
    }
    let windlass = |arguments: &[&str]| desk.windlass(&[arguments, &["--home", &home]].concat());
    let there = windlass(&["events", "--json"]);
    assert!(there.out.contains(&done.out), "{call} {nth}: {}\nthen: {}", done.all(), there.all());
    let resumed = windlass(&["resume", "last"]);
    let is_gone = resumed.code == Some(2) && resumed.err.contains("there are no runs");
    let ended = if is_gone { windlass(&["run", "plan.yaml"]) } else { resumed };
    assert_eq!(ended.code, Some(0), "{call} {nth}: {}\nthen: {}", done.all(), ended.all());
    assert_eq!(desk.read("got").lines().last(), Some("b"), "{call} {nth}: {}", ended.all());
    assert_eq!(windlass(&["doctor"]).code, Some(0), "{call} {nth}");
    true
}

#[test]
fn whichever_sync_fails_the_engine_ends_and_what_it_had_told_is_there() {
    if !can_trace() {
        return;
    }
    let failed = |call| (1..=60).take_while(|nth| fail_a_sync(call, *nth)).count();
    let failed = ["fsync", "fdatasync"].map(failed);
    assert!(failed.iter().sum::<usize>() > 20, "{failed:?}");
}
