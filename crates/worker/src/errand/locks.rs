//! Lock files that a git left which was killed: it would block every later one for ever. One is taken away only where it
//! can be known that nobody holds it: it lies where nobody but Windlass and its attempts works (the git folder of our
//! worktree, a ref of ours), all of those are reaped, no process has it open, and no git works in the folders around it.
//! What other PID namespaces do with the same folder can't be seen. Never: taking away a lock anywhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use windlass_core::failure::Failure;

use super::{failed, in_the_way, say, step};
use crate::os::{Host, Os as _};

/// Takes away what blocks a ref, if that ref is ours and nobody holds the lock; whether it did.
pub(super) fn take_away_of_ref(common: &Path, name: &str) -> Result<bool, Failure> {
    let is_ours = name.starts_with("refs/heads/windlass/") || name.starts_with("refs/windlass/");
    let lock = common.join(format!("{name}.lock"));
    if !is_ours || !lock.exists() {
        return Ok(false);
    }
    let checkout = common.parent().filter(|_| common.ends_with(".git")).unwrap_or(common);
    take_away(&lock, &[common, checkout]).map(|()| true)
}

/// Takes away what blocks a worktree of ours.
pub(super) fn take_away_of_worktree(path: &Path, git_dir: &Path) -> Result<(), Failure> {
    for name in ["index.lock", "HEAD.lock", "windlass-rescue.lock"] {
        let lock = git_dir.join(name);
        if lock.exists() {
            take_away(&lock, &[path, git_dir])?;
        }
    }
    Ok(())
}

fn take_away(lock: &Path, around: &[&Path]) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let around: Vec<PathBuf> = around.iter().map(|path| real(path)).collect();
    if Host::is_worked_on(&real(lock), &around, "git") {
        let shown = lock.display();
        return Err(in_the_way("locked", format!("`{shown}` is held by a git that is at work"))
            .hint("let it end; Windlass goes on by itself"));
    }
    step::begins();
    say(&format!("taking away `{}`, which a git left that was killed", lock.display()));
    match fs::remove_file(lock) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("can't remove", lock, &error)),
        _ => Ok(()),
    }
}
