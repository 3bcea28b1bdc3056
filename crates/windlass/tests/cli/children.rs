//! Rounds and replicas, as a user meets them.

use crate::assert_shows;
use crate::desk::{Desk, is_alive};

fn task<'a>(show: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let tasks = show["tasks"].as_array().expect("a list");
    tasks.iter().find(|task| task["id"] == id).unwrap_or_else(|| panic!("no {id} in {show}"))
}

#[test]
fn the_first_replica_that_passes_is_taken_and_the_others_are_gone_before_the_task_is_accepted() {
    let desk = Desk::with(
        "tasks: { race: { replicas: 3, run: \"test {{ index }} = 1 || { echo $$ > pid.{{ index }}; cat gate; }; cat other > heard; echo {{ index }}\" } }",
    );
    desk.gate("gate");
    desk.gate("other");
    let running = desk.start(&["run", "plan.yaml"]);
    desk.open_gate("other");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(task(&show, "race")["output"], 1);
    assert_eq!(task(&show, "race.1")["state"], "succeeded");
    assert_eq!(task(&show, "race.0")["state"], "cancelled");
    for replica in ["pid.0", "pid.2"] {
        let pid = desk.read(replica);
        let lives = pid.trim().parse().is_ok_and(is_alive);
        assert!(!lives, "{replica} outlived the choice");
    }
}

