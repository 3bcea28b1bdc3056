//! Refs and the commits behind them: where each is, who comes before whom, and how one is moved. Never: a move that does
//! not name where the ref was.

use std::path::Path;

use windlass_core::errand::ObjectId;
use windlass_core::failure::Failure;
use windlass_core::id::AttemptKey;

use super::git::{Git, LOCKED, parts};
use super::locks;

/// The trailer by which a commit that landed is known.
pub(super) const TRAILER: &str = "Windlass-Key";

/// The full name of a branch.
pub(super) fn of_branch(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

/// The part of a ref's name below `refs/windlass/…/` that belongs to a branch.
pub(super) fn short(branch: &str) -> &str {
    branch.strip_prefix("windlass/").unwrap_or(branch)
}

/// The commit behind a name.
pub(super) fn commit(git: &Git, name: &str) -> Result<Option<ObjectId>, Failure> {
    let name = format!("{name}^{{commit}}");
    Ok(git.line_if_any(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?.map(ObjectId))
}

/// The tree of a commit.
pub(super) fn tree(git: &Git, commit: &ObjectId) -> Result<ObjectId, Failure> {
    Ok(ObjectId(git.line(&["rev-parse", "--verify", "--end-of-options", &format!("{commit}^{{tree}}")])?))
}

/// Whether one commit is another, or behind it.
pub(super) fn contains(git: &Git, whole: &ObjectId, part: &ObjectId) -> Result<bool, Failure> {
    let arguments = ["merge-base", "--is-ancestor", &part.0, &whole.0];
    let said = git.ask(&arguments)?;
    match said.code {
        0 => Ok(true),
        1 => Ok(false),
        _ => said.expect_done(&arguments).map(|_| true),
    }
}

/// The branch that `HEAD` is, without `refs/heads/`; none where it is detached.
pub(super) fn current_branch(git: &Git) -> Result<Option<String>, Failure> {
    let head = git.line_if_any(&["symbolic-ref", "--quiet", "HEAD"])?;
    Ok(head.and_then(|head| head.strip_prefix("refs/heads/").map(str::to_owned)))
}

/// The commit among those of `to` that are not in `from` which carries the work under this key.
pub(super) fn carrier(
    git: &Git,
    from: &ObjectId,
    to: &ObjectId,
    key: &AttemptKey,
) -> Result<Option<ObjectId>, Failure> {
    let format = format!("--format=%H %(trailers:key={TRAILER},valueonly,unfold,separator=%x2C)");
    let listed = git.run(&["log", "-z", &format, &to.0, "--not", &from.0, "--"])?;
    let key = key.to_string();
    let found = parts(&listed).find_map(|part| {
        let text = String::from_utf8_lossy(part);
        let (commit, keys) = text.split_once(' ')?;
        keys.split(',').any(|one| one.trim() == key).then(|| ObjectId(commit.to_owned()))
    });
    Ok(found)
}

/// Where a ref must be for a move.
#[derive(Clone, Copy, Debug)]
pub(super) enum Was<'a> {
    /// It must not be there.
    Absent,
    /// It must be there.
    At(&'a ObjectId),
    /// It belongs to one attempt, so that nobody else moves it.
    Anything,
}

/// Moves a ref, if it is where it must be; false where it is not.
pub(super) fn shift(
    git: &Git,
    common: &Path,
    name: &str,
    to: &ObjectId,
    was: Was<'_>,
) -> Result<bool, Failure> {
    let nowhere = "0".repeat(to.0.len());
    let mut arguments = vec!["update-ref", "--no-deref", "-m", "windlass", name, &to.0];
    match was {
        Was::Absent => arguments.push(&nowhere),
        Was::At(old) => arguments.push(&old.0),
        Was::Anything => {}
    }
    let said = git.ask(&arguments)?;
    if said.code == 0 {
        return Ok(true);
    }
    let elsewhere = ["but expected", "reference already exists", "unable to resolve reference"];
    if elsewhere.iter().any(|words| said.error.contains(words)) {
        return Ok(false);
    }
    if said.error.contains(LOCKED) && locks::take_away_of_ref(common, name)? {
        return shift(git, common, name, to, was);
    }
    said.expect_done(&arguments).map(|_| true)
}
