//! Going on: after an engine was killed, after a pause, after the end.

use std::io::ErrorKind;

use rustix::process::Signal;

use crate::desk::{Desk, is_alive};

#[test]
fn after_kill_9_finished_tasks_stay_finished_and_the_rest_goes_on() {
    let desk = Desk::with(
        "
tasks:
  first: { run: echo $WINDLASS_KEY >> proof }
  second: { needs: [first], run: \"echo $$ > pid; cat gate; echo $WINDLASS_KEY >> proof\" }
  third: { needs: [second], run: echo $WINDLASS_KEY >> proof }
",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("started   second");
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "stopped");
    let mut resumed = desk.start(&["resume"]);
    resumed.wait_for("started   second");
    desk.open_gate("gate");
    let done = resumed.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), format!("{run}/first/1\n{run}/second/2\n{run}/third/1\n"));
    let show = desk.json(&["show", &run, "--json"]);
    assert_eq!(show["tasks"][1]["attempts"][0]["state"], "lost");
    assert_eq!(show["tasks"][1]["attempts"][0]["error"]["kind"], "lost");
}

#[test]
fn after_kill_9_nothing_of_an_attempt_is_left_once_somebody_looks_after_it() {
    let desk = Desk::with("tasks: { a: { run: \"echo $$ > pid; cat gate\" } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    // Whoever waits at the gate has written its number before.
    let waits = || desk.read("pid").trim().parse::<u32>();
    let pid = loop {
        if let Ok(pid) = waits() {
            break pid;
        }
        std::thread::yield_now();
    };
    running.signal(Signal::KILL);
    running.end();
    let done = desk.windlass(&["cancel", "last"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(!is_alive(pid));
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "cancelled");
}

#[test]
fn approvals_stay_given_after_kill_9() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" }, b: { needs: [ok], run: \"cat gate\" } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml", "--yes"]);
    running.wait_for("started   b");
    running.signal(Signal::KILL);
    running.end();
    let mut resumed = desk.start(&["resume"]);
    resumed.wait_for("started   b");
    desk.open_gate("gate");
    assert_eq!(resumed.end().code, Some(0));
    let events = desk.windlass(&["events", "last", "--json"]).out;
    assert_eq!(events.matches("\"approval_given\"").count(), 1);
}

#[test]
fn a_run_that_has_ended_repeats_its_outcome() {
    let desk = Desk::with("tasks: { a: { run: exit 1 } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let again = desk.windlass(&["resume", &run]);
    assert_eq!(again.code, Some(1));
    assert!(again.out.contains("failed"), "{}", again.out);
    assert_eq!(desk.windlass(&["resume"]).code, Some(0), "nothing is unfinished");
}

#[test]
fn what_a_person_paused_is_named_and_goes_on_only_by_name() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    assert_eq!(desk.windlass(&["pause", &run]).code, Some(0));
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "paused");
    let all = desk.windlass(&["resume"]);
    assert_eq!(all.code, Some(3));
    assert!(all.err.contains(&format!("{run} is paused by a person")), "{}", all.err);
    let by_name = desk.windlass(&["resume", &run]);
    assert_eq!(by_name.code, Some(3));
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "waiting");
}

#[test]
fn a_plan_that_has_changed_is_told_of() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let same = desk.windlass(&["resume", &run]);
    assert!(!same.err.contains("plan.yaml"), "{}", same.err);
    desk.write("plan.yaml", "tasks: { ok: { approval: \"Really?\" } }");
    let changed = desk.windlass(&["resume", &run]);
    assert!(changed.err.contains("has changed"), "{}", changed.err);
    desk.write("plan.yaml", "tasks: { ok: { aproval: \"Really?\" } }");
    let broken = desk.windlass(&["resume", &run]);
    assert!(broken.err.contains("can't be read as a plan any more"), "{}", broken.err);
}

#[test]
fn a_file_that_is_missing_from_a_plan_is_named_and_no_revision_advised() {
    let desk = Desk::with(
        "version: 1\ntasks: { ok: { approval: \"Ship it?\" }, sub: { needs: [ok], plan: sub.yaml } }",
    );
    desk.write("sub.yaml", "version: 1\ntasks: { a: { run: \"true\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    desk.write("sub.yaml", "version: 1\ntasks: { a: { run: \"false\" } }");
    let changed = desk.windlass(&["resume", &run]);
    assert!(changed.err.contains("plan.yaml, or that of a sub-plan, has changed"), "{}", changed.err);
    for (file, named) in
        [("sub.yaml", "the sub-plan `sub.yaml` can't be read"), ("plan.yaml", "plan.yaml can't be read")]
    {
        std::fs::remove_file(desk.work().join(file)).expect("ours");
        let missing = desk.windlass(&["resume", &run]);
        assert!(missing.err.contains(named), "{}", missing.err);
        assert!(missing.err.contains("can't be read as a plan any more"), "{}", missing.err);
        assert!(!missing.err.contains("windlass revise"), "{}", missing.err);
    }
}

#[test]
fn a_home_that_is_taken_away_leaves_a_copy_and_its_path_is_the_last_line() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("started   a");
    let home = desk.home();
    std::fs::rename(&home, desk.work().join("gone")).expect("ours");
    let done = running.end();
    assert_eq!(done.code, Some(4), "{}", done.all());
    let copy = done.err.lines().last().expect("a line");
    assert_eq!(desk.json(&["ps", "--json", "--home", copy])["runs"][0]["id"], run.as_str());
}

#[test]
fn in_the_copy_of_a_home_that_was_removed_under_its_engine_the_run_comes_to_its_end() {
    let desk = Desk::with("tasks: { a: { run: echo a >> ran }, b: { needs: [a], run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   b");
    let home = desk.home();
    // What is written meanwhile is found when one looks again.
    while std::fs::remove_dir_all(&home).is_err_and(|error| error.kind() != ErrorKind::NotFound) {}
    let done = running.end();
    assert_eq!(done.code, Some(4), "{}", done.all());
    let copy = done.err.lines().last().expect("a line");
    std::fs::remove_file(desk.work().join("gate")).expect("it is there");
    desk.write("gate", "open");
    let resumed = desk.windlass(&["resume", "last", "--home", copy]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert_eq!(desk.read("ran"), "a\n", "what had succeeded does not run again");
    let doctor = desk.windlass(&["doctor", "--home", copy]);
    assert_eq!(doctor.code, Some(0), "{}", doctor.all());
}

#[test]
fn a_run_that_has_ended_tells_a_program_its_end_again() {
    let desk = Desk::with("tasks: { a: { run: \"false\" } }");
    let told = desk.windlass(&["run", "plan.yaml", "--json"]);
    let again = desk.windlass(&["resume", "last", "--json"]);
    assert_eq!(again.code, Some(1), "{}", again.all());
    assert_eq!(again.lines(), [told.lines().last().expect("its end").clone()]);
    assert_eq!(again.lines()[0]["type"], "run_finished");
}
