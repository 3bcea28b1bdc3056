//! What an attempt left becomes a commit of its branch, the untracked too, and what is ignored not. Where it can't be, the
//! work stays where it is, or is kept under a rescue ref, and the failure says what to do otherwise. Never: work that is dropped.

use std::path::Path;

use windlass_core::errand::{CommitWork, Done, ObjectId};
use windlass_core::failure::{ErrorKind, Failure};

use super::git::{Git, parts};
use super::heads::{self, Was};
use super::status::{self, Uncommitted};
use super::{at_fault, durable, in_the_way, locks, message, named, rescue, unfinished, worktrees};

/// A worktree as its attempt left it.
struct Left<'a> {
    git: Git,
    common: std::path::PathBuf,
    git_dir: std::path::PathBuf,
    asked: &'a CommitWork,
}

pub(super) fn carry_out(asked: &CommitWork) -> Result<Done, Failure> {
    let path = Path::new(&asked.path);
    let git_dir = worktrees::git_dir(path).ok_or_else(|| {
        at_fault(format!("`{}` is no worktree any more: its `.git` is gone or was changed", path.display()))
            .hint("what is in it stays there, and is put aside when another attempt needs the place")
    })?;
    let git = Git::of_worktree(path, &git_dir)?;
    locks::take_away_of_worktree(path, &git_dir)?;
    let left = Left { common: worktrees::shared_dir(&git)?, git, git_dir, asked };
    rescue::see_all_files(&left.git)?;
    let uncommitted = status::uncommitted(&left.git)?;
    left.see_ended(&uncommitted)?;
    let head = left.go_to_branch(&uncommitted)?;
    let commit = if uncommitted.is_empty() { head } else { left.commit(&uncommitted, &head)? };
    left.see_whole(&commit)?;
    durable::objects(&left.git, &left.common, &commit, &[&asked.base])?;
    durable::reference(&left.common, &heads::of_branch(&asked.branch))?;
    let tree = heads::tree(&left.git, &commit)?;
    let is_empty = tree == heads::tree(&left.git, &asked.base)?;
    Ok(Done::WorkCommitted { commit, tree, is_empty })
}

