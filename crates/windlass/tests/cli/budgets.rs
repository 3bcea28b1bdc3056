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
