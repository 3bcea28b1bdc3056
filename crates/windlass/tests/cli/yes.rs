//! `--yes`: every approval of the run is answered, whenever it comes and wherever the run is hosted.
//! Never: an answer to what is no approval.

use crate::desk::Desk;

#[test]
fn yes_answers_every_approval() {
    let desk = Desk::with(
        "tasks: { ok: { approval: \"Ship it?\" }, b: { needs: [ok], run: [echo, \"{{ tasks.ok.output.by }}\"] } }",
    );
    let done = desk.windlass(&["run", "plan.yaml", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["show", "last", "b", "--json"])["tasks"][0]["output"], "cli --yes");
}

/// An approval behind work, and one behind that.
const TWO: &str = "
tasks:
  a: { run: \"true\" }
  ok: { needs: [a], approval: \"Go on?\" }
  b: { needs: [ok], run: \"true\" }
  ship: { needs: [b], approval: \"Ship it?\" }
  c: { needs: [ship], run: [echo, \"{{ tasks.ship.output.by }}\"] }
";

#[test]
fn approvals_that_come_while_nothing_else_goes_on_are_answered() {
    let desk = Desk::with(TWO);
    let done = desk.windlass(&["run", "plan.yaml", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["show", "last", "c", "--json"])["tasks"][0]["output"], "cli --yes");
}

#[test]
fn a_run_that_only_people_held_goes_on_with_yes() {
    let desk = Desk::with(TWO);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(3), "{}", done.all());
    let done = desk.windlass(&["resume", "last", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn an_engine_that_a_run_was_handed_to_answers_for_it() {
    let desk = Desk::with("tasks: { long: { run: cat gate } }");
    desk.write("two.yaml", &TWO.replace("  a: { run: \"true\" }", "  a: { run: cat second }"));
    desk.gate("gate");
    desk.gate("second");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   long");
    let mut guest = desk.start(&["run", "two.yaml", "--yes"]);
    guest.wait_for("started   a");
    desk.open_gate("gate");
    host.wait_for("succeeded");
    host.wait_for("details");
    desk.open_gate("second");
    let done = guest.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(host.end().code, Some(0));
}

#[test]
fn a_live_engine_that_was_not_asked_before_answers_once_it_is() {
    let desk = Desk::with("tasks: { long: { run: cat gate } }");
    desk.write("two.yaml", TWO);
    desk.gate("gate");
    assert_eq!(desk.windlass(&["run", "two.yaml"]).code, Some(3));
    let left = desk.json(&["ps", "--json"])["runs"][0]["id"].as_str().expect("an id").to_owned();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   long");
    let done = desk.windlass(&["resume", &left, "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
}

#[test]
fn what_only_a_person_can_know_stays_open() {
    let desk = Desk::with(
        "
tasks:
  ok: { approval: \"Go on?\" }
  once: { needs: [ok], rerun: never, run: \"kill -9 $$\" }
",
    );
    let done = desk.windlass(&["run", "plan.yaml", "--yes"]);
    assert_eq!(done.code, Some(3), "{}", done.all());
    assert!(done.all().contains("windlass settle"), "{}", done.all());
}
