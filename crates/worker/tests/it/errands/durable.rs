//! What a merge rests on is on the disk before it is told. Never: a power cut (the calls are looked at).

use std::fs;
use std::path::Path;

use windlass_core::errand::{Done, Errand};
use windlass_core::failure::Failure;

use super::traced::can_trace;
use super::{BRANCH, Field, TARGET};

impl Field {
    /// The calls of an errand and its gits that sync or name a file, one a line.
    fn calls(&self, errand: &Errand) -> Vec<String> {
        let log = self.path("calls");
        let done =
            self.traced(errand, &log, &["-y", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2"]);
        let outcome: Result<Done, Failure> =
            serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
        outcome.expect("it can be done");
        fs::read_to_string(log).expect("the calls").lines().map(str::to_owned).collect()
    }
}

/// Where in the calls this file or folder is synced last.
fn synced(calls: &[String], path: &Path) -> Option<usize> {
    let shown = format!("<{}>)", path.display());
    calls.iter().rposition(|call| call.contains("sync(") && call.contains(&shown))
}

#[test]
fn objects_and_the_target_are_synced_with_their_folders() {
    if !can_trace() {
        return;
    }
    let field = Field::new();
    let git = field.repository().canonicalize().expect("there").join(".git");
    let base = field.make(BRANCH);
    // By an agent's git, which syncs nothing.
    field.leave("new", "work");
    let work = field.commit(&field.worktree(), "own");
    let calls = field.calls(&Errand::PrepareMerge(field.preparing(&base, &work)));
    let new_tip = field.at(&field.repository(), "refs/windlass/prepared/abcdef/fix@1");
    let between = ["rev-list", "--objects", "--no-object-names", &new_tip.0, &work.0, "--not", &base.0];
    let listed = field.git(&field.repository(), &between);
    assert_eq!(listed.lines().count(), 4, "two commits, a tree and a file");
    for id in listed.lines() {
        let folder = git.join("objects").join(&id[..2]);
        let (file, folder) = (synced(&calls, &folder.join(&id[2..])), synced(&calls, &folder));
        assert!(file.is_some() && folder > file, "{id}: {calls:#?}");
    }
    let calls = field.calls(&Errand::Merge(field.merging(&base, &new_tip)));
    let target = git.join("refs/heads").join(TARGET);
    let is_move = |call: &String| call.contains("rename") && call.contains(&format!("{TARGET}.lock"));
    let moved = calls.iter().position(is_move);
    assert!(moved.is_some() && synced(&calls, target.parent().expect("a folder")) > moved, "{calls:#?}");
}
