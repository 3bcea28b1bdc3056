//! Runs that a task starts in another home, and what only people may say.
//! Never: a wait without an end, also where this fails (`timeout` ends it).

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::desk::{Desk, Done, is_alive};

/// The binary, under a bound.
const W: &str = concat!("timeout 60 ", env!("CARGO_BIN_EXE_windlass"));

/// A desk whose plan has one task, which runs this line with the binary as `$W`, and may start runs in other homes.
fn inside(line: &str) -> Desk {
    Desk::with(
        &json!({ "nested": true, "tasks": { "a": { "run": line.replace("$W ", &format!("{W} ")) } } })
            .to_string(),
    )
}

/// A home beside that of the work folder.
const OTHER: &str = "../other";

fn in_other(desk: &Desk, arguments: &[&str]) -> Done {
    desk.windlass(&[arguments, &["--home", OTHER]].concat())
}

/// Begins a run of `half.yaml` there, and stops it while its `b` runs.
fn begin_elsewhere_and_stop(desk: &Desk) {
    let mut begun = desk.start(&["run", "half.yaml", "--home", OTHER]);
    begun.wait_for("started   b");
    begun.signal(Signal::INT);
    assert_eq!(begun.end().code, Some(130));
}

#[test]
fn a_task_whose_plan_says_so_starts_a_run_of_its_own_in_another_home() {
    let desk =
        inside("$W run inner.yaml --home ../other > said; echo $? > code; echo $WINDLASS_NESTED > levels");
    desk.write(
        "inner.yaml",
        r#"tasks: { b: { run: "echo $WINDLASS_OWNERS; echo ${WINDLASS_NESTED-none} > inner" } }"#,
    );
    let done = desk.windlass(&["run", "plan.yaml", "--slots", "1"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "0\n"), "{}", done.all());
    let shown = desk.json(&["show", "last", "b", "--json", "--home", OTHER]);
    let inner = shown["run"]["id"].as_str().expect("a name").to_owned();
    assert_eq!(shown["run"]["state"], "succeeded");
    let marks = shown["tasks"][0]["output"].as_str().expect("a text").to_owned();
    let keys: Vec<&str> = marks.split(',').filter_map(|mark| mark.split('|').nth(1)).collect();
    assert_eq!(keys, [format!("{}/a/1", done.run()), format!("{inner}/b/1")], "the marks of both homes");
    assert!(desk.read("said").contains(&format!("run {inner} succeeded")), "{}", desk.read("said"));
    let own = desk.json(&["show", "last", "--json"]);
    assert_eq!(own["tasks"].as_array().map(Vec::len), Some(1), "it is no part of the run around it");
    assert_eq!((desk.read("levels").as_str(), desk.read("inner").as_str()), ("2\n", "none\n"));
}

