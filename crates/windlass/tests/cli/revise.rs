//! Runs that go on by another plan, as a user meets them.

use std::fs;

use rustix::process::Signal;

use crate::desk::Desk;

const FIRST: &str = "
inputs: { word: { type: string, default: none }, other: { type: integer, default: 1 } }
tasks:
  done: { run: 'echo ran >> done.txt' }
  waits: { needs: [done], run: 'cat gate; echo first {{ inputs.word }}' }
  fails: { needs: [waits], run: 'echo wrong; exit 1' }
  last: { needs: [fails], run: 'echo never' }
";

const SECOND: &str = "
inputs: { word: { type: string } }
tasks:
  done: { run: 'echo ran otherwise >> done.txt' }
  waits: { needs: [done], run: 'cat gate; echo second {{ inputs.word }}' }
  fails: { needs: [waits], run: 'echo {{ tasks.waits.output | last }} {{ inputs.word }}' }
  more: { needs: [fails], for_each: [1, 2], run: 'echo more {{ item }}' }
";

#[test]
fn a_live_run_goes_on_by_another_plan_and_what_it_had_begun_with_is_not_taken_back() {
    let desk = Desk::with(FIRST);
    desk.gate("gate");
    let mut run = desk.start(&["run", "plan.yaml", "--input", "word=hello"]);
    run.wait_for("started   waits");
    desk.write("plan.yaml", SECOND);
    let revised = desk.windlass(&["revise", "last", "plan.yaml"]);
    assert_eq!(revised.code, Some(0), "{}", revised.all());
    assert!(
        revised
            .err
            .contains("version 2 of its plan; new: more; changed: done, waits and fails; left out: last"),
        "{}",
        revised.all()
    );
    run.wait_for("revised");
    let again = desk.windlass(&["revise", "last", "plan.yaml"]);
    assert_eq!(again.code, Some(0), "{}", again.all());
    assert!(again.err.contains("It was so already"), "{}", again.all());
    desk.open_gate("gate");
    let done = run.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("done.txt"), "ran\n");
    let show = desk.json(&["show", "last", "--json"]);
    let tasks = show["tasks"].as_array().expect("a list");
    let of = |id: &str| tasks.iter().find(|task| task["id"] == id).expect("it is there");
    assert_eq!(of("waits")["output"], "go\nfirst hello", "it began with the plan before");
    assert_eq!(of("fails")["output"], "o hello", "the input is kept");
    assert_eq!(of("more")["output"].as_array().expect("a list").len(), 2);
    assert_eq!(of("last")["state"], "cancelled");
    assert_eq!(desk.windlass(&["doctor"]).code, Some(0));
}

#[test]
fn a_run_that_failed_is_put_right_and_goes_on_after_kill_9_without_the_file() {
    let desk = Desk::with(FIRST);
    desk.write("gate", "");
    let failed = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(failed.code, Some(1), "{}", failed.all());
    desk.write("better.yaml", &SECOND.replace("echo more", "cat slow; echo more"));
    desk.gate("slow");
    let revised = desk.windlass(&["revise", "last", "better.yaml", "--input", "word=there"]);
    assert_eq!(revised.code, Some(0), "{}", revised.all());
    let retried = desk.windlass(&["retry", "last", "fails"]);
    assert_eq!(retried.code, Some(0), "{}", retried.all());
    let mut run = desk.start(&["resume", "last"]);
    run.wait_for("started   more.1");
    run.signal(Signal::KILL);
    drop(run.end());
    fs::remove_file(desk.work().join("better.yaml")).expect("it is there");
    fs::remove_file(desk.work().join("slow")).expect("it is there");
    desk.write("slow", "");
    let done = desk.windlass(&["resume", "last"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    let output = |id: &str| {
        let tasks = show["tasks"].as_array().expect("a list");
        tasks.iter().find(|task| task["id"] == id).expect("it is there")["output"].clone()
    };
    assert_eq!(output("fails"), "e there");
    assert_eq!(output("more"), serde_json::json!(["more 1", "more 2"]));
    assert_eq!(desk.read("done.txt"), "ran\n", "what had succeeded does not run again");
    let tasks = show["tasks"].as_array().expect("a list");
    let last = tasks.iter().find(|task| task["id"] == "last").expect("it is there");
    assert_eq!((&last["state"], &last["attempts"]), (&"skipped".into(), &serde_json::json!([])));
}

#[test]
fn what_has_begun_can_not_become_something_else_and_nothing_is_changed() {
    let desk = Desk::with(FIRST);
    desk.write("gate", "");
    desk.windlass(&["run", "plan.yaml"]);
    let before = desk.windlass(&["events", "last"]).out;
    let other = "tasks: { done: { for_each: [1], run: x }, fails: { approval: Sure? }, waits: { run: y, pass: [MY_*] } }";
    desk.write("other.yaml", other);
    let refused = desk.windlass(&["revise", "last", "other.yaml"]);
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    for part in [
        "done has succeeded, and its `for_each` can't change any more",
        "fails is dead, and its kind of work can't change any more",
        "`pass: MY_*` is new",
        "hint: ",
    ] {
        assert!(refused.err.contains(part), "{part}: {}", refused.all());
    }
    desk.write("other.yaml", "tasks: { done: { runs: x } }");
    assert_eq!(desk.windlass(&["revise", "last", "other.yaml"]).code, Some(2));
    assert_eq!(desk.windlass(&["revise", "nobody", "plan.yaml"]).code, Some(2));
    let unknown = desk.windlass(&["revise", "last", "plan.yaml", "--input", "wrd=x"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.all());
    assert!(unknown.err.contains("did you mean `word`?"), "{}", unknown.all());
    assert_eq!(desk.windlass(&["events", "last"]).out, before);
}
