//! What is said of folders before a run begins.

use windlass_core::failure::ErrorKind;
use windlass_worker::Repository;

use super::{Field, TARGET};

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