#[test]
fn a_majority_is_told_with_its_votes_where_it_cannot_come() {
    let desk = Desk::with("tasks: { vote: { replicas: 3, select: majority, run: \"echo {{ index }}\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    let error = &task(&show, "vote")["error"];
    assert_eq!(error["kind"], "invalid_output");
    assert!(error["message"].as_str().expect("a text").contains("no 2 of its 3 replicas agree"), "{error}");
    let agreed = Desk::with("tasks: { vote: { replicas: 3, select: majority, run: \"echo same\" } }");
    assert_eq!(agreed.windlass(&["run", "plan.yaml"]).code, Some(0));
    assert_eq!(task(&agreed.json(&["show", "last", "--json"]), "vote")["output"], "same");
}

#[test]
fn rounds_go_on_until_their_condition_holds_and_see_the_round_before() {
    let desk = Desk::with(
        r#"
tasks:
  grow:
    repeat: { until: "{{ tasks.grow.output | length >= 3 }}", max: 5 }
    run: [echo, "{{ (tasks.grow.output or '') ~ 'x' }}"]
  after: { needs: [grow], run: "echo {{ tasks.grow.output }} > proof" }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "xxx\n");
    let show = desk.json(&["show", "last", "--json"]);
    let ids: Vec<&str> =
        show["tasks"].as_array().expect("a list").iter().filter_map(|task| task["id"].as_str()).collect();
    assert_eq!(ids, ["grow", "grow.0", "grow.1", "grow.2", "after"]);
}

#[test]
fn the_summary_names_parents_that_failed_after_what_they_failed_of() {
    let desk = Desk::with(
        r#"
tasks:
  list: { for_each: [1, 2], run: "test {{ item }} = 1" }
  vote: { replicas: 2, select: majority, run: "echo {{ index }}" }
  sub: { plan: sub.yaml }
  grow: { repeat: { until: "{{ false }}", max: 1 }, run: "true" }
concurrency: 1
"#,
    );
    desk.write("sub.yaml", "tasks: { no: { run: \"exit 3\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let (_, summary) = done.out.split_once("\n\n").expect("a summary");
    assert_shows!(desk, summary);
}

#[test]
fn a_task_that_was_skipped_for_an_optional_one_is_why_the_run_failed() {
    let desk = Desk::with(
        "tasks: { bad: { run: test -e mended, optional: true }, any: { needs: [bad], join: any, run: echo any > proof } }",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("\nskipped: any, because of bad\n"), "{}", done.out);
    let run = done.run();
    assert!(
        done.out.contains(&format!("hint: windlass retry {run} bad && windlass resume {run}")),
        "{}",
        done.out
    );
    desk.write("mended", "");
    assert_eq!(desk.windlass(&["retry", &run, "bad"]).code, Some(0));
    assert_eq!(desk.windlass(&["resume", &run]).code, Some(0));
    assert_eq!(desk.read("proof"), "any\n");
}

#[test]
fn a_replica_that_failed_beside_the_one_that_was_taken_is_named_last_and_not_to_be_retried() {
    let desk = Desk::with(
        r#"
tasks:
  race: { replicas: 2, run: "test {{ index }} = 1" }
  bad: { needs: [race], run: "exit 3" }
concurrency: 1
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let places = ["failed: bad: exit", "failed: race.0: exit"].map(|line| done.out.find(line));
    assert!(places[0].is_some() && places[0] < places[1], "{}", done.out);
    assert!(done.out.contains(&format!("hint: windlass retry {} bad &&", done.run())), "{}", done.out);
}

#[test]
fn an_attempt_of_a_task_that_was_cancelled_is_not_said_to_be_what_failed() {
    let desk = Desk::with(
        r#"
tasks:
  flaky: { run: "exit 3", retry: { max_attempts: 3, initial_interval: 1000s, jitter: none } }
  b: { run: cat gate }
"#,
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("retrying  flaky");
    desk.windlass(&["cancel", "last", "flaky"]);
    desk.open_gate("gate");
    let done = running.end();
    assert!(done.out.contains("\ncancelled: flaky, after attempt 1: exit: "), "{}", done.out);
    assert!(!done.out.contains("failed: flaky"), "{}", done.out);
}

#[test]
fn where_several_children_failed_one_line_brings_all_of_them_back() {
    let desk = Desk::with("tasks: { v: { for_each: [1, 2, 3], run: \"test $WINDLASS_ATTEMPT = 2\" } }");
    let failed = desk.windlass(&["run", "plan.yaml"]);
    let run = failed.run();
    let hint = format!("hint: windlass retry {run} v && windlass resume {run}");
    assert!(failed.out.contains(&hint), "{}", failed.out);
    assert_eq!(desk.windlass(&["retry", &run, "v"]).code, Some(0));
    let done = desk.windlass(&["resume", &run]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn rounds_that_came_to_nothing_go_on_by_another_condition() {
    let desk = Desk::with(
        "tasks: { v: { repeat: { until: \"{{ tasks.v.output.n > 5 }}\", max: 2 }, run: \"echo {{ index }}\" } }",
    );
    let failed = desk.windlass(&["run", "plan.yaml"]);
    assert!(failed.out.contains("expression: in `until`: `tasks.v.output.n` is undefined"), "{}", failed.out);
    let run = failed.run();
    desk.write("plan.yaml", "tasks: { v: { repeat: { until: \"{{ tasks.v.output >= 1 }}\", max: 2 }, run: \"echo {{ index }}\" } }");
    for step in [["revise", &run, "plan.yaml"], ["retry", &run, "v"]] {
        let done = desk.windlass(&step);
        assert_eq!(done.code, Some(0), "{}", done.all());
    }
    let done = desk.windlass(&["resume", &run]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn a_replica_that_was_not_chosen_says_which_was() {
    let desk = Desk::with(
        "tasks: { vote: { replicas: 2, select: majority, run: \"echo 7\" }, race: { replicas: 2, select: first, run: \"sleep {{ index * 60 }}\" } }",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let run = done.run();
    let told = |task: &str| desk.windlass(&["show", &run, task]).out;
    let show = desk.json(&["show", &run, "--json"]);
    let is_first = task(&show, "vote.0")["state"] == "succeeded";
    let (chosen, other) = if is_first { ("vote.0", "vote.1") } else { ("vote.1", "vote.0") };
    assert_eq!(task(&show, other)["outdone_by"], chosen);
    assert!(told(other).contains(&format!("cancelled  passed; {chosen} was chosen")), "{}", told(other));
    assert!(told("race.1").contains("cancelled  race.0 was chosen"), "{}", told("race.1"));
}
