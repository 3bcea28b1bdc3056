//! Errands: what is done for a task besides its attempts, each by a short process of ours under the keeper. An errand may be
//! carried out again after a crash: it looks first at what is there already. Never: carrying them out
//! (`worker/errand/`), or choosing what follows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::AttemptKey;

/// The name under which this program does an errand: it reads an [`Errand`] from its standard input, and writes a
/// `Result<Done, Failure>` to its standard output, both as JSON.
pub const NAME: &str = "windlass-errand";

/// The name of an object in a git repository, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ObjectId(pub String);

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the work of a run is kept and lands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Repository {
    /// The repository: its top folder, absolute.
    pub root: String,
    /// The run's folder, relative to that; empty where it is that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub within: String,
    /// The folder of the run's worktrees: absolute, in the home.
    pub worktrees: String,
    /// The commit that the run began at.
    pub start: ObjectId,
    /// The branch that accepted work lands on, without `refs/heads/`.
    pub target: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Make the worktree of an attempt.
    MakeWorktree(MakeWorktree),
    /// Commit what an attempt left in its worktree.
    CommitWork(CommitWork),
    /// Put the work of an attempt on top of the target, as a commit that nothing points to yet.
    PrepareMerge(PrepareMerge),
    /// Move the target to a commit that was prepared.
    Merge(Merge),
}

/// A worktree for an attempt: the path belongs to its task, the branch to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeWorktree {
    /// The repository: any of its folders.
    pub repository: String,
    /// Where the worktree lies: absolute. What an earlier attempt left there is committed or kept elsewhere before.
    pub path: String,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// What the branch begins at.
    pub base: ObjectId,
    /// Ignored files and folders of the operator's checkout to copy, relative to its root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<String>,
    /// The same, to link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link: Vec<String>,
}

/// What an attempt left becomes a commit of its branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitWork {
    /// The worktree.
    pub path: String,
    /// Its branch, without `refs/heads/`.
    pub branch: String,
    /// What the branch began at.
    pub base: ObjectId,
    /// The attempt.
    pub key: AttemptKey,
    /// The first line of the commit's message.
    pub message: String,
    /// Whether what is not committed is a failure, instead of being committed by us.
    pub must_be_committed: bool,
}

/// The work of an attempt, on top of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareMerge {
    /// The repository.
    pub repository: String,
    /// The branch that the work is to land on, without `refs/heads/`.
    pub target: String,
    /// Where the run began: the target is made there, unless it exists.
    pub start: ObjectId,
    /// What the work began at.
    pub base: ObjectId,
    /// The work.
    pub work: ObjectId,
    /// The attempt: the commit carries its key as the trailer `Windlass-Key`.
    pub key: AttemptKey,
    /// The first line of the commit's message.
    pub message: String,
}

/// The target moves, if it is still where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The repository.
    pub repository: String,
    /// The branch, without `refs/heads/`.
    pub target: String,
    /// Where the branch must be.
    pub expect_old: ObjectId,
    /// Where it moves to.
    pub new_tip: ObjectId,
    /// The attempt whose work it is.
    pub key: AttemptKey,
}

/// What came of an errand that could be done; what could not be is a [`crate::failure::Failure`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The worktree is there, clean, on its branch at its base.
    WorktreeMade,
    /// The branch is at this commit, and nothing in the worktree is uncommitted but what is ignored.
    WorkCommitted {
        /// The commit.
        commit: ObjectId,
        /// Its tree.
        tree: ObjectId,
        /// Whether the tree is that of the base.
        is_empty: bool,
    },
    /// The commit is there, and durable.
    MergePrepared {
        /// Where the target was.
        base: ObjectId,
        /// The commit.
        new_tip: ObjectId,
        /// Its tree.
        tree: ObjectId,
    },
    /// The work can't be put on top of the target without somebody who decides.
    Conflict {
        /// Where the target was.
        base: ObjectId,
        /// The files in which both have changed the same.
        files: Vec<String>,
        /// What git said.
        text: String,
    },
    /// The target is at the commit, or further on from it; or somebody put the same work there.
    Landed {
        /// The commit that carries the work.
        commit: ObjectId,
    },
    /// The target is elsewhere, and the work is not in it.
    Stale {
        /// Where it is.
        tip: ObjectId,
    },
}
