//! Messages from outside the run, as a user sends them.

use std::fs::File;

use serde_json::{Value, json};

use crate::desk::Desk;

const GATED: &str = r#"
tasks:
  hold: { wait_for: { topic: deploy/go, external: true, match: "{{ data.ok }}" } }
  use: { needs: [hold], run: "echo {{ tasks.hold.output.tag }} > proof" }
"#;

fn of_kind(desk: &Desk, kind: &str) -> Vec<Value> {
    let events = desk.windlass(&["events", "last", "--json"]).out;
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|event| event["type"] == kind).collect()
}

#[test]
fn a_message_from_outside_wakes_a_live_run() {
    let desk = Desk::with(GATED);
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("waits     hold");
    let wait = desk.json(&["show", "last", "hold", "--why", "--json"])["tasks"][0]["waits"][0].clone();
    let who = wait["who"].as_str().expect("a text");
    assert!(who.contains("windlass") && who.contains(&format!("emit {run} deploy/go")), "{who}");
    let early = desk.windlass(&["emit", &run, "deploy/go", r#"{"ok":false}"#]);
    assert_eq!(early.code, Some(0), "{}", early.all());
    assert_eq!(early.err, format!("Run {run} was told on deploy/go; no task has heard it yet.\n"));
    let told = desk.json(&["emit", &run, "deploy/go", r#"{"ok":true,"tag":"v2"}"#, "--json"]);
    assert_eq!(
        (&told["run"], &told["topic"], &told["heard_by"]),
        (&json!(run), &json!("deploy/go"), &json!(["hold"]))
    );
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "v2\n");
    assert!(
        done.out.contains("deploy/go by cli") && done.out.contains("deploy/go from outside the plan"),
        "{}",
        done.all()
    );
    let emitted = of_kind(&desk, "topic_emitted");
    assert_eq!(emitted[1]["seq"], told["seq"]);
    assert_eq!(
        (&emitted[1]["by"], &emitted[1]["data"]),
        (&json!("cli"), &json!({ "ok": true, "tag": "v2" }))
    );
    assert_eq!(emitted[1].get("task"), None);
}

#[test]
fn a_message_that_a_task_sends_says_which_attempt_sent_it() {
    let emit = format!("timeout 60 {} emit $WINDLASS_RUN go", env!("CARGO_BIN_EXE_windlass"));
    let hold = json!({ "wait_for": { "topic": "go", "external": true } });
    let desk = Desk::with(&json!({ "tasks": { "say": { "run": emit }, "hold": hold } }).to_string());
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let key = format!("{}/say/1", done.run());
    assert!(done.out.contains(&format!("told      go by {key}")), "{}", done.out);
    assert_eq!(of_kind(&desk, "topic_emitted")[0]["by"], json!(key));
}

#[test]
fn what_is_said_while_no_engine_is_alive_is_heard_when_the_run_goes_on() {
    let desk = Desk::with(
        "tasks: { a: { approval: Now? }, hold: { needs: [a], wait_for: { topic: go, external: true } } }",
    );
    let waiting = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(waiting.code, Some(3), "{}", waiting.all());
    let told = desk.windlass(&["emit", "last", "go", "-7"]);
    assert_eq!(told.code, Some(0), "{}", told.all());
    assert!(told.err.contains("No engine is alive: `"), "{}", told.err);
    let done = desk.windlass(&["resume", "last", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["show", "last", "hold", "--json"])["tasks"][0]["output"], json!(-7));
    let late = desk.windlass(&["emit", "last", "go"]);
    assert_eq!(late.code, Some(1), "{}", late.all());
    assert!(late.err.contains("has ended"), "{}", late.err);
}

#[test]
fn a_message_with_a_name_is_said_once_however_often_it_is_sent() {
    let desk =
        Desk::with("tasks: { a: { approval: Now? }, hold: { wait_for: { topic: go, external: true } } }");
    let detached = desk.windlass(&["run", "plan.yaml", "--detach"]);
    assert_eq!(detached.code, Some(0), "{}", detached.all());
    let first = desk.json(&["emit", "last", "go", "1", "--id", "build-7", "--json"]);
    let again = desk.json(&["emit", "last", "go", "1", "--id", "build-7", "--json"]);
    assert_eq!(first, again);
    let said = desk.windlass(&["emit", "last", "go", "1", "--id", "build-7"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.all());
    assert!(said.err.contains(" heard it. It was so already.\n"), "{}", said.err);
    let otherwise = desk.windlass(&["emit", "last", "go", "2", "--id", "build-7"]);
    assert!(otherwise.err.contains("something else was said under this name"), "{}", otherwise.err);
    let other = desk.json(&["emit", "last", "go", "1", "--id", "build-8", "--json"]);
    assert_ne!(first["seq"], other["seq"]);
    assert_eq!(of_kind(&desk, "topic_emitted").len(), 2);
    desk.windlass(&["cancel", "last"]);
}

#[test]
fn a_message_with_a_long_name_on_a_long_topic_is_taken_with_an_engine_and_without() {
    let (topic, name) = ("t".repeat(128), "n".repeat(64));
    let desk = Desk::with(&format!(
        "tasks: {{ a: {{ approval: Now? }}, hold: {{ needs: [a], wait_for: {{ topic: {topic}, external: true }} }},
           run: {{ run: cat gate }} }}"
    ));
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   run");
    let line = ["emit", "last", &topic, "1", "--id", &name, "--json"];
    let first = desk.json(&line);
    assert!(first["seq"].is_u64(), "{first}");
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(3));
    assert_eq!(desk.json(&line), first);
}

#[test]
fn a_message_with_a_number_that_would_be_rounded_is_refused_by_its_place() {
    let desk =
        Desk::with("tasks: { a: { approval: Now? }, hold: { wait_for: { topic: go, external: true } } }");
    desk.windlass(&["run", "plan.yaml", "--detach"]);
    for (data, number, place) in [
        ("12345678901234567890123", "12345678901234567890123", ""),
        ("0.12345678901234567890", "0.12345678901234567890", ""),
        ("1e400", "1e400", ""),
        (r#"{"a": [1, 1e400]}"#, "1e400", " at /a/1"),
        (r#"{"id": 12345678901234567890123}"#, "12345678901234567890123", " at /id"),
    ] {
        let refused = desk.windlass(&["emit", "last", "go", data]);
        assert_eq!(refused.code, Some(2), "{data}: {}", refused.all());
        let said = format!("it has the number {number}{place}, which can't be kept exactly");
        assert!(refused.err.contains(&said) && refused.err.contains("in quotes"), "{data}: {}", refused.err);
    }
    assert!(of_kind(&desk, "topic_emitted").is_empty());
    let told = desk.windlass(&[
        "emit",
        "last",
        "go",
        r#"{"id": "12345678901234567890123", "n": 18446744073709551615}"#,
    ]);
    assert_eq!(told.code, Some(0), "{}", told.all());
    let said = json!({ "id": "12345678901234567890123", "n": u64::MAX });
    assert_eq!(of_kind(&desk, "topic_emitted")[0]["data"], said);
    desk.windlass(&["cancel", "last"]);
}

#[test]
fn a_message_that_can_not_be_judged_ends_nothing_and_is_told_to_who_asks() {
    let desk = Desk::with(GATED);
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("waits     hold");
    let odd = desk.windlass(&["emit", &run, "deploy/go", "yes"]);
    assert_eq!(odd.code, Some(0), "{}", odd.all());
    assert!(odd.err.contains("hold can't judge it, and waits on: `data.ok` is undefined"), "{}", odd.err);
    let other = desk.json(&["emit", &run, "deploy/go", r#"{"ok":"maybe"}"#, "--json"]);
    assert_eq!(other["not_judged_by"][0]["task"], "hold", "{other}");
    let wait = desk.json(&["show", &run, "hold", "--why", "--json"])["tasks"][0]["waits"][0].clone();
    assert_eq!((&wait["unjudged"]["count"], &wait["unjudged"]["newest"]), (&json!(2), &other["seq"]));
    let why = desk.windlass(&["show", &run, "--why"]).out;
    assert!(why.contains("2 messages could not be judged, the newest (seq "), "{why}");
    let told = desk.windlass(&["emit", &run, "deploy/go", r#"{"ok":true,"tag":"v2"}"#]);
    assert!(told.err.contains("; hold heard it."), "{}", told.err);
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn a_message_that_nobody_can_hear_is_refused_with_a_way_out() {
    let desk = Desk::with(
        "tasks: { a: { approval: Now? }, hold: { needs: [a], wait_for: { topic: deploy/go, external: true } } }",
    );
    desk.windlass(&["run", "plan.yaml"]);
    let cases: [(&[&str], i32, &str); 5] = [
        (&["emit", "last", "deploy/og"], 2, "did you mean `deploy/go`?"),
        (&["emit", "last", "a"], 2, "tasks wait on `deploy/go`"),
        (&["emit", "nobody", "deploy/go"], 2, "there is no run `nobody`"),
        (&["emit", "last", "deploy/go", "1", "--id", "a b"], 2, "64 letters, digits"),
        (&["emit", "last"], 2, "<TOPIC>"),
    ];
    for (line, code, said) in cases {
        let refused = desk.windlass(line);
        assert_eq!(refused.code, Some(code), "{line:?}: {}", refused.all());
        assert!(refused.err.contains(said), "{line:?}: {}", refused.all());
    }
    desk.write("large", &"x".repeat(70_000));
    let large = File::open(desk.work().join("large")).expect("it was written");
    let piped = desk.command(&["emit", "last", "deploy/go", "-"]).stdin(large).output().expect("it starts");
    assert_eq!(piped.status.code(), Some(1));
    let said = String::from_utf8_lossy(&piped.stderr);
    assert!(said.contains("the message is 70002 bytes of JSON, over the 65536 that are kept"), "{said}");
    assert!(of_kind(&desk, "topic_emitted").is_empty());
}

#[test]
fn a_message_that_does_not_count_yet_for_a_task_is_not_held_against_what_it_waits_for() {
    let desk = Desk::with(
        r#"
tasks:
  open: { approval: "open?" }
  quick: { run: "true" }
  hold:
    needs: [open, quick]
    join: any
    wait_for: { topic: go, external: true, since: open, match: "{{ data.ok }}" }
"#,
    );
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("waits     hold");
    let early = desk.json(&["emit", &run, "go", "yes", "--json"]);
    assert_eq!(early["not_judged_by"], Value::Null, "{early}");
    let asked = desk.json(&["show", &run, "open", "--json"]);
    let id = asked["tasks"][0]["approval"]["id"].as_str().expect("it asks");
    assert_eq!(desk.windlass(&["approve", &run, "open", "--id", id]).code, Some(0));
    let odd = desk.json(&["emit", &run, "go", "yes", "--json"]);
    assert_eq!(odd["not_judged_by"][0]["task"], "hold", "{odd}");
    desk.windlass(&["cancel", &run]);
    running.end();
}