#[test]
fn a_plan_that_starts_itself_for_ever_in_new_homes_ends_with_a_clear_error() {
    let line = format!("{W} run plan.yaml --home \"$WINDLASS_HOME-x\"");
    let desk = Desk::with(&json!({ "nested": true, "tasks": { "a": { "run": line } } }).to_string());
    let done = desk.windlass(&["run", "plan.yaml", "--home", "../h"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let homes = |name: &str| desk.work().join("..").join(name).exists();
    assert_eq!(["h", "h-x", "h-x-x", "h-x-x-x"].map(homes), [true, true, true, false]);
    let innermost = desk.windlass(&["logs", "last", "a", "--home", "../h-x-x"]);
    for part in [
        "error: the runs around this go too deep for another",
        "with it there would be 4 levels of attempts, and the plans around it allow 3",
        "raise `depth` under `limits` of the outermost plan",
    ] {
        assert!(innermost.out.contains(part), "{part}: {}", innermost.all());
    }
    assert!(done.out.contains("the plans around it allow 3"), "it is seen from outside, too: {}", done.all());
}

#[test]
fn what_a_plan_deeper_than_is_left_would_start_is_not_started() {
    let desk = inside("$W run inner.yaml --home ../other");
    desk.write("inner.yaml", "tasks: { b: { plan: part.yaml }, c: { run: touch c } }");
    desk.write("part.yaml", "tasks: { d: { plan: more.yaml } }");
    desk.write("more.yaml", "tasks: { e: { run: touch e } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("there would be 4 levels of attempts"), "{}", done.all());
    assert!(!desk.work().join("c").exists());
}

#[test]
fn in_another_home_a_plan_that_starts_itself_goes_no_deeper_than_the_plan_around_allows() {
    let outer = json!({ "nested": true, "limits": { "depth": 2 },
        "tasks": { "a": { "run": format!("{W} run inner.yaml --home ../other") } } });
    let desk = Desk::with(&outer.to_string());
    let line = format!("echo x >> tried; {W} run inner.yaml 2>> refused; echo $? >> codes");
    let inner = json!({ "limits": { "depth": 6 }, "tasks": { "b": { "run": line } } });
    desk.write("inner.yaml", &inner.to_string());
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("tried").as_str()), (Some(0), "x\n"), "{}", done.all());
    let refused = desk.read("refused");
    assert_eq!(desk.read("codes"), "1\n", "{refused}");
    assert!(refused.contains("have 2 levels, and the plans around its home allow 1"), "{refused}");
    let alone = desk.windlass(&["run", "inner.yaml", "--home", "../alone"]);
    assert_eq!((alone.code, desk.read("tried").lines().count()), (Some(0), 7), "{}", alone.all());
}

#[test]
fn a_run_deeper_than_is_left_is_not_gone_on_with() {
    let desk = inside("$W resume last --home ../other 2> refused; echo $? > code");
    desk.write(
        "half.yaml",
        "limits: { depth: 4 }\ntasks: { b: { run: cat gate }, c: { needs: [b], plan: part.yaml } }",
    );
    desk.write("part.yaml", "tasks: { d: { plan: more.yaml } }");
    desk.write("more.yaml", "tasks: { e: { run: touch e } }");
    desk.gate("gate");
    begin_elsewhere_and_stop(&desk);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let refused = desk.read("refused");
    assert!(
        refused.contains("there would be 4 levels of attempts, and the plans around it allow 3"),
        "{refused}"
    );
    assert!(!desk.work().join("e").exists());
}

#[test]
fn a_plan_that_was_brought_gives_no_leave_that_the_run_around_has_not() {
    let plan = json!({ "tasks": { "a": { "run": format!("{W} run inner.yaml") } } });
    let desk = Desk::with(&plan.to_string());
    let line = format!("{W} run leaf.yaml --home ../other 2> refused; echo $? > code");
    desk.write("inner.yaml", &json!({ "nested": true, "tasks": { "b": { "run": line } } }).to_string());
    desk.write("leaf.yaml", "tasks: { c: { run: touch c } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let refused = desk.read("refused");
    assert!(refused.contains("does not say `nested: true`"), "{refused}");
    assert!(!desk.work().join("c").exists());
}

#[test]
fn a_run_in_another_home_can_not_go_back_to_a_home_around_it() {
    let desk = inside("export OUTER=\"$WINDLASS_HOME\"; $W run inner.yaml --home ../other");
    let line = format!("{W} run leaf.yaml --home \"$OUTER\" 2> refused; echo $? > code");
    let inner = json!({ "nested": true, "tasks": { "b": { "pass": ["OUTER"], "run": line } } });
    desk.write("inner.yaml", &inner.to_string());
    desk.write("leaf.yaml", "tasks: { c: { run: touch c } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let refused = desk.read("refused");
    assert!(refused.contains("a task of a run can't start a run in a home around its own"), "{refused}");
}

#[test]
fn what_ends_the_attempt_ends_what_it_started_in_another_home() {
    let desk = inside("$W run inner.yaml --home ../other");
    let line = "setsid sh -c 'echo $$ > pid; cat began; exec sleep 1000'";
    desk.write("inner.yaml", &json!({ "tasks": { "b": { "run": line } } }).to_string());
    desk.gate("began");
    let host = desk.start(&["run", "plan.yaml"]);
    desk.open_gate("began");
    let pid = desk.read("pid").trim().parse().expect("a number");
    assert!(is_alive(pid));
    let cancelled = desk.windlass(&["cancel", "last", "a"]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.all());
    let done = host.end();
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(!is_alive(pid));
    let left = in_other(&desk, &["ps", "--json"]);
    assert!(!left.out.contains("\"state\":\"running\""), "nobody works on it: {}", left.all());
}

#[test]
fn after_a_kill_of_the_engine_and_all_that_it_had_the_next_one_finds_by_the_marks_what_was_started_elsewhere()
{
    let desk = inside("echo $$ > outer; $W run inner.yaml --home ../other");
    let line = "test -e pid && exit; echo $$ > pid; trap '' TERM; cat began; while :; do sleep 1000; done";
    desk.write("inner.yaml", &json!({ "tasks": { "b": { "run": line } } }).to_string());
    desk.gate("began");
    let host = desk.start(&["run", "plan.yaml"]);
    desk.open_gate("began");
    let pid = desk.read("pid").trim().parse().expect("a number");
    let monitor =
        parent_of(desk.read("outer").trim().parse().ok().and_then(Pid::from_raw).expect("a process"));
    let keeper = parent_of(monitor);
    // All at once: nobody sees another's end.
    for held in [host.pid(), keeper, monitor] {
        kill_process(held, Signal::STOP).expect("it is alive");
    }
    for killed in [monitor, keeper, host.pid()] {
        kill_process(killed, Signal::KILL).expect("it is alive");
    }
    host.end();
    assert!(is_alive(pid), "nobody was left to end it");
    let resumed = desk.windlass(&["resume", "last"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert!(!is_alive(pid));
    let runs = in_other(&desk, &["ps", "--json"]);
    assert!(runs.out.contains("\"state\":\"succeeded\""), "the second attempt ran it anew: {}", runs.all());
}

fn parent_of(pid: Pid) -> Pid {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).expect("it is alive");
    let behind = stat.rsplit(')').next().expect("it has a name");
    let parent = behind.split_whitespace().nth(1).and_then(|parent| parent.parse().ok());
    parent.and_then(Pid::from_raw).expect("it has a parent")
}

#[test]
fn an_engine_of_others_takes_no_plan_from_within_a_task() {
    let desk = inside("$W run inner.yaml --home ../other 2> refused; echo $? > code");
    desk.write("inner.yaml", "tasks: { b: { run: touch b } }");
    desk.write("waits.yaml", "tasks: { w: { run: cat gate } }");
    desk.gate("gate");
    let mut other = desk.start(&["run", "waits.yaml", "--home", OTHER]);
    other.wait_for("started   w");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let refused = desk.read("refused");
    assert!(refused.contains("is not within the task that asks"), "{refused}");
    desk.open_gate("gate");
    assert_eq!(other.end().code, Some(0));
    assert!(!desk.work().join("b").exists());
}

#[test]
fn an_engine_of_others_goes_on_with_nothing_from_within_a_task() {
    let desk = inside("$W resume $(cat held) --home ../other 2> refused; echo $? > code");
    desk.write("asks.yaml", "tasks: { q: { approval: Go? }, after: { needs: [q], run: touch after } }");
    desk.write("waits.yaml", "tasks: { w: { run: cat gate } }");
    desk.gate("gate");
    let held = in_other(&desk, &["run", "asks.yaml"]).run();
    desk.write("held", &held);
    let mut other = desk.start(&["run", "waits.yaml", "--home", OTHER]);
    other.wait_for("started   w");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let refused = desk.read("refused");
    assert!(refused.contains("is not within the task that asks"), "{refused}");
    desk.open_gate("gate");
    other.end();
}

#[test]
fn what_a_person_or_a_budget_paused_no_task_goes_on_with() {
    let desk = inside("$W resume last --home ../other 2> refused; echo $? > code");
    let budget = "budget: { attempts: 1 }\ntasks: { b: { run: \"true\" }, c: { needs: [b], run: touch c } }";
    desk.write("budget.yaml", budget);
    desk.write("waits.yaml", "tasks: { b: { run: cat gate }, c: { needs: [b], run: touch c } }");
    let refused = |paused: &str| {
        let done = desk.windlass(&["run", "plan.yaml"]);
        assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
        let said = desk.read("refused");
        assert!(said.contains("a task of a run can't go on with what a person or a budget paused"), "{said}");
        let shown = in_other(&desk, &["show", paused, "--json"]);
        assert!(shown.out.contains("\"state\":\"paused\""), "{}", shown.all());
    };
    let used_up = in_other(&desk, &["run", "budget.yaml"]);
    assert_eq!(used_up.code, Some(3), "{}", used_up.all());
    refused(&used_up.run());
    desk.gate("gate");
    let mut other = desk.start(&["run", "waits.yaml", "--home", OTHER]);
    other.wait_for("started   b");
    let paused = in_other(&desk, &["pause", "last"]);
    assert_eq!(paused.code, Some(0), "{}", paused.all());
    desk.open_gate("gate");
    let ended = other.end();
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    refused(&ended.run());
    assert!(!desk.work().join("c").exists(), "nothing behind the pause has run");
}

#[test]
fn two_runs_that_a_task_starts_in_another_home_share_an_engine() {
    let desk = inside(
        "$W run one.yaml --home ../other > one & $W run two.yaml --home ../other > two; echo $? > code; wait",
    );
    desk.write("one.yaml", "tasks: { b: { run: cat gate } }");
    desk.write("two.yaml", "tasks: { c: { run: echo go > gate } }");
    desk.gate("gate");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "0\n"), "{}", done.all());
    let runs = in_other(&desk, &["ps", "--json"]);
    assert_eq!(runs.out.matches("\"state\":\"succeeded\"").count(), 2, "{}", runs.all());
}

#[test]
fn a_task_goes_on_with_a_run_of_another_home() {
    let desk = inside("$W resume last --home ../other; echo $? > code");
    desk.write("half.yaml", "tasks: { b: { run: cat gate }, c: { needs: [b], run: touch c } }");
    desk.gate("gate");
    begin_elsewhere_and_stop(&desk);
    let host = desk.start(&["run", "plan.yaml"]);
    desk.open_gate("gate");
    let done = host.end();
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "0\n"), "{}", done.all());
    assert!(desk.work().join("c").exists());
}

