//! Plans within plans, as a user meets them.

use crate::desk::Desk;

const OUTER: &str = r#"
tasks:
  part:
    for_each: [left, right]
    plan: parts/one.yaml
    inputs: { name: "{{ item }}" }
  sum: { needs: [part], run: "echo {{ tasks.part.output[0].make }} {{ tasks.part.output[1].make }} > proof" }
"#;

const INNER: &str = r#"
version: 1
inputs: { name: { type: string } }
tasks:
  make: { run: "echo {{ inputs.name }} in $(basename {{ plan.dir }})" }
"#;

fn desk() -> Desk {
    let desk = Desk::with(OUTER);
    desk.write("parts/one.yaml", INNER);
    desk
}

#[test]
fn the_tasks_of_a_sub_plan_run_under_ids_of_their_own_and_give_an_object() {
    let desk = desk();
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "left in parts right in parts\n");
    let show = desk.json(&["show", "last", "--json"]);
    let tasks = show["tasks"].as_array().expect("a list");
    let ids: Vec<&str> = tasks.iter().filter_map(|task| task["id"].as_str()).collect();
    assert_eq!(ids, ["part", "part.0", "part.0/make", "part.1", "part.1/make", "sum"]);
    assert_eq!(tasks[1]["output"]["make"], "left in parts");
    assert_eq!(desk.windlass(&["logs", "last", "part.1/make"]).code, Some(0));
}

#[test]
fn plans_of_a_list_run_one_at_a_time_and_replicas_that_are_plans_vote() {
    let outer = r#"
tasks:
  part: { for_each: [left, right, left], max_parallel: 1, plan: alone.yaml }
  vote: { replicas: 3, select: majority, plan: parts/one.yaml, inputs: { name: same } }
  sum: { needs: [part, vote], run: "echo {{ tasks.vote.output.make }} > proof" }
"#;
    let desk = Desk::with(outer);
    desk.write("parts/one.yaml", INNER);
    // Two of them at once would be in each other's way.
    desk.write("alone.yaml", "version: 1\ntasks: { make: { run: \"mkdir busy && rmdir busy\" } }\n");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "same in parts\n");
}

#[test]
fn what_a_task_of_a_sub_plan_lets_through_reaches_it() {
    let desk = Desk::with("tasks: { p: { plan: inner.yaml } }");
    desk.write(
        "inner.yaml",
        "version: 1\ntasks: { x: { run: 'echo \"$OUR_WORD\" > proof', pass: [OUR_*] } }\n",
    );
    let done = desk.command(&["run", "plan.yaml"]).env("OUR_WORD", "hello").output().expect("it starts");
    assert!(done.status.success());
    assert_eq!(desk.read("proof"), "hello\n");
}

#[test]
fn what_is_wrong_with_a_sub_plan_is_told_where_it_is_named_and_nothing_starts() {
    let desk = desk();
    desk.write("parts/one.yaml", "version: 1\ntasks: { make: { runs: \"true\" } }\n");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(2), "{}", done.all());
    assert!(done.err.contains("parts/one.yaml:2:18"), "{}", done.err);
    desk.write("plan.yaml", "version: 1\ntasks: { a: { plan: parts/one.yaml } }\n");
    desk.write("parts/one.yaml", "version: 1\ntasks: { again: { plan: ../plan.yaml } }\n");
    let circle = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(circle.code, Some(2), "{}", circle.all());
    assert!(circle.err.contains("is a sub-plan of itself"), "{}", circle.err);
    desk.write("plan.yaml", "version: 1\ntasks: { a: { plan: nowhere.yaml } }\n");
    let missing = desk.windlass(&["check", "plan.yaml"]);
    assert!(missing.err.contains("the sub-plan `nowhere.yaml` can't be read"), "{}", missing.err);
}

#[test]
fn what_is_worth_a_word_in_a_sub_plan_is_said_with_its_file_and_once() {
    let desk = Desk::with(
        "tasks:\n  one: { plan: parts/sub.yaml }\n  two: { plan: parts/sub.yaml }\n  own: { run: 'true', env: { OWN_TOKEN: abcdefgh } }\n",
    );
    desk.write("parts/sub.yaml", "tasks: { deep: { plan: deep.yaml } }\nlimits: { tasks: 5 }\n");
    let deep = "tasks: { a: { run: 'true', env: { MY_TOKEN: hunter2 } } }\n";
    desk.write("parts/deep.yaml", deep);
    for line in [["check", "plan.yaml"], ["run", "plan.yaml"]] {
        let said = desk.windlass(&line);
        assert_eq!(said.code, Some(0), "{}", said.all());
        let warned: Vec<&str> = said.err.lines().filter(|line| line.contains("warning:")).collect();
        assert_eq!(
            warned,
            [
                "warning: `OWN_TOKEN` looks like a secret in clear text",
                "warning: `limits` of a sub-plan counts only where it is run by itself",
                "warning: `MY_TOKEN` looks like a secret in clear text"
            ],
            "{}",
            said.err
        );
        assert!(said.err.contains("parts/deep.yaml:1:45"), "{}", said.err);
        assert!(said.err.contains("MY_TOKEN: *******") && !said.err.contains("hunter2"), "{}", said.err);
        assert!(!said.err.contains("\n\n\n") && said.err.contains("\n\nwarning: `MY_TOKEN`"), "{}", said.err);
    }
    let checked = desk.json(&["check", "plan.yaml", "--json"]);
    let codes: Vec<_> =
        checked["diagnostics"].as_array().expect("a list").iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["clear_secret", "bad_value", "clear_secret"]);
    assert!(checked["diagnostics"][2]["file"].as_str().is_some_and(|file| file.ends_with("parts/deep.yaml")));
}

#[test]
fn a_task_of_a_sub_plan_stands_below_its_parent() {
    let desk = Desk::with("tasks: { sub: { plan: parts/one.yaml, inputs: { name: left } } }");
    desk.write("parts/one.yaml", INNER);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let show = desk.windlass(&["show", "last"]).out;
    assert!(show.contains("\nsub ") && show.contains("\n  sub/make "), "{show}");
}
