//! Worktrees are made, and what was in their place is kept.

use std::fs;
use std::os::unix::fs::symlink;

use windlass_core::errand::{Done, Errand, ObjectId};

use super::{BRANCH, Field};

const NEXT: &str = "windlass/abcdef/fix@2";

#[test]
fn a_worktree_is_on_its_branch_at_its_base_and_making_it_twice_changes_nothing() {
    let field = Field::new();
    let base = field.make(BRANCH);
    assert_eq!(field.read("home of it/fix/deep/ünïcode/b"), "b\n");
    assert_eq!(field.agent(&["symbolic-ref", "--short", "HEAD"]), BRANCH);
    assert_eq!(field.make(BRANCH), base);
    assert_eq!(field.git(&field.repository(), &["status", "--porcelain"]), "");
    assert_eq!(field.git(&field.repository(), &["symbolic-ref", "--short", "HEAD"]), "main");
}

#[test]
fn the_next_attempt_gets_the_same_place_with_a_clean_tree() {
    let field = Field::new();
    let base = field.make(BRANCH);
    field.leave("new", "work");
    field.leave("built.o", "ignored");
    field.committed(&base);
    let moved = field.commit(&field.repository(), "others went on");
    assert_eq!(field.make(NEXT), moved);
    let left: Vec<_> =
        fs::read_dir(field.worktree()).expect("there").flatten().map(|one| one.file_name()).collect();
    assert!(!left.contains(&"new".into()) && !left.contains(&"built.o".into()), "{left:?}");
    assert_eq!(field.shown(BRANCH, "new"), "work");
    assert_eq!(field.rescued(), [""; 0]);
}

#[test]
fn what_an_earlier_attempt_left_uncommitted_is_kept_under_a_rescue_ref() {
    let field = Field::new();
    field.make(BRANCH);
    field.leave("a file", "changed");
    field.leave("-x\nodd", "untracked");
    field.leave("staged", "as it was staged");
    field.agent(&["add", "staged"]);
    field.leave("staged", "as it is now");
    field.make(NEXT);
    let [name] = &field.rescued()[..] else { panic!("{:?}", field.rescued()) };
    assert!(name.starts_with("refs/windlass/rescue/abcdef/fix@1/"), "{name}");
    assert_eq!(field.shown(name, "a file"), "changed");
    assert_eq!(field.shown(name, "-x\nodd"), "untracked");
    assert_eq!(field.shown(name, "staged"), "as it is now");
    assert_eq!(field.shown(&format!("{name}^2"), "staged"), "as it was staged");
    assert_eq!(field.agent(&["status", "--porcelain"]), "");
}

#[test]
fn commits_that_no_branch_names_are_kept_too_and_those_of_a_rebase() {
    let field = Field::new();
    field.make(BRANCH);
    field.agent(&["checkout", "--quiet", "--detach"]);
    field.leave("loose", "on no branch");
    let loose = field.commit(&field.worktree(), "loose");
    field.make(NEXT);
    let kept = field.rescued();
    assert_eq!(field.shown(&kept[0], "loose"), "on no branch");
    field.git(&field.repository(), &["merge-base", "--is-ancestor", &loose.0, &kept[0]]);

    // Both have changed the same line, and a rebase stops there.
    field.leave("a file", "theirs");
    field.commit(&field.worktree(), "theirs");
    field.agent(&["checkout", "--quiet", "-b", "other", "HEAD~1"]);
    field.leave("a file", "ours");
    let ours = field.commit(&field.worktree(), "ours");
    assert!(!field.try_git(&field.worktree(), &["rebase", NEXT]).status.success());
    field.agent(&["update-ref", "-d", "refs/heads/other"]);
    field.make("windlass/abcdef/fix@3");
    let is_kept = |name: &String| {
        field.try_git(&field.repository(), &["merge-base", "--is-ancestor", &ours.0, name]).status.success()
    };
    assert!(field.rescued().iter().any(is_kept));
    assert_eq!(field.agent(&["status", "--porcelain"]), "");
}

#[test]
fn what_is_no_worktree_is_put_aside_with_all_that_is_in_it() {
    let field = Field::new();
    field.leave("somebody's", "file");
    field.make(BRANCH);
    assert_eq!(field.read("home of it/.quarantine/fix.1/somebody's"), "file");
    // A repository of its own in the worktree can't be kept by a ref.
    field.agent(&["init", "--quiet", "nested"]);
    field.leave("nested/inner", "kept");
    field.leave("a file", "changed");
    field.make(NEXT);
    assert_eq!(field.read("home of it/.quarantine/fix.2/nested/inner"), "kept");
    assert_eq!(field.read("home of it/.quarantine/fix.2/a file"), "changed");
    assert!(!field.path("home of it/.quarantine/fix.2/.git").exists(), "no git may work from there");
    assert_eq!(field.agent(&["status", "--porcelain", "--branch"]), format!("## {NEXT}"));
    // The agent made a repository of its own of the worktree.
    fs::remove_file(field.worktree().join(".git")).expect("it is there");
    field.agent(&["init", "--quiet"]);
    field.make("windlass/abcdef/fix@3");
    assert!(field.path("home of it/.quarantine/fix.3/.git/HEAD").exists());
}

