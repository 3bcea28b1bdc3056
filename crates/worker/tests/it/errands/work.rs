//! What attempts leave is committed, or the failure says what they did.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use windlass_core::errand::{Done, Errand};
use windlass_core::failure::{ErrorKind, Failure};

use super::traced::can_trace;
use super::{BRANCH, Field};

#[test]
fn untracked_and_changed_files_are_committed_and_ignored_ones_are_not() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.leave("a file", "changed");
    field.leave("new folder/-dash", "new");
    field.leave("odd\nname \"x\" ü", "odd");
    field.leave("built.o", "ignored");
    symlink("/etc/passwd", field.worktree().join("way out")).expect("ours");
    let bytes = std::ffi::OsStr::from_bytes(b"not \xff text");
    fs::write(field.worktree().join(bytes), "bytes").expect("ours");
    fs::remove_file(field.worktree().join("deep/ünïcode/b")).expect("it is there");
    let (commit, is_empty) = field.committed(&base);
    assert!(!is_empty);
    let names = field.git(
        &field.repository(),
        &[
            "-c",
            "core.quotePath=false",
            "show",
            "--name-status",
            "--no-renames",
            "--format=%an <%ae>%n%cn%n%B",
            "-z",
            &commit.0,
        ],
    );
    assert!(
        names.starts_with(
            "Windlass <windlass@localhost>\nWindlass\nfix: what is broken\n\nWindlass-Key: abcdef/fix/1\n"
        ),
        "{names}"
    );
    for name in [
        "M\0a file",
        "A\0new folder/-dash",
        "A\0odd\nname \"x\" ü",
        "A\0way out",
        "A\0not \u{fffd} text",
        "D\0deep/ünïcode/b",
    ] {
        assert!(names.contains(name), "{name:?} in {names:?}");
    }
    assert!(!names.contains("built.o"));
    assert_eq!(field.committed(&base).0, commit, "once more is the same");
}

#[test]
fn work_that_changes_nothing_is_known_by_its_tree() {
    let field = Field::new();
    let base = field.make(BRANCH);
    assert_eq!(field.committed(&base), (base.clone(), true));
    field.leave("x", "there");
    field.commit(&field.worktree(), "there");
    fs::remove_file(field.worktree().join("x")).expect("it is there");
    let back = field.commit(&field.worktree(), "and back");
    assert_eq!(field.committed(&base), (back, true));
}

#[test]
fn where_the_plan_demands_commits_the_files_without_one_are_named() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.leave("left", "x");
    let mut committing = field.committing(BRANCH, &base);
    committing.must_be_committed = true;
    let failure = field.run(&Errand::CommitWork(committing.clone())).expect_err("it is not committed");
    assert_eq!((failure.kind, &*failure.message), (ErrorKind::InvalidOutput, "not committed: `left`"));
    let own = field.commit(&field.worktree(), "own");
    let done = field.run(&Errand::CommitWork(committing));
    assert!(matches!(done, Ok(Done::WorkCommitted { commit, .. }) if commit == own));
}

#[test]
fn work_on_another_branch_counts_if_it_goes_on_from_where_it_began() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.agent(&["checkout", "--quiet", "-b", "my/own"]);
    field.leave("x", "committed");
    field.commit(&field.worktree(), "own");
    field.leave("y", "not committed");
    let (commit, _) = field.committed(&base);
    assert_eq!(
        (field.shown(BRANCH, "x"), field.shown(BRANCH, "y")),
        ("committed".into(), "not committed".into())
    );
    assert_eq!(field.agent(&["symbolic-ref", "--short", "HEAD"]), BRANCH);
    // It looked at an older commit, and left it at that.
    field.agent(&["checkout", "--quiet", &base.0]);
    assert_eq!(field.committed(&base).0, commit);
    // A stash is no commit of the branch, and no ref of its own loses it.
    field.agent(&["checkout", "--quiet", "--detach", &base.0]);
    field.leave("z", "elsewhere");
    let failure = field.not_committed(&base);
    assert!(
        failure.message.contains("HEAD left the branch")
            && failure.message.contains("; the work is kept as refs/windlass/rescue/"),
        "{failure:?}"
    );
    assert_eq!(field.shown(&field.rescued()[0], "z"), "elsewhere");
}

#[test]
fn a_branch_of_others_is_let_go_that_an_attempt_left_checked_out() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.leave("x", "own");
    field.commit(&field.worktree(), "own");
    field.agent(&["checkout", "--quiet", "-b", "windlass/abcdef/target", &base.0]);
    field.leave("y", "on the target");
    field.not_committed(&base);
    assert!(!field.try_git(&field.worktree(), &["symbolic-ref", "HEAD"]).status.success());
    assert_eq!(field.read("home of it/fix/y"), "on the target");
    assert_eq!(field.shown(&field.rescued()[0], "y"), "on the target");
}

