//! The branch that the work of a run lands on. Never: one that is moved.

use std::path::Path;

use windlass_core::errand::ObjectId;
use windlass_core::failure::{ErrorKind, Failure};

use super::durable;
use super::git::Git;
use super::heads::{self, Was};

/// Where the target is; it is made at `start`, unless it is there.
pub(super) fn tip(git: &Git, common: &Path, target: &str, start: &ObjectId) -> Result<ObjectId, Failure> {
    let name = heads::of_branch(target);
    if heads::commit(git, &name)?.is_none() {
        if heads::commit(git, &start.0)?.is_none() {
            return Err(super::look::without_base(start));
        }
        heads::shift(git, common, &name, start, Was::Absent)?;
        durable::reference(common, &name)?;
    }
    heads::commit(git, &name)?.ok_or_else(|| {
        Failure::new(ErrorKind::SpawnDir, format!("the branch `{target}` can't be made: its name is taken"))
            .hint("see `git show-ref`; a branch and a folder of branches can't have one name")
    })
}