impl Left<'_> {
    /// What nobody has decided can't be committed by us.
    fn see_ended(&self, uncommitted: &[Uncommitted]) -> Result<(), Failure> {
        let undecided: Vec<_> = uncommitted.iter().filter(|one| one.is_unmerged).collect();
        if undecided.is_empty() && !unfinished::is_between_commits(&self.git_dir) {
            return Ok(());
        }
        let what = unfinished::work(&self.git_dir).unwrap_or("a merge");
        let files = if undecided.is_empty() {
            String::new()
        } else {
            format!(", with conflicts in {}", named(&status::names(undecided)))
        };
        Err(self.kept(
            at_fault(format!("{what} is still under way{files}"))
                .hint("end it, or give it up, before the task ends"),
        ))
    }

    /// Where the work stands, with `HEAD` on its branch: what was done elsewhere counts if it goes on from there.
    fn go_to_branch(&self, uncommitted: &[Uncommitted]) -> Result<ObjectId, Failure> {
        let (git, asked) = (&self.git, self.asked);
        let name = heads::of_branch(&asked.branch);
        let is_elsewhere = heads::current_branch(git)?.as_deref() != Some(&asked.branch);
        let head = heads::commit(git, "HEAD")?;
        let tip = heads::commit(git, &name)?;
        let (Some(head), Some(tip)) = (head, tip) else {
            let what = format!("there is no commit on `{}` any more", asked.branch);
            return Err(self.kept(at_fault(what).hint("work on the branch that the worktree is on")));
        };
        if !heads::contains(git, &head, &asked.base)? {
            let what = format!("the work does not go on from {}, which it began at", asked.base);
            return Err(self
                .kept(at_fault(what).hint(
                    "add commits to the branch that the worktree is on, and change none before them",
                )));
        }
        if !is_elsewhere {
            return Ok(head);
        }
        let goes_on = heads::contains(git, &head, &tip)?;
        let looks_back = uncommitted.is_empty() && heads::contains(git, &tip, &head)?;
        if !goes_on && !looks_back {
            let what = format!("HEAD left the branch `{}`, which has other commits", asked.branch);
            return Err(self.kept(at_fault(what).hint("put the work on the branch that the worktree is on")));
        }
        if goes_on {
            self.shift(&head, &tip)?;
            git.run(&["symbolic-ref", "-m", "windlass", "HEAD", &name])?;
            return Ok(head);
        }
        git.run(&["checkout", "--quiet", "--no-guess", &asked.branch, "--"])?;
        Ok(tip)
    }

    fn commit(&self, uncommitted: &[Uncommitted], head: &ObjectId) -> Result<ObjectId, Failure> {
        let (git, asked) = (&self.git, self.asked);
        if asked.must_be_committed {
            let files = named(&status::names(uncommitted));
            return Err(
                at_fault(format!("not committed: {files}")).hint("commit all work (`commit: require`)")
            );
        }
        let closed: Vec<_> = uncommitted.iter().filter(|one| one.is_closed).collect();
        if !closed.is_empty() {
            let folders = named(&status::names(closed));
            return Err(at_fault(format!(
                "folders may not be looked into, so that nobody can commit what is in them: {folders}"
            ))
            .hint("leave folders that their owner may read and enter"));
        }
        let repositories: Vec<_> = uncommitted.iter().filter(|one| one.is_repository).collect();
        if !repositories.is_empty() {
            let folders = named(&status::names(repositories));
            return Err(at_fault(format!(
                "repositories of their own lie in the worktree, which can't be committed: {folders}"
            ))
            .hint("remove their `.git`, let .gitignore name them, or make them elsewhere"));
        }
        let arguments = ["add", "--all", "--sparse", "--", "."];
        let added = git.ask(&arguments)?;
        if added.error.contains("Permission denied") {
            return Err(at_fault(format!("not all work can be read: {}", added.error.trim_end()))
                .hint("leave files that their owner may read"));
        }
        added.expect_done(&arguments)?;
        let tree = ObjectId(git.line(&["write-tree"])?);
        if tree == heads::tree(git, head)? {
            return Ok(head.clone());
        }
        let text = message::with_key(&asked.message, &asked.key);
        let commit = ObjectId(git.line(&["commit-tree", &tree.0, "-p", &head.0, "-m", &text])?);
        self.shift(&commit, head)?;
        Ok(commit)
    }

    fn shift(&self, to: &ObjectId, from: &ObjectId) -> Result<(), Failure> {
        let name = heads::of_branch(&self.asked.branch);
        if heads::shift(&self.git, &self.common, &name, to, Was::At(from))? {
            return Ok(());
        }
        Err(in_the_way("branch_moved", format!("somebody moves the branch `{}`", self.asked.branch)))
    }

    /// That nothing is left out, and that the work holds nothing that is not in the repository.
    fn see_whole(&self, commit: &ObjectId) -> Result<(), Failure> {
        unfinished::forget(&self.git_dir)?;
        let changed =
            self.git.run(&["diff-tree", "-r", "-z", "--no-renames", &self.asked.base.0, &commit.0])?;
        let all: Vec<&[u8]> = parts(&changed).collect();
        let is_link = |fields: &[u8]| fields.split(|byte| *byte == b' ').nth(1) == Some(b"160000");
        let links = all.chunks_exact(2).filter(|pair| is_link(pair[0]));
        let links: Vec<String> = links.map(|pair| String::from_utf8_lossy(pair[1]).into_owned()).collect();
        if !links.is_empty() {
            return Err(at_fault(format!(
                "commits of other repositories are named by the work: {}",
                named(&links)
            ))
            .hint(
                "change a submodule in its own repository; take other folders with a `.git` out of the work",
            ));
        }
        let left = status::uncommitted(&self.git)?;
        if left.is_empty() {
            return Ok(());
        }
        Err(at_fault(format!("still not committed: {}", named(&status::names(&left))))
            .hint("a filter, a submodule or a running program changes these files"))
    }

    /// Keeps all that was done. Another branch that is checked out here, which may be the target, is let go: nobody moves one
    /// that somebody has checked out.
    fn keep(&self) -> Result<rescue::Kept, Failure> {
        let kept = rescue::everything(&self.git, &self.common, &self.git_dir, &self.asked.branch)?;
        let other = heads::current_branch(&self.git)?.filter(|branch| *branch != self.asked.branch);
        if let (Some(_), Some(head)) = (other, heads::commit(&self.git, "HEAD")?) {
            self.git.run(&["update-ref", "--no-deref", "-m", "windlass", "HEAD", &head.0])?;
        }
        Ok(kept)
    }

    /// The failure, once all that was done is kept.
    fn kept(&self, failure: Failure) -> Failure {
        match self.keep() {
            Ok(rescue::Kept { name: Some(name), .. }) => {
                let message = format!("{}; the work is kept as {name}", failure.message);
                Failure { message, ..failure }
            }
            Ok(_) => failure,
            // What can't be kept now stays where it is, and is tried again.
            Err(error) if error.kind == ErrorKind::DiskFull => error,
            Err(error) => Failure {
                message: format!("{}; it stays in the worktree: {}", failure.message, error.message),
                ..failure
            },
        }
    }
}
