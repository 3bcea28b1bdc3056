//! Small cases that are kept: one for each planted bug that shows it, and those of failures that were mended.

use std::path::Path;

use windlass_sim::case::Case;
use windlass_sim::planted::{Planted, plant};
use windlass_sim::seed::{self, Ending};
use windlass_sim::trace::Trace;

/// The cases by the names of their files.
fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
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
fn a_case_that_has_the_name_of_a_bug_shows_it() {
    for (name, case) in cases() {
        let Some(bug) = Planted::all().find(|bug| bug.name() == name) else { continue };
        plant(Some(bug));
        let told = seed::case(case, Trace::default());
        plant(None);
        assert!(bug.is_found(&told.ending), "{name} ends {:?}", told.ending);
    }
}