#[test]
fn a_worktree_that_somebody_removed_is_made_anew_and_its_loose_commits_are_kept() {
    let field = Field::new();
    field.make(BRANCH);
    field.agent(&["checkout", "--quiet", "--detach"]);
    field.leave("loose", "on no branch");
    let loose = field.commit(&field.worktree(), "loose");
    fs::remove_dir_all(field.worktree()).expect("it is there");
    field.make(NEXT);
    assert_eq!(field.rescued(), [format!("refs/windlass/rescue/missing/{loose}")]);
}

#[test]
fn a_branch_that_is_there_already_is_never_moved() {
    let field = Field::new();
    let base = field.head();
    field.git(&field.repository(), &["checkout", "--quiet", "-b", BRANCH]);
    let making = |base: &ObjectId| field.run(&Errand::MakeWorktree(field.making(BRANCH, base)));
    let failure = making(&base).expect_err("it is checked out");
    assert!(failure.message.contains("is checked out in `"), "{failure:?}");
    let other = field.commit(&field.repository(), "other");
    let failure = making(&base).expect_err("it is elsewhere");
    assert!(failure.message.ends_with(&format!("is there already, at {other}")), "{failure:?}");
    let nowhere = ObjectId("0123456789012345678901234567890123456789".to_owned());
    let failure = making(&nowhere).expect_err("no such commit");
    assert!(failure.message.contains("is not in the repository"), "{failure:?}");
    assert!(!field.worktree().exists());
}

#[test]
fn ignored_files_are_brought_by_list_and_nothing_from_outside() {
    let field = Field::new();
    field.write("repository/keys.o", "secret");
    field.write("repository/target/deep/x", "built");
    field.write("outside.o", "not yours");
    symlink(field.path("outside.o"), field.path("repository/way out.o")).expect("ours");
    let base = field.head();
    let mut making = field.making(BRANCH, &base);
    making.copy = vec!["keys.o".to_owned()];
    making.link = vec!["target".to_owned()];
    let errand = Errand::MakeWorktree(making.clone());
    assert_eq!(field.run(&errand), Ok(Done::WorktreeMade));
    assert_eq!(field.run(&errand), Ok(Done::WorktreeMade));
    assert_eq!(field.read("home of it/fix/keys.o"), "secret");
    assert_eq!(field.read("home of it/fix/target/deep/x"), "built");
    assert_eq!(field.agent(&["status", "--porcelain"]), "", "a link would not be ignored by `target/`");

    let said = |copy: &str| {
        making.copy = vec![copy.to_owned()];
        field.run(&Errand::MakeWorktree(making.clone())).expect_err("it can't be brought").message
    };
    let said: Vec<String> =
        ["../outside.o", "/etc/passwd", "", "way out.o", "missing.o", "deep"].map(said).into();
    let whys = [
        "give a path inside",
        "give a path inside",
        "give a path inside",
        "it leads to",
        "No such file",
        "git does not ignore it",
    ];
    for (said, why) in said.iter().zip(whys) {
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn worktrees_are_made_of_bare_clones_detached_heads_sparse_checkouts_and_beside_submodules() {
    let field = Field::new();
    let root = field.repository();
    field.git(&root, &["clone", "--quiet", "--bare", ".", "../bare.git"]);
    let mut making = field.making(BRANCH, &field.head());
    making.repository = field.path("bare.git").display().to_string();
    assert_eq!(field.run(&Errand::MakeWorktree(making.clone())), Ok(Done::WorktreeMade));
    making.copy = vec!["x.o".to_owned()];
    let failure = field.run(&Errand::MakeWorktree(making)).expect_err("there is no checkout");
    assert!(failure.message.contains("the repository is bare"), "{failure:?}");

    let field = Field::new();
    let root = field.repository();
    field.git(&root, &["checkout", "--quiet", "--detach"]);
    field.git(&root, &["sparse-checkout", "set", "elsewhere"]);
    let base = field.make(BRANCH);
    field.leave("deep/new", "outside of what is checked out");
    let (commit, _) = field.committed(&base);
    assert_eq!(field.shown(&commit.0, "deep/new"), "outside of what is checked out");
    assert_eq!(field.shown(&commit.0, "deep/ünïcode/b"), "b", "what is not checked out is still there");

    let field = Field::new();
    let root = field.repository();
    field.git(&root, &["clone", "--quiet", ".", "../other"]);
    field.git(&root, &["submodule", "--quiet", "add", "../other", "sub"]);
    field.commit(&root, "with a submodule");
    let base = field.make(BRANCH);
    field.leave("new", "work");
    assert!(!field.committed(&base).1);
    field.agent(&["submodule", "--quiet", "update", "--init"]);
    field.leave("sub/a file", "changed within");
    let failure = field.not_committed(&base);
    assert!(failure.message.contains("`sub`"), "{failure:?}");
    field.make(NEXT);
    assert_eq!(field.read("home of it/.quarantine/fix.1/sub/a file"), "changed within");
}
