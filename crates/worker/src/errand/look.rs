//! What a repository is, as far as worktrees and merges go, and why they can't be used where they can't. For errands, and for
//! the front door before a run begins. Never: changing anything but a target that is asked for.

use std::path::{Path, PathBuf};

use windlass_core::errand::ObjectId;
use windlass_core::failure::{ErrorKind, Failure};

use super::git::Git;
use super::{heads, target, worktrees};

/// A repository that worktrees can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    root: PathBuf,
    within: PathBuf,
    shared_dir: PathBuf,
    head: ObjectId,
    branch: Option<String>,
    is_bare: bool,
    has_submodules: bool,
}

impl Repository {
    /// Looks at the repository that this folder is in; a failure says why worktrees can't be used here, and what to do.
    pub fn look(folder: &Path) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(unusable(
                format!("`{}` is no folder", folder.display()),
                "give the folder of a repository",
            ));
        }
        let git = Git::within(folder)?;
        let asked = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
        let said = git.ask(&asked)?;
        if said.code != 0 && said.error.contains("not a git repository") {
            let what = format!("`{}` is in no git repository, which worktrees are made of", folder.display());
            return Err(unusable(what, "`git init` and a first commit, or another `workspace`"));
        }
        said.expect_done(&asked)?;
        let shared_dir = worktrees::shared_dir(&git)?;
        let line = |name: &str| git.line(&["rev-parse", name]);
        let is_bare = line("--is-bare-repository")? == "true";
        let (root, within) = if is_bare {
            (shared_dir.clone(), PathBuf::new())
        } else if line("--is-inside-work-tree")? == "true" {
            (git.path(&["rev-parse", "--show-toplevel"])?, git.path(&["rev-parse", "--show-prefix"])?)
        } else {
            let what = format!("`{}` is inside a git folder, and no checkout", folder.display());
            return Err(unusable(what, "go to the checkout"));
        };
        let Some(head) = heads::commit(&git, "HEAD")? else {
            let what =
                format!("the repository `{}` has no commit yet, which worktrees begin at", root.display());
            return Err(unusable(what, "make a first one: `git commit --allow-empty -m start`"));
        };
        let has_submodules = git.ask(&["cat-file", "-e", &format!("{head}:.gitmodules")])?.code == 0;
        let branch = heads::current_branch(&git)?;
        Ok(Self { root, within, shared_dir, head, branch, is_bare, has_submodules })
    }

    /// The top folder of the checkout; of a bare repository its own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that was looked at, relative to the root; empty where it is the root.
    pub fn within(&self) -> &Path {
        &self.within
    }

    /// The folder with refs and objects, which all worktrees share.
    pub fn shared_dir(&self) -> &Path {
        &self.shared_dir
    }

    /// The commit that is checked out; of a bare repository the one of its first branch.
    pub fn head(&self) -> &ObjectId {
        &self.head
    }

    /// The branch that is checked out, without `refs/heads/`; none where `HEAD` is detached.
    pub fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// The top folder of the checkout, if there is one.
    pub fn checkout(&self) -> Option<&Path> {
        (!self.is_bare).then_some(self.root.as_path())
    }

    /// Whether there are submodules, which are not initialised in new worktrees.
    pub fn has_submodules(&self) -> bool {
        self.has_submodules
    }

    /// Makes the branch that a run's work lands on, unless it is there; where it is.
    pub fn make_target(&self, name: &str, start: &ObjectId) -> Result<ObjectId, Failure> {
        let git = Git::within(&self.root)?;
        target::tip(&git, &worktrees::shared_dir(&git)?, name, start)
    }
}

fn unusable(what: String, hint: &str) -> Failure {
    Failure::new(ErrorKind::SpawnDir, what).hint(hint)
}

/// A commit is not there that the work rests on.
pub(super) fn without_base(commit: &ObjectId) -> Failure {
    unusable(format!("the commit {commit} is not in the repository"), "fetch it, or begin another run")
}
