//! What is too long for a record of the journal: a task fails of it, or whoever asked is told; the engine goes on.

use serde_json::{Value, json};
use windlass_engine::reading::Reading;

use crate::desk::Desk;

/// A text of control characters: each of its bytes is six in JSON.
const CONTROLS: &str = "head -c 10900 /dev/zero | tr '\\\\000' '\\\\001'";

#[test]
fn a_question_that_no_record_can_hold_is_a_failure_of_its_task() {
    let text = "{{ tasks.a.output }}".repeat(5);
    let desk = Desk::with(&format!(
        "tasks: {{ a: {{ run: \"{CONTROLS}\" }}, ask: {{ needs: [a], approval: \"{text}\" }} }}"
    ));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["tasks"][1]["error"]["kind"], "invalid_output", "{show}");
}

#[test]
fn a_command_that_no_record_can_hold_is_refused_and_the_engine_goes_on() {
    let desk = Desk::with("tasks: { a: { run: \"kill -9 $$\", rerun: never }, b: { run: cat gate } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("blocked   a");
    let long = "x".repeat(300_000);
    let command = |id: &str, by: &str, ask: Value| json!({ "command": { "id": id, "by": by, "ask": ask } });
    let pause = json!({ "pause": { "run": run } });
    let reading = Reading::open(&desk.home()).expect("a home");
    let plan = &reading.state().runs.values().next().expect("a run").plan;
    let new =
        json!({ "command": "3", "by": "test", "plan": **plan, "folder": long, "env": {}, "source": "-" });
    let start = json!({ "start": { "new": new, "yes": false, "marks": "" } });
    let settle =
        json!({ "settle": { "run": run, "task": "a", "answer": "done", "output": { "value": long } } });
    let long_by = command("1", &long, pause.clone());
    let long_id = command(&long, "test", pause);
    for request in [long_by, long_id, command("2", "test", settle), start] {
        let reply = desk.ask_by_hand(&request);
        assert!(reply.contains("refused") && reply.len() < 1000, "{reply}");
    }
    assert_eq!(desk.windlass(&["settle", &run, "a", "--done"]).code, Some(0));
    desk.open_gate("gate");
    let done = host.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(1));
}
