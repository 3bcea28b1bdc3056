//! The tasks, each a list of steps. Never: a step that CI runs and a person can't, or the other way round.

use crate::program::{Program, target};
use crate::steps::Steps;
use crate::{documents, needs, quickstart};

/// Everything that CI runs. One build profile, so that nothing is compiled twice but clippy's own pass.
pub(crate) fn test() -> Result<(), String> {
    let mut steps = Steps::begin();
    steps.step("machine", || needs::provide(&needs::FOR_TESTS).and_then(|()| needs::provide_components()))?;
    steps.step("fmt", || Program::line("cargo fmt --all --check").run())?;
    steps.step("tidy", || Program::line("cargo test --quiet --locked -p xtask").run())?;
    steps.step("clippy", || {
        Program::line("cargo clippy --workspace --all-targets --locked -- -D warnings").run()
    })?;
    steps.step("doc", || {
        let doc = Program::line("cargo doc --workspace --no-deps --quiet --locked");
        doc.with("RUSTDOCFLAGS", "-D warnings").run()
    })?;
    deny(&mut steps)?;
    steps.step("tests", || runner().and(&["--workspace", "--exclude", "xtask"]).run())?;
    if let Some(needs) = needs::left_out() {
        steps.pass_over("some tests", &format!("those that need {needs} were left out by a variable"));
    }
    steps.step("doctests", || Program::line("cargo test --doc --workspace --locked").run())?;
    // The binary as people get it: built for the tests it may have features that only tests use.
    steps.step("binary", || Program::line("cargo build --locked -p windlass").run())?;
    steps.step("documents", || documents::check_plans().and_then(|()| documents::check_commands()))?;
    if std::env::var_os("WINDLASS_OWNERS").is_some() {
        steps.pass_over(
            "quickstart",
            "this is a task of a run, and no run in another home can be started within one",
        );
    } else {
        steps.step("quickstart", quickstart::run)?;
    }
    steps.end();
    Ok(())
}

/// What a person runs between two thoughts.
pub(crate) fn test_quick() -> Result<(), String> {
    let mut steps = Steps::begin();
    steps.step("tidy", || Program::line("cargo test --quiet --locked -p xtask").run())?;
    // One choice of targets for all: another would compile the core with other features, and so once more.
    let targets = ["--workspace", "--exclude", "xtask", "--lib", "--bins", "--test", "it"];
    steps.step("units and core", || {
        let some_seeds = "test(the_same_seed_is_the_same_world_to_the_byte)";
        let few = format!("kind(lib) | kind(bin) | package(windlass-core) | {some_seeds}");
        let few = ["-E", &few];
        if has_nextest() { runner().and(&targets).and(&few).run() } else { runner().and(&targets).run() }
    })?;
    steps.end();
    Ok(())
}

/// Formats, and applies what clippy can mend by itself.
pub(crate) fn fix() -> Result<(), String> {
    let mut steps = Steps::begin();
    steps.step("clippy --fix", || {
        Program::line("cargo clippy --fix --allow-dirty --allow-staged --workspace --all-targets").run()
    })?;
    steps.step("fmt", || Program::line("cargo fmt --all").run())?;
    steps.end();
    Ok(())
}

/// Takes what the code gives today as what it should give. The diff is then for a person to read.
pub(crate) fn accept() -> Result<(), String> {
    let mut steps = Steps::begin();
    steps.step("rewrite", || {
        let tests = Program::line("cargo test --workspace --locked --no-fail-fast");
        tests.with("REWRITE", "1").with("INSTA_UPDATE", "always").run()
    })?;
    steps.step("what changed", || Program::line("git --no-pager diff --stat").run())?;
    steps.end();
    Ok(())
}

/// Records the README's terminal. The test that draws it at each run of the tests writes it where this variable is set.
pub(crate) fn picture() -> Result<(), String> {
    let test = Program::line("cargo test --quiet --locked -p windlass --test cli the_terminal_in_the_readme");
    test.with("PICTURE", "1").run()
}

/// Keeps a home that this version leaves half-done, and prints the line that it takes among those that are kept. The test
/// that makes it passes where this variable is not set.
pub(crate) fn golden() -> Result<(), String> {
    let test = Program::line("cargo test --quiet --locked -p windlass --test cli the_home_of_this_version");
    test.and(&["--", "--nocapture"]).with("GOLDEN", "1").run()
}

/// The simulator, with optimisation: for many seeds.
pub(crate) fn sim(rest: &[&str]) -> Result<(), String> {
    Program::line("cargo run --quiet --release --locked -p windlass-sim --").and(rest).run()
}

/// A measurement by its name, in release.
pub(crate) fn bench(name: &str, rest: &[&str]) -> Result<(), String> {
    let measure = Program::line("cargo run --quiet --release --locked -p windlass-bench --");
    match name {
        "balance" => measure.and(&["balance"]).run(),
        "core" => measure.and(&["core"]).and(rest).run(),
        "dag" => {
            needs::provide(&needs::FOR_BENCH)?;
            of_the_binary(measure, name, rest)
        }
        "check" | "speedup" => of_the_binary(measure, name, rest),
        _ => Err(format!(
            "there is no bench `{name}`; there are `balance`, `check`, `core`, `dag` and `speedup`"
        )),
    }
}

/// A measurement of the built binary, in a folder of its own.
fn of_the_binary(measure: Program, name: &str, rest: &[&str]) -> Result<(), String> {
    Program::line("cargo build --release --locked -p windlass").run()?;
    let target = target();
    let (windlass, folder) = (target.join("release/windlass"), target.join("bench"));
    measure.and(&[name, &windlass.to_string_lossy(), &folder.to_string_lossy()]).and(rest).run()
}

/// Licences, banned crates and sources. Advisories are left out: they need the network.
fn deny(steps: &mut Steps) -> Result<(), String> {
    if Program::line("cargo deny --version").answers() {
        let check = Program::line("cargo deny --offline --workspace check licenses bans sources");
        steps.step("deny", || check.run())
    } else {
        steps.pass_over("deny", "cargo-deny is not installed (tidy has looked for banned crates)");
        Ok(())
    }
}

/// nextest where it is installed: a process for each test, so that none can disturb another.
fn runner() -> Program {
    let line =
        if has_nextest() { "cargo nextest run --locked --no-tests=pass" } else { "cargo test --locked" };
    Program::line(line)
}

fn has_nextest() -> bool {
    Program::line("cargo nextest --version").answers()
}
