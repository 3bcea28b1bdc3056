//! The worktree of an attempt: at the path of its task, on a branch of its own, at its base, with nothing else in it.
//! What was there before is kept: on its branch, under a rescue ref, or as a folder put aside. Never: a branch that is moved.
//!
//! A fresh base means that ignored files of the attempt before go too (`git clean -fdx`): what it built there would
//! answer for files that are gone, and its gates would not see that on a clean checkout. What is worth keeping is
//! brought by list. Submodules stay as git leaves them in a new worktree, not initialised, which harms nobody; `setup` may
//! initialise them. Pointers of LFS are files like any other where no filter is set up.

use std::path::Path;

use windlass_core::errand::{Done, MakeWorktree, ObjectId};
use windlass_core::failure::{ErrorKind, Failure};

use super::git::Git;
use super::heads::{self, Was};
use super::look::{self, Repository};
use super::{brought, in_the_way, locks, quarantine, rescue, status, unfinished, worktrees};

pub(super) fn carry_out(asked: &MakeWorktree) -> Result<Done, Failure> {
    let repository = Repository::look(Path::new(&asked.repository))?;
    let git = Git::within(repository.root())?;
    let path = Path::new(&asked.path);
    if heads::commit(&git, &asked.base.0)?.as_ref() != Some(&asked.base) {
        return Err(look::without_base(&asked.base));
    }
    see_branch(&git, asked)?;
    let common = repository.shared_dir();
    let git_dir = match path.symlink_metadata() {
        Ok(_) => reuse(&git, common, asked)?,
        Err(_) => None,
    };
    if git_dir.is_none() {
        add(&git, common, asked)?;
    }
    let git_dir = worktrees::git_dir(path).ok_or_else(|| not_whole(path))?;
    let within = Git::of_worktree(path, &git_dir)?;
    if !is_as_asked(&within, asked)? {
        return Err(not_whole(path));
    }
    brought::bring(&within, repository.checkout(), asked)?;
    Ok(Done::WorktreeMade)
}

fn not_whole(path: &Path) -> Failure {
    Failure::new(ErrorKind::SpawnDir, format!("git made a worktree at `{}` that is not whole", path.display()))
        .hint("a filter or a setting of the repository changes files as they are checked out: see `git status` there")
}

/// A branch of this name is ours only where an earlier try has just made it.
fn see_branch(git: &Git, asked: &MakeWorktree) -> Result<(), Failure> {
    let Some(there) = heads::commit(git, &heads::of_branch(&asked.branch))? else { return Ok(()) };
    let taken = |what: String| {
        Err(Failure::new(ErrorKind::SpawnDir, format!("the branch `{}` {what}", asked.branch))
            .hint("it is not Windlass's to move: rename it, and try again"))
    };
    if there != asked.base {
        return taken(format!("is there already, at {there}"));
    }
    let holder = worktrees::list(git)?.into_iter().find(|one| one.branch.as_deref() == Some(&asked.branch));
    match holder {
        Some(holder) if !worktrees::is_same(&holder.path, Path::new(&asked.path)) => {
            taken(format!("is checked out in `{}`", holder.path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether the worktree is on its branch, at its base, and clean.
fn is_as_asked(git: &Git, asked: &MakeWorktree) -> Result<bool, Failure> {
    Ok(heads::current_branch(git)?.as_deref() == Some(&asked.branch)
        && heads::commit(git, "HEAD")?.as_ref() == Some(&asked.base)
        && status::uncommitted(git)?.is_empty())
}

/// Makes the worktree of an earlier attempt that of this one. Where it can't be, or where it is none, all of it is put aside.
fn reuse(git: &Git, common: &Path, asked: &MakeWorktree) -> Result<Option<std::path::PathBuf>, Failure> {
    let path = Path::new(&asked.path);
    let Some(git_dir) = worktrees::git_dir(path).filter(|dir| is_of(dir, common)) else {
        quarantine::put_aside(path, "what was in the place of a worktree is none of this repository")?;
        return Ok(None);
    };
    locks::take_away_of_worktree(path, &git_dir)?;
    let within = Git::of_worktree(path, &git_dir)?;
    let branch = heads::current_branch(&within)?;
    let is_half_made = worktrees::is_being_made(&git_dir) || heads::commit(&within, "HEAD")?.is_none();
    if !is_half_made && is_as_asked(&within, asked)? {
        return Ok(Some(git_dir));
    }
    if is_half_made || branch.as_ref() == Some(&asked.branch) {
        quarantine::put_aside(path, "a worktree was half made")?;
        return Ok(None);
    }
    let called = branch.unwrap_or_else(|| {
        path.file_name().map_or_else(|| "worktree".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    if !rescue::everything(&within, common, &git_dir, &called)?.is_whole {
        quarantine::put_aside(path, "a worktree holds what git can't keep")?;
        return Ok(None);
    }
    unfinished::forget(&git_dir)?;
    if !start_over(git, &within, asked)? {
        quarantine::put_aside(path, "a worktree can't be cleaned")?;
        return Ok(None);
    }
    Ok(Some(git_dir))
}

/// Whether a git folder is of this repository.
fn is_of(git_dir: &Path, common: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    git_dir.parent().and_then(Path::parent).and_then(real) == real(common)
}

/// Cleans first: who is cut off between the two steps finds the worktree on its old branch, and does both again.
fn start_over(git: &Git, within: &Git, asked: &MakeWorktree) -> Result<bool, Failure> {
    let is_clean = within.ask(&["reset", "--quiet", "--hard"])?.code == 0
        && within.ask(&["clean", "--quiet", "-ffdx"])?.code == 0;
    if is_clean {
        make_branch(git, asked)?;
        within.run(&["checkout", "--quiet", "--force", "--no-guess", &asked.branch, "--"])?;
    }
    Ok(is_clean)
}

fn make_branch(git: &Git, asked: &MakeWorktree) -> Result<(), Failure> {
    let common = worktrees::shared_dir(git)?;
    let name = heads::of_branch(&asked.branch);
    if heads::shift(git, &common, &name, &asked.base, Was::Absent)?
        || heads::commit(git, &name)?.as_ref() == Some(&asked.base)
    {
        return Ok(());
    }
    Err(in_the_way("branch_taken", format!("the branch `{}` was made meanwhile, elsewhere", asked.branch)))
}

fn add(git: &Git, common: &Path, asked: &MakeWorktree) -> Result<(), Failure> {
    let path = Path::new(&asked.path);
    if let Some(lost) = registered(git, path)? {
        rescue_of_missing(git, common, lost)?;
    }
    make_branch(git, asked)?;
    // Twice: an entry of what is gone from this path may be locked, as one is that was being made.
    git.run(&["worktree", "add", "--quiet", "--force", "--force", "--", &asked.path, &asked.branch])?;
    Ok(())
}

/// Whether git knows of a worktree at a path at which there is none.
fn registered(git: &Git, path: &Path) -> Result<Option<worktrees::Worktree>, Failure> {
    Ok(worktrees::list(git)?.into_iter().find(|one| worktrees::is_same(&one.path, path)))
}

/// Commits that only the entry of a missing worktree names would go with it.
fn rescue_of_missing(git: &Git, common: &Path, lost: worktrees::Worktree) -> Result<(), Failure> {
    let Some(head) = lost.head.filter(|_| lost.branch.is_none()) else { return Ok(()) };
    let head = ObjectId(head);
    let name = format!("refs/windlass/rescue/missing/{head}");
    if heads::commit(git, &head.0)?.is_some() {
        heads::shift(git, common, &name, &head, Was::Anything)?;
    }
    Ok(())
}
