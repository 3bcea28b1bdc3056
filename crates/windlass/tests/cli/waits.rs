//! Tasks that emit messages and tasks that wait for them, as a user meets them.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::desk::Desk;

fn task<'a>(show: &'a Value, id: &str) -> &'a Value {
    let tasks = show["tasks"].as_array().expect("a list");
    tasks.iter().find(|task| task["id"] == id).unwrap_or_else(|| panic!("no {id} in {show}"))
}

const BUILT: &str = r#"
tasks:
  build: { run: "cat gate" }
  tell: { needs: [build], emit: { topic: built, data: { tag: "{{ tasks.build.output }}" } } }
  early: { wait_for: { topic: built, match: "{{ data.tag == 'v2' }}" } }
  late: { needs: [tell], wait_for: { topic: built } }
  use: { needs: [early, late], run: "echo {{ tasks.early.output.tag }} {{ tasks.late.output.tag }} > proof" }
"#;

#[test]
fn a_message_wakes_all_who_wait_for_it_and_is_what_they_give() {
    let desk = Desk::with(BUILT);
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   build");
    let early = task(&desk.json(&["show", "last", "--json"]), "early").clone();
    assert_eq!(early["state"], "blocked");
    let wait = desk.json(&["show", "last", "early", "--why", "--json"])["tasks"][0]["waits"][0].clone();
    assert_eq!(wait["on"], "a message on the topic built that matches {{ data.tag == 'v2' }}");
    assert_eq!(wait["who"], "tell");
    assert!(wait["until"].is_string(), "{wait}");
    desk.write("gate", "v2");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "v2 v2\n");
    let show = desk.json(&["show", "last", "--json"]);
    for id in ["tell", "early", "late"] {
        assert_eq!(task(&show, id)["output"], json!({ "tag": "v2" }), "{id}");
    }
    let events = desk.windlass(&["events", "last", "--json"]).out;
    let satisfied = events.lines().filter(|line| line.contains("wait_satisfied")).count();
    assert_eq!(satisfied, 2, "{events}");
}

