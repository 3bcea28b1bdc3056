//! Commands that steer, with a live engine and without one.

use serde_json::Value;

use crate::assert_shows;
use crate::desk::{Desk, is_alive};

#[test]
fn a_live_run_is_cancelled_from_another_terminal() {
    let desk = Desk::with(
        "tasks: { a: { run: \"echo $$ > pid; echo up > said; cat gate\" }, b: { needs: [a], run: \"true\" } }",
    );
    desk.gate("gate");
    desk.gate("said");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    assert_eq!(desk.hear("said"), "up\n");
    let cancelled = desk.windlass(&["cancel", &run]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.all());
    let done = running.end();
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(!is_alive(desk.read("pid").trim().parse().expect("a number")));
    let again = desk.windlass(&["cancel", &run]);
    assert_eq!(again.code, Some(0), "the same answer again: {}", again.all());
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["run"]["state"], "cancelled");
    assert_eq!(show["tasks"][1]["state"], "cancelled");
}

#[test]
fn a_task_is_cancelled_and_the_others_go_on() {
    let desk = Desk::with("tasks: { a: { run: cat gate, optional: true }, b: { run: cat other } }");
    desk.gate("gate");
    desk.gate("other");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("started   b");
    assert_eq!(desk.windlass(&["cancel", &run, "a"]).code, Some(0));
    running.wait_for("cancelled a");
    desk.open_gate("other");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_paused_run_starts_nothing_new_and_its_host_ends() {
    let desk = Desk::with("tasks: { a: { run: cat gate }, b: { needs: [a], run: echo b > proof } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("started   a");
    let paused = desk.windlass(&["pause", &run]);
    assert_eq!(paused.code, Some(0));
    assert!(
        paused.err.contains("is pausing: what is in flight comes to its end (1 attempt)"),
        "{}",
        paused.err
    );
    running.wait_for("pausing");
    desk.open_gate("gate");
    let done = running.end();
    assert_eq!(done.code, Some(3), "{}", done.all());
    let again = desk.windlass(&["pause", &run]);
    assert!(again.err.contains("is paused;") && again.err.contains("so already"), "{}", again.err);
    assert_eq!(
        desk.json(&["show", &run, "--json"])["tasks"][0]["state"],
        "succeeded",
        "what ran came to its end"
    );
    assert_eq!(desk.read("proof"), "");
    assert_eq!(desk.windlass(&["resume", &run]).code, Some(0));
    assert_eq!(desk.read("proof"), "b\n");
}

#[test]
fn a_run_that_can_not_be_paused_keeps_no_other_from_it() {
    let desk = Desk::with("tasks: { a: { run: cat gate, retry: { non_retryable: [lost] } } }");
    desk.gate("gate");
    desk.write("other.yaml", "tasks: { b: { run: cat gate } }");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guests = [desk.start(&["run", "other.yaml"]), desk.start(&["run", "plan.yaml"])];
    guests[0].wait_for("started   b");
    guests[1].wait_for("started   a");
    host.signal(rustix::process::Signal::KILL);
    host.end();
    let other = guests[0].run();
    for guest in guests {
        guest.end();
    }
    // The two whose attempt was lost end as soon as the home is opened: there is nothing of them left to pause.
    let paused = desk.windlass(&["pause"]);
    assert_eq!(paused.code, Some(0), "{}", paused.all());
    let runs = desk.json(&["ps", "--json"]);
    let state = |run: &&Value| run["id"] == other.as_str() && run["state"] == "paused";
    assert!(runs["runs"].as_array().expect("runs").iter().any(|run| state(&run)), "{runs}");
}

#[test]
fn a_dead_task_is_tried_anew_with_what_it_kept_from_running() {
    let desk = Desk::with("tasks: { a: { run: test -e mended }, b: { needs: [a], run: echo b > proof } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let letters = desk.json(&["dlq", "list", "--json"]);
    assert_eq!(letters["dead_letters"][0]["task"], "a");
    assert_eq!(letters["dead_letters"][0]["run"], run.as_str());
    assert_eq!(letters["dead_letters"][0]["error"]["kind"], "exit");
    desk.write("mended", "");
    let requeued = desk.windlass(&["dlq", "requeue", &run, "a"]);
    assert_eq!(requeued.code, Some(0), "{}", requeued.all());
    assert!(requeued.err.contains("windlass resume"), "{}", requeued.err);
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "stopped");
    let again = desk.windlass(&["retry", &run, "a"]);
    assert_eq!(again.code, Some(0), "the same again: {}", again.all());
    assert!(again.err.contains("It was so already"), "{}", again.err);
    assert_eq!(desk.windlass(&["resume"]).code, Some(0));
    assert_eq!(desk.read("proof"), "b\n");
    assert_eq!(desk.json(&["dlq", "list", "--json"])["dead_letters"], Value::Array(Vec::new()));
}

#[test]
fn a_dead_letter_is_shown_and_given_up() {
    let desk = Desk::with("tasks: { a: { run: \"echo why; exit 4\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    assert_eq!(desk.json(&["dlq", "show", &run, "a", "--json"])["tasks"][0]["attempts"][0]["exit_code"], 4);
    assert_shows!(desk, desk.windlass(&["dlq", "list"]).all().replace(&run, "[run]"));
    assert_eq!(desk.windlass(&["dlq", "drop", &run, "a"]).code, Some(0));
    let again = desk.windlass(&["dlq", "drop", &run, "a"]);
    assert_eq!(again.code, Some(0), "the same again: {}", again.all());
    assert_eq!(desk.windlass(&["dlq", "show", &run, "a"]).code, Some(1));
    assert_eq!(desk.json(&["dlq", "list", "--json"])["dead_letters"], Value::Array(Vec::new()));
}

fn asked(desk: &Desk) -> (String, String) {
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let show = desk.json(&["show", &run, "--json"]);
    (run, show["tasks"][0]["approval"]["id"].as_str().expect("it asks").to_owned())
}

#[test]
fn an_approval_is_answered_once_and_by_its_id() {
    let desk =
        Desk::with("tasks: { ok: { approval: \"Ship it?\" }, b: { needs: [ok], run: echo b > proof } }");
    let (run, id) = asked(&desk);
    assert_eq!(desk.windlass(&["approve", &run, "ok"]).code, Some(2), "a pipe must name the question");
    assert_eq!(desk.windlass(&["approve", &run, "ok", "--id", "00000000"]).code, Some(1), "another question");
    assert_eq!(desk.windlass(&["approve", &run, "ok", "--id", &id]).code, Some(0));
    assert_eq!(desk.windlass(&["approve", &run, "ok", "--id", &id]).code, Some(0), "the same answer again");
    assert_eq!(desk.windlass(&["approve", &run, "ok", "--id", &id, "--deny"]).code, Some(1), "the opposite");
    assert_eq!(desk.windlass(&["resume"]).code, Some(0));
    assert_eq!(desk.read("proof"), "b\n");
}

#[test]
fn a_denied_task_is_dead() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" } }");
    let (run, id) = asked(&desk);
    let denied = desk.windlass(&["approve", &run, "ok", "--id", &id, "--deny", "--text", "not today"]);
    assert_eq!(denied.code, Some(0), "{}", denied.all());
    assert_eq!(denied.err, format!("Task ok of run {run} is denied; it is dead.\nRun {run} has failed.\n"));
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["run"]["state"], "failed");
    assert_eq!(show["tasks"][0]["error"]["kind"], "denied");
    assert_eq!(show["tasks"][0]["error"]["message"], "cli denied it: not today");
}

