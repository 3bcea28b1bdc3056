//! Ignored files and folders of the operator's checkout that a worktree is to have: copied, or linked. Each path stays
//! inside, on both sides. Never: bringing what git would commit.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use windlass_core::errand::MakeWorktree;
use windlass_core::failure::{ErrorKind, Failure};

use super::git::Git;
use super::{failed, step};

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Copied,
    Linked,
    /// As a folder of links: for git a link to a folder is a file, which a pattern such as `node_modules/` does not ignore.
    LinkedWithin,
}

/// Brings what is asked for from the checkout with this root. What is there already was brought before.
pub(super) fn bring(git: &Git, root: Option<&Path>, asked: &MakeWorktree) -> Result<(), Failure> {
    let copied = asked.copy.iter().map(|name| (name, How::Copied));
    let linked = asked.link.iter().map(|name| (name, How::Linked));
    for (name, how) in copied.chain(linked) {
        let key = if how == How::Copied { "copy" } else { "link" };
        let Some(root) = root else {
            return Err(refused(key, name, "the repository is bare: there is no checkout to take it from"));
        };
        let from = source(root, name).map_err(|why| refused(key, name, &why))?;
        let to = git.folder().join(name);
        let how = how_ignored(git, name, &from, how)?.ok_or_else(|| {
            refused(key, name, "git does not ignore it, so the attempt would commit it: add it to .gitignore")
        })?;
        if to.symlink_metadata().is_err() {
            place(git.folder(), &from, &to, how)?;
        }
    }
    Ok(())
}

fn refused(key: &str, name: &str, why: &str) -> Failure {
    Failure::new(ErrorKind::SpawnDir, format!("`{name}` can't be brought into the worktree: {why}"))
        .hint(format!("mend `{key}` in the plan"))
}

/// What is to be brought, in the checkout and nowhere else.
fn source(root: &Path, name: &str) -> Result<PathBuf, String> {
    let mut parts = Path::new(name).components();
    if name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(part) if part != ".git")) {
        return Err("give a path inside the checkout, without `..`".to_owned());
    }
    let from = root.join(name);
    match (from.canonicalize(), root.canonicalize()) {
        (Ok(real), Ok(root)) if real.starts_with(&root) => Ok(from),
        (Ok(real), Ok(_)) => Err(format!("it leads to `{}`, which is not in the checkout", real.display())),
        (Err(error), _) | (_, Err(error)) => Err(format!("`{}`: {error}", from.display())),
    }
}

fn how_ignored(git: &Git, name: &str, from: &Path, how: How) -> Result<Option<How>, Failure> {
    let is_ignored = |name: &str| {
        let arguments = ["check-ignore", "--quiet", "--", name];
        let said = git.ask(&arguments)?;
        if said.code == 1 { Ok(false) } else { said.expect_done(&arguments).map(|_| true) }
    };
    let as_folder = format!("{}/", name.trim_end_matches('/'));
    Ok(match (from.is_dir(), how) {
        (true, How::Copied) if is_ignored(&as_folder)? => Some(how),
        (true, How::Linked) if is_ignored(name)? => Some(how),
        (true, How::Linked) if is_ignored(&as_folder)? => Some(How::LinkedWithin),
        (false, _) if is_ignored(name)? => Some(how),
        _ => None,
    })
}

/// Made beside the worktree first, so that what is there under its name is whole.
fn place(worktree: &Path, from: &Path, to: &Path, how: How) -> Result<(), Failure> {
    let broken = |error: &io::Error| failed("can't bring", to, error);
    let parent = to.parent().unwrap_or(worktree);
    fs::create_dir_all(parent).map_err(|error| broken(&error))?;
    let stays = parent.canonicalize().and_then(|real| Ok(real.starts_with(worktree.canonicalize()?)));
    if !stays.map_err(|error| broken(&error))? {
        return Err(broken(&io::Error::other("its folder leads out of the worktree")));
    }
    let mut half = worktree.as_os_str().to_owned();
    half.push(".bringing");
    let half = PathBuf::from(half);
    step::begins();
    clear(&half).map_err(|error| broken(&error))?;
    match how {
        How::Copied => copy(from, &half),
        How::Linked => symlink(from, &half),
        How::LinkedWithin => link_within(from, &half),
    }
    .map_err(|error| broken(&error))?;
    step::begins();
    fs::rename(&half, to).map_err(|error| broken(&error))
}

/// What an earlier try left.
fn clear(half: &Path) -> io::Result<()> {
    match half.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(half),
        Ok(_) => fs::remove_file(half),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Links within what is copied stay links, and what is neither file nor folder is left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let meta = from.symlink_metadata()?;
    if meta.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if meta.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return fs::set_permissions(to, meta.permissions());
    }
    if meta.is_file() { fs::copy(from, to).map(drop) } else { Ok(()) }
}

fn link_within(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        symlink(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
