//! Small cases that are kept: one for each planted bug that shows it, and those of failures that were mended.
//! `REWRITE=1` finds those of the bugs anew that don't show them any more: what a case draws on the way changes with the world.

use std::path::{Path, PathBuf};

use windlass_sim::case::Case;
use windlass_sim::planted::{Planted, plant};
use windlass_sim::seed::{self, Ending};
use windlass_sim::seeds::{Moods, row};
use windlass_sim::shrink::shrink;
use windlass_sim::trace::Trace;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The cases by the names of their files.
pub(crate) fn cases() -> Vec<(String, Case)> {
    let entries = std::fs::read_dir(folder()).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        let text = std::fs::read_to_string(&file).expect("it is readable");
        let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file.file_stem().expect("it has a name").to_string_lossy().into_owned(), case)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn nothing_is_wrong_in_a_kept_case() {
    for (name, case) in cases() {
        let told = seed::case(case, Trace::kept());
        let trace = told.trace.lines().join("\n");
        assert_eq!(told.ending, Ending::Well, "{name}:\n{trace}");
    }
}

#[test]
fn a_journal_goes_on_behind_whichever_record_it_was_cut() {
    for (name, case) in cases() {
        let records = seed::case(case.clone(), Trace::default()).records;
        for record in 0..records {
            let told = seed::case(case.cut_after(record), Trace::kept());
            let trace = told.trace.lines().join("\n");
            assert_eq!(told.ending, Ending::Well, "{name}, cut after record {record}:\n{trace}");
        }
    }
}

/// Too long to be cut behind each record: seed 40057658.
#[test]
fn a_run_that_starts_tasks_alone_owes_no_turns_for_them() {
    let case = serde_json::from_str::<Case>(include_str!("alone_is_no_turn.json")).expect("a case");
    let told = seed::case(case, Trace::kept());
    assert_eq!(told.ending, Ending::Well, "{}", told.trace.lines().join("\n"));
}

/// The first world that shows a bug, made small, as it is kept.
fn found(bug: Planted) -> String {
    plant(Some(bug));
    let row = row((0, 2000), Moods::Own, |ending| bug.is_found(ending), |_| ());
    let (_, told) = row.failed.unwrap_or_else(|| panic!("nothing finds {}", bug.name()));
    let small = shrink(&told).case;
    plant(None);
    serde_json::to_string_pretty(&small).expect("plain data") + "\n"
}

/// How a case ends with a bug.
fn ending(bug: Planted, case: &Case) -> Ending {
    plant(Some(bug));
    let told = seed::case(case.clone(), Trace::default());
    plant(None);
    told.ending
}

#[test]
#[expect(clippy::disallowed_methods, reason = "REWRITE is how goldens are accepted")]
fn a_case_that_has_the_name_of_a_bug_shows_it() {
    if std::env::var("REWRITE").is_ok() {
        let kept = cases();
        let is_shown = |bug: &Planted| {
            let mut of_bug = kept.iter().filter(|(name, _)| name == bug.name());
            of_bug.next().is_some_and(|(_, case)| bug.is_found(&ending(*bug, case)))
        };
        for bug in Planted::all().filter(|bug| !is_shown(bug)) {
            std::fs::write(folder().join(bug.name()).with_extension("json"), found(bug))
                .expect("it can be written");
        }
    }
    let kept = cases();
    let missing = Planted::all().find(|bug| kept.iter().all(|(name, _)| name != bug.name()));
    assert_eq!(missing.map(Planted::name), None, "a bug without a case: run `cargo xtask accept`");
    for (name, case) in kept {
        let Some(bug) = Planted::all().find(|bug| bug.name() == name) else { continue };
        let ending = ending(bug, &case);
        assert!(bug.is_found(&ending), "{name} ends {ending:?}: `cargo xtask accept` finds a case anew");
    }
}
