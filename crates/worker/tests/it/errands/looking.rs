//! What is said of folders before a run begins.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use windlass_core::errand::{Done, Errand};
use windlass_core::failure::ErrorKind;
use windlass_worker::Repository;

use super::{BRANCH, Field, TARGET};

#[test]
fn a_repository_is_known_by_its_root_from_any_folder_in_it() {
    let field = Field::new();
    let found = Repository::look(&field.path("repository/deep/ünïcode")).expect("a repository");
    let root = field.repository().canonicalize().expect("there");
    assert_eq!((found.root(), found.checkout()), (&*root, Some(&*root)));
    assert_eq!(found.within().to_str(), Some("deep/ünïcode/"));
    assert_eq!((found.head(), found.branch()), (&field.head(), Some("main")));
    let head = field.head();
    assert_eq!(found.make_target(TARGET, &head), Ok(head.clone()));
    field.commit(&field.repository(), "more");
    assert_eq!(found.make_target(TARGET, &field.head()), Ok(head), "one that is there stays where it is");
    let failure =
        found.make_target("windlass/abcdef", &field.head()).expect_err("that is a folder of branches");
    assert!(failure.message.contains("abcdef"), "{failure:?}");
}

#[test]
fn why_there_can_be_no_worktrees_is_said_with_a_way_out() {
    let field = Field::new();
    let why = |name: &str| Repository::look(&field.path(name)).expect_err("no worktrees here");
    let failure = why("");
    assert!(failure.message.contains("is in no git repository"), "{failure:?}");
    assert!(why("repository/.git/refs").message.contains("is inside a git folder"));
    assert!(why("nowhere").message.ends_with("is no folder"));
    field.write("new/x", "x");
    field.git(&field.path("new"), &["init", "--quiet"]);
    let failure = why("new");
    assert!(failure.message.contains("has no commit yet"), "{failure:?}");
    assert!(failure.kind == ErrorKind::SpawnDir && failure.hint.is_some());
    field.git(&field.repository(), &["clone", "--quiet", "--bare", ".", "../bare.git"]);
    let bare = Repository::look(&field.path("bare.git")).expect("worktrees of it work");
    assert_eq!((bare.checkout(), bare.head()), (None, &field.head()));
}

#[test]
fn a_git_that_is_missing_or_too_old_is_named() {
    let field = Field::new();
    let errand = Errand::MakeWorktree(field.making(BRANCH, &field.head()));
    let programs = field.path("programs");
    fs::create_dir(&programs).expect("ours");
    let path = programs.display().to_string();
    let missing = field.run_with(&errand, "PATH", &path).expect_err("there is none");
    assert_eq!((missing.kind, missing.cause.as_deref()), (ErrorKind::SpawnNotFound, Some("git")));
    field.write("programs/git", "#!/bin/sh\necho git version 2.34.1\n");
    fs::set_permissions(programs.join("git"), fs::Permissions::from_mode(0o700)).expect("ours");
    let old = field.run_with(&errand, "PATH", &path).expect_err("it is too old");
    assert_eq!(old.message, "git 2.38 or newer is needed for worktrees and merges; there is 2.34.1");
}

#[test]
fn pointers_of_lfs_are_files_where_no_filter_is_set_up_and_a_filter_that_is_missing_is_named() {
    let field = Field::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    field.write("repository/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    field.write("repository/big.bin", pointer);
    field.commit(&field.repository(), "with a pointer");
    let base = field.make(BRANCH);
    assert_eq!(field.read("home of it/fix/big.bin"), pointer);
    assert_eq!(field.committed(&base), (base, true));

    field.git(&field.repository(), &["config", "filter.lfs.smudge", "no-such-lfs smudge -- %f"]);
    field.git(&field.repository(), &["config", "filter.lfs.required", "true"]);
    let again = Errand::MakeWorktree(field.making("windlass/abcdef/other@1", &field.head()));
    fs::remove_dir_all(field.worktree()).expect("it is there");
    let failure = field.run(&again).expect_err("the filter is not there");
    assert!(failure.message.contains("big.bin: smudge filter lfs failed"), "{failure:?}");
    field.git(&field.repository(), &["config", "--unset", "filter.lfs.required"]);
    assert_eq!(field.run(&again), Ok(Done::WorktreeMade), "what was half made stands in nobody's way");
}
