//! Budgets of attempts and of time, as a user meets them.

use crate::desk::Desk;

const FOUR: &str =
    "budget: { attempts: 3 }\ntasks: { a: { for_each: [1, 2, 3, 4], run: \"echo {{ item }} >> did\" } }";

#[test]
fn a_run_pauses_when_its_attempts_are_used_up_and_goes_on_with_more() {
    let desk = Desk::with(FOUR);
    let done = desk.windlass(&["run", "plan.yaml", "--slots", "1"]);
    assert_eq!(done.code, Some(3), "{}", done.all());
    let run = done.run();
    assert_eq!(desk.read("did"), "1\n2\n3\n");
    assert!(done.out.contains("its budget is used up (attempts, 3 of 3)"), "{}", done.out);
    assert!(done.out.contains(&format!("windlass resume {run} --budget attempts=+5")), "{}", done.out);
    let show = desk.json(&["show", &run, "--why", "--json"]);
    assert_eq!(show["run"]["state"], "paused");
    assert_eq!(show["run"]["paused"][0], "budget");
    assert_eq!(show["run"]["budget"]["attempts"]["spent"], 3);
    let waits = &show["waits"].as_array().expect("a list")[1];
    assert!(waits["on"].as_str().expect("a text").contains("attempts, 3 of 3"), "{waits}");
    let shown = desk.windlass(&["show", &run]);
    assert!(shown.out.contains("attempts 3 of 3"), "{}", shown.out);
    let again = desk.windlass(&["resume", &run]);
    assert_eq!(again.code, Some(3), "{}", again.all());
    assert!(again.err.contains("is used up: attempts, 3 of 3"), "{}", again.err);
    assert!(again.err.contains("--budget attempts=+5"), "{}", again.err);
    let all = desk.windlass(&["resume"]);
    assert_eq!(all.code, Some(3), "{}", all.all());
    assert!(all.err.contains(&run), "{}", all.err);
    let none = desk.windlass(&["resume", &run, "--budget", "wall=+10m"]);
    assert_eq!(none.code, Some(1), "{}", none.all());
    assert!(none.err.contains("has no budget of wall"), "{}", none.err);
    let more = desk.windlass(&["resume", &run, "--budget", "attempts=+1"]);
    assert_eq!(more.code, Some(0), "{}", more.all());
    assert!(more.err.contains("may use 1 attempt more"), "{}", more.err);
    assert_eq!(desk.read("did"), "1\n2\n3\n4\n");
}

#[test]
fn a_task_that_has_used_up_its_budget_is_dead_and_the_others_go_on() {
    let desk = Desk::with(
        r#"
tasks:
  fix: { for_each: [1, 2, 3, 4], max_parallel: 1, budget: { attempts: 3 }, run: "echo {{ item }} >> did" }
  flaky: { run: "exit 1", budget: { attempts: 2 }, retry: { max_attempts: 9, initial_interval: 1ms } }
  other: { run: "echo other > other" }
  after: { needs: [fix], run: "echo after >> did" }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let run = done.run();
    assert_eq!(desk.read("did"), "1\n2\n3\n");
    assert_eq!(desk.read("other"), "other\n");
    let show = desk.json(&["show", &run, "--json"]);
    let task = |id: &str| {
        let tasks = show["tasks"].as_array().expect("a list");
        tasks.iter().find(|task| task["id"] == id).unwrap_or_else(|| panic!("no {id} in {show}")).clone()
    };
    assert_eq!(task("fix")["state"], "dead");
    assert_eq!(task("fix")["error"]["kind"], "budget");
    let said = "its budget is used up: attempts, 3 of 3; 1 of its 4 children failed, fix.3 first";
    assert_eq!(task("fix")["error"]["message"], said);
    assert_eq!(task("fix.3")["error"]["message"], "the budget of fix is used up: attempts, 3 of 3");
    assert_eq!(task("flaky")["error"]["kind"], "budget");
    assert_eq!(task("flaky")["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(task("after")["state"], "skipped");
    let letters = desk.json(&["dlq", "list", "--json"]);
    let letters: Vec<&str> = letters["dead_letters"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["task"].as_str())
        .collect();
    assert_eq!(letters, ["fix", "flaky"], "what the budget of fix ended comes back with fix");
    let again = desk.windlass(&["retry", &run, "fix"]);
    assert_eq!(again.code, Some(0), "{}", again.all());
    desk.windlass(&["resume", &run]);
    assert_eq!(desk.read("did"), "1\n2\n3\n4\nafter\n");
}

#[test]
fn attempts_in_flight_reserve_what_they_may_come_to_use() {
    let desk = Desk::with(
        "budget: { attempts: 2 }\ntasks: { a: { run: cat gate }, b: { run: cat gate }, c: { run: \"true\" } }",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml", "--slots", "4"]);
    let run = running.run();
    running.wait_for("started   a");
    running.wait_for("started   b");
    let show = desk.json(&["show", &run, "--why", "--json"]);
    let waits = &show["waits"].as_array().expect("a list")[2];
    assert_eq!(waits["on"], "the run's budget of attempts: 0 used and 2 in flight, of 2");
    let more = desk.windlass(&["resume", &run, "--budget", "attempts=+1", "--detach"]);
    assert_eq!(more.code, Some(0), "{}", more.all());
    running.wait_for("started   c");
    running.wait_for("succeeded c");
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn time_that_goes_on_is_shown_as_it_is_now_and_what_it_ends_says_until_when() {
    let desk = Desk::with(
        "budget: { wall: 1h }\nconcurrency: 1\ntasks: { a: { run: cat gate }, b: { budget: { wall: 30m }, run: \"true\" } }",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    let spent = || {
        let run = desk.json(&["show", "last", "--json"])["run"].clone();
        let spent = run["budget"]["wall"]["spent_ms"].as_u64().expect("a number");
        assert!(run["summary"]["took_ms"].as_u64() >= Some(spent), "{run}");
        spent
    };
    let slow = || desk.json(&["doctor", "--why-slow", "--json"])["limits"][0]["waited_ms"].as_u64();
    // Nothing happens in between but that time passes.
    let before = (spent(), slow());
    let now = (spent(), slow());
    assert!(now.0 > before.0 && now.1 > before.1, "{before:?}, {now:?}");
    let waits = desk.json(&["show", "last", "--why", "--json"])["waits"].clone();
    let until = |place: usize| waits[place]["until"].as_str();
    assert!(
        until(1).is_some() && until(1) < until(0),
        "the budget ends before the day of every task: {waits}"
    );
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn time_that_is_used_up_pauses_the_run_once_what_runs_has_ended() {
    let desk = Desk::with(
        "budget: { wall: 1ms }\ntasks: { a: { run: \"cat gate; echo a >> did\" }, b: { needs: [a], run: \"echo b >> did\" } }",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("used up");
    desk.open_gate("gate");
    let done = running.end();
    assert_eq!(done.code, Some(3), "{}", done.all());
    assert_eq!(desk.read("did"), "a\n");
    assert!(done.out.contains(&format!("windlass resume {run} --budget wall=+10m")), "{}", done.out);
    assert_eq!(desk.windlass(&["resume", &run]).code, Some(3));
    let more = desk.windlass(&["resume", &run, "--budget", "wall=+1h"]);
    assert_eq!(more.code, Some(0), "{}", more.all());
    assert_eq!(desk.read("did"), "a\nb\n");
}
