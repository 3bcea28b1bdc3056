//! Each kind of error as somebody meets it, and its page in the guide: what the page shows is what the binary prints.
//! Never: a kind without a page, or one whose page says nothing of why it can't be shown.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use windlass_core::failure::ErrorKind;

use crate::desk::Desk;
use crate::needs::mounting;
use crate::worktrees::{git, repository, target};

const PAGES: &str = include_str!("../../../../docs/reference/errors.md");

/// Each kind with the test here that shows it; none where nothing raises it yet, as its page says.
const KINDS: [(ErrorKind, Option<&str>); 30] = [
    (ErrorKind::RateLimited, Some("a_quota_that_is_used_up_is_rate_limited")),
    (ErrorKind::Overloaded, Some("what_an_agent_says_of_itself_is_told_by_its_kind")),
    (ErrorKind::Auth, Some("what_an_agent_says_of_itself_is_told_by_its_kind")),
    (ErrorKind::Refused, Some("what_an_agent_says_of_itself_is_told_by_its_kind")),
    (ErrorKind::InvalidOutput, Some("an_output_that_does_not_fit_is_invalid_output")),
    (ErrorKind::GateRejected, None),
    (ErrorKind::Conflict, Some("what_can_not_be_merged_is_conflict")),
    (ErrorKind::Timeout, Some("what_runs_too_long_is_timeout")),
    (ErrorKind::Stalled, Some("what_is_silent_too_long_is_stalled")),
    (ErrorKind::Crashed, Some("what_a_signal_ended_is_crashed")),
    (ErrorKind::Exit, Some("what_exits_with_a_code_is_exit")),
    (ErrorKind::SpawnNotFound, Some("a_program_that_is_not_there_is_spawn_not_found")),
    (ErrorKind::SpawnDenied, Some("a_file_without_rights_is_spawn_denied")),
    (ErrorKind::SpawnInvalid, Some("a_text_without_an_interpreter_is_spawn_invalid")),
    (ErrorKind::SpawnDir, Some("a_folder_that_is_not_there_is_spawn_dir")),
    (ErrorKind::Expression, Some("a_template_that_fails_is_expression")),
    (ErrorKind::SpawnExhausted, Some("a_program_that_is_being_written_is_spawn_exhausted")),
    (ErrorKind::ContextOverflow, Some("what_an_agent_says_of_itself_is_told_by_its_kind")),
    (ErrorKind::OutOfMemory, Some("what_uses_more_memory_than_it_may_is_out_of_memory")),
    (ErrorKind::Lost, Some("what_was_at_work_when_its_engine_was_killed_is_lost")),
    (ErrorKind::Interrupted, Some("what_was_at_work_when_its_engine_was_told_to_end_is_interrupted")),
    (ErrorKind::DiskFull, Some("what_meets_a_full_disk_is_disk_full")),
    (ErrorKind::Budget, Some("what_has_used_up_its_budget_is_budget")),
    (ErrorKind::Poison, Some("what_was_alone_at_too_many_deaths_is_poison")),
    (ErrorKind::Deadlock, Some("what_nothing_can_wake_is_deadlock")),
    (ErrorKind::OutcomeUnknown, Some("what_was_cut_off_and_must_not_be_repeated_is_outcome_unknown")),
    (ErrorKind::Expired, Some("a_question_that_nobody_answers_is_expired")),
    (ErrorKind::Denied, Some("a_question_that_somebody_says_no_to_is_denied")),
    (ErrorKind::Children, Some("a_parent_whose_child_is_dead_is_children")),
    (ErrorKind::Cancelled, Some("what_a_person_ends_is_cancelled")),
];

#[test]
fn each_kind_has_a_page_and_a_test_that_shows_it_or_its_page_says_why_not() {
    let tests = include_str!("errors.rs");
    let kinds: Vec<ErrorKind> = KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ErrorKind::ALL);
    for (kind, test) in KINDS {
        let page = page(kind.name());
        match test {
            Some(test) => {
                assert!(tests.contains(&format!("\nfn {test}()")), "{kind}: there is no test {test}");
                assert!(!example(kind.name()).is_empty(), "{kind}: its page shows nothing");
            }
            None => assert!(page.contains(" yet"), "{kind}: its page says that nothing ends so yet"),
        }
    }
}