#[test]
fn an_approval_is_given_to_a_live_engine() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" }, slow: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let line = running.wait_for("asks");
    running.wait_for("started   slow");
    let id = line.trim_end().rsplit(' ').next().expect("it ends with the id").to_owned();
    let run = running.run();
    let approved = desk.windlass(&["approve", &run, "ok", "--id", &id]);
    assert_eq!(approved.code, Some(0), "{}", approved.all());
    running.wait_for("approved");
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn what_is_said_of_a_command_without_a_live_engine_is_what_is_so_then() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" }, b: { needs: [ok], run: \"true\" } }");
    let (run, id) = asked(&desk);
    assert_eq!(
        desk.windlass(&["approve", &run, "ok", "--id", &id]).err,
        format!(
            "Task ok of run {run} is approved; it has succeeded.\nNo engine is alive: `windlass resume {run}` goes on.\n"
        )
    );
    assert_eq!(desk.windlass(&["cancel", &run]).err, format!("Run {run} is cancelled.\n"));
    assert_eq!(desk.windlass(&["cancel", &run]).err, format!("Run {run} is cancelled. It was so already.\n"));
    assert_eq!(
        desk.windlass(&["retry", &run, "b"]).err,
        format!(
            "Task b of run {run} is tried anew; it is ready.\nNo engine is alive: `windlass resume {run}` goes on.\n"
        )
    );
}

/// A run with a task whose outcome nobody knows: its engine was killed in the middle.
fn unknown() -> (Desk, String) {
    unknown_with("tasks.a.output")
}

/// The same, with what is read of that task's output.
fn unknown_with(read: &str) -> (Desk, String) {
    let desk = Desk::with(&format!(
        "tasks: {{ a: {{ run: \"echo up > said; cat gate\", rerun: never }}, b: {{ needs: [a], run: [echo, \"got {{{{ {read} }}}}\"] }} }}",
    ));
    desk.gate("gate");
    desk.gate("said");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    assert_eq!(desk.hear("said"), "up\n");
    running.signal(rustix::process::Signal::KILL);
    running.end();
    let resumed = desk.windlass(&["resume", &run]);
    assert_eq!(resumed.code, Some(3), "{}", resumed.all());
    assert!(resumed.out.contains(&format!("windlass settle {run} a")), "{}", resumed.out);
    (desk, run)
}

