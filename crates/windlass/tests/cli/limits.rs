//! Windlass where files may not grow, or where its own are taken away under it. Never: an end without a word.

use crate::desk::Desk;

const PROGRAM: &str = env!("CARGO_BIN_EXE_windlass");

#[test]
fn a_limit_on_the_size_of_files_is_an_error_with_a_hint() {
    for (limit, reserve) in [(1, "0"), (16, "0"), (100, "1MiB")] {
        let desk = Desk::with("tasks: { a: { run: \"true\" } }");
        let line = format!(
            "ulimit -f {limit}; WINDLASS_HOME_RESERVE={reserve}; export WINDLASS_HOME_RESERVE; exec {PROGRAM} run plan.yaml"
        );
        let done = desk.start_shell(&line).end();
        assert_eq!(done.code, Some(4), "{limit} {reserve}: {}", done.all());
        assert!(done.err.contains("hint: the size of files is limited"), "{limit} {reserve}: {}", done.err);
    }
}

#[test]
fn a_limit_on_open_files_that_leaves_no_room_to_begin_is_an_error_with_a_hint() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let within =
        |files: u32, line: &str| desk.start_shell(&format!("ulimit -n {files}; exec {PROGRAM} {line}")).end();
    // Where only the first attempt would find no room it would be tried for a day.
    for files in 10..24 {
        let done = within(files, "run plan.yaml");
        assert_eq!(done.code, Some(4), "{files}: {}", done.all());
        assert!(done.err.contains("hint: raise the limit (`ulimit -n`)"), "{files}: {}", done.err);
        assert_eq!(done.out, "", "{files}");
    }
    assert_eq!(within(32, "run plan.yaml").code, Some(0));
    for line in ["show last", "doctor"] {
        for files in 5..16 {
            let done = within(files, line);
            let says_why = done.all().contains("hint: raise the limit (`ulimit -n`)");
            assert!(done.code == Some(0) || says_why, "{files} {line}: {}", done.all());
        }
    }
}

#[test]
fn a_run_of_many_attempts_and_whoever_reads_of_them_hold_no_more_files_than_for_a_few() {
    let items: Vec<String> = (0..200).map(|item| item.to_string()).collect();
    let tasks = |name: &str| {
        format!("  {name}: {{ run: 'echo \"{name} {{{{ item }}}}\"', for_each: [{}] }}\n", items.join(","))
    };
    let desk = Desk::with(&format!(
        "limits: {{ fan_out: 200 }}\ntasks:\n{}{}  last: {{ run: 'cat gate; echo told', needs: [one, two] }}\n",
        tasks("one"),
        tasks("two")
    ));
    desk.gate("gate");
    let within =
        |files: u32, line: &str| desk.start_shell(&format!("ulimit -n {files}; exec {PROGRAM} {line}"));
    let mut run = within(64, "run plan.yaml");
    run.wait_for("started   last");
    let logs = within(20, "logs last last --follow");
    let shown = within(20, "show last").end();
    assert_eq!(shown.code, Some(0), "{}", shown.all());
    desk.open_gate("gate");
    let done = run.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(done.out.contains("401, 0 retries") || done.out.contains("attempts  401\n"), "{}", done.all());
    for (logs, said) in [(logs, "out told"), (within(20, "logs last two.199"), "out two 199")] {
        let logs = logs.end();
        assert_eq!(logs.code, Some(0), "{}", logs.all());
        assert!(logs.out.contains(said), "{}", logs.all());
    }
}

#[test]
fn what_tasks_start_is_ended_by_their_own_limit_on_the_size_of_files() {
    let writes = "ulimit -f 1; head -c 99999 /dev/zero > large; echo $?";
    let desk = Desk::with(&format!("tasks: {{ a: {{ run: \"{writes}\" }} }}"));
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(0));
    let shown = desk.json(&["show", "last", "a", "--json"]);
    assert!(shown.to_string().contains("153"), "the signal is SIGXFSZ, by its default: {shown}");
}

#[test]
fn a_run_whose_plan_was_removed_under_it_says_so() {
    let desk = Desk::with("tasks: { a: { run: 'rm -rf \"$WINDLASS_HOME/blobs\" \"$WINDLASS_HOME/logs\"' } }");
    for more in [None, Some("--json")] {
        let arguments: Vec<&str> = ["run", "plan.yaml"].into_iter().chain(more).collect();
        let done = desk.windlass(&arguments);
        assert_eq!(done.code, Some(4), "{more:?}: {}", done.all());
        assert!(done.err.contains("can't be read: its plan is gone"), "{more:?}: {}", done.err);
        assert!(done.err.contains("/blobs is missing"), "{more:?}: {}", done.err);
        assert!(done.err.contains("hint: "), "{more:?}: {}", done.err);
    }
}

#[test]
fn an_output_of_many_numbers_far_behind_a_long_name_takes_no_more_room_than_it_is_long() {
    // One place for each of them would be 10 GB.
    let prints = "printf '{\"'; head -c 100000 /dev/zero | tr '\\0' k; printf '\":['; \
        yes 0.1234567890123456789, | head -n 100000; printf '1]}'";
    let plan = format!(
        "tasks:\n  a:\n    run: |\n      {prints}\n  b: {{ needs: [a], when: '{{{{ tasks.a.output.x is undefined }}}}', run: 'true' }}\n"
    );
    let desk = Desk::with(&plan);
    let within = |line: &str| desk.start_shell(&format!("ulimit -v 4000000; exec {PROGRAM} {line}")).end();
    let done = within("run plan.yaml");
    assert_eq!(done.code, Some(0), "{}", done.all());
    for line in ["show last a", "show last a --json", "resume last", "cancel last"] {
        let done = within(line);
        assert!(done.code.is_some_and(|code| code < 5), "{line}: {}", done.err);
    }
}
