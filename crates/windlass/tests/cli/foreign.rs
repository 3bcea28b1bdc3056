//! Plans that come over the socket, and were read from no file. Never: one that the reader of files makes.

use serde_json::{Value, json};
use windlass_engine::body;
use windlass_engine::reading::Reading;

use crate::desk::Desk;

#[test]
fn a_plan_that_nothing_could_go_by_is_refused_with_the_reason_and_the_engine_lives() {
    let desk = Desk::with(
        "
agents: { scribe: { adapter: command, program: cat } }
tasks:
  a: { run: cat gate }
  b: { needs: [a], agent: scribe, prompt: write }
",
    );
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    let reading = Reading::open(&desk.home()).expect("a home");
    let plan = json!(*reading.state().runs.values().next().expect("a run").plan);
    for (place, value, why) in [
        ("/tasks/1/needs", json!([7]), "task b: `needs` leads to a task that there is not"),
        ("/tasks/0/needs", json!([1]), "task a: it waits for itself"),
        ("/tasks/1/id", json!("a"), "task a: another task has the same name"),
        ("/agents", json!({}), "task b: the plan has no agent scribe"),
        ("/tasks", json!([]), "the plan has no tasks"),
        ("/limits/tasks", json!(1), "the plan has 2 tasks, and limits.tasks is 1"),
    ] {
        let mut hostile = plan.clone();
        *hostile.pointer_mut(place).expect("it is there") = value;
        let new =
            json!({ "command": why, "by": "test", "plan": hostile, "folder": "/", "env": {}, "source": "-" });
        let bytes = serde_json::to_vec(&hostile).expect("plain data");
        let plan_digest = body::keep(&desk.home(), &bytes).expect("there is room").to_string();
        let revise =
            json!({ "revise": { "run": run, "plan": hostile, "plan_digest": plan_digest, "source": "-" } });
        let start = json!({ "start": { "new": new, "yes": false, "marks": "" } });
        let command = json!({ "command": { "id": why, "by": "test", "ask": revise } });
        for request in [start, command] {
            let reply = desk.ask_by_hand(&request);
            let refused: Value = serde_json::from_str(&reply).expect("JSON");
            assert_eq!(refused["refused"], json!(format!("the plan can't be carried out: {why}")));
        }
    }
    desk.open_gate("gate");
    let done = host.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(1));
}
