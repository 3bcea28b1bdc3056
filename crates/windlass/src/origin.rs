//! What the worktrees of a run are made of, looked at before it begins. Never: making one.

use std::path::Path;

use windlass_core::plan::Plan;
use windlass_engine::handle::Origin;
use windlass_worker::Repository;

use crate::desk::Desk;
use crate::error::{Outcome, Report};

/// The repository of a run whose plan has worktrees; none where it has none. What keeps it from being used is an error.
pub(crate) fn of(desk: &Desk, plan: &Plan) -> Outcome<Option<Origin>> {
    if !plan.has_worktrees() {
        return Ok(None);
    }
    let found = Repository::look(&desk.place.folder).map_err(|failure| {
        let report = Report::usage("tasks of the plan work in worktrees, and here there can be none");
        let hint = failure.hint.unwrap_or_else(|| failure.kind.hint().to_owned());
        report.cause(failure.message).hint(hint)
    })?;
    let text = |path: &Path| {
        let text = path.to_str().map(|text| text.trim_end_matches('/').to_owned());
        text.ok_or_else(|| Report::usage(format!("the folder {} is not UTF-8", path.display())))
    };
    Ok(Some(Origin {
        root: text(found.root())?,
        within: text(found.within())?,
        start: found.head().clone(),
        worktrees: text(&desk.place.home.join("worktrees"))?,
    }))
}
