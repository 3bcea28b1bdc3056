//! `windlass doctor --accept-loss`: a person's word that what is gone is given up. Never: giving up what is still there.

use windlass_engine::doctor::{self, Loss, Named};

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::render::plural::{count, list};

/// Goes on without what is gone, and says what that is.
pub(super) fn accept(desk: &mut Desk, config: &Config) -> Outcome {
    let home = desk.place.home.clone();
    if !home.exists() {
        return Err(Report::usage(format!("there is no home {}", home.display())).into());
    }
    let accepted = doctor::accept(&home, config.home, &mut |what| desk.note(what));
    let Loss { repair, blobs } = accepted.map_err(|error| engine_failed(&error))?;
    if repair.is_none() && blobs.is_empty() {
        desk.line("Nothing was wrong with the journal, and nothing was changed.")?;
    }
    if let Some(repair) = repair {
        desk.line(&what_is_given_up(&repair))?;
        let gone = doctor::runs_only_in_logs(&home).map_err(|error| engine_failed(&error))?;
        if !gone.is_empty() {
            let logs = home.join("logs");
            desk.line(&format!("Gone with them, by what {} still shows: {}.", logs.display(), list(&gone)))?;
        }
        desk.line(&format!("Copies of what was there lie in {}.", repair.copies.display()))?;
    }
    desk.lines(blobs_given_up(&blobs))?;
    Ok(Exit::Done)
}

/// What is said of blobs that are given up.
fn blobs_given_up(blobs: &[Named]) -> Vec<String> {
    let (plans, others): (Vec<&Named>, Vec<&Named>) = blobs.iter().partition(|blob| blob.is_plan);
    let runs = plans.iter().flat_map(|plan| &plan.runs);
    let mut lines: Vec<String> =
        runs.map(|run| format!("Run {run} is given up: its plan is gone.")).collect();
    match others.len() as u64 {
        0 => {}
        1 => lines.push("1 output or environment is given up.".into()),
        number => lines.push(format!("{number} outputs or environments are given up.")),
    }
    if !blobs.is_empty() {
        lines.push("What is put back into `blobs` from a backup is there again.".into());
    }
    lines
}

fn what_is_given_up(repair: &doctor::Repair) -> String {
    let lost = repair.known.0.saturating_sub(repair.intact.0);
    let given_up = match (lost, repair.is_end_known) {
        (0, true) => "nothing is known to be gone".to_owned(),
        (_, true) => format!("{} given up", count(lost, "record")),
        (0, false) => "how many came after it nobody knows, because `head` was missing or damaged".to_owned(),
        (_, false) => format!(
            "at least {} given up: how many nobody knows, because `head` was missing or damaged",
            count(lost, "record")
        ),
    };
    format!("The journal goes on after record {}; {given_up}.", repair.intact)
}
