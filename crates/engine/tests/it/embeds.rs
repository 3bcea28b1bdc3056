//! An engine within another program: what that asks is answered, and nothing of it is left.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde_json::json;
use windlass_engine::embed::{self, Answer, Ask, EmbedError, Embedded, Event, Raise, RunId, RunOutcome};

use crate::ends::GATED;
use crate::stage::{Stage, path};

fn start(stage: &Stage, windlass: &Embedded, plan: &str) -> RunId {
    let plan = embed::plan(plan, &BTreeMap::new()).expect("a plan");
    windlass.start(plan, stage.work(), [path()]).expect("it is taken")
}

fn resumed(windlass: &Embedded, run: RunId) -> Option<RunOutcome> {
    let answer = windlass.ask(Ask::Resume { run, raise: Raise::default() });
    assert_eq!(answer.expect("it is alive"), Answer::Accepted);
    windlass.wait(run).expect("it is alive")
}

#[test]
fn to_wait_for_a_run_that_is_not_there_is_an_error_and_for_one_that_rests_is_none() {
    let stage = Stage::new();
    let windlass = stage.embedded();
    let unknown = RunId::from_random(7);
    assert!(matches!(windlass.wait(unknown), Err(EmbedError::NoRun(run)) if run == unknown));
    let run = start(&stage, &windlass, GATED);
    windlass.ask(Ask::Pause { run, now: true }).expect("it is alive");
    assert_eq!(windlass.wait(run).expect("it is alive"), None);
    windlass.close().expect("it ends as told");
    let windlass = stage.embedded();
    assert_eq!(windlass.wait(run).expect("it is alive"), None, "it is one of an engine before");
    stage.write("open");
    assert_eq!(resumed(&windlass, run), Some(RunOutcome::Succeeded));
    windlass.close().expect("it ends as told");
}

#[test]
fn what_a_task_gave_is_what_others_see_of_it() {
    let stage = Stage::new();
    let windlass = stage.embedded();
    let plan = r#"
tasks:
  list: { for_each: [3, 4], run: "echo {{ item }}" }
  long: { run: "head -c 300000 /dev/zero | tr '\\0' x" }
  both: { for_each: [1, 2], run: "head -c 300000 /dev/zero | tr '\\0' {{ item }}" }
  thrice: { replicas: 3, select: majority, run: "test $WINDLASS_TASK != thrice.0 && echo same" }
  bad: { run: "echo 5; exit 1", optional: true }
"#;
    let run = start(&stage, &windlass, plan);
    assert_eq!(windlass.wait(run).expect("it is alive"), Some(RunOutcome::Succeeded));
    let gave = |task| windlass.output(run, task).expect("it is alive");
    assert_eq!(gave("list"), Some(json!([3, 4])));
    assert_eq!(gave("list.1"), Some(json!(4)));
    assert_eq!(gave("long"), Some(json!("x".repeat(300_000))));
    let both = gave("both").expect("there is such a task");
    assert_eq!(both[1].as_str().map(str::len), Some(300_000));
    assert_eq!(gave("thrice"), Some(json!("same")));
    assert_eq!(gave("bad"), Some(json!(null)), "it has not succeeded");
    assert_eq!(gave("nothing"), None);
    assert_eq!(gave("not a name"), None);
    windlass.close().expect("it ends as told");
}

#[test]
fn a_folder_is_taken_only_by_an_absolute_path_of_text() {
    let stage = Stage::new();
    let windlass = stage.embedded();
    let refused = |folder: &Path| {
        let plan = embed::plan(GATED, &BTreeMap::new()).expect("a plan");
        windlass.start(plan, folder, []).expect_err("no such folder").to_string()
    };
    assert_eq!(refused(Path::new("here")), "tasks can't work in here: its path is not absolute");
    let not_text = Path::new(OsStr::from_bytes(b"/tmp/\xff"));
    assert_eq!(refused(not_text), "tasks can't work in /tmp/\u{fffd}: its path is not UTF-8");
    windlass.close().expect("it ends as told");
}

#[test]
fn one_that_is_dropped_ends_what_runs_and_leaves_its_home_to_the_next() {
    let stage = Stage::new();
    let windlass = stage.embedded();
    let feed = windlass.handle().subscribe();
    let run = start(&stage, &windlass, GATED);
    crate::stage::Turning::follow_feed(feed, |record| matches!(record.event, Event::AttemptStarted { .. }));
    drop(windlass);
    let reaped = |event: &Event| matches!(event, Event::AttemptReaped { .. });
    assert!(stage.records().iter().any(|record| reaped(&record.event)));
    stage.write("open");
    assert_eq!(resumed(&stage.embedded(), run), Some(RunOutcome::Succeeded));
}
