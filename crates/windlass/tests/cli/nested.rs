//! Windlass called from within a task: nothing there may wait for the run that waits for it.
//! Never: a wait without an end, also where this fails (`timeout` ends it).

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::desk::Desk;

/// A desk whose plan has one task, which runs these lines with the binary as `W`, each under a bound.
fn inside(lines: &str) -> Desk {
    Desk::with(&json!({ "tasks": { "a": { "run": with_binary(lines) } } }).to_string())
}

fn with_binary(lines: &str) -> String {
    lines.replace("W ", &format!("timeout 60 {} ", env!("CARGO_BIN_EXE_windlass")))
}

const INNER: &str = r#"
goal: Build and test
tasks:
  build: { run: "echo built $WINDLASS_KEY" }
  test: { needs: [build], run: "echo tested after {{ tasks.build.output }}" }
"#;

/// The names of the tasks of the one run, with their states.
fn states(desk: &Desk) -> Vec<String> {
    let show = desk.json(&["show", "last", "--json"]);
    let tasks = show["tasks"].as_array().expect("a list");
    let text = |task: &Value, field: &str| task[field].as_str().unwrap_or_default().to_owned();
    tasks.iter().map(|task| format!("{} {}", text(task, "id"), text(task, "state"))).collect()
}

#[test]
fn a_run_that_a_task_starts_is_a_part_of_the_run_around_it_and_needs_no_slot_of_its_own() {
    let desk = inside("W run inner.yaml > said; echo $? > code; W run inner.yaml > again");
    desk.write("inner.yaml", INNER);
    let done = desk.windlass(&["run", "plan.yaml", "--slots", "1"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("code"), "0\n", "{}", desk.read("said"));
    let run = done.run();
    let said = desk.read("said");
    for part in [
        format!("run {run} a.0 Build and test\n"),
        "started   a.0/build".into(),
        format!("run {run} a.0 succeeded\n"),
        "tasks     2: 2 succeeded\n".into(),
        format!("result    a.0/test: tested after built {run}/a.0/build/1\n"),
        format!("details   windlass show {run} a.0\n"),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert!(desk.read("again").contains(&format!("run {run} a.1 succeeded")), "{}", desk.read("again"));
    let expected = ["a", "a.0", "a.0/build", "a.0/test", "a.1", "a.1/build", "a.1/test"];
    assert_eq!(states(&desk), expected.map(|task| format!("{task} succeeded")));
    let task = desk.json(&["show", "last", "a", "--json"]);
    let ids: Vec<_> = task["tasks"].as_array().expect("a list").iter().map(|task| &task["id"]).collect();
    assert_eq!(ids, ["a", "a.0", "a.1"]);
    let graph = desk.windlass(&["graph", "last"]);
    assert!(graph.out.contains("a.0") && graph.out.contains("a.1"), "{}", graph.all());
    assert!(done.out.contains("nested    a  a.0, a run of "), "{}", done.out);
    let runs = desk.json(&["ps", "--all", "--json"]);
    assert_eq!(runs["runs"].as_array().or(runs.as_array()).map(Vec::len), Some(1), "{runs}");
}

#[test]
fn what_fails_below_is_for_the_program_to_judge() {
    let desk = inside("W run inner.yaml > said; echo $? > code");
    desk.write("inner.yaml", "tasks: { bad: { run: exit 3 }, after: { needs: [bad], run: x } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    assert!(
        desk.read("said").contains("failed: a.0/bad: exit: `/bin/sh` exited with code 3"),
        "{}",
        desk.read("said")
    );
    assert_eq!(states(&desk), ["a succeeded", "a.0 dead", "a.0/bad dead", "a.0/after skipped"]);
    let letters = desk.windlass(&["dlq", "list"]);
    assert!(!letters.out.contains("a.0"), "{}", letters.all());
    let retried = desk.windlass(&["retry", "last", "a.0/bad"]);
    assert_eq!(retried.code, Some(1), "{}", retried.all());
    assert!(retried.err.contains("an attempt of a started it"), "{}", retried.err);
}

#[test]
fn a_wait_within_a_run_that_only_the_end_of_its_own_attempt_could_lead_to_ends_at_once_and_the_attempt_goes_on()
 {
    let line = with_binary("W run inner.yaml > said; echo $? > code");
    let tell = json!({ "needs": ["a"], "emit": { "topic": "go" } });
    let desk = Desk::with(&json!({ "tasks": { "a": { "run": line }, "tell": tell } }).to_string());
    desk.write("inner.yaml", "tasks: { heed: { wait_for: { topic: go } } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let circle = "a.0/heed waits for `go` of tell, tell needs a, a waits for a.0, a.0 ends with a.0/heed";
    let said = desk.read("said");
    assert!(said.contains(&format!("deadlock: nothing can wake it any more: {circle}")), "{said}");
    assert_eq!(states(&desk), ["a succeeded", "a.0 dead", "a.0/heed dead", "tell succeeded"]);
}

#[test]
fn a_nested_run_in_a_nested_run_goes_as_deep_as_the_run_around_allows() {
    let start = |plan: &str| format!("timeout 60 {} run {plan}", env!("CARGO_BIN_EXE_windlass"));
    let plan = |task: &str, line: &str| json!({ "tasks": { task: { "run": line } } }).to_string();
    let desk = Desk::with(&plan("a", &start("one.yaml")));
    desk.write("one.yaml", &plan("b", &start("two.yaml")));
    desk.write(
        "two.yaml",
        &plan(
            "c",
            &format!("echo $WINDLASS_OWNERS > marks; {} 2> refused; echo $? > code", start("three.yaml")),
        ),
    );
    desk.write("three.yaml", &plan("d", "true"));
    let done = desk.windlass(&["run", "plan.yaml", "--slots", "1"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let marks = desk.read("marks");
    let marks: Vec<&str> = marks.trim().split(',').filter_map(|mark| mark.split('|').nth(1)).collect();
    let run = done.run();
    assert_eq!(marks, [format!("{run}/a/1"), format!("{run}/a.0/b/1"), format!("{run}/a.0/b.0/c/1")]);
    let names = ["a", "a.0", "a.0/b", "a.0/b.0", "a.0/b.0/c"];
    assert_eq!(states(&desk), names.map(|name| format!("{name} succeeded")));
    let refused = desk.read("refused");
    assert!(refused.contains("its tree would have 4 levels, over its limits.depth of 3"), "{refused}");
    assert!(refused.contains("their plans may raise them under `limits`"), "{refused}");
}

#[test]
fn lines_of_json_are_those_of_the_part_alone() {
    let desk = inside("W run inner.yaml --json > said");
    desk.write("inner.yaml", "tasks: { b: { run: \"true\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let lines = desk.read("said");
    let tasks: BTreeSet<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"))
        .map(|line| line["task"].as_str().expect("it is of a task").to_owned())
        .collect();
    assert_eq!(tasks, BTreeSet::from(["a.0".to_owned(), "a.0/b".to_owned()]), "{lines}");
}

#[test]
fn the_last_line_of_json_says_how_the_part_ended_as_that_of_a_run_does() {
    let desk = inside("for plan in good bad; do W run $plan.yaml --json > $plan; done; true");
    desk.write("good.yaml", "tasks: { b: { run: \"true\" } }");
    desk.write("bad.yaml", "tasks: { b: { run: exit 3 } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    for (file, part, outcome) in [("good", "a.0", "succeeded"), ("bad", "a.1", "failed")] {
        let said = desk.read(file);
        let last: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("a line of JSON");
        let told = [&last["type"], &last["task"], &last["run"], &last["outcome"]];
        assert_eq!(told, ["run_finished", part, &done.run(), outcome], "{said}");
        assert!(last["at"].is_string(), "{last}");
        let places: Vec<u64> = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON")["seq"].as_u64())
            .collect();
        assert!(places.is_sorted_by(|one, next| one < next), "no record is told twice: {said}");
        assert_eq!(places.len() + 1, said.lines().count(), "the last line is no record: {said}");
    }
}

#[test]
fn a_plan_that_is_not_taken_is_said_once() {
    let desk = Desk::with(
        &json!({ "limits": { "tasks": 2 }, "tasks": { "a": { "run": with_binary("W run inner.yaml 2> said; true") } } })
            .to_string(),
    );
    desk.write("inner.yaml", INNER);
    let done = desk.windlass(&["run", "plan.yaml"]);
    let said = desk.read("said");
    assert_eq!((done.code, said.matches("not taken").count()), (Some(0), 1), "{said}");
    assert!(said.contains("its tree would have 4 tasks, over its limits.tasks of 2"), "{said}");
}

#[test]
fn a_budget_that_is_used_up_below_pauses_the_run_and_costs_the_task_nothing() {
    let line = with_binary("W run inner.yaml --json > said; code=$?; echo $code > code; exit $code");
    let desk =
        Desk::with(&json!({ "budget": { "attempts": 2 }, "tasks": { "a": { "run": line } } }).to_string());
    desk.write("inner.yaml", INNER);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(3), "3\n"), "{}", done.all());
    let last = desk.read("said").lines().last().map(ToOwned::to_owned).expect("a line");
    let last: Value = serde_json::from_str(&last).expect("a line of JSON");
    assert_eq!([&last["type"], &last["task"], &last["reason"]], ["run_paused", "a.0", "budget"]);
    let raise = format!("windlass resume {} --budget attempts=+5", done.run());
    assert!(done.all().contains(&raise), "{}", done.all());
    let why = desk.windlass(&["show", "last", "--why"]);
    assert!(why.out.contains(&raise), "{}", why.all());
    let resumed = desk.windlass(&["resume", "last", "--budget", "attempts=+5"]);
    assert_eq!((resumed.code, desk.read("code").as_str()), (Some(0), "0\n"), "{}", resumed.all());
}

#[test]
fn a_plan_whose_own_budget_is_used_up_ends_with_the_code_that_it_would_have_by_itself() {
    let desk = inside("W run inner.yaml; echo $? > code");
    desk.write("inner.yaml", &INNER.replace("goal:", "budget: { attempts: 1 }\ngoal:"));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "3\n"), "{}", done.all());
}

#[test]
fn a_part_that_only_people_bring_forward_is_left_where_nobody_is_asked() {
    let desk = inside("W run inner.yaml > said; echo $? > code");
    desk.write("inner.yaml", "tasks: { b: { run: \"true\" }, c: { needs: [b], approval: Go? } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "3\n"), "{}", done.all());
    let said = desk.read("said");
    assert!(said.contains("only people can bring it forward"), "{said}");
    assert!(said.contains(&format!("windlass approve {} a.0/c --id ", done.run())), "{said}");
    assert_eq!(states(&desk), ["a succeeded", "a.0 cancelled", "a.0/b succeeded", "a.0/c cancelled"]);
    let done = desk.windlass(&["run", "plan.yaml", "--yes"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "0\n"), "{}", done.all());
}

#[test]
fn what_a_nested_run_can_not_do_is_refused() {
    let lines = "W run inner.yaml --detach 2> detached; echo $? > code; W run inner.yaml --yes 2> yes; \
                 W run inner.yaml --home ../elsewhere 2> other; env WINDLASS_OWNERS=h\\|abcdef/a/1 W2 2> marks; true";
    let lines = lines.replace("W2", &format!("{} run inner.yaml", env!("CARGO_BIN_EXE_windlass")));
    let desk = inside(&lines);
    desk.write("inner.yaml", INNER);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "2\n"), "{}", done.all());
    for (file, part) in [
        ("detached", "it ends with the attempt that started it"),
        ("yes", "a task can't answer with `--yes` what a person is asked"),
        ("other", "a task of a run can't start a run in another home"),
        ("marks", "a task of a run can't start a run in another home"),
    ] {
        assert!(desk.read(file).contains(part), "{file}: {}", desk.read(file));
    }
    assert_eq!(states(&desk), ["a succeeded"]);
}

#[test]
fn what_ends_the_attempt_ends_what_it_started() {
    let desk = inside("W run inner.yaml");
    desk.write("inner.yaml", "tasks: { b: { run: cat gate }, c: { needs: [b], run: x } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a.0/b");
    let cancelled = desk.windlass(&["cancel", "last", "a"]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.all());
    let done = host.end();
    assert_eq!(done.code, Some(1), "{}", done.all());
    let names = ["a", "a.0", "a.0/b", "a.0/c"];
    assert_eq!(states(&desk), names.map(|name| format!("{name} cancelled")));
}

#[test]
fn an_engine_that_is_told_to_end_ends_the_attempt_with_what_it_started() {
    let desk = inside("W run inner.yaml");
    desk.write("inner.yaml", "tasks: { b: { run: cat gate }, c: { needs: [b], run: x } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a.0/b");
    host.signal(Signal::INT);
    let done = host.end();
    assert_eq!(done.code, Some(130), "{}", done.all());
    assert!(done.out.contains("uncharged: it starts again once its run goes on"), "{}", done.all());
    assert_eq!(states(&desk), ["a ready", "a.0 cancelled", "a.0/b cancelled", "a.0/c cancelled"]);
}

#[test]
fn after_a_kill_of_the_engine_the_next_attempt_starts_it_anew() {
    let desk = inside("W run inner.yaml > said");
    desk.write("inner.yaml", "tasks: { b: { run: cat gate } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a.0/b");
    host.signal(Signal::KILL);
    host.end();
    let mut resumed = desk.start(&["resume", "last"]);
    resumed.wait_for("started   a.1/b");
    desk.open_gate("gate");
    let done = resumed.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    let states = states(&desk);
    let expected = ["a succeeded", "a.0 cancelled", "a.0/b cancelled", "a.1 succeeded", "a.1/b succeeded"];
    assert_eq!(states, expected);
}

#[test]
fn a_nested_run_can_be_cancelled_by_itself() {
    let desk = inside("W run inner.yaml > said; echo $? > code");
    desk.write("inner.yaml", "tasks: { b: { run: cat gate } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a.0/b");
    let cancelled = desk.windlass(&["cancel", "last", "a.0"]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.all());
    let done = host.end();
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    assert_eq!(states(&desk), ["a succeeded", "a.0 cancelled", "a.0/b cancelled"]);
}

#[test]
fn what_a_task_calls_can_not_wait_for_the_run_around_it() {
    for (line, says) in [
        ("W resume last", "a task of a run can't go on with a run"),
        ("W resume", "a task of a run can't go on with a run"),
        ("W resume $WINDLASS_RUN --detach", "a task of a run can't go on with a run"),
        ("W events last -f", "this would wait for itself"),
        ("W events last -f --json", "this would wait for itself"),
        ("W logs last a -f", "this would wait for itself"),
    ] {
        let desk = inside(&format!("{line}; echo $? > code"));
        let done = desk.windlass(&["run", "plan.yaml"]);
        assert_eq!((done.code, desk.read("code").trim()), (Some(0), "1"), "{line}: {}", done.all());
        let said = desk.windlass(&["logs", "last", "a"]);
        assert!(said.out.contains(says), "{line}: {}", said.all());
    }
}

#[test]
fn what_a_task_calls_can_look_at_the_run_around_it_and_steer_it() {
    let desk = inside("W show last > shown && W events last > told && W logs last a && W pause last");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(desk.read("shown").contains("running"), "{}", desk.read("shown"));
    let desk = inside("W cancel last; cat");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("cancelled"), "{}", done.all());
}

