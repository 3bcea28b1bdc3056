//! Whose turn it is, and what is not needed any more, as a user meets it.

use crate::desk::{Desk, is_alive};

#[test]
fn what_a_join_was_met_without_is_stopped_and_the_run_succeeds() {
    let desk = Desk::with(
        r#"
tasks:
  slow: { run: "echo $$ > pid; echo up > said; cat gate" }
  quick: { run: "cat said" }
  race: { needs: [slow, quick], join: any, cancel_rest: true, run: "true" }
  all: { needs: [slow, race], run: "echo {{ tasks.slow.state }} > proof" }
"#,
    );
    desk.gate("gate");
    desk.gate("said");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(
        done.out.contains("cancel    slow  not needed any more: the join of race was met"),
        "{}",
        done.all()
    );
    assert!(!done.out.contains("failed"), "{}", done.all());
    assert_eq!(desk.read("proof"), "cancelled\n");
    assert!(!is_alive(desk.read("pid").trim().parse().expect("a number")));
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["tasks"][0]["state"], "cancelled");
    assert_eq!(show["tasks"][0]["spared_by"], "race");
    let shown = desk.windlass(&["show", "last", "slow"]);
    assert!(shown.out.contains("the join of race was met without it"), "{}", shown.all());
}

#[test]
fn what_is_more_pressing_starts_first() {
    let desk = Desk::with(
        r#"
tasks:
  low: { priority: -3, run: "echo low >> order" }
  plain: { run: "echo plain >> order" }
  also: { run: "echo also >> order" }
  high: { priority: 5, for_each: [a, b], run: "echo high {{ item }} >> order" }
"#,
    );
    let checked = desk.json(&["check", "plan.yaml", "--json"]);
    let ids: Vec<&str> =
        checked["tasks"].as_array().expect("a list").iter().filter_map(|task| task["id"].as_str()).collect();
    assert_eq!(ids, ["high", "plain", "also", "low"]);
    let done = desk.windlass(&["run", "plan.yaml", "--slots", "1"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("order"), "high a\nhigh b\nplain\nalso\nlow\n");
    let show = desk.json(&["show", "last", "--json"]);
    let priorities: Vec<i64> = show["tasks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| task["priority"].as_i64().unwrap_or(0))
        .collect();
    assert_eq!(priorities, [-3, 0, 0, 5, 5, 5]);
}

#[test]
fn two_runs_share_the_slots_by_their_weights_from_when_both_have_something_to_start() {
    let items: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let many = format!("for_each: [{}], run: \"echo $WINDLASS_RUN >> order\"", items.join(", "));
    let desk = Desk::with(&format!("tasks: {{ hold: {{ priority: 1, run: cat gate }}, a: {{ {many} }} }}"));
    desk.write("second.yaml", &format!("weight: 3\ntasks: {{ b: {{ {many} }} }}"));
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml", "--slots", "1"]);
    let one = host.run();
    host.wait_for("started   hold");
    let other = desk.windlass(&["run", "second.yaml", "--detach"]);
    assert_eq!(other.code, Some(0), "{}", other.all());
    desk.open_gate("gate");
    let host = host.end();
    assert_eq!(host.code, Some(0), "{}", host.all());
    let order = desk.read("order");
    let first: Vec<&str> = order.lines().take(16).collect();
    assert_eq!(first.len(), 16);
    let ones = first.iter().filter(|run| **run == one).count();
    // One in four, and two starts more or less for the one slot.
    assert!((2..=6).contains(&ones), "{ones} of the first 16 are of the run with weight 1: {order}");
}

#[test]
fn a_pause_at_once_stops_what_runs_and_it_starts_anew_uncharged() {
    let desk = Desk::with(
        "tasks: { a: { run: \"echo $$ > pid; echo $WINDLASS_ATTEMPT >> did; cat gate\", retry: { max_attempts: 1 } } }",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("started   a");
    let paused = desk.windlass(&["pause", &run, "--now"]);
    assert_eq!(paused.code, Some(0), "{}", paused.all());
    let done = running.end();
    assert_eq!(done.code, Some(3), "{}", done.all());
    assert!(desk.read("pid").trim().parse().is_ok_and(|pid| !is_alive(pid)) || desk.read("pid").is_empty());
    let again = desk.windlass(&["pause", &run, "--now"]);
    assert!(again.err.contains("It was so already"), "{}", again.all());
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["tasks"][0]["state"], "ready");
    let error = &show["tasks"][0]["attempts"][0]["error"];
    assert_eq!(error["kind"], "interrupted");
    assert_eq!(error["message"], "its run was paused at once");
    let hint = format!("it starts anew, uncharged, when `windlass resume {run}` goes on with its run");
    assert_eq!(error["hint"], hint.as_str());
    let resumed = desk.start(&["resume", &run]);
    desk.open_gate("gate");
    let resumed = resumed.end();
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert!(desk.read("did").ends_with("2\n"), "{}", desk.read("did"));
}

#[test]
fn another_agent_may_try_and_something_else_may_be_asked() {
    let desk = Desk::with(
        r#"
agents:
  one: { adapter: scripted }
  two: { adapter: command, program: cat }
tasks:
  a: { agent: one, prompt: "fail refused", retry: { max_attempts: 1 } }
  r: { run: "exit 1" }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let run = done.run();
    let unknown = desk.windlass(&["retry", &run, "a", "--agent", "three"]);
    assert_eq!(unknown.code, Some(1), "{}", unknown.all());
    assert!(unknown.err.contains("has no agent three; it has one, two"), "{}", unknown.err);
    let command = desk.windlass(&["retry", &run, "r", "--prompt", "say it"]);
    assert_eq!(command.code, Some(1), "{}", command.all());
    assert!(command.err.contains("no agent works on it"), "{}", command.err);
    let retried = desk.windlass(&["retry", &run, "a", "--agent", "two", "--prompt", "well {{ then }}"]);
    assert_eq!(retried.code, Some(0), "{}", retried.all());
    let waits = &desk.json(&["show", &run, "--json"])["tasks"][0]["next"];
    assert_eq!((&waits["agent"], &waits["prompt"]), (&"two".into(), &"well {{ then }}".into()));
    let told = desk.windlass(&["show", &run, "a", "--why"]).out;
    assert!(told.contains("retry  for two, asking: well {{ then }}"), "{told}");
    assert_eq!(desk.windlass(&["resume", &run]).code, Some(1), "the other task still failed");
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["tasks"][0]["output"], "well {{ then }}");
    assert_eq!(show["tasks"][0]["attempts"][1]["agent"], "two");
    let events = desk.windlass(&["events", &run, "--json"]);
    let requeued = events.lines().into_iter().find(|line| line["type"] == "task_requeued").expect("a line");
    assert_eq!(requeued["agent"], "two");
    assert_eq!(requeued["prompt"], "well {{ then }}");
}
