//! Tasks that work in git worktrees of their own, as a user meets them: what they did is committed and lands on the
//! branch of the run, and the checkout is as it was.

use std::process::Command;

use rustix::process::Signal;

use crate::desk::{Desk, Running};

/// What git says in the project of a desk.
#[expect(clippy::disallowed_methods, reason = "the test looks at the repository as a user does")]
pub(crate) fn git(desk: &Desk, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Anna", "-c", "user.email=anna@example.org"]).args(arguments);
    command
        .current_dir(desk.work())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = command.output().expect("git starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {}: {said}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A desk whose project is a repository with a file and this plan, which is ignored there as everything else is.
pub(crate) fn repository(plan: &str) -> Desk {
    let desk = Desk::with(plan);
    git(&desk, &["init", "--quiet", "--initial-branch=main"]);
    desk.write("file", "first\n");
    desk.write(".gitignore", "plan.yaml\ngate\n");
    git(&desk, &["add", "file", ".gitignore"]);
    git(&desk, &["commit", "--quiet", "--message=start"]);
    desk
}

/// The branch that the newest run lands on.
pub(crate) fn target(desk: &Desk) -> String {
    desk.json(&["show", "last", "--json"])["run"]["target"].as_str().expect("a branch").to_owned()
}

#[test]
fn what_tasks_do_in_worktrees_lands_on_the_branch_of_the_run_and_the_checkout_is_as_it_was() {
    let desk = repository(
        r#"
tasks:
  a: { workspace: worktree, run: "pwd; echo a > a" }
  b: { workspace: worktree, run: "echo b > 'b c' && git add . && git -c user.name=b -c user.email=b@example.org commit -qm mine" }
  c: { needs: [a, b], workspace: worktree, run: "cat a 'b c' > both" }
  d: { needs: [c], workspace: worktree, run: "true" }
"#,
    );
    let before = git(&desk, &["rev-parse", "HEAD"]);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let target = target(&desk);
    assert!(done.out.contains(&format!("git merge --ff-only {target}")), "{}", done.all());
    assert_eq!(git(&desk, &["show", &format!("{target}:both")]), "a\nb\n");
    assert_eq!(git(&desk, &["rev-parse", "HEAD"]), before);
    assert_eq!(git(&desk, &["status", "--porcelain"]), "");
    // One commit for each that changed something, each with its key; who changed nothing has none.
    let keys = git(&desk, &["log", "--format=%(trailers:key=Windlass-Key,valueonly,separator=)", &target]);
    let mut keys: Vec<&str> = keys.lines().filter(|line| !line.is_empty()).collect();
    keys.sort_unstable();
    let run = done.run();
    assert_eq!(keys, [format!("{run}/a/1"), format!("{run}/b/1"), format!("{run}/c/1")]);
    let a = desk.windlass(&["show", "last", "a"]);
    assert!(a.out.contains("worktrees/"), "{}", a.all());
}

#[test]
fn without_a_repository_a_plan_with_worktrees_is_refused_and_says_what_to_do() {
    let desk = Desk::with("tasks: { a: { workspace: worktree, run: 'true' } }");
    let refused = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(
        refused.err.contains("is in no git repository") && refused.err.contains("git init"),
        "{}",
        refused.all()
    );
    assert!(!desk.has_home());
    git(&desk, &["init", "--quiet"]);
    let refused = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(refused.err.contains("has no commit yet"), "{}", refused.all());
}

/// The engine of a run is killed; another goes on with it.
fn killed_and_resumed(desk: &Desk, running: Running) {
    running.signal(Signal::KILL);
    running.end();
    let done = desk.windlass(&["resume"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn what_landed_before_a_kill_lands_once_and_what_did_not_is_done_again_in_the_same_worktree() {
    let desk = repository(
        r#"
tasks:
  a: { workspace: worktree, run: "echo a > a" }
  b: { needs: [a], workspace: worktree, run: "echo left > left; test $WINDLASS_ATTEMPT = 2 || { echo began; cat {{ plan.dir }}/gate; }" }
"#,
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("succeeded a");
    killed_and_resumed(&desk, running);
    let target = target(&desk);
    assert_eq!(
        git(&desk, &["show", "--stat", "--format=", &target]).lines().next().map(str::trim),
        Some("left | 1 +")
    );
    let subjects = git(&desk, &["log", "--format=%s", &target]);
    assert_eq!(subjects, "b\na\nstart\n");
}

#[test]
fn a_branch_that_somebody_has_checked_out_is_not_moved_and_the_run_waits_for_that() {
    let desk = repository(
        r#"
tasks:
  a: { workspace: worktree, run: "echo a > a" }
  b: { needs: [a], workspace: worktree, run: "cat {{ plan.dir }}/gate; echo b > b" }
"#,
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("succeeded a");
    let target = target(&desk);
    git(&desk, &["switch", "--quiet", &target]);
    desk.open_gate("gate");
    let paused = running.end();
    assert_eq!(paused.code, Some(4), "{}", paused.all());
    assert!(paused.out.contains("its branch is checked out"), "{}", paused.all());
    git(&desk, &["switch", "--quiet", "main"]);
    let done = desk.windlass(&["resume"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(git(&desk, &["show", &format!("{target}:b")]), "b\n");
}
