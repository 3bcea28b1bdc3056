//! `windlass chaos`: harm is done to a copy, what held is told, and what did not hold is named. Never: a threshold of time;
//! how much harm is done is bounded by a number of faults.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::desk::Desk;

/// Tasks of several kinds that change their folder; each has something to do, so that it can be met at it.
const PLAN: &str = r#"
defaults: { retry: { max_attempts: 5, initial_interval: 1ms, losses_max: 100 } }
tasks:
  list: { run: 'touch worked; seq 99999 | sort -R > /dev/null; echo "[0,1,2,3]"' }
  each: { needs: [list], for_each: "{{ tasks.list.output }}", run: 'seq 99999 | sort -R > /dev/null; echo "{{ item }}"' }
  never: { rerun: never, optional: true, run: 'seq 99999 | sort -R > /dev/null' }
  ask: { needs: [each, never], approval: "May it go on?" }
  end: { needs: [ask], run: 'seq 99999 | sort -R > /dev/null; echo "$PWD"' }
"#;

/// The folders that are left of it.
fn left(desk: &Desk) -> Vec<PathBuf> {
    let temporary = desk.work().with_file_name("tmp");
    let entries = fs::read_dir(temporary).expect("it is there");
    entries.map(|entry| entry.expect("readable").path()).collect()
}

fn row<'a>(document: &'a Value, table: &str, name: &str, value: &str) -> &'a Value {
    let rows = document[table].as_array().expect("a list");
    rows.iter().find(|row| row[name] == value).expect("a row")
}

#[test]
fn under_each_fault_a_plan_keeps_every_promise_and_the_original_is_left_alone() {
    let desk = Desk::with(PLAN);
    let told = desk.json(&["chaos", "plan.yaml", "--for", "1h", "--faults", "7", "--seed", "3", "--json"]);
    assert_eq!(told["held"], true, "{told:#}");
    assert_eq!(told["injected"].as_array().expect("a list").len(), 7);
    let full = row(&told, "faults", "fault", "disk_full");
    for fault in told["faults"].as_array().expect("a list") {
        let is_possible = fault["why_not"].is_null();
        assert!(is_possible || fault == full, "{told:#}");
        assert_eq!(fault["injected"], fault["held"]);
        assert_eq!(fault["injected"].as_u64().expect("a number") > 0, is_possible, "{told:#}");
    }
    for promise in told["promises"].as_array().expect("a list") {
        assert_eq!(promise["held"], true, "{told:#}");
        assert!(promise["looked_at"].as_u64().expect("a number") > 0, "{told:#}");
    }
    assert!(!desk.has_home());
    assert_eq!(desk.read("worked"), "");
    assert!(!desk.work().join("worked").exists());
    assert_eq!(left(&desk), Vec::<PathBuf>::new());
}

#[test]
fn a_seed_gives_the_same_faults_again() {
    let desk = Desk::with("tasks: { a: { run: 'seq 99999 | sort -R' } }");
    let faults = |seed: &str| -> Vec<Value> {
        let told =
            desk.json(&["chaos", "plan.yaml", "--for", "1h", "--faults", "3", "--seed", seed, "--json"]);
        told["injected"].as_array().expect("a list").iter().map(|one| one["fault"].clone()).collect()
    };
    assert_eq!(faults("2"), faults("2"));
}

#[test]
fn what_only_people_know_is_settled_as_failed_and_told() {
    let desk = Desk::with("tasks: { a: { rerun: never, run: sleep 1000 } }");
    let told = desk.json(&["chaos", "plan.yaml", "--faults", "1", "--seed", "1", "--json"]);
    assert_eq!(told["runs"], json!({ "failed": 1 }), "{told:#}");
    assert_eq!(told["settled"], 1);
}

#[test]
fn a_run_that_waits_for_what_does_not_come_is_cancelled_and_told() {
    let desk = Desk::with("tasks: { a: { wait_for: { topic: t, external: true } } }");
    let told = desk.windlass(&["chaos", "plan.yaml", "--for", "2s", "--faults", "1", "--seed", "1"]);
    assert_eq!(told.code, Some(0), "{}", told.all());
    assert!(told.out.contains(" cancelled that did not end by "), "{}", told.all());
}

