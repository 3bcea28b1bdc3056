//! `windlass doctor --accept-loss`: a person's word that what is gone is given up. Never: giving up what is still there.

use std::path::Path;

use serde_json::{Value, json};
use windlass_engine::doctor::{self, Loss, Named};

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::render::plural::{count, list};

/// Goes on without what is gone, and says what that is.
pub(super) fn accept(desk: &mut Desk, config: &Config, json: bool) -> Outcome {
    let home = desk.place.home.clone();
    if !home.exists() {
        return Err(Report::usage(format!("there is no home {}", home.display())).into());
    }
    let accepted = doctor::accept(&home, config.home, &mut |what| desk.note(what));
    let loss = accepted.map_err(|error| engine_failed(&error))?;
    let gone = loss.repair.as_ref().map(|_| doctor::runs_only_in_logs(&home)).transpose();
    let gone = gone.map_err(|error| engine_failed(&error))?.unwrap_or_default();
    if json {
        desk.json(&in_json(&home, &loss, &gone))?;
    } else {
        desk.lines(in_words(&home, &loss, &gone))?;
    }
    Ok(Exit::Done)
}

/// What is given up; `gone` are the runs of which only logs are left.
fn in_words(home: &Path, Loss { repair, blobs }: &Loss, gone: &[String]) -> Vec<String> {
    if repair.is_none() && blobs.is_empty() {
        return vec!["Nothing was wrong with the journal, and nothing was changed.".into()];
    }
    let mut lines: Vec<String> = repair.iter().map(what_is_given_up).collect();
    if !gone.is_empty() {
        let logs = home.join("logs");
        lines.push(format!("Gone with them, by what {} still shows: {}.", logs.display(), list(gone)));
    }
    let copies = repair.iter().map(|repair| &repair.copies);
    lines.extend(copies.map(|copies| format!("Copies of what was there lie in {}.", copies.display())));
    lines.extend(blobs_given_up(blobs));
    lines
}

/// The same for programs.
fn in_json(home: &Path, Loss { repair, blobs }: &Loss, gone: &[String]) -> Value {
    let journal = repair.as_ref().map(|repair| {
        let lost = repair.known.0.saturating_sub(repair.intact.0);
        let is_all = repair.is_end_known;
        json!({
            "goes_on_after": repair.intact, "records_lost": lost, "is_all_known": is_all, "runs_lost": gone,
            "copies": repair.copies,
        })
    });
    let blobs = blobs.iter().map(
        |Named { digest, runs, is_plan, .. }| json!({ "digest": digest, "is_plan": is_plan, "runs": runs }),
    );
    json!({ "home": home, "journal": journal, "blobs": blobs.collect::<Vec<_>>() })
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