#[test]
fn a_message_is_not_lost_when_the_engine_is_killed_before_or_after_it() {
    let desk = Desk::with(
        r#"
tasks:
  tell: { emit: { topic: t, data: 1 } }
  mark: { needs: [tell], run: "cat gate" }
  more: { needs: [mark], emit: { topic: t, data: 2 } }
  one: { needs: [mark], wait_for: { topic: t } }
  two: { wait_for: { topic: t, match: "{{ data == 2 }}" } }
"#,
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   mark");
    running.signal(Signal::KILL);
    running.end();
    let wait = desk.json(&["show", "last", "two", "--why", "--json"])["tasks"][0]["waits"][0].clone();
    assert_eq!(wait["on"], "an engine: none works on the run");
    assert!(wait["working_ms_left"].is_u64(), "{wait}");
    let mut resumed = desk.start(&["resume", "last"]);
    resumed.wait_for("started   mark");
    desk.open_gate("gate");
    let done = resumed.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!((&task(&show, "one")["output"], &task(&show, "two")["output"]), (&json!(1), &json!(2)));
}

#[test]
fn a_wait_whose_time_is_over_is_dead_and_says_what_did_not_come() {
    let desk = Desk::with(
        r#"
tasks:
  never: { wait_for: { topic: t, external: true }, timeout: 10ms }
  after: { needs: [never], run: "true" }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    let error = &task(&show, "never")["error"];
    assert_eq!(error["kind"], "expired");
    assert!(error["message"].as_str().is_some_and(|said| said.contains("topic `t` within 10ms")), "{error}");
    assert_eq!(task(&show, "after")["state"], "skipped");
}

#[test]
fn check_warns_of_a_topic_that_nothing_emits() {
    let desk = Desk::with(
        "
tasks:
  tell: { emit: { topic: build/done } }
  hear: { wait_for: { topic: build/dome } }
  other: { wait_for: { topic: elsewhere, external: true } }
",
    );
    let checked = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    assert!(checked.err.contains("nothing emits the topic `build/dome`"), "{}", checked.all());
    assert!(checked.err.contains("did you mean `build/done`?"), "{}", checked.all());
    assert!(!checked.err.contains("elsewhere"), "{}", checked.all());
}

#[test]
fn a_run_goes_on_when_its_timers_fire() {
    let desk = Desk::with(
        "
tasks:
  nap: { wait_for: { after: 20ms } }
  past: { wait_for: { at: 2020-01-01T00:00:00+01:00 } }
  go: { needs: [nap, past], run: \"echo {{ tasks.nap.output is none }} > proof\" }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "true\n");
}

#[test]
fn a_run_with_timers_and_people_left_is_waiting_and_ends_only_for_people() {
    let desk = Desk::with(
        "
tasks:
  nap: { wait_for: { after: 7d } }
  ask: { approval: \"Ship it?\" }
  go: { needs: [nap], run: \"true\" }
",
    );
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("waits     nap");
    running.wait_for("asks      ask");
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "waiting");
    let wait = desk.json(&["show", "last", "nap", "--why", "--json"])["tasks"][0]["waits"][0].clone();
    assert_eq!(
        (&wait["on"], &wait["who"]),
        (&json!("the moment that it is to wait for"), &json!("the clock"))
    );
    assert!(wait["until"].is_string(), "{wait}");
    assert_eq!(desk.windlass(&["cancel", "last", "nap"]).code, Some(0));
    let done = running.end();
    assert_eq!(done.code, Some(3), "{}", done.all());
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "waiting");
}

#[test]
fn a_timer_goes_on_while_no_engine_is_alive() {
    let nap = Desk::with("tasks: { nap: { wait_for: { after: 7d } }, go: { needs: [nap], run: \"true\" } }");
    let wait = || nap.json(&["show", "last", "nap", "--why", "--json"])["tasks"][0]["waits"][0].clone();
    let mut running = nap.start(&["run", "plan.yaml"]);
    running.wait_for("waits     nap");
    let before = wait();
    assert!(before["until"].is_string(), "{before}");
    running.signal(Signal::KILL);
    running.end();
    assert_eq!(nap.json(&["ps", "--json"])["runs"][0]["state"], "stopped");
    let mut resumed = nap.start(&["resume", "last"]);
    resumed.wait_for("resumed");
    let after = wait();
    assert_eq!((&after["who"], &after["until"]), (&json!("the clock"), &before["until"]));
    resumed.signal(Signal::INT);
    assert_eq!(resumed.end().code, Some(130));
}

#[test]
fn bounds_and_budgets_of_time_come_to_their_end_however_often_the_engine_is_killed() {
    let desk = Desk::with(
        r#"
version: 1
budget: { wall: 1h }
defaults: { retry: { losses_max: 1000 } }
tasks:
  ask: { approval: "Ship it?", timeout: 2s, optional: true }
  hear: { wait_for: { topic: t, external: true }, timeout: 2s, optional: true }
  again:
    run: "false"
    retry: { max_attempts: 2, initial_interval: 1h, max_interval: 1h, jitter: none }
    timeout: { schedule_to_close: 2s }
    optional: true
  quiet: { run: ": > gate; exec sleep 1000" }
"#,
    );
    desk.gate("gate");
    let bounded = ["ask", "hear", "again"];
    let mut command = "run plan.yaml";
    // Each engine is killed while nothing has happened for longer than it takes to note that it lives.
    for _ in 0..20 {
        let running = desk.start(&command.split(' ').collect::<Vec<_>>());
        desk.hear("gate");
        desk.see_noted("head", 2);
        running.signal(Signal::KILL);
        running.end();
        command = "resume last";
        let show = desk.json(&["show", "last", "--json"]);
        if bounded.iter().all(|id| task(&show, id)["state"] == "dead") {
            break;
        }
    }
    let show = desk.json(&["show", "last", "--json"]);
    let kinds = bounded.map(|id| task(&show, id)["error"]["kind"].as_str().unwrap_or_default().to_owned());
    assert_eq!(kinds, ["expired", "expired", "timeout"]);
    let wall = &show["run"]["budget"]["wall"];
    assert!(wall["spent_ms"].as_u64() >= Some(2000), "{wall}");
}

#[test]
fn tasks_that_wait_for_each_other_end_while_others_still_run() {
    let desk = Desk::with(
        "
tasks:
  long: { run: cat gate }
  heed: { wait_for: { topic: go } }
  tell: { needs: [heed], emit: { topic: go } }
  after: { needs: [heed], run: \"true\" }
",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("dead      heed");
    running.wait_for("started   long");
    desk.open_gate("gate");
    let done = running.end();
    assert_eq!(done.code, Some(1), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    for id in ["heed", "tell"] {
        let error = &task(&show, id)["error"];
        assert_eq!(error["kind"], "deadlock");
        let circle = "nothing can wake it any more: heed waits for `go` of tell, tell needs heed";
        assert_eq!(error["message"], circle);
    }
    assert_eq!(task(&show, "after")["skipped"]["cause"], "heed");
}

#[test]
fn a_task_of_a_paused_run_says_what_it_waits_for_besides_the_pause() {
    let desk = Desk::with(
        "
tasks:
  again:
    run: \"false\"
    retry: { max_attempts: 2, initial_interval: 3h, max_interval: 3h, jitter: none }
    timeout: { schedule_to_close: 1h }
",
    );
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("in 3 h");
    let why = || desk.json(&["show", "last", "--why", "--json"])["waits"].clone();
    let moment = |wait: &Value| wait["until"].as_str().map(ToOwned::to_owned).expect("a bound");
    let bounded = moment(&why()[0]);
    assert_eq!(desk.windlass(&["pause", "last"]).code, Some(0));
    running.end();
    let waits = why();
    assert_eq!(waits[0]["on"], "the end of the run's pause (requested)");
    assert_eq!(waits[0]["until"], Value::Null);
    assert!(waits[0]["working_ms_left"].as_u64().is_some_and(|left| left <= 3_600_000), "{waits}");
    assert_eq!(waits[1]["on"], "the due time of its next attempt");
    assert!(moment(&waits[1]) > bounded, "{waits} after {bounded}");
}

/// What a run's summary says to do, with this in the place of `PLAN`: each command is carried out as it stands there.
fn as_told(desk: &Desk, said: &str, plan: &str) -> Option<i32> {
    let line = said.lines().rfind(|line| line.contains("windlass retry "));
    let line = line.unwrap_or_else(|| panic!("no way out in {said}"));
    let (_, commands) = line.split_once("windlass ").expect("a command");
    let mut code = None;
    for command in commands.trim_end_matches('`').split(" && ") {
        let command = command.trim_start_matches("windlass ").replace("PLAN", plan);
        let done = desk.windlass(&command.split(' ').collect::<Vec<_>>());
        code = done.code;
        assert_eq!(code, Some(0), "{command}: {}", done.all());
    }
    code
}

#[test]
fn a_condition_that_no_message_can_meet_since_it_names_what_is_not_there_ends_at_once() {
    let wait = "wait_for: { topic: x, match: \"{{ data > inputs.min.low }}\", external: true }";
    let inputs = "inputs: { min: { type: object, default: {} } }";
    let desk = Desk::with(&format!("{inputs}\ntasks: {{ a: {{ {wait} }} }}\n"));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("a: expression: `inputs.min.low` is undefined"), "{}", done.out);
}

#[test]
fn the_way_out_of_a_knot_brings_back_all_of_it() {
    let knot = "tasks: { a: { wait_for: { topic: x } }, b: { needs: [a], emit: { topic: x } } }";
    let desk = Desk::with(knot);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let id = done.run();
    let told = format!(
        "windlass revise {id} PLAN && windlass retry {id} b && windlass retry {id} a && windlass resume {id}"
    );
    assert!(done.all().contains(&told), "{}", done.all());
    desk.write("mended.yaml", &knot.replace("needs: [a], ", ""));
    assert_eq!(as_told(&desk, &done.all(), "mended.yaml"), Some(0));
}

#[test]
fn the_way_out_where_nobody_could_emit_begins_with_what_that_failed_of() {
    let desk = Desk::with(
        "
tasks:
  a: { wait_for: { topic: x } }
  s: { run: \"test -e made\" }
  e: { needs: [s], emit: { topic: x } }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let id = done.run();
    let told = format!("windlass retry {id} s && windlass retry {id} a && windlass resume {id}");
    assert!(done.all().contains(&told), "{}", done.all());
    desk.write("made", "");
    assert_eq!(as_told(&desk, &done.all(), "plan.yaml"), Some(0));
}