#[test]
fn an_unknown_outcome_is_settled_as_done_with_its_output() {
    let (desk, run) = unknown();
    desk.write("output", "\"it was\"");
    let settled = desk.windlass(&["settle", &run, "a", "--done", "--output", "output"]);
    assert_eq!(settled.code, Some(0), "{}", settled.all());
    assert_eq!(desk.windlass(&["resume"]).code, Some(0));
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["tasks"][0]["output"], "it was");
    assert_eq!(show["tasks"][1]["output"], "got it was");
    assert_eq!(desk.windlass(&["settle", &run, "b", "--failed"]).code, Some(1), "its outcome is known");
}

#[test]
fn a_large_output_that_a_person_gives_is_kept_as_that_of_an_attempt() {
    let (desk, run) = unknown_with("tasks.a.output.kind");
    let text = "x".repeat(1 << 20);
    desk.write("output", &format!("{{\"kind\": \"large\", \"text\": \"{text}\"}}"));
    let settled = desk.windlass(&["settle", &run, "a", "--done", "--output", "output"]);
    assert_eq!(settled.code, Some(0), "{}", settled.all());
    assert_eq!(desk.windlass(&["resume"]).code, Some(0));
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["tasks"][0]["output"]["text"], text.as_str());
    assert_eq!(show["tasks"][1]["output"], "got large");
    assert_eq!(desk.windlass(&["doctor"]).code, Some(0));
}

#[test]
fn an_output_that_is_too_large_to_be_kept_or_used_is_refused_and_settles_nothing() {
    let (desk, run) = unknown();
    for (length, why) in [(1 << 20, "an expression of the plan names it"), ((16 << 20) + 1, "16 MiB")] {
        desk.write("output", &"x".repeat(length));
        let refused = desk.windlass(&["settle", &run, "a", "--done", "--output", "output"]);
        assert_eq!(refused.code, Some(2), "{}", refused.all());
        assert!(refused.err.contains(why) && refused.err.contains("hint:"), "{}", refused.err);
    }
    assert_eq!(desk.json(&["show", &run, "--json"])["tasks"][0]["state"], "blocked");
}

#[test]
fn a_task_is_settled_once_and_another_output_is_refused() {
    let desk =
        Desk::with("tasks: { a: { run: \"kill -9 $$\", rerun: never }, ok: { approval: \"Go on?\" } }");
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    desk.write("output", "\"it was\"");
    desk.write("other", "\"it was not\"");
    let settle = |more: &[&str]| desk.windlass(&[&["settle", "last", "a", "--done"], more].concat());
    assert_eq!(settle(&["--output", "output"]).code, Some(0));
    let same = settle(&["--output", "output"]);
    assert_eq!(same.code, Some(0), "{}", same.all());
    assert!(same.err.contains("It was so already."), "{}", same.err);
    for more in [&["--output", "other"][..], &[]] {
        let other = settle(more);
        assert_eq!(other.code, Some(1), "{}", other.all());
        assert!(other.err.contains("with another output"), "{}", other.err);
    }
    assert_eq!(desk.json(&["show", "last", "a", "--json"])["tasks"][0]["output"], "it was");
}

#[test]
fn what_is_settled_without_an_output_gave_null_and_null_must_fit() {
    let desk = Desk::with(
        "tasks: { a: { run: \"kill -9 $$\", rerun: never, output: { schema: { type: object } } }, b: { run: \"kill -9 $$\", rerun: never } }",
    );
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    let refused = desk.windlass(&["settle", "last", "a", "--done"]);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(refused.err.contains("--output"), "{}", refused.err);
    assert_eq!(desk.json(&["show", "last", "a", "--json"])["tasks"][0]["state"], "blocked");
    assert_eq!(desk.windlass(&["settle", "last", "b", "--done"]).code, Some(0));
    desk.write("output", "{}");
    assert_eq!(desk.windlass(&["settle", "last", "a", "--done", "--output", "output"]).code, Some(0));
}

#[test]
fn an_unknown_outcome_is_settled_as_failed() {
    let (desk, run) = unknown();
    assert_eq!(desk.windlass(&["settle", &run, "a"]).code, Some(2), "done or failed");
    assert_eq!(desk.windlass(&["settle", &run, "a", "--failed"]).code, Some(0));
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["tasks"][0]["error"]["kind"], "outcome_unknown");
    assert_eq!(show["run"]["state"], "failed");
}
