//! What takes hours as a whole and is run in slices, by hand: fuzzing and mutants. Never: part of what CI runs.

use crate::program::{Program, workspace};

/// What is fuzzed, and where good and bad examples of it lie.
const TARGETS: [(&str, &[&str]); 3] = [
    (
        "plan",
        &[
            "crates/core/tests/plans/good",
            "crates/core/tests/plans/bad",
            "sim/tests/plans",
            "examples/quickstart",
        ],
    ),
    ("expression", &["crates/core/tests/plans/good", "crates/core/tests/plans/bad"]),
    ("event", &["crates/journal/tests/journal"]),
];

/// Fuzzes a target for some seconds. What it learns stays in `fuzz/corpus`, what breaks it in `fuzz/artifacts`.
pub(crate) fn fuzz(name: &str, seconds: &str) -> Result<(), String> {
    let (_, examples) = TARGETS.iter().find(|(target, _)| *target == name).ok_or_else(|| {
        format!("nothing called `{name}` is fuzzed; there are `plan`, `expression` and `event`")
    })?;
    seconds.parse::<u32>().map_err(|_| format!("`{seconds}` is no number of seconds"))?;
    installed("fuzz")?;
    let corpus = format!("fuzz/corpus/{name}");
    std::fs::create_dir_all(workspace().join(&corpus))
        .map_err(|why| format!("{corpus} can't be made: {why}"))?;
    // A sanitizer is not in the stable face of Rust; the toolchain has it all the same.
    let fuzz = Program::line("cargo fuzz run --fuzz-dir fuzz").and(&[name, &corpus]).and(examples);
    let bounds = format!("-max_total_time={seconds}");
    fuzz.and(&["--", &bounds, "-timeout=20", "-rss_limit_mb=3000"]).with("RUSTC_BOOTSTRAP", "1").run()
}

/// Changes a file of the core in every way that cargo-mutants knows, one at a time, and says which change no test of it finds.
pub(crate) fn mutants(file: &str) -> Result<(), String> {
    installed("mutants")?;
    let mutants =
        Program::line("cargo mutants --package windlass-core --test-package windlass-core --baseline skip");
    mutants.and(&["--timeout", "300", "--output", "target", "--file", file]).run()
}

fn installed(tool: &str) -> Result<(), String> {
    if Program::line(&format!("cargo {tool} --version")).answers() {
        return Ok(());
    }
    Err(format!("cargo-{tool} is not installed: `cargo install cargo-{tool} --locked` does it"))
}