#[test]
fn another_home_can_be_followed_from_within_a_task() {
    let other = Desk::with("tasks: { b: { run: echo done } }");
    other.windlass(&["run", "plan.yaml"]);
    let home = other.home().display().to_string();
    let desk = inside(&format!("W events last -f --home {home} && W logs last b -f --home {home}"));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn kills_and_retries_use_up_no_cap_on_tasks() {
    let desk = Desk::with(
        &json!({
            "limits": { "tasks": 4, "fan_out": 1 },
            "tasks": { "a": { "run": with_binary("echo x >> tries; W run inner.yaml && test $(grep -c x tries) = 4"),
                "retry": { "max_attempts": 4, "initial_interval": "1ms" } } },
        })
        .to_string(),
    );
    desk.write("inner.yaml", "tasks: { b: { run: \"true\" }, c: { run: \"true\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(states(&desk).contains(&"a.3 succeeded".to_owned()), "{:?}", states(&desk));
}

#[test]
fn what_must_not_be_done_twice_is_asked_about_after_a_kill_of_the_engine() {
    let desk = inside("W run inner.yaml");
    let once = "tasks: { b: { run: echo x >> done, rerun: never }, c: { needs: [b], run: cat gate } }";
    desk.write("inner.yaml", once);
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a.0/c");
    host.signal(Signal::KILL);
    host.end();
    let resumed = desk.windlass(&["resume", "last"]);
    assert_eq!(resumed.code, Some(3), "{}", resumed.all());
    let shown = desk.windlass(&["show", "last", "a"]);
    assert!(shown.out.contains("a.0/b has `rerun: never` and was started"), "{}", shown.all());
    assert!(resumed.all().contains("settle"), "{}", resumed.all());
    let settled = desk.windlass(&["settle", "last", "a", "--done"]);
    assert_eq!(settled.code, Some(0), "{}", settled.all());
    let resumed = desk.windlass(&["resume", "last"]);
    assert_eq!((resumed.code, desk.read("done").as_str()), (Some(0), "x\n"), "{}", resumed.all());
}

#[test]
fn a_message_from_outside_reaches_who_waits_within_a_nested_run() {
    let desk = inside("W run inner.yaml");
    desk.write("inner.yaml", "tasks: { b: { wait_for: { topic: go, external: true } } }");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("waits     a.0/b");
    let why = desk.windlass(&["show", "last", "a.0/b", "--why"]);
    assert!(why.out.contains("emit") && why.out.contains(" go"), "{}", why.all());
    let said = desk.windlass(&["emit", "last", "go"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let done = host.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn what_failed_in_a_nested_run_is_not_hinted_at_a_command_that_refuses_it() {
    let desk = inside("W run inner.yaml > said");
    desk.write("inner.yaml", "tasks: { b: { approval: Go?, timeout: 1ms }, c: { plan: sub.yaml } }");
    desk.write("sub.yaml", "tasks: { bad: { run: exit 3 } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let shown: String =
        ["a.0", "a.0/b", "a.0/c"].map(|task| desk.windlass(&["show", "last", task, "--json"]).out).concat();
    for said in [shown, desk.read("said"), done.all()] {
        assert!(!said.contains("retry last a.0") && !said.contains("a.0 requeues"), "{said}");
        let retries = said.lines().filter(|line| line.contains("windlass retry"));
        let refused: Vec<&str> = retries.filter(|line| line.contains("a.0")).collect();
        assert!(refused.is_empty(), "{refused:?}");
    }
    let run = done.run();
    assert!(done.all().contains(&format!("windlass retry {run} a &&")), "{}", done.all());
}

#[test]
fn silence_counts_again_once_what_was_waited_for_has_ended() {
    let lines = "W run inner.yaml > said 2>&1; echo $? > code; exec sleep 1000 > silent";
    let timeout = json!({ "start_to_close": "1m", "heartbeat": "500ms" });
    let plan = json!({ "tasks": { "a": { "run": with_binary(lines), "timeout": timeout, "retry": { "max_attempts": 1 } } } });
    let desk = Desk::with(&plan.to_string());
    // Longer than the silence that would be too long.
    desk.write("inner.yaml", "tasks: { long: { wait_for: { after: 1500ms } } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert_eq!(desk.read("code"), "0\n", "{}", desk.read("said"));
    let tasks = desk.json(&["show", "last", "--json"])["tasks"].clone();
    assert_eq!(tasks[0]["error"]["kind"], "stalled", "{}", tasks[0]);
    assert_eq!(tasks[1]["state"], "succeeded", "{}", tasks[1]);
}
