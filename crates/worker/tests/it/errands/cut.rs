//! Errands that are cut off before each of their steps and done again come to the same, and nothing of the work is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use windlass_core::errand::{Done, Errand};
use windlass_core::failure::Failure;

use super::traced::can_trace;
use super::{BRANCH, Field, TARGET};

/// What an attempt left, so that each byte can be found again.
const LEFT: [(&str, &str); 4] = [
    ("a file", "changed by it\n"),
    ("new/-x", "untracked\n"),
    ("odd\nname", "odd\n"),
    ("committed", "by itself\n"),
];

fn leave(field: &Field) {
    field.leave("committed", "by itself\n");
    field.commit(&field.worktree(), "own");
    for (name, text) in LEFT {
        field.leave(name, text);
    }
}

/// Whether each of these is reachable from some ref, or lies in a folder that was put aside.
fn assert_nothing_is_lost(field: &Field, at: u32) {
    let names = field.git(&field.repository(), &["rev-list", "--objects", "--all"]);
    let objects: BTreeSet<&str> = names.lines().filter_map(|line| line.split(' ').next()).collect();
    let mut aside = Vec::new();
    read_all(&field.path("home of it/.quarantine"), &mut aside);
    read_all(&field.worktree(), &mut aside);
    for (name, text) in LEFT {
        field.write("wanted", text);
        let id = field.git(&field.repository(), &["hash-object", "../wanted"]);
        let is_kept = objects.contains(&*id) || aside.iter().any(|found| found == text.as_bytes());
        assert!(is_kept, "{name:?} is lost when it is cut off before step {at}");
    }
}

fn read_all(folder: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            read_all(&entry.path(), into);
        } else {
            into.extend(fs::read(entry.path()));
        }
    }
}

/// Cuts an errand off before each step in turn, on a field of its own each, and does it again; how many steps it has.
fn at_each_step(stage: impl Fn(&Field) -> Errand, see: impl Fn(&Field, u32, &Done)) -> u32 {
    for step in 0.. {
        let field = Field::new();
        let errand = stage(&field);
        let was_cut = field.run_until(&errand, step);
        let done = field.run(&errand).unwrap_or_else(|failure| panic!("before step {step}: {failure:?}"));
        see(&field, step, &done);
        if !was_cut {
            return step;
        }
    }
    unreachable!("some step is the last")
}

#[test]
fn a_worktree_is_made_wherever_an_earlier_try_ended() {
    let steps = at_each_step(
        |field| {
            field.write("repository/keys.o", "secret");
            let mut making = field.making(BRANCH, &field.head());
            making.copy = vec!["keys.o".to_owned()];
            Errand::MakeWorktree(making)
        },
        |field, _, done| {
            assert_eq!(done, &Done::WorktreeMade);
            assert_eq!(field.agent(&["status", "--porcelain", "--branch"]), format!("## {BRANCH}"));
            assert_eq!(field.read("home of it/fix/keys.o"), "secret");
        },
    );
    assert!(steps > 5, "{steps} steps");
}

#[test]
fn a_worktree_with_what_nobody_committed_is_reused_and_nothing_of_it_is_lost() {
    let steps = at_each_step(
        |field| {
            field.make(BRANCH);
            leave(field);
            Errand::MakeWorktree(field.making("windlass/abcdef/fix@2", &field.head()))
        },
        |field, step, done| {
            assert_eq!(done, &Done::WorktreeMade);
            assert_eq!(field.agent(&["status", "--porcelain", "--branch"]), "## windlass/abcdef/fix@2");
            assert_nothing_is_lost(field, step);
        },
    );
    assert!(steps > 10, "{steps} steps");
}

#[test]
fn work_is_committed_once_wherever_an_earlier_try_ended() {
    let steps = at_each_step(
        |field| {
            let base = field.make(BRANCH);
            leave(field);
            field.agent(&["checkout", "--quiet", "--detach"]);
            Errand::CommitWork(field.committing(BRANCH, &base))
        },
        |field, step, done| {
            assert!(matches!(done, Done::WorkCommitted { is_empty: false, .. }), "{done:?}");
            let count = field.git(&field.repository(), &["rev-list", "--count", &format!("main..{BRANCH}")]);
            assert_eq!(count, "2", "cut off before step {step}");
            assert_nothing_is_lost(field, step);
        },
    );
    assert!(steps > 8, "{steps} steps");
}

#[test]
fn work_lands_once_wherever_an_earlier_try_ended() {
    let stage = |field: &Field| {
        let base = field.make(BRANCH);
        leave(field);
        let work = field.committed(&base).0;
        field.preparing(&base, &work)
    };
    let prepared = at_each_step(
        |field| Errand::PrepareMerge(stage(field)),
        |_, _, done| assert!(matches!(done, Done::MergePrepared { .. }), "{done:?}"),
    );
    let merged = at_each_step(
        |field| {
            let prepared = field.run(&Errand::PrepareMerge(stage(field)));
            let Ok(Done::MergePrepared { base, new_tip, .. }) = prepared else { panic!("{prepared:?}") };
            Errand::Merge(field.merging(&base, &new_tip))
        },
        |field, step, done| {
            assert!(matches!(done, Done::Landed { .. }), "{done:?}");
            let count = field.git(&field.repository(), &["rev-list", "--count", &format!("main..{TARGET}")]);
            assert_eq!(count, "1", "cut off before step {step}");
        },
    );
    assert!(prepared > 8 && merged > 4, "{prepared} and {merged} steps");
}