/// The page of a kind.
fn page(kind: &str) -> &'static str {
    let heading = format!("\n## `{kind}`\n");
    let (_, rest) = PAGES.split_once(&heading).unwrap_or_else(|| panic!("{kind} has no page"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// What the page of a kind shows.
fn example(kind: &str) -> Vec<&'static str> {
    let code = page(kind).split_once("```text\n").and_then(|(_, rest)| rest.split_once("```"));
    code.map_or_else(Vec::new, |(code, _)| code.lines().collect())
}

/// Looks at a task of the newest run: it must be told as the page of the kind shows.
fn assert_shown(desk: &Desk, task: &str, kind: &str) {
    let shown = desk.windlass(&["show", "last", task]).all();
    let shown = desk.plain(&shown).replace("[desk]", "/home/me");
    let run = shown.split(" of run ").nth(1).and_then(|rest| rest.lines().next()).expect("it says which");
    let shown = shown.replace(run, "RUN");
    for line in example(kind) {
        // What differs from machine to machine is left out.
        let (start, end) = line.split_once('…').unwrap_or((line, ""));
        let is_it = |told: &str| {
            if end.is_empty() { told == line } else { told.starts_with(start) && told.ends_with(end) }
        };
        assert!(shown.lines().any(is_it), "the page of {kind} has\n{line}\nand this was printed:\n{shown}");
    }
}

/// A desk with tasks that have one attempt each.
fn with_tasks(tasks: &str) -> Desk {
    let head = "agents: { a: { adapter: scripted } }\n\
        defaults: { agent: a, workspace: shared, retry: { max_attempts: 1 } }\n";
    Desk::with(&format!("{head}tasks: {{ {tasks} }}\n"))
}

/// Runs a plan that fails of a task of this name.
fn dies(desk: &Desk, task: &str, kind: &str) {
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains(&format!("failed: {task}")), "{}", done.out);
    assert_shown(desk, task, kind);
}

#[test]
fn what_an_agent_says_of_itself_is_told_by_its_kind() {
    for kind in ["overloaded", "auth", "refused", "context_overflow"] {
        dies(&with_tasks(&format!("t: {{ prompt: \"fail {kind}\" }}")), "t", kind);
    }
}

