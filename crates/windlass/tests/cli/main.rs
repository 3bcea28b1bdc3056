//! The built binary, from outside, in a sealed environment: every promise of the command line.
//! Never: a sleep, a threshold of time, or anything of the machine's user.

mod agents;
mod bodies;
mod book;
mod broken_settings;
mod budgets;
mod cgroups;
mod chaos;
mod check;
mod children;
mod completions;
mod crash;
mod desk;
mod detach;
mod doctor;
mod elsewhere;
mod emit;
mod errors;
mod folders;
mod foreign;
mod full_appends;
mod full_disk;
mod golden;
mod graph;
mod guide;
mod held;
mod init;
mod limits;
mod looks;
mod losses;
#[path = "../../../journal/tests/journal/needs.rs"]
mod needs;
mod nested;
mod nested_kills;
mod numbers;
mod outages;
mod pasting;
mod people;
mod picture;
#[path = "../../../journal/tests/journal/power/mod.rs"]
mod power;
mod resume;
mod revise;
mod run;
mod schema;
mod secrets;
mod signals;
mod sizes;
mod steering;
mod subplans;
mod syncs;
mod terminal;
mod turns;
mod two;
mod upgrade;
mod usage;
mod values;
mod waits;
mod widths;
mod worktrees;
mod yes;

/// Compares a text with its snapshot; what differs from run to run is taken out.
macro_rules! assert_shows {
    ($desk:expr, $text:expr) => {
        insta::with_settings!({
            omit_expression => true,
            prepend_module_to_snapshot => true,
            filters => vec![
                (r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "[time]"),
                (r"\b\d{4}-\d\d-\d\d \[time\]", "[date]"),
                (r"\b\d+(\.\d+)? (ms|s|min)\b( \d+ s\b)?", "[span]"),
                (r"\b\d+ d( \d+ h)?\b", "[span]"),
                (r"\b(run|Run|resume|approve|show|retry|revise|settle|logs|cancel) ([a-z0-9]{6})\b", "$1 [run]"),
                (r"--id [0-9a-f]{8}\b", "--id [id]"),
                (r"\[span\] ago|just now", "[ago]"),
                // How wide a column is depends on what was taken out.
                (r"(\S) {2,}", "$1  "),
            ],
        }, { insta::assert_snapshot!($desk.plain(&$text)) })
    };
}
pub(crate) use assert_shows;
