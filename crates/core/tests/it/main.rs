//! The tests of the core from outside. Never: files but goldens, clocks, or randomness that is not seeded.

mod foreign_plans;
mod kept_inputs;
mod keys;
mod machines;
mod nests;
mod plan_bytes;
mod plans;
mod revisions;
mod rosters;
mod scenarios;
mod shell_lines;
mod shell_made;
mod sizes;
mod slow;