#[test]
fn a_task_does_not_say_what_only_people_say() {
    let asks = "tasks: { b: { approval: \"Go?\" } }";
    for (line, says) in [
        ("$W approve last q --id 00000000", "a task of a run can't answer what a person is asked"),
        ("$W approve last q --deny --id 00000000", "a task of a run can't answer what a person is asked"),
        ("$W settle last q --done", "a task of a run can't say what became of a task"),
        ("$W revise last plan.yaml", "a task of a run can't change the plan of a run around it"),
        ("$W run asks.yaml --yes", "a task can't answer with `--yes` what a person is asked"),
        ("$W run asks.yaml --yes --home ../other", "a task can't answer with `--yes` what a person is asked"),
        ("$W resume last --budget attempts=+5 --home ../other", "a task of a run can't add to a budget"),
    ] {
        let desk = inside(&format!("{line} 2> said; echo $? > code"));
        desk.write("asks.yaml", asks);
        in_other(&desk, &["run", "asks.yaml"]);
        let done = desk.windlass(&["run", "plan.yaml"]);
        assert_eq!(done.code, Some(0), "{line}: {}", done.all());
        assert!(["1", "2"].contains(&desk.read("code").trim()), "{line}: {}", desk.read("code"));
        assert!(desk.read("said").contains(says), "{line}: {}", desk.read("said"));
    }
}