/// Takes the journal from under its engine.
const BREAKS: &str = "tasks: { bad: { run: 'rm \"$WINDLASS_HOME/journal.db\"; sleep 1000' } }";

#[test]
fn what_does_not_hold_is_named_and_can_be_looked_at() {
    let desk = Desk::with(BREAKS);
    let done = desk.windlass(&["chaos", "plan.yaml", "--faults", "9", "--seed", "1", "--json"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let told: Value = serde_json::from_str(&done.out).expect("a document");
    assert_eq!((&told["held"], &told["kept"]), (&json!(false), &json!(left(&desk)[0])));
    assert_ne!(told["broken"].as_array().expect("a list").len(), 0);
    // Which of them are broken is for the engine to say: it may notice before the first fault, or behind it.
    let promises = told["promises"].as_array().expect("a list");
    assert!(promises.iter().any(|promise| promise["held"] == false), "{told:#}");
    let kept = Path::new(told["kept"].as_str().expect("a path"));
    assert!(kept.join("home/head").exists() && kept.join("copy/plan.yaml").exists(), "{}", done.all());
    let done = desk.windlass(&["chaos", "plan.yaml", "--faults", "9", "--seed", "1"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("did not hold: "), "{}", done.all());
    assert!(done.err.contains(" looks at its runs."), "{}", done.all());
}

#[test]
fn a_signal_ends_it_with_what_came_so_far() {
    let desk = Desk::with("tasks: { a: { run: sleep 1000 } }");
    let line = concat!("exec ", env!("CARGO_BIN_EXE_windlass"), " chaos plan.yaml --for 1h --seed 1 2>&1");
    let mut running = desk.start_shell(line);
    running.wait_for(" behind record ");
    running.signal(Signal::INT);
    let done = running.end();
    assert_eq!(done.code, Some(130), "{}", done.all());
    assert!(done.out.contains("Seed 1 gives these faults again."), "{}", done.all());
    assert_eq!(left(&desk), Vec::<PathBuf>::new());
}

#[test]
fn a_copy_that_is_asked_for_stays() {
    let desk = Desk::with("tasks: { a: { run: touch made } }");
    let done = desk.windlass(&["chaos", "plan.yaml", "--faults", "1", "--keep", "../kept"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let kept = desk.work().with_file_name("kept");
    assert!(kept.join("copy/plan.yaml").exists() && !desk.work().join("made").exists());
    let runs = desk.json(&["ps", "--json", "--home", &kept.join("home").display().to_string()]);
    assert_ne!(runs["runs"], json!([]));
    let again = desk.windlass(&["chaos", "plan.yaml", "--keep", "../kept"]);
    assert_eq!(again.code, Some(2), "{}", again.all());
    assert!(again.err.contains("is not empty"), "{}", again.all());
}

#[test]
fn what_can_not_be_done_to_a_copy_is_refused_before_anything_is_made() {
    let desk = Desk::with("tasks: { a: { run: exit 0 } }");
    let refused = |arguments: &[&str], why: &str| {
        let done = desk.windlass(&[&["chaos"], arguments].concat());
        assert_eq!(done.code, Some(2), "{}", done.all());
        assert!(done.err.contains(why), "{}", done.all());
        assert_eq!(left(&desk), Vec::<PathBuf>::new());
    };
    refused(&["none.yaml"], "the plan none.yaml can't be read");
    refused(&["plan.yaml", "--faults", "0"], "invalid value '0'");
    refused(&["-"], "can't be run again and again");
    refused(&["plan.yaml", "--copy-at-most", "3B"], "holds more than 3 B");
    refused(&["plan.yaml", "--keep", "within"], "lies in the folder that is copied");
    desk.write(".git", "gitdir: /elsewhere");
    refused(&["plan.yaml"], "is the worktree of a repository that lies elsewhere");
    assert!(!desk.work().join("within").exists());
}