/// Kills an errand, or the git that it started, at its calls of a kind in turn: a git is cut off with its locks taken and half of
/// what it writes written. What is left is seen by doing the errand again.
fn killed_at_each(stage: impl Fn(&Field) -> Errand, see: impl Fn(&Field)) {
    let mut killed = 0;
    for call in ["rename", "fsync", "link", "unlink", "mkdir"] {
        for nth in 1..=4 {
            let field = Field::new();
            let errand = stage(&field);
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            let trace = format!("trace={call}");
            let done = field.traced(&errand, Path::new("/dev/null"), &["-e", &trace, "-e", &inject]);
            let said: Option<Result<Done, Failure>> = serde_json::from_slice(&done.stdout).ok();
            let again = field.run(&errand);
            assert!(again.is_ok(), "killed at {call} {nth}: {said:?}, then {again:?}");
            see(&field);
            if said.is_some_and(|said| said.is_ok()) {
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 3, "{killed} kills");
}

#[test]
fn a_worktree_is_made_after_a_git_was_killed_at_any_of_its_calls() {
    if can_trace() {
        let see = |field: &Field| {
            assert_eq!(field.agent(&["status", "--porcelain", "--branch"]), format!("## {BRANCH}"));
        };
        killed_at_each(|field| Errand::MakeWorktree(field.making(BRANCH, &field.head())), see);
    }
}

#[test]
fn a_worktree_is_reused_after_a_git_was_killed_at_any_of_its_calls() {
    if can_trace() {
        let stage = |field: &Field| {
            field.make(BRANCH);
            leave(field);
            Errand::MakeWorktree(field.making("windlass/abcdef/fix@2", &field.head()))
        };
        killed_at_each(stage, |field| assert_nothing_is_lost(field, 0));
    }
}

#[test]
fn work_is_committed_after_a_git_was_killed_at_any_of_its_calls() {
    if can_trace() {
        let stage = |field: &Field| {
            let base = field.make(BRANCH);
            leave(field);
            Errand::CommitWork(field.committing(BRANCH, &base))
        };
        killed_at_each(stage, |field| {
            assert_eq!(field.shown(BRANCH, "new/-x"), "untracked");
            assert_nothing_is_lost(field, 0);
        });
    }
}

#[test]
fn work_lands_once_after_a_git_was_killed_at_any_of_its_calls() {
    if can_trace() {
        let stage = |field: &Field| {
            let base = field.make(BRANCH);
            leave(field);
            let work = field.committed(&base).0;
            field.preparing(&base, &work)
        };
        killed_at_each(|field| Errand::PrepareMerge(stage(field)), |_| {});
        let merging = |field: &Field| {
            let prepared = field.run(&Errand::PrepareMerge(stage(field)));
            let Ok(Done::MergePrepared { base, new_tip, .. }) = prepared else { panic!("{prepared:?}") };
            Errand::Merge(field.merging(&base, &new_tip))
        };
        killed_at_each(merging, |field| {
            let count = field.git(&field.repository(), &["rev-list", "--count", &format!("main..{TARGET}")]);
            assert_eq!(count, "1");
        });
    }
}

/// A filter of the repository's that kills the git which calls it, once: git is cut off in the middle, and not only between
/// two calls.
fn kill_once_at(field: &Field, kind: &str, file: &str) {
    field.write("repository/.gitattributes", format!("{file} filter=cut\n"));
    field.write("repository/x.cut", "filtered\n");
    field.commit(&field.repository(), "with a filter");
    let flag = field.path("killed");
    let script = format!("if mkdir '{}'; then kill -9 $PPID; fi; cat", flag.display());
    field.git(&field.repository(), &["config", &format!("filter.cut.{kind}"), &script]);
}

#[test]
fn a_git_that_is_killed_in_the_middle_of_a_checkout_leaves_what_is_made_anew() {
    let field = Field::new();
    kill_once_at(&field, "smudge", "x.cut");
    let errand = Errand::MakeWorktree(field.making(BRANCH, &field.head()));
    field.run(&errand).expect_err("its git was killed");
    assert_eq!(field.run(&errand), Ok(Done::WorktreeMade));
    assert_eq!(field.read("home of it/fix/x.cut"), "filtered\n");
    assert_eq!(field.agent(&["status", "--porcelain", "--branch"]), format!("## {BRANCH}"));
}

#[test]
fn a_git_that_is_killed_in_the_middle_of_adding_leaves_nothing_uncommitted_behind() {
    let field = Field::new();
    kill_once_at(&field, "clean", "y.cut");
    let base = field.make(BRANCH);
    leave(&field);
    field.leave("y.cut", "more\n");
    let errand = Errand::CommitWork(field.committing(BRANCH, &base));
    field.run(&errand).expect_err("its git was killed");
    assert!(matches!(field.run(&errand), Ok(Done::WorkCommitted { is_empty: false, .. })));
    assert_eq!(field.shown(BRANCH, "y.cut"), "more");
    assert_nothing_is_lost(&field, 0);
}