#[test]
fn work_that_does_not_go_on_from_its_base_is_kept_and_refused() {
    let field = Field::new();
    field.commit(&field.repository(), "second");
    let base = field.make(BRANCH);
    field.agent(&["reset", "--quiet", "--hard", "HEAD~1"]);
    field.leave("x", "on the wrong commit");
    let failure = field.not_committed(&base);
    assert_eq!(failure.kind, ErrorKind::InvalidOutput);
    assert!(failure.message.contains("does not go on from"), "{failure:?}");
    assert_eq!(field.shown(&field.rescued()[0], "x"), "on the wrong commit");
    field.agent(&["checkout", "--quiet", "--orphan", "alone"]);
    let failure = field.not_committed(&base);
    assert!(failure.message.contains("there is no commit on"), "{failure:?}");
}

#[test]
fn a_merge_with_conflicts_and_a_rebase_under_way_are_no_work() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.leave("a file", "ours");
    field.commit(&field.worktree(), "ours");
    field.agent(&["checkout", "--quiet", "-b", "other", &base.0]);
    field.leave("a file", "theirs");
    field.commit(&field.worktree(), "theirs");
    field.agent(&["checkout", "--quiet", BRANCH]);
    assert!(!field.try_git(&field.worktree(), &["merge", "other"]).status.success());
    let failure = field.not_committed(&base);
    assert!(
        failure.message.starts_with("a merge is still under way, with conflicts in `a file`"),
        "{failure:?}"
    );
    assert!(field.shown(&field.rescued()[0], "a file").contains("<<<<<<<"));
    // Decided, but not committed: that is done for it.
    field.leave("a file", "both");
    field.agent(&["add", "--all"]);
    let (commit, _) = field.committed(&base);
    assert_eq!(field.shown(&commit.0, "a file"), "both");
    assert!(!field.try_git(&field.worktree(), &["rebase", "other"]).status.success());
    let failure = field.not_committed(&base);
    assert!(failure.message.starts_with("a rebase is still under way"), "{failure:?}");
}

#[test]
fn repositories_within_the_work_are_named() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.agent(&["init", "--quiet", "nested one"]);
    field.leave("nested one/x", "inner");
    let failure = field.not_committed(&base);
    assert!(failure.message.ends_with("`nested one/`"), "{failure:?}");
    // The agent committed it itself, as a link to a commit that is nowhere else.
    field.commit(&field.worktree().join("nested one"), "inner");
    field.commit(&field.worktree(), "outer");
    let failure = field.not_committed(&base);
    assert!(failure.message.ends_with("named by the work: `nested one`"), "{failure:?}");
}

#[test]
fn a_folder_that_may_not_be_looked_into_is_no_work_and_is_not_thrown_away() {
    if !can_trace() {
        return;
    }
    let field = Field::new();
    let base = field.make(BRANCH);
    field.leave("closed/x", "nobody knows");
    field.leave("y", "y");
    // Root may look into anything.
    let closed = ["-P", "closed/", "-e", "trace=openat", "-e", "inject=openat:error=EACCES"];
    let outcome = |errand: Errand| {
        let done = field.traced(&errand, &field.path("calls"), &closed);
        let outcome: Result<Done, Failure> = serde_json::from_slice(&done.stdout).expect("an outcome");
        outcome
    };
    let failure = outcome(Errand::CommitWork(field.committing(BRANCH, &base))).expect_err("it is closed");
    assert!(failure.message.ends_with("commit what is in them: `closed/`"), "{failure:?}");
    let next = field.making("windlass/abcdef/fix@2", &base);
    assert_eq!(outcome(Errand::MakeWorktree(next)), Ok(Done::WorktreeMade));
    assert_eq!(field.read("home of it/.quarantine/fix.1/closed/x"), "nobody knows");
}

#[test]
fn what_git_was_told_not_to_look_at_is_work_too() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.agent(&["update-index", "--assume-unchanged", "a file"]);
    field.agent(&["update-index", "--skip-worktree", ".gitignore"]);
    field.leave("a file", "hidden");
    field.leave(".gitignore", "*.o\ntarget/\nhidden too\n");
    assert_eq!(field.agent(&["status", "--porcelain"]), "");
    let (commit, _) = field.committed(&base);
    assert_eq!(field.shown(&commit.0, "a file"), "hidden");
    assert!(field.shown(&commit.0, ".gitignore").ends_with("hidden too"));
}

#[test]
fn a_lock_that_a_killed_git_left_in_the_worktree_is_taken_away() {
    let field = Field::new();
    let base = field.make(BRANCH);
    let git_dir = field.agent(&["rev-parse", "--absolute-git-dir"]);
    fs::write(format!("{git_dir}/index.lock"), "").expect("ours");
    fs::write(format!("{git_dir}/HEAD.lock"), "").expect("ours");
    let refs = field.repository().join(".git/refs/heads/windlass/abcdef");
    fs::write(refs.join("fix@1.lock"), "").expect("ours");
    field.leave("x", "x");
    assert!(!field.committed(&base).1);
    // One that is held stays.
    let lock = format!("{git_dir}/index.lock");
    let held = fs::File::create(&lock).expect("ours");
    let failure = field.not_committed(&base);
    assert!(failure.message.ends_with("is held by a git that is at work"), "{failure:?}");
    drop(held);
    field.committed(&base);
}

#[test]
fn a_worktree_whose_link_was_changed_is_no_work() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.write("home of it/fix/.git", format!("gitdir: {}\n", field.repository().join(".git").display()));
    let failure = field.not_committed(&base);
    assert!(failure.message.contains("is no worktree any more"), "{failure:?}");
}
