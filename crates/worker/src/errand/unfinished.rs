//! What somebody began in a worktree and did not end: a merge, a rebase, a pick. Never: ending it their way.

use std::fs;
use std::io;
use std::path::Path;

use windlass_core::errand::ObjectId;
use windlass_core::failure::Failure;

use super::git::Git;
use super::{failed, step};

/// Files and folders of a worktree's git folder, and what they are signs of.
const SIGNS: [(&str, &str); 9] = [
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
    ("MERGE_HEAD", "a merge"),
    ("MERGE_MODE", "a merge"),
    ("AUTO_MERGE", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("sequencer", "a cherry-pick"),
    ("BISECT_START", "a bisection"),
];

/// Where these keep commits that nothing else may name.
const HEADS: [&str; 9] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge/orig-head",
    "rebase-merge/stopped-sha",
    "rebase-merge/autostash",
    "rebase-apply/orig-head",
    "rebase-apply/original-commit",
    "rebase-apply/autostash",
];

/// What was begun there.
pub(super) fn work(git_dir: &Path) -> Option<&'static str> {
    // What is left of a merge that git made by itself is no sign of one.
    let real = SIGNS.iter().filter(|(sign, _)| *sign != "AUTO_MERGE" && *sign != "MERGE_MODE");
    real.clone().find(|(sign, _)| git_dir.join(sign).exists()).map(|(_, what)| *what)
}

/// Whether `HEAD` is on its way between commits, so that it stands for nothing.
pub(super) fn is_between_commits(git_dir: &Path) -> bool {
    ["rebase-merge", "rebase-apply", "BISECT_START"].iter().any(|sign| git_dir.join(sign).exists())
}

/// The commits that it knows of, and those that refs of this worktree alone name.
pub(super) fn heads(git: &Git, git_dir: &Path) -> Result<Vec<ObjectId>, Failure> {
    let texts = HEADS.iter().filter_map(|name| fs::read_to_string(git_dir.join(name)).ok());
    let mut ids: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let own = git.run(&[
        "for-each-ref",
        "--format=%(objectname)",
        "refs/worktree",
        "refs/bisect",
        "refs/rewritten",
    ])?;
    ids.extend(String::from_utf8_lossy(&own).lines().map(str::to_owned));
    ids.retain(|id| id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    Ok(ids.into_iter().map(ObjectId).collect())
}

/// Forgets that anything was begun. What is worth keeping was kept before.
pub(super) fn forget(git_dir: &Path) -> Result<(), Failure> {
    step::begins();
    for (sign, _) in SIGNS {
        let path = git_dir.join(sign);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("can't remove", &path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}
