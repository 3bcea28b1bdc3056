//! Homes that builds of each version left half-done, kept for ever: every later build goes on with them to the end. Here is
//! how such a home is made (`cargo xtask golden`, once a version) and how one is laid before a test. Never: a home that is
//! made anew, or changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use windlass_core::id::Digest;

use crate::desk::{Desk, Running};

/// Every home that is kept, with the digest of all that is in it: a home is added and never changed.
pub(crate) const KEPT: [(&str, &str); 1] =
    [("0.1.0", "38a9e746c03abb44dcc67696c22010df6546b7e0dfc4b57578a94f4106fe7322")];

/// Stands still at its first attempt, in which the engine is killed.
const STAYS: &str = "test \"$WINDLASS_ATTEMPT\" -gt 1 || exec sleep 1000";

/// Each shape: its goal, its tasks (`STAYS` is the line above), and what the journal says once it has come to that, each
/// time in a line of one record.
#[rustfmt::skip]
const SHAPES: [(&str, &str, &[[&str; 2]]); 16] = [
    ("in flight", "before: { run: seq 12800 }\n  held: { needs: [before], run: 'STAYS' }\n  after: { needs: [held, before], run: echo after }",
        &[["\"held\"", "attempt_started"]]),
    ("never again", "once: { rerun: never, run: 'STAYS' }\n  then: { needs: [once], run: echo then }",
        &[["\"once\"", "attempt_started"]]),
    ("approval", "asked: { approval: May it? }\n  told: { needs: [asked], run: echo told }",
        &[["\"asked\"", "approval_requested"]]),
    ("list", "list: { run: 'echo \"[0,1,2]\"' }\n  each: { needs: [list], for_each: '{{ tasks.list.output }}', run: 'test {{ item }} != 1 && echo {{ item }} || { STAYS; }' }",
        &[["\"each.1\"", "attempt_started"], ["\"each.2\"", "task_succeeded"]]),
    ("rounds", "rounds: { repeat: { until: '{{ index >= 2 }}', max: 5 }, run: 'test {{ index }} != 1 || { STAYS; }' }",
        &[["\"rounds.1\"", "attempt_started"]]),
    ("replicas", "vote: { replicas: 3, select: majority, run: 'test {{ index }} = 0 || { STAYS; }' }",
        &[["\"vote.0\"", "task_blocked"], ["\"vote.1\"", "attempt_started"], ["\"vote.2\"", "attempt_started"]]),
    ("sub-plan", "part: { plan: part.yaml }", &[["\"part/inner\"", "attempt_started"]]),
    ("brought", "calls: { run: 'test \"$WINDLASS_ATTEMPT\" -gt 1 || windlass run \"$HOME/part.yaml\"' }",
        &[["\"calls.0/inner\"", "attempt_started"]]),
    ("topics", "says: { emit: { topic: one, data: 1 } }\n  held_back: { run: 'STAYS' }\n  tells: { needs: [held_back], emit: { topic: two, data: 2 } }\n  hears: { wait_for: { topic: two, match: '{{ data == 2 }}' } }\n  outside: { wait_for: { topic: out, external: true } }",
        &[["\"says\"", "topic_emitted"], ["\"hears\"", "task_blocked"], ["\"outside\"", "task_blocked"], ["\"held_back\"", "attempt_started"]]),
    ("timer", "later: { wait_for: { after: 5s } }",
        &[["\"later\"", "task_blocked"]]),
    ("retry", "again: { retry: { max_attempts: 2, initial_interval: 5s, jitter: none }, run: 'test \"$WINDLASS_ATTEMPT\" -gt 1' }",
        &[["\"again\"", "retry_scheduled"]]),
    ("parked", "quota: { prompt: \"on-attempt 1: fail rate_limited retry_after 5s\\nsay done\", agent: scripted, retry: { max_interval: 1s } }",
        &[["\"quota\"", "task_parked"]]),
    ("revised", "old: { run: 'STAYS' }", &[["\"old\"", "attempt_started"], ["", "plan_revised"]]),
    ("paused", "slow: { run: 'STAYS' }\n  next: { needs: [slow], run: echo next }",
        &[["\"slow\"", "attempt_started"], ["", "pause_requested"]]),
    ("budget", "cheap: { run: echo cheap }\n  dear: { needs: [cheap], run: echo dear }", &[["", "budget_reached"]]),
    ("ended", "fails: { run: exit 3 }\n  skipped: { needs: [fails], run: echo skipped }", &[["\"run_finished\"", "\"failed\""]]),
];

/// The plan of a shape.
fn plan(goal: &str, tasks: &str) -> String {
    let budget = if goal == "budget" { "budget: { attempts: 1 }\n" } else { "" };
    let tasks = tasks.replace("STAYS", STAYS);
    format!("goal: {goal}\n{budget}agents: {{ scripted: {{ adapter: scripted }} }}\ntasks:\n  {tasks}\n")
}

/// The folder of all that is kept.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The files below a folder, by their path from there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("it is a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").display().to_string();
                found.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

/// One digest over all files below a folder.
fn digest_of(folder: &Path) -> String {
    let parts = files(folder).into_iter().map(|(name, bytes)| format!("{} {name}\n", Digest::of(&bytes)));
    Digest::of(parts.collect::<String>().as_bytes()).to_string()
}

/// A home of a version as it was left, under a desk of its own, where it may change; and what `show` said of its runs.
pub(crate) fn lay(version: &str) -> (Desk, Vec<Value>) {
    let (desk, kept) = (Desk::new(), folder().join(version));
    for (name, bytes) in files(&kept.join("home")) {
        let path = desk.work().with_file_name("golden").join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
        fs::write(path, bytes).expect("it can be written");
    }
    let shown = fs::read_to_string(kept.join("shown.jsonl")).expect("it is kept");
    let shown = shown.lines().map(|line| serde_json::from_str(line).expect("a document"));
    (desk, shown.collect())
}

