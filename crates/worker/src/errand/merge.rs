//! The target moves to a commit that was prepared, by a compare-and-swap. Where it is tells also what became of a move that was
//! cut off. Never: a target that somebody has checked out, whose `git status` would show the merge reversed.

use std::path::Path;

use windlass_core::errand::{Done, Merge, ObjectId};
use windlass_core::failure::Failure;

use super::git::{Git, LOCKED};
use super::heads::{self, Was};
use super::{durable, in_the_way, worktrees};

/// How often the target may move between two looks at it.
const LOOKS: usize = 3;

pub(super) fn carry_out(asked: &Merge) -> Result<Done, Failure> {
    let git = Git::within(Path::new(&asked.repository))?;
    let common = worktrees::shared_dir(&git)?;
    let name = heads::of_branch(&asked.target);
    for _ in 0..LOOKS {
        let Some(tip) = heads::commit(&git, &name)? else {
            return Err(in_the_way("target_missing", format!("the branch `{}` is gone", asked.target))
                .hint(format!("make it again: `git branch {} {}`", asked.target, asked.expect_old)));
        };
        if let Some(done) = settled(&git, asked, &tip)? {
            // Whoever moved it may not have synced it.
            durable::reference(&common, &name)?;
            return Ok(done);
        }
        if let Some(folder) = worktrees::holder(&git, &common, &asked.target)? {
            let message = format!("the branch `{}` is checked out in `{}`", asked.target, folder.display());
            return Err(in_the_way("target_checked_out", message)
                .hint("check out another branch there: moved under its owner, it would look as if the merge were undone"));
        }
        // One that was moved in between is looked at again.
        heads::shift(&git, &common, &name, &asked.new_tip, Was::At(&asked.expect_old)).map_err(locked)?;
    }
    Err(in_the_way("target_busy", format!("somebody keeps moving the branch `{}`", asked.target)))
}

/// What there is nothing more to do about.
fn settled(git: &Git, asked: &Merge, tip: &ObjectId) -> Result<Option<Done>, Failure> {
    if heads::contains(git, tip, &asked.new_tip)? {
        return Ok(Some(Done::Landed { commit: asked.new_tip.clone() }));
    }
    if *tip == asked.expect_old {
        return Ok(None);
    }
    let carrier = heads::carrier(git, &asked.expect_old, tip, &asked.key)?;
    Ok(Some(carrier.map_or_else(|| Done::Stale { tip: tip.clone() }, |commit| Done::Landed { commit })))
}

/// What kept the ref from moving, if that is a lock.
fn locked(failure: Failure) -> Failure {
    if failure.message.contains(LOCKED) { failure.cause("target_locked") } else { failure }
}
