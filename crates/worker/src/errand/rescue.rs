//! What is not reachable from a branch is kept under `refs/windlass/rescue/`. Never: changing the worktree, its index
//! or its branch.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use windlass_core::errand::ObjectId;
use windlass_core::failure::Failure;

use super::git::Git;
use super::heads::{self, Was};
use super::{durable, failed, say, status, unfinished};

/// What was kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// The ref, if there was anything.
    pub(super) name: Option<String>,
    /// Whether nothing is left that it does not hold, but what is ignored.
    pub(super) is_whole: bool,
}

/// Keeps what is uncommitted, staged, or reachable from nothing else, as one commit.
pub(super) fn everything(git: &Git, common: &Path, git_dir: &Path, called: &str) -> Result<Kept, Failure> {
    let out_of_reach = status::uncommitted(git)?.iter().any(status::Uncommitted::is_out_of_reach);
    let head = heads::commit(git, "HEAD")?;
    let head_tree = head.as_ref().map(|head| heads::tree(git, head)).transpose()?;
    let index = git_dir.join("windlass-rescue");
    copy_index(&git_dir.join("index"), &index).map_err(|error| failed("can't copy", &index, &error))?;
    let aside = git.with("GIT_INDEX_FILE", &index);
    see_all_files(&aside)?;
    // Where a merge is under way there is no tree of what is staged.
    let staged = aside.line_if_any(&["write-tree"])?.map(ObjectId);
    let added = aside.ask(&["add", "--all", "--sparse", "--ignore-errors", "--", "."])?;
    let tree = ObjectId(aside.line(&["write-tree"])?);
    drop(fs::remove_file(&index));

    let is_whole = added.code == 0 && !out_of_reach;
    let mut parents: Vec<ObjectId> = head.clone().into_iter().collect();
    let is_new = |tree: &ObjectId| head_tree.as_ref() != Some(tree);
    if let Some(staged) = staged.filter(|staged| is_new(staged) && *staged != tree) {
        parents.push(commit(git, &staged, &parents, "What was staged")?);
    }
    for other in unfinished::heads(git, git_dir)? {
        if let Some(other) = heads::commit(git, &other.0)?.filter(|other| !parents.contains(other)) {
            parents.push(other);
        }
    }
    let is_loose = match &head {
        Some(head) if heads::current_branch(git)?.is_none() => {
            git.line_if_any(&["for-each-ref", "--count=1", "--contains", &head.0])?.is_none()
        }
        _ => false,
    };
    let only_head = parents.len() <= usize::from(head.is_some());
    if !is_new(&tree) && only_head && !is_loose || parents.is_empty() && is_empty(git, &tree)? {
        return Ok(Kept { name: None, is_whole });
    }
    let kept = commit(git, &tree, &parents, &format!("What was left in {called}"))?;
    let name = format!("refs/windlass/rescue/{}/{}", heads::short(called), &kept.0[..12]);
    durable::objects(git, common, &kept, &[])?;
    heads::shift(git, common, &name, &kept, Was::Anything)?;
    durable::reference(common, &name)?;
    say(&format!("what was left of {called} is kept as {name}"));
    Ok(Kept { name: Some(name), is_whole })
}

/// With its time: git compares files by their size and the second in which they changed, and looks into those that changed no
/// earlier than the index. A younger index would hide a change of the same second.
fn copy_index(from: &Path, to: &Path) -> io::Result<()> {
    let time = match from.metadata() {
        Ok(meta) => meta.modified()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    fs::copy(from, to)?;
    File::options().write(true).open(to)?.set_modified(time)
}

/// Lets git look at files that it was told to take for unchanged, or for absent though they are there.
pub(super) fn see_all_files(git: &Git) -> Result<(), Failure> {
    let listed = git.run(&["ls-files", "-v", "-z"])?;
    let (mut assumed, mut skipped) = (Vec::new(), Vec::new());
    for entry in super::git::parts(&listed) {
        let Some((&tag, name)) =
            entry.split_first().map(|(tag, rest)| (tag, rest.strip_prefix(b" ").unwrap_or(rest)))
        else {
            continue;
        };
        let add_to = |list: &mut Vec<u8>| list.extend(name.iter().chain(&[0]));
        if tag.is_ascii_lowercase() {
            add_to(&mut assumed);
        }
        let is_there = || git.folder().join(super::git::path_of(name)).symlink_metadata().is_ok();
        if tag.eq_ignore_ascii_case(&b'S') && is_there() {
            add_to(&mut skipped);
        }
    }
    for (flag, list) in [("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)] {
        if !list.is_empty() {
            git.run_about(&["update-index", flag, "-z", "--stdin"], &list)?;
        }
    }
    Ok(())
}

fn is_empty(git: &Git, tree: &ObjectId) -> Result<bool, Failure> {
    Ok(git.run(&["ls-tree", &tree.0])?.is_empty())
}

fn commit(git: &Git, tree: &ObjectId, parents: &[ObjectId], message: &str) -> Result<ObjectId, Failure> {
    let mut arguments = vec!["commit-tree", &tree.0, "-m", message];
    arguments.extend(parents.iter().flat_map(|parent| ["-p", &parent.0]));
    Ok(ObjectId(git.line(&arguments)?))
}