#[test]
fn what_can_not_be_merged_is_conflict() {
    // The first attempt of a waits until b has landed; the second begins at that.
    let desk = repository(
        r#"
tasks:
  a: { workspace: worktree, run: "test $WINDLASS_ATTEMPT = 2 || cat {{ plan.dir }}/gate; echo a >> file" }
  b: { workspace: worktree, run: "echo b >> file" }
  c: { needs: [b], run: "true" }
"#,
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("succeeded c");
    desk.open_gate("gate");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    let shown = desk.json(&["show", "last", "--json"]);
    let attempts = &shown["tasks"][0]["attempts"];
    assert_eq!(
        (&attempts[0]["error"]["kind"], &attempts[1]["state"]),
        (&"conflict".into(), &"finished".into())
    );
    let told = attempts[0]["error"]["message"].as_str().expect("a text");
    assert!(told.contains("others have changed the same in file"), "{told}");
    assert_eq!(git(&desk, &["show", &format!("{}:file", target(&desk))]), "first\nb\na\n");
    assert_shown(&desk, "a", "conflict");
}

#[test]
fn the_page_of_a_kind_is_named_once_behind_the_first_error_of_that_kind() {
    let desk = with_tasks("a: { run: exit 1 }, b: { run: exit 2 }, c: { prompt: fail refused }");
    let done = desk.windlass(&["run", "plan.yaml", "--home", "../elsewhere"]);
    let more: Vec<&str> = done.out.lines().filter(|line| line.contains("more: ")).collect();
    assert_eq!(more, ["  more: windlass guide errors exit", "  more: windlass guide errors refused"]);
    let shown = desk.windlass(&["show", "last", "a", "--home", "../elsewhere"]).out;
    assert!(shown.contains("  more   windlass guide errors exit\n"), "{shown}");
    let page = desk.windlass(&["guide", "errors", "exit"]);
    assert_eq!(page.code, Some(0));

    let desk = with_tasks("t: { prompt: \"fail rate_limited retry_after 5h\" }, u: { needs: [t], run: x }");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("parked    t");
    let why = desk.windlass(&["show", "last", "--why"]).out;
    assert!(why.ends_with("\n  more: windlass guide errors rate_limited\n"), "{why}");
    desk.windlass(&["cancel", "last"]);
    running.end();
}

#[test]
fn a_quota_that_is_used_up_is_rate_limited() {
    let desk = with_tasks("t: { prompt: \"fail rate_limited retry_after 5h\" }");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("parked    t");
    assert_shown(&desk, "t", "rate_limited");
    desk.windlass(&["cancel", "last"]);
    running.end();
}

#[test]
fn an_output_that_does_not_fit_is_invalid_output() {
    let tasks = "t: { run: \"echo 'Sure! Here it is.'\", output: { schema: { type: object } } }";
    dies(&with_tasks(tasks), "t", "invalid_output");
}

#[test]
fn what_runs_too_long_is_timeout() {
    let desk = with_tasks("t: { run: cat gate, timeout: 200ms }");
    desk.gate("gate");
    dies(&desk, "t", "timeout");
}

#[test]
fn what_is_silent_too_long_is_stalled() {
    let desk = with_tasks("t: { run: cat gate, timeout: { heartbeat: 300ms } }");
    desk.gate("gate");
    dies(&desk, "t", "stalled");
}

#[test]
fn what_a_signal_ended_is_crashed() {
    dies(&with_tasks("t: { run: kill -SEGV $$ }"), "t", "crashed");
}

#[test]
fn what_exits_with_a_code_is_exit() {
    dies(&with_tasks("t: { run: echo no such ticket >&2; exit 3 }"), "t", "exit");
}

#[test]
fn a_program_that_is_not_there_is_spawn_not_found() {
    dies(&with_tasks("t: { run: [my-agent] }"), "t", "spawn_not_found");
}

#[test]
fn a_file_without_rights_is_spawn_denied() {
    let desk = with_tasks("t: { run: [./script] }");
    desk.write("script", "#!/bin/sh\n");
    dies(&desk, "t", "spawn_denied");
}

#[test]
fn a_text_without_an_interpreter_is_spawn_invalid() {
    let desk = with_tasks("make: { run: chmod +x script }, t: { needs: [make], run: [./script] }");
    desk.write("script", "echo hello\n");
    dies(&desk, "t", "spawn_invalid");
}

#[test]
fn a_folder_that_is_not_there_is_spawn_dir() {
    dies(&with_tasks("t: { run: \"true\", dir: no/such }"), "t", "spawn_dir");
}

#[test]
fn a_template_that_fails_is_expression() {
    let tasks =
        "list: { run: \"echo '{}'\" }, t: { needs: [list], run: [echo, \"{{ tasks.list.output.tag }}\"] }";
    dies(&with_tasks(tasks), "t", "expression");
}

#[test]
fn a_program_that_is_being_written_is_spawn_exhausted() {
    let desk = Desk::with(
        "tasks: { t: { run: [./tool], retry: { initial_interval: 1h, max_interval: 1h, jitter: none } } }",
    );
    let tool = desk.work().join("tool");
    fs::copy("/bin/true", &tool).expect("there is one");
    let writer = File::options().append(true).open(&tool).expect("ours");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("retrying  t");
    assert_shown(&desk, "t", "spawn_exhausted");
    drop(writer);
    desk.windlass(&["cancel", "last"]);
    running.end();
}

#[test]
fn what_uses_more_memory_than_it_may_is_out_of_memory() {
    let tasks = "t: { run: \"{ head -c 64M /dev/zero; cat gate; } | tail\", memory: 8MiB, retry: { max_attempts: 1 } }";
    let desk = with_tasks(tasks);
    desk.gate("gate");
    dies(&desk, "t", "out_of_memory");
}

#[test]
fn what_was_at_work_when_its_engine_was_killed_is_lost() {
    let desk = with_tasks("t: { run: cat gate }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   t");
    running.signal(Signal::KILL);
    running.end();
    let mut resumed = desk.start(&["resume"]);
    resumed.wait_for("started   t");
    assert_shown(&desk, "t", "lost");
    desk.open_gate("gate");
    assert_eq!(resumed.end().code, Some(0));
}

#[test]
fn what_was_at_work_when_its_engine_was_told_to_end_is_interrupted() {
    let desk = with_tasks("t: { run: cat gate }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   t");
    running.signal(Signal::INT);
    running.end();
    assert_shown(&desk, "t", "interrupted");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests start the built binary, here on a disk of its own")]
fn what_meets_a_full_disk_is_disk_full() {
    if !mounting("errors::what_meets_a_full_disk_is_disk_full") {
        return;
    }
    let desk = with_tasks("t: { run: head -c 9M /dev/zero > full, dir: small }");
    fs::create_dir(desk.work().join("small")).expect("ours");
    let sealed = desk.command(&["run", "plan.yaml"]);
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs small && exec \"$0\" run plan.yaml"]);
    shell.arg(sealed.get_program()).current_dir(desk.work()).env_clear().stdin(Stdio::null());
    shell.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().expect("it starts");
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_shown(&desk, "t", "disk_full");
}

