//! `windlass run` to its end: outcomes, codes, what is printed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::assert_shows;
use crate::desk::Desk;

#[test]
fn a_run_that_succeeds_tells_what_it_did() {
    let desk = Desk::with(
        "
goal: Show what is told
tasks:
  one: { run: echo hello }
  two: { needs: [one], run: [echo, \"{{ tasks.one.output }} again\"] }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0));
    assert_shows!(desk, done.all());
}

#[test]
fn a_run_that_fails_ends_with_the_logs_of_what_failed() {
    let desk = Desk::with(
        "
tasks:
  good: { run: echo fine }
  bad: { needs: [good], run: \"echo to out; echo to err >&2; printf '\\\\033[31mred' >&2; exit 7\" }
  after: { needs: [bad], run: echo never }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1));
    assert_shows!(desk, done.all());
}

#[test]
fn only_the_last_twenty_lines_of_a_failed_log_are_shown() {
    let desk = Desk::with("tasks: { a: { run: \"seq 100 150; exit 1\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert!(
        !done.out.contains(" 130\n") && done.out.contains(" 131\n") && done.out.contains(" 150\n"),
        "{}",
        done.out
    );
}

#[test]
fn attempts_that_failed_before_a_task_succeeded_are_told_with_their_logs() {
    let desk = Desk::with(
        "
tasks:
  flaky:
    retry: { max_attempts: 3, initial_interval: 1ms, jitter: none }
    run: \"test -e flag || { touch flag; echo out; echo not yet >&2; exit 75; }\"
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0));
    assert_shows!(desk, done.all());
}

#[test]
fn what_nobody_can_help_is_not_told_as_a_failure() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    running.signal(rustix::process::Signal::INT);
    let done = running.end();
    assert!(!done.out.contains("failed:") && !done.out.contains("retried:"), "{}", done.out);
}

#[test]
fn of_many_failed_attempts_the_first_ten_are_shown_and_the_others_counted() {
    let desk = Desk::with(
        "
tasks:
  list: { run: \"echo '[0,1,2,3,4,5,6,7]'\" }
  many:
    needs: [list]
    for_each: \"{{ tasks.list.output }}\"
    retry: { max_attempts: 2, initial_interval: 1ms, jitter: none }
    run: echo said {{ item }} by $WINDLASS_ATTEMPT; exit 3
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1));
    let said =
        |attempt: u32| done.out.lines().filter(|line| line.ends_with(&format!(" by {attempt}"))).count();
    assert_eq!((said(2), said(1)), (8, 2), "what they died of comes first: {}", done.out);
    assert!(done.out.contains("… and 6 more failed attempts: `windlass logs "), "{}", done.out);
}

#[test]
fn lines_of_logs_are_cut_in_the_summary_and_whole_in_logs() {
    let desk = Desk::with("tasks: { a: { run: \"printf '%0300d\\\\n' 7; exit 1\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    let line = done.out.lines().find(|line| line.contains(" out ")).expect("the line of the log");
    assert_eq!(line.chars().count(), 200, "{line}");
    assert!(line.ends_with("000…"), "{line}");
    let logs = desk.windlass(&["logs", "last", "a"]).out;
    assert!(logs.contains(&format!("{}7\n", "0".repeat(299))), "{logs}");
}

#[test]
fn a_program_that_is_not_there_is_named_with_a_way_out() {
    let desk = Desk::with("tasks: { a: { run: [gti, status] } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1));
    assert!(done.out.contains("spawn_not_found") && done.out.contains("gti"), "{}", done.out);
}

#[test]
fn programs_get_the_runs_events_and_the_last_is_its_end() {
    let desk = Desk::with("tasks: { a: { run: echo 1 }, b: { needs: [a], run: exit 1 } }");
    let done = desk.windlass(&["run", "plan.yaml", "--json"]);
    assert_eq!(done.code, Some(1));
    let lines = done.lines();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"run_created"));
    assert_eq!(types.last(), Some(&"run_finished"));
    let run = lines[0]["run"].clone();
    assert!(lines.iter().all(|line| line["run"] == run && line["seq"].is_u64() && line["v"] == 1));
    let events = desk.windlass(&["events", "last", "--json"]);
    assert_eq!(events.out, done.out, "the same lines as `events --json`");
}

#[test]
fn a_run_goes_on_without_its_reader() {
    let desk = Desk::with("tasks: { a: { run: cat gate }, b: { needs: [a], run: echo done > proof } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    let mut child = running.stop_reading();
    desk.open_gate("gate");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(desk.read("proof"), "done\n");
}

#[test]
fn a_reader_that_lags_behind_misses_nothing_and_reads_nothing_twice() {
    let desk = Desk::with(
        "
limits: { fan_out: 200 }
tasks:
  a: { for_each: \"{{ range(150) | list }}\", run: \"head -c 20000 /dev/zero | tr '\\\\0' x\" }
  b: { needs: [a], run: \"echo up > said\" }
",
    );
    desk.gate("said");
    let mut child =
        desk.command(&["run", "plan.yaml", "--json"]).stdout(Stdio::piped()).spawn().expect("it starts");
    assert_eq!(desk.hear("said"), "up\n", "the run goes on while nobody reads");
    let mut told = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut told).expect("it can be read");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(told.len() > 2 << 20, "far more than is kept for a reader: {}", told.len());
    assert!(told == desk.windlass(&["events", "last", "--json"]).out, "the run's records, each once");
}

#[test]
fn a_run_that_fails_without_its_reader_ends_with_its_own_code() {
    for arguments in [&["run", "plan.yaml"][..], &["run", "plan.yaml", "--json"]] {
        let desk = Desk::with("tasks: { a: { run: cat gate }, b: { needs: [a], run: exit 7 } }");
        desk.gate("gate");
        let mut running = desk.start(arguments);
        running.wait_for("started");
        let mut child = running.stop_reading();
        desk.open_gate("gate");
        assert_eq!(child.wait().expect("it ends").code(), Some(1), "{arguments:?}");
        assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "failed");
    }
}

#[test]
fn a_plan_may_come_from_standard_input() {
    let desk = Desk::new();
    let mut command = desk.command(&["run", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"tasks: { a: { run: echo hi > proof } }").expect("it reads");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(desk.read("proof"), "hi\n");
}

#[test]
fn inputs_reach_their_tasks_with_their_types() {
    let desk = Desk::with(
        "
inputs: { who: { type: string }, times: { type: integer, default: 1 } }
tasks: { a: { run: [printf, \"%s %s\", \"{{ inputs.who }}\", \"{{ inputs.times + 1 }}\"] } }
",
    );
    let done = desk.windlass(&["run", "plan.yaml", "--input", "who=you = me", "--input", "times=4"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["show", "last", "--json"])["tasks"][0]["output"], "you = me 5");
}

#[test]
fn inputs_that_are_wrong_missing_or_undeclared_start_nothing() {
    let desk = Desk::with("inputs: { n: { type: integer } }\ntasks: { a: { run: echo hi > proof } }");
    for inputs in [&[][..], &["--input", "n=many"], &["--input", "n=1", "--input", "x=2"], &["--input", "n"]]
    {
        let arguments: Vec<&str> = ["run", "plan.yaml"].iter().chain(inputs).copied().collect();
        let done = desk.windlass(&arguments);
        assert_eq!(done.code, Some(2), "{inputs:?}: {}", done.all());
    }
    assert!(!desk.has_home());
    assert_eq!(desk.windlass(&["run", "missing.yaml"]).code, Some(2));
    assert_eq!(desk.windlass(&["run"]).code, Some(2));
}

#[test]
fn tasks_work_in_the_folder_that_was_named() {
    let desk = Desk::with("tasks: { a: { run: pwd > proof } }");
    fs::create_dir(desk.work().join("below")).expect("a folder");
    let done = desk.windlass(&["run", "plan.yaml", "--dir", "below"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.plain(&desk.read("below/proof")), "[desk]/project/below\n");
}

#[test]
fn an_attempt_sees_what_it_is_promised_and_nothing_of_the_surroundings() {
    let desk = Desk::with(
        "tasks: { a: { run: \"env | cut -d= -f1 | sort\", env: { MINE: \"1\" }, pass: [\"LET_*\"] } }",
    );
    let mut command = desk.command(&["run", "plan.yaml"]);
    let done = command.env("SECRET", "x").env("LET_ME", "y").output().expect("it starts");
    assert_eq!(done.status.code(), Some(0));
    let show = desk.json(&["show", "last", "--json"]);
    let names = show["tasks"][0]["output"].as_str().expect("text");
    // What a shell adds by itself is none of ours.
    let names: Vec<&str> = names.lines().filter(|name| !["_", "SHLVL", "OLDPWD"].contains(name)).collect();
    assert_eq!(
        names,
        [
            "COLUMNS",
            "HOME",
            "LET_ME",
            "MINE",
            "PATH",
            "PWD",
            "TERM",
            "TMPDIR",
            "TZ",
            "WINDLASS_ATTEMPT",
            "WINDLASS_HOME",
            "WINDLASS_KEY",
            "WINDLASS_OUTPUT",
            "WINDLASS_OWNERS",
            "WINDLASS_RUN",
            "WINDLASS_TASK",
            "WINDLASS_WORKSPACE",
            "XDG_CONFIG_HOME",
            "XDG_RUNTIME_DIR",
            "XDG_STATE_HOME"
        ]
    );
}

#[test]
fn once_only_people_are_left_it_ends_with_3_and_the_line_to_answer_with() {
    let desk = Desk::with("tasks: { a: { run: echo 1 }, ok: { needs: [a], approval: \"Ship it?\" } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(3));
    assert_shows!(desk, done.all());
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "waiting");
    let with_json = desk.windlass(&["run", "plan.yaml", "--json"]);
    assert_eq!(with_json.code, Some(3));
    assert!(with_json.err.contains("windlass approve"), "{}", with_json.err);
}

#[test]
fn the_scripted_agent_needs_no_key() {
    let desk = Desk::with(
        "
agents: { helper: { adapter: scripted } }
defaults: { agent: helper }
tasks:
  a: { prompt: \"write note.txt hello\\nsay done\" }
  b: { needs: [a], prompt: \"on-attempt 1: exit 3\\nsay {{ tasks.a.output }}\", retry: { initial_interval: 1ms } }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("note.txt").trim_end(), "hello");
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["tasks"][1]["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(show["tasks"][1]["attempts"][0]["agent"], "helper");
    assert_eq!(show["tasks"][1]["output"], "done");
}

#[test]
fn a_home_inside_the_folder_is_refused_and_nothing_is_made() {
    let desk = Desk::with("tasks: { a: { run: touch proof } }");
    std::os::unix::fs::symlink(desk.work(), desk.work().with_file_name("link")).expect("a link can be made");
    for home in ["inside", ".", "not/there/yet", "new/../inside", "../link/inside"] {
        for more in [&[][..], &["--detach"]] {
            let arguments: Vec<&str> =
                ["run", "plan.yaml", "--home", home].iter().chain(more).copied().collect();
            let done = desk.windlass(&arguments);
            assert_eq!(done.code, Some(2), "{home}: {}", done.all());
            assert!(done.err.contains("lies in the folder that tasks work in"), "{}", done.err);
        }
    }
    let names =
        fs::read_dir(desk.work()).expect("it is there").map(|entry| entry.expect("readable").file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["plan.yaml"]);
    assert_shows!(desk, desk.windlass(&["run", "plan.yaml", "--home", "inside"]).all());
}

#[test]
fn a_plan_from_a_folder_around_the_home_is_not_handed_over() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let home = desk.home().display().to_string();
    let done = desk.windlass(&["run", "plan.yaml", "--dir", "..", "--home", &home]);
    assert_eq!(done.code, Some(2), "{}", done.all());
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_home_inside_the_folder_may_be_forced_and_is_warned_of() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let mut command = desk.command(&["run", "plan.yaml", "--home", "inside"]);
    let output = command.env("WINDLASS_FORCE_HOME", "1").output().expect("it starts");
    assert_eq!(output.status.code(), Some(0));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("warning:") && err.contains("lies in the folder that tasks work in"), "{err}");
}

#[test]
fn a_home_that_can_not_be_made_or_written_is_named_with_a_way_out() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let beside = desk.work().parent().expect("it has one").to_owned();
    let read_only = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o500)).expect("ours");
        path.display().to_string()
    };
    for name in ["empty", "kept"] {
        fs::create_dir(beside.join(name)).expect("ours");
    }
    fs::write(beside.join("file"), "").expect("ours");
    let kept = beside.join("kept").display().to_string();
    assert_eq!(desk.windlass(&["run", "plan.yaml", "--home", &kept]).code, Some(0));
    fs::set_permissions(beside.join("kept/lock"), fs::Permissions::from_mode(0o400)).expect("ours");
    let empty = read_only(&beside.join("empty"));
    let homes = [
        format!("{empty}/new"),
        empty,
        kept,
        beside.join("file").display().to_string(),
        "../file/new".into(),
    ];
    for home in homes {
        for more in [&[][..], &["--detach"]] {
            let arguments: Vec<&str> =
                ["run", "plan.yaml", "--home", &home].iter().chain(more).copied().collect();
            let done = desk.without_privileges(&arguments);
            assert_eq!(done.code, Some(4), "{home}: {}", done.all());
            let said = done.err.contains(home.trim_start_matches("..")) && done.err.contains("cause: ");
            assert!(said && done.err.contains("--home or WINDLASS_HOME"), "{arguments:?}: {}", done.err);
        }
        let looked = desk.without_privileges(&["doctor", "--home", &home]);
        assert_eq!(looked.code, Some(4), "{home}: {}", looked.all());
        assert!(looked.out.contains("--home or WINDLASS_HOME"), "{home}: {}", looked.out);
    }
}

#[test]
fn a_disk_with_too_little_room_is_no_place_for_a_home() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let mut command = desk.command(&["run", "plan.yaml"]);
    let output = command.env("WINDLASS_HOME_MIN_FREE", "9223372036854775807").output().expect("it starts");
    assert_eq!(output.status.code(), Some(4));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains("MiB free") && err.contains("hint:"), "{err}");
}

#[test]
fn unfinished_runs_are_named_and_left() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" } }");
    let first = desk.windlass(&["run", "plan.yaml"]).run();
    let second = desk.windlass(&["run", "plan.yaml"]);
    assert!(
        second.err.contains(&format!("{first} is unfinished: `windlass resume` goes on.")),
        "{}",
        second.err
    );
    let resumed = desk.windlass(&["events", &first, "--json"]);
    assert!(!resumed.out.contains("run_resumed"));
}

#[test]
fn outputs_that_were_kept_take_no_room_twice() {
    let desk = Desk::with(
        "tasks:
           printed: { run: head -c 100000 /dev/zero }
           written: { run: head -c 100000 /dev/zero > $WINDLASS_OUTPUT }
           look: { needs: [printed, written], run: ls $WINDLASS_HOME/spool }",
    );
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let shown = desk.json(&["show", &run, "--json"]);
    assert_eq!(shown["tasks"][2]["output"], "");
}

#[test]
fn the_scripted_agent_is_called_by_its_name_where_it_fails() {
    let desk = Desk::with(
        "agents: { s: { adapter: scripted } }\ntasks: { a: { agent: s, prompt: exit 3, retry: { max_attempts: 1 } } }",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert!(done.out.contains("`windlass-scripted` exited with code 3"), "{}", done.all());
    assert!(!done.out.contains("/proc/self/exe"), "{}", done.all());
}

#[test]
fn paths_are_shown_without_steps_that_lead_nowhere() {
    let desk = Desk::with(
        "tasks: { a: { dir: ./sub/., run: \"pwd > ../pwd; echo $PWD >> ../pwd; touch r; echo ./sub//./r\" } }",
    );
    desk.write("sub/there", "");
    let done = desk.windlass(&["run", "plan.yaml"]);
    let folder = desk.work().canonicalize().expect("it is there").join("sub").display().to_string();
    assert!(done.out.contains(&format!("result    a: {folder}/r\n")), "{}", done.all());
    assert_eq!(desk.read("pwd"), format!("{folder}\n{folder}\n"));
    desk.write("plan.yaml", "tasks: { a: { dir: ./none/., run: x } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert!(done.out.contains("/none` does not exist"), "{}", done.all());
    desk.write("plan.yaml", "tasks: { a: { run: [./none.sh] } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert!(done.out.contains("/project/none.sh` does not exist"), "{}", done.all());
}

#[test]
fn a_run_that_nothing_can_be_printed_of_has_its_own_code_and_says_so_once() {
    let desk = Desk::with("tasks: { a: { run: \"true\" }, b: { needs: [a], run: echo done > proof } }");
    let full = |arguments: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
        let output = desk.command(arguments).stdout(full).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in [&["run", "plan.yaml"][..], &["run", "plan.yaml", "--json"]] {
        let (code, err) = full(arguments);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(err.matches("can't be printed: No space left on device").count(), 1, "{err}");
    }
    assert_eq!(desk.read("proof"), "done\n");
    desk.write("plan.yaml", "tasks: { a: { run: exit 3 } }");
    assert_eq!(full(&["run", "plan.yaml"]).0, Some(1));
    assert_eq!(full(&["ps"]).0, Some(4), "a command that only looks has done nothing then");
}

#[test]
fn the_summary_names_what_was_given_whatever_its_kind() {
    let result = |run: &str| {
        let desk = Desk::with(&format!("tasks: {{ a: {{ run: {run:?} }} }}"));
        let out = desk.windlass(&["run", "plan.yaml"]).out;
        let line =
            out.lines().find_map(|line| line.strip_prefix("  result    ")).unwrap_or_default().to_owned();
        (line, out)
    };
    for (gives, shown) in [
        ("echo 1.10", "a: 1.10"),
        ("echo true", "a: true"),
        ("echo '[1, {\"b\": null}]'", "a: [1,{\"b\":null}]"),
        ("echo '[\"\", [null]]'", ""),
        ("true", ""),
    ] {
        assert_eq!(result(gives).0, shown);
    }
    let (large, out) = result("head -c 100000 /dev/zero | tr '\\0' 7");
    let run = out.split_whitespace().nth(1).expect("its id");
    assert_eq!(large, format!("a: 97 KiB: `windlass show {run} a` prints it"));
    let list =
        "tasks: { l: { for_each: [1, 2], run: \"echo {{ item }}\" }, b: { run: echo 1 }, c: { run: echo 2 },
                d: { run: echo 3 }, e: { run: echo 4 } }";
    let out = Desk::with(list).windlass(&["run", "plan.yaml"]).out;
    assert!(out.contains("  result    l: [1,2]\n") && out.contains("… and 2 more: `windlass show "), "{out}");
}

#[test]
fn what_is_left_out_of_a_summary_is_to_be_seen_by_a_line_that_can_be_pasted() {
    let desk = Desk::with(
        "tasks: { l: { for_each: \"{{ range(12) | list }}\", run: \"echo no; exit 3\", retry: { max_attempts: 2, initial_interval: 1ms } } }",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    let run = done.run();
    let pasted: Vec<&str> = done.out.split('`').filter(|part| part.starts_with("windlass ")).collect();
    let names = format!("windlass show {run}");
    assert!(done.out.contains(&format!("… and 3 more tasks failed: `{names}` names them")), "{}", done.out);
    assert!(done.out.contains("… and 14 more failed attempts: `windlass logs "), "{}", done.out);
    for line in pasted {
        let arguments: Vec<&str> = line.split(' ').skip(1).collect();
        assert_eq!(desk.windlass(&arguments).code, Some(0), "{line}");
    }
    assert!(done.out.contains(&format!("windlass retry {run} l && windlass resume {run}\n")), "{}", done.out);
}
