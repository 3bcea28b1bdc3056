//! Work lands on the target: prepared without a checkout, moved by a compare-and-swap.

use std::fs;

use windlass_core::errand::{Done, Errand, ObjectId};

use super::{BRANCH, Field, TARGET};

impl Field {
    /// The base, and work that changes the first line of `a file`.
    fn worked(&self) -> (ObjectId, ObjectId) {
        let base = self.make(BRANCH);
        self.leave("a file", "ONE\ntwo\nthree\n");
        let work = self.committed(&base).0;
        (base, work)
    }

    fn prepared(&self, base: &ObjectId, work: &ObjectId) -> (ObjectId, ObjectId) {
        match self.run(&Errand::PrepareMerge(self.preparing(base, work))) {
            Ok(Done::MergePrepared { base, new_tip, .. }) => (base, new_tip),
            other => panic!("{other:?}"),
        }
    }

    fn merged(&self, expect_old: &ObjectId, new_tip: &ObjectId) -> Done {
        self.run(&Errand::Merge(self.merging(expect_old, new_tip)))
            .unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    fn target(&self) -> ObjectId {
        self.at(&self.repository(), TARGET)
    }

    /// A commit on the target by somebody, with this message.
    fn others(&self, file: &str, text: &str, message: &str) -> ObjectId {
        let folder = self.path("others");
        self.git(&self.repository(), &["worktree", "add", "--quiet", "--force", "../others", TARGET]);
        self.write(&format!("others/{file}"), text);
        let commit = self.commit(&folder, message);
        self.git(&self.repository(), &["worktree", "remove", "../others"]);
        commit
    }
}

#[test]
fn work_lands_once_as_one_commit_with_its_key_and_the_author_of_the_agent() {
    let field = Field::new();
    let (base, _) = field.worked();
    field.leave("more", "by the agent");
    let work = field.commit(&field.worktree(), "own words");
    let (at, new_tip) = field.prepared(&base, &work);
    assert_eq!((&at, &field.target()), (&base, &base), "nothing has moved yet");
    let shown =
        field.git(&field.repository(), &["show", "--no-patch", "--format=%an|%ae|%cn|%P|%B", &new_tip.0]);
    let expected = format!(
        "Agent Smith|smith@example.org|Windlass|{base}|fix: what is broken\n\nWindlass-Key: abcdef/fix/1"
    );
    assert_eq!(shown, expected);
    field.git(&field.repository(), &["gc", "--quiet", "--prune=now"]);
    let landed = Done::Landed { commit: new_tip.clone() };
    assert_eq!(field.merged(&base, &new_tip), landed);
    assert_eq!(field.target(), new_tip);
    assert_eq!(field.merged(&base, &new_tip), landed, "once more is no second time");
    field.others("x", "x", "more");
    assert_eq!(field.merged(&base, &new_tip), landed, "others went on from it");
    assert_eq!(field.run(&Errand::PrepareMerge(field.preparing(&base, &work))), Ok(landed));
    assert_eq!(field.git(&field.repository(), &["status", "--porcelain"]), "");
}

#[test]
fn work_of_which_no_agent_made_a_commit_is_by_windlass() {
    let field = Field::new();
    let (base, work) = field.worked();
    let (_, new_tip) = field.prepared(&base, &work);
    let author = field.git(&field.repository(), &["show", "--no-patch", "--format=%an", &new_tip.0]);
    assert_eq!(author, "Windlass");
}

#[test]
fn a_target_that_moved_is_merged_with_or_told_as_a_conflict() {
    let field = Field::new();
    let (base, work) = field.worked();
    let (_, stale) = field.prepared(&base, &work);
    let tip = field.others("a file", "one\ntwo\nTHREE\n\nmore\n", "others");
    assert_eq!(field.merged(&base, &stale), Done::Stale { tip: tip.clone() });
    let (at, new_tip) = field.prepared(&base, &work);
    assert_eq!(at, tip);
    assert_eq!(field.merged(&tip, &new_tip), Done::Landed { commit: new_tip.clone() });
    assert!(field.shown(TARGET, "a file").contains("THREE"));

    let field = Field::new();
    let (base, work) = field.worked();
    field.prepared(&base, &work);
    let tip = field.others("a file", "EINS\ntwo\nthree\n", "others");
    let said = field.run(&Errand::PrepareMerge(field.preparing(&base, &work)));
    let Ok(Done::Conflict { base: at, files, text }) = said else { panic!("{said:?}") };
    assert_eq!((at, files), (tip, vec!["a file".to_owned()]));
    assert_eq!(text, "CONFLICT (content): Merge conflict in a file\n");
}

#[test]
fn work_that_somebody_put_on_the_target_by_hand_has_landed() {
    let field = Field::new();
    let (base, work) = field.worked();
    let (_, new_tip) = field.prepared(&base, &work);
    let theirs = field.others("a file", "ONE\ntwo\nthree\n", "by hand\n\nWindlass-Key: abcdef/fix/1");
    assert_eq!(field.merged(&base, &new_tip), Done::Landed { commit: theirs.clone() });
    let again = field.run(&Errand::PrepareMerge(field.preparing(&base, &work)));
    assert_eq!(again, Ok(Done::Landed { commit: theirs }));
    let field = Field::new();
    let (base, work) = field.worked();
    let (_, new_tip) = field.prepared(&base, &work);
    let tip = field.others("x", "x", "says Windlass-Key: abcdef/fix/1\n\nWindlass-Key: abcdef/fix/11");
    assert_eq!(field.merged(&base, &new_tip), Done::Stale { tip }, "another key is no proof");
}

#[test]
fn a_target_that_somebody_has_checked_out_is_not_moved() {
    let field = Field::new();
    let (base, work) = field.worked();
    let (_, new_tip) = field.prepared(&base, &work);
    let merging = || field.run(&Errand::Merge(field.merging(&base, &new_tip)));
    field.git(&field.repository(), &["checkout", "--quiet", TARGET]);
    let failure = merging().expect_err("it is checked out");
    assert_eq!(failure.cause.as_deref(), Some("target_checked_out"));
    let folder = field.repository().canonicalize().expect("there");
    assert!(failure.message.ends_with(&format!("is checked out in `{}`", folder.display())), "{failure:?}");
    // In the middle of a rebase of it HEAD is detached.
    field.write("repository/a file", "other");
    let other = field.commit(&field.repository(), "other");
    field.git(&field.repository(), &["branch", "side", &base.0]);
    field.git(&field.repository(), &["update-ref", &format!("refs/heads/{TARGET}"), &base.0]);
    field.git(&field.repository(), &["reset", "--quiet", "--hard"]);
    field.write("repository/a file", "yet another");
    field.commit(&field.repository(), "yet another");
    assert!(!field.try_git(&field.repository(), &["rebase", &other.0]).status.success());
    let expect = field.target();
    let mut merging = field.merging(&expect, &new_tip);
    merging.new_tip =
        ObjectId(field.git(&field.repository(), &["commit-tree", "HEAD^{tree}", "-m", "x", "-p", &expect.0]));
    let failure = field.run(&Errand::Merge(merging)).expect_err("it is being rebased");
    assert_eq!(failure.cause.as_deref(), Some("target_checked_out"));
    assert_eq!(field.target(), expect);
}

#[test]
fn a_lock_on_a_branch_that_is_not_ours_is_named_and_a_target_that_is_gone_too() {
    let field = Field::new();
    let (base, work) = field.worked();
    let (_, new_tip) = field.prepared(&base, &work);
    let lock = field.repository().join(format!(".git/refs/heads/{TARGET}.lock"));
    fs::write(&lock, "").expect("ours");
    assert_eq!(
        field.merged(&base, &new_tip),
        Done::Landed { commit: new_tip.clone() },
        "a dead git of ours left it"
    );

    field.git(&field.repository(), &["branch", "theirs", &base.0]);
    let mut merging = field.merging(&base, &new_tip);
    merging.target = "theirs".to_owned();
    let lock = field.repository().join(".git/refs/heads/theirs.lock");
    fs::write(&lock, "").expect("ours");
    let failure = field.run(&Errand::Merge(merging.clone())).expect_err("it is locked");
    assert_eq!(failure.cause.as_deref(), Some("target_locked"));
    assert!(failure.message.contains("theirs.lock"), "{failure:?}");
    merging.target = "gone".to_owned();
    let failure = field.run(&Errand::Merge(merging)).expect_err("it is not there");
    assert_eq!(failure.cause.as_deref(), Some("target_missing"));
}

#[test]
fn what_was_merged_into_the_work_does_not_make_others_its_author() {
    let field = Field::new();
    let (base, work) = field.worked();
    field.prepared(&base, &work);
    field.others("x", "x", "by others, as Agent Smith");
    let ours = ["-c", "user.name=Windlass", "-c", "user.email=windlass@localhost"];
    field.agent(&[&ours[..], &["merge", "--quiet", TARGET]].concat());
    let (_, new_tip) = field.prepared(&base, &field.at(&field.worktree(), "HEAD"));
    let author = field.git(&field.repository(), &["show", "--no-patch", "--format=%an", &new_tip.0]);
    assert_eq!(author, "Windlass");
    assert_eq!(field.shown(TARGET, "x"), "x");
}