#[test]
fn what_a_run_in_another_home_asks_ends_its_command_with_3_and_a_person_answers_it() {
    let desk = inside("export WINDLASS_HOME=../other; $W run asks.yaml > said; echo $? > code");
    desk.write("asks.yaml", "tasks: { b: { approval: \"Go?\" } }");
    let done = desk.windlass(&["run", "plan.yaml", "--yes"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "3\n"), "{}", done.all());
    let said = desk.read("said");
    let home = desk.work().canonicalize().expect("it is there").join(OTHER);
    assert!(
        said.contains(&format!("windlass --home {} approve", home.display())),
        "no variable is pasted: {said}"
    );
    let id = said.split("--id ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an id");
    let approved = in_other(&desk, &["approve", "last", "b", "--id", id]);
    assert_eq!(approved.code, Some(0), "{}", approved.all());
}

#[test]
fn who_says_yes_to_a_run_says_yes_to_what_its_tasks_start_within_it() {
    let desk = inside("$W run asks.yaml; echo $? > code");
    desk.write("asks.yaml", "tasks: { b: { approval: \"Go?\" }, c: { needs: [b], run: touch c } }");
    let done = desk.windlass(&["run", "plan.yaml", "--yes"]);
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "0\n"), "{}", done.all());
    assert!(desk.work().join("c").exists());
}

#[test]
fn an_engine_within_a_task_takes_no_plan_from_outside_and_the_task_ends_with_its_own_run() {
    let desk = inside("$W run inner.yaml --home ../other");
    desk.write("inner.yaml", "tasks: { b: { run: cat gate } }");
    desk.write("stranger.yaml", "tasks: { c: { run: cat hold } }");
    desk.write("asks.yaml", "tasks: { d: { approval: Go? } }");
    desk.gate("gate");
    assert_eq!(in_other(&desk, &["run", "asks.yaml"]).code, Some(3));
    let asks =
        in_other(&desk, &["ps", "--json"]).lines()[0]["runs"][0]["id"].as_str().expect("an id").to_owned();
    let mut outer = desk.command(&["run", "plan.yaml"]).stdout(Stdio::null()).spawn().expect("it starts");
    // It is there once somebody reads the gate's other end: a write waits for that.
    let gate = std::fs::File::options().write(true).open(desk.work().join("gate")).expect("it is a pipe");
    let refused = in_other(&desk, &["run", "stranger.yaml"]);
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    assert!(refused.err.contains("takes no plans from outside"), "{}", refused.all());
    let refused = in_other(&desk, &["resume", &asks]);
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    assert!(refused.err.contains("resume it when that task has ended"), "{}", refused.all());
    // Its own run is paused and resumed from outside as any other.
    for verb in ["pause", "resume"] {
        let done = in_other(&desk, &[verb, "last", "--detach"][..if verb == "pause" { 2 } else { 3 }]);
        assert_eq!(done.code, Some(0), "{verb}: {}", done.all());
    }
    drop(gate);
    assert!(outer.wait().expect("it ends").success());
    assert_eq!(in_other(&desk, &["ps", "--json"]).out.matches("\"id\"").count(), 2);
    assert_eq!(in_other(&desk, &["resume", &asks]).code, Some(3), "a person goes on with it now");
}
