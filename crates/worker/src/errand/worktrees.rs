//! The worktrees of a repository, as git lists them. Never: making or changing one.

use std::fs;
use std::path::{Path, PathBuf};

use windlass_core::failure::{ErrorKind, Failure};

use super::git::{Git, parts, path_of};

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Worktree {
    pub(super) path: PathBuf,
    /// The branch that is checked out there, without `refs/heads/`.
    pub(super) branch: Option<String>,
    /// The commit that is checked out there.
    pub(super) head: Option<String>,
}

/// All of them, the repository's own checkout first.
pub(super) fn list(git: &Git) -> Result<Vec<Worktree>, Failure> {
    Ok(read(&git.run(&["worktree", "list", "--porcelain", "-z"])?))
}

fn read(listed: &[u8]) -> Vec<Worktree> {
    let mut all: Vec<Worktree> = Vec::new();
    for part in parts(listed) {
        if let Some(path) = part.strip_prefix(b"worktree ") {
            all.push(Worktree { path: path_of(path), ..Worktree::default() });
            continue;
        }
        let Some(last) = all.last_mut() else { continue };
        let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
        if let Some(branch) = part.strip_prefix(b"branch refs/heads/") {
            last.branch = text(branch);
        } else if let Some(head) = part.strip_prefix(b"HEAD ") {
            last.head = text(head);
        }
    }
    all
}

/// The folder that all worktrees of the repository share: its refs and objects.
pub(super) fn shared_dir(git: &Git) -> Result<PathBuf, Failure> {
    git.path(&["rev-parse", "--path-format=absolute", "--git-common-dir"])
}

/// The git folder of the worktree at this path, by its `.git` file; none where there is no worktree of this kind. That the
/// folder names the worktree in turn is checked, so that a file that was changed does not lead elsewhere.
pub(super) fn git_dir(path: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(path.join(".git")).ok()?;
    let dir = path.join(text.strip_prefix("gitdir: ")?.trim_end_matches('\n'));
    let back = fs::read_to_string(dir.join("gitdir")).ok()?;
    let back = dir.join(back.trim_end_matches('\n'));
    let is_this = back.parent()?.canonicalize().ok()? == path.canonicalize().ok()?;
    (is_this && dir.join("HEAD").is_file()).then_some(dir)
}

/// Whether git was cut off while it made the worktree with this git folder.
pub(super) fn is_being_made(git_dir: &Path) -> bool {
    fs::read_to_string(git_dir.join("locked")).is_ok_and(|why| why.trim_end() == "initializing")
}

/// Whether both mean the same place, whether or not something is there.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let above = path.parent().and_then(|above| above.canonicalize().ok());
        above.zip(path.file_name()).map_or_else(|| path.to_owned(), |(above, name)| above.join(name))
    };
    one == other || real(one) == real(other)
}

/// Where a branch is checked out, or on its way to be: who is in the middle of a rebase or a bisection of it has it checked
/// out in all but name.
pub(super) fn holder(git: &Git, common: &Path, branch: &str) -> Result<Option<PathBuf>, Failure> {
    let all = list(git)?;
    if let Some(found) = all.iter().find(|one| one.branch.as_deref() == Some(branch)) {
        return Ok(Some(found.path.clone()));
    }
    let is_rebased = |dir: &Path| {
        let heads = ["rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"];
        let texts = heads.iter().filter_map(|file| fs::read_to_string(dir.join(file)).ok());
        let mut names = texts.map(|text| text.trim_end().to_owned());
        names.any(|name| name == branch || name.strip_prefix("refs/heads/") == Some(branch))
    };
    if is_rebased(common) {
        return Ok(all.first().map(|own| own.path.clone()));
    }
    let linked = match fs::read_dir(common.join("worktrees")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(ErrorKind::SpawnDir, format!("worktrees can't be listed: {error}")));
        }
    };
    let dir = linked.flatten().map(|entry| entry.path()).find(|dir| is_rebased(dir));
    Ok(dir.map(|dir| {
        let link = fs::read_to_string(dir.join("gitdir")).unwrap_or_default();
        dir.join(link.trim_end()).parent().map_or(dir.clone(), Path::to_owned)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_line_ends_do_not_split_the_list() {
        let listed =
            b"worktree /a\0HEAD 11\0branch refs/heads/main\0\0worktree /b\nHEAD c\0HEAD 22\0detached\0\0";
        let some = |text: &str| Some(text.to_owned());
        let own = Worktree { path: "/a".into(), branch: some("main"), head: some("11") };
        let other = Worktree { path: "/b\nHEAD c".into(), branch: None, head: some("22") };
        assert_eq!(read(listed), [own, other]);
    }
}