#[test]
fn what_has_used_up_its_budget_is_budget() {
    let retry = "{ max_attempts: 3, initial_interval: 1ms }";
    let tasks = format!("t: {{ run: exit 1, budget: {{ attempts: 1 }}, retry: {retry} }}");
    dies(&with_tasks(&tasks), "t", "budget");
}

#[test]
fn what_was_alone_at_too_many_deaths_is_poison() {
    let desk = with_tasks("t: { run: cat gate, retry: { losses_max: 2 } }");
    desk.gate("gate");
    for arguments in [&["run", "plan.yaml"][..], &["resume"]] {
        let mut running = desk.start(arguments);
        running.wait_for("started   t");
        running.signal(Signal::KILL);
        running.end();
    }
    assert_eq!(desk.windlass(&["resume"]).code, Some(1));
    assert_shown(&desk, "t", "poison");
}

#[test]
fn what_nothing_can_wake_is_deadlock() {
    let tasks =
        "heed: { wait_for: { topic: build/done } }, tell: { needs: [heed], emit: { topic: build/done } }";
    dies(&with_tasks(tasks), "heed", "deadlock");
}

#[test]
fn what_was_cut_off_and_must_not_be_repeated_is_outcome_unknown() {
    let desk = with_tasks("t: { run: kill -9 $$, rerun: never }");
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    assert_shown(&desk, "t", "outcome_unknown");
}

#[test]
fn a_question_that_nobody_answers_is_expired() {
    dies(&with_tasks("t: { approval: \"Ship it?\", timeout: { schedule_to_close: 1ms } }"), "t", "expired");
}

#[test]
fn a_question_that_somebody_says_no_to_is_denied() {
    let desk = with_tasks("t: { approval: \"Ship it?\" }");
    let asked = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(asked.code, Some(3), "{}", asked.all());
    let id = asked.out.split("--id ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an id");
    let denied = desk.windlass(&["approve", "last", "t", "--id", id, "--deny", "--text", "not on a Friday"]);
    assert_eq!(denied.code, Some(0), "{}", denied.all());
    assert_shown(&desk, "t", "denied");
}

#[test]
fn a_parent_whose_child_is_dead_is_children() {
    dies(&with_tasks("fix: { for_each: [1], run: exit 1 }"), "fix", "children");
}

#[test]
fn what_a_person_ends_is_cancelled() {
    let desk = with_tasks("t: { run: cat gate }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   t");
    assert_eq!(desk.windlass(&["cancel", "last", "t"]).code, Some(0));
    running.end();
    assert_shown(&desk, "t", "cancelled");
}
