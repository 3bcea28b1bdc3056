//! Every key of a gate. Never: code.

use super::language::COMMAND;
use super::shape::Kind::{
    Condition, Either, Length, List, Map, Number, Shape as Of, Template, Text, Truth, Whole, Word,
};
use super::shape::{Field, Kind, Shape, key, must};

const TEXTS: Kind = List(&Text);
const PERCENT: Kind = Number(0.0, 100.0);

macro_rules! gate {
    ($name:literal, $about:literal, [$($field:expr),* $(,)?]) => {
        Shape {
            name: $name,
            called: concat!("a gate of ", $name),
            about: $about,
            fields: &[
                $($field,)*
                MODE, TIMEOUT, NAME, WHEN, SETUP, CACHE, TOOLS, ONCE, ALLOW_AUTHOR,
            ],
        }
    };
}

const MODE: Field = key("mode", Word(&["block", "warn"]), "Whether a failing result is turned back.");
const TIMEOUT: Field = key("timeout", Length(false), "How long it may take.");
const NAME: Field = key("name", Text, "Its name in reports.");
const WHEN: Field = key("when", Condition, "It runs only if this is true.");
const SETUP: Field = key("setup", COMMAND, "A command before it.");
const CACHE: Field = key("cache", TEXTS, "Folders that are kept between runs of it.");
const TOOLS: Field = key("tools", TEXTS, "Programs whose versions belong to the verdict's key.");
const ONCE: Field = key("once", Truth, "Whether it must not be repeated.");
const ALLOW_AUTHOR: Field = key("allow_author", Truth, "Whether the author's agent may judge.");

/// A gate, by its kind.
#[rustfmt::skip]
pub(super) static GATE: Shape = Shape {
    name: "gate", called: "a gate",
    about: "A check that a result must pass, by its kind.",
    fields: &[
        key("validate", Of(&VALIDATE), "What the result must look like."),
        key("tests", Of(&TESTS), "Tests and their coverage."),
        key("security", Of(&SECURITY), "Findings of scanners."),
        key("performance", Of(&PERFORMANCE), "Measured time."),
        key("review", Of(&REVIEW), "What other agents say."),
    ],
};

#[rustfmt::skip]
static VALIDATE: Shape = gate!("validate", "What the result must look like.", [
    key("run", COMMAND, "A command that must succeed."),
    key("diff", Word(&["non_empty", "any"]), "Whether something must have changed."),
    key("schema", Kind::Schema, "The JSON Schema of the output."),
    key("paths", Of(&PATHS), "What may be changed."),
    key("forbid", TEXTS, "Texts that must not be added."),
    key("score", Of(&SCORE), "A number in a report."),
]);

#[rustfmt::skip]
static TESTS: Shape = gate!("tests", "Tests and their coverage.", [
    must("run", COMMAND, "The tests."),
    key("report", Template, "The report that they write."),
    key("format", Text, "The report's format; auto finds out."),
    key("coverage", Of(&COVERAGE), "What must be covered."),
    key("no_weakening", Truth, "Whether tests may not be taken away."),
    key("flaky_retries", Whole(0, 100), "How often a failing test is tried again."),
]);

#[rustfmt::skip]
static SECURITY: Shape = gate!("security", "Findings of scanners.", [
    key("run", COMMAND, "The scanner."),
    key("report", Template, "The report that it writes."),
    key("format", Text, "The report's format; auto finds out."),
    key("fail_on", Word(&["low", "medium", "high", "critical"]), "The lowest severity that counts."),
    key("secrets", Truth, "Whether secrets in the change count."),
    key("baseline", Text, "What the findings are compared with."),
    key("suppressions", Template, "The file of accepted findings."),
]);

#[rustfmt::skip]
static PERFORMANCE: Shape = gate!("performance", "Measured time.", [
    must("run", COMMAND, "What is measured."),
    key("runs", Whole(1, 10_000), "How often."),
    key("warmup", Whole(0, 10_000), "How often before that."),
    key("max_seconds", Number(0.0, 1e9), "The longest it may take."),
    key("against", Text, "What it is compared with."),
    key("max_regression", Either(&[Text, PERCENT]), "How much slower it may be."),
]);

#[rustfmt::skip]
static REVIEW: Shape = gate!("review", "What other agents say.", [
    must("agents", TEXTS, "Who reviews."),
    key("quorum", Either(&[Word(&["majority", "all", "any"]), Whole(1, 1000)]), "How many must agree."),
    key("weights", Map(&Number(0.0, 1e6)), "What each voice weighs."),
    key("prompt", Template, "What they are asked."),
]);

#[rustfmt::skip]
static PATHS: Shape = Shape {
    name: "paths", called: "the paths",
    about: "What may be changed, as globs.",
    fields: &[
        key("allow", TEXTS, "Only these."),
        key("deny", TEXTS, "Never these."),
    ],
};

#[rustfmt::skip]
static SCORE: Shape = Shape {
    name: "score", called: "a score",
    about: "A number in a report.",
    fields: &[
        must("report", Template, "The report, JSON."),
        must("pointer", Text, "Where in it the number is."),
        key("min", Number(f64::MIN, f64::MAX), "The lowest that passes."),
        key("max", Number(f64::MIN, f64::MAX), "The highest that passes."),
    ],
};

#[rustfmt::skip]
static COVERAGE: Shape = Shape {
    name: "coverage", called: "the coverage",
    about: "What must be covered.",
    fields: &[
        must("report", Template, "The report of it."),
        key("min", PERCENT, "The lowest share of all lines, in percent."),
        key("changed_lines", PERCENT, "The lowest share of changed lines, in percent."),
        key("format", Text, "The report's format; auto finds out."),
    ],
};