#[test]
fn what_is_kept_is_what_it_was() {
    let found: Vec<(String, String)> = fs::read_dir(folder())
        .expect("it is there")
        .map(|entry| entry.expect("readable").path())
        .map(|path| (path.file_name().expect("a name").display().to_string(), digest_of(&path)))
        .collect();
    let mut found: Vec<(&str, &str)> = found.iter().map(|(name, digest)| (&**name, &**digest)).collect();
    found.sort_unstable();
    assert_eq!(found, KEPT, "a home is added by `cargo xtask golden`, and never changed");
}

#[test]
fn what_is_kept_is_small() {
    for (version, _) in KEPT {
        let bytes: usize = files(&folder().join(version)).values().map(Vec::len).sum();
        assert!(bytes < 200 << 10, "the home of {version} takes {bytes} bytes");
    }
}

/// What the journal is to say yet.
struct Open {
    events: Running,
    marks: Vec<[&'static str; 2]>,
}

impl Open {
    /// Waits until the journal has said all of these.
    fn wait_for(&mut self, marks: &[[&str; 2]]) {
        while self.marks.iter().any(|open| marks.contains(open)) {
            let line = self.events.wait_for("");
            self.marks.retain(|mark| !mark.iter().all(|part| line.contains(part)));
        }
    }
}

/// Makes the home of this version, where a person asks for it.
#[test]
fn the_home_of_this_version_is_made_once() {
    let version = env!("CARGO_PKG_VERSION");
    let to = folder().join(version);
    if std::env::var_os("GOLDEN").is_none() {
        return;
    }
    assert!(!to.exists(), "the home of {version} is there already, and stays as it is");
    let desk = Desk::new();
    let binary = desk.work().with_file_name("bin");
    fs::create_dir(&binary).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_windlass"), binary.join("windlass")).expect("a link");
    let path = format!("{}:/usr/bin:/bin", binary.display());
    let part = plan("a part", "inner: { run: 'STAYS' }\n  last: { needs: [inner], run: echo last }");
    desk.write("part.yaml", &part);
    desk.write("../home/part.yaml", &part);
    desk.write(
        "revised-2.yaml",
        &plan("revised", "old: { run: 'STAYS' }\n  new: { needs: [old], run: echo new }"),
    );
    // A folder that every machine has.
    let within = |words: &[&str]| {
        let mut command = desk.command(&[words, &["--dir", "/usr"]].concat());
        command.env("PATH", &path);
        command
    };
    desk.write("first.yaml", &plan("first", "host: { run: 'STAYS' }"));
    let mut engine = Running::of(&mut within(&["run", "first.yaml", "--json", "--slots", "40"]));
    engine.wait_for("attempt_started");
    let all: Vec<[&str; 2]> = SHAPES.iter().flat_map(|(.., marks)| marks.iter().copied()).collect();
    let events = Running::of(&mut within(&["events", "-f", "--json"]));
    let mut open = Open { events, marks: all.clone() };
    let of_shape = |goal: &str| {
        let name = format!("{}.yaml", goal.replace(' ', "-"));
        let (_, tasks, marks) = SHAPES.iter().find(|(other, ..)| *other == goal).expect("a shape");
        desk.write(&name, &plan(goal, tasks));
        let told = within(&["run", &name, "--detach"]).output().expect("it starts");
        let run = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        assert_eq!(run.len(), 6, "{}", String::from_utf8_lossy(&told.stderr));
        let after = match goal {
            "paused" => vec!["pause", &run],
            "revised" => vec!["revise", &run, "revised-2.yaml"],
            _ => Vec::new(),
        };
        if !after.is_empty() {
            open.wait_for(&marks[..1]);
            assert!(within(&after).status().expect("it starts").success());
        }
        run
    };
    let runs: Vec<String> = SHAPES.map(|(goal, ..)| goal).into_iter().map(of_shape).collect();
    open.wait_for(&all);
    for process in [engine, open.events] {
        process.signal(Signal::KILL);
        drop(process.end());
    }
    // Its keeper ends what the attempts had started, among them a command that would go on in place of the engine.
    fs::File::open(desk.home().join("keeper.lock")).and_then(|lock| lock.lock()).expect("it is let go");
    keep(&desk, &to, &runs);
    println!("(\"{version}\", \"{}\")", digest_of(&to));
}

/// Keeps what an engine left: the store without its log, the head, the blobs, and what `show` says of the runs.
fn keep(desk: &Desk, to: &Path, runs: &[String]) {
    let home = desk.home();
    let at = home.display().to_string();
    let shown = runs.iter().map(|run| {
        let mut shown = desk.json(&["show", run, "--json", "--home", &at]);
        for task in shown["tasks"].as_array_mut().expect("a list") {
            // A large output is a blob that is kept already.
            if task["output"].as_str().is_some_and(|output| output.len() > 1000) {
                task["output"].take();
            }
        }
        format!("{shown}\n")
    });
    let shown: String = shown.collect();
    let store = rusqlite::Connection::open(home.join("journal.db")).expect("a store");
    store
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
        .expect("it is sound");
    drop(store);
    for (name, bytes) in files(&home) {
        if name == "head" || name == "journal.db" || name.starts_with("blobs/") {
            let path = to.join("home").join(name);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
            fs::write(path, bytes).expect("it can be written");
        }
    }
    // Where it was is not where it will be.
    let shown = shown.replace(&at, "[home]");
    fs::write(to.join("shown.jsonl"), shown).expect("it can be written");
}
