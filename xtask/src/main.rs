//! The project's own tasks: `cargo xtask test | fix | accept | picture | golden | sim | fuzz | mutants | bench`. STYLE and CI
//! meet here.
//! Never: anything that ships, and no dependencies, so that the first line is printed within seconds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people, printing is what it does"
)]

mod documents;
mod needs;
mod program;
mod quickstart;
mod slices;
mod steps;
mod verbs;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <task>

  test           everything that CI runs; writes nothing but target/
  test quick     unit tests, the core, a look at the simulator: under two minutes when warm
  fix            formats, and applies what clippy can mend by itself
  accept         rewrites goldens, snapshots and diagrams to what the code gives today
  picture        records the README's terminal anew: the quickstart at 80 columns, as docs/pictures/terminal.svg
  golden         keeps a home that this version leaves half-done, for all later builds; once a version
  sim [ARGS]     the simulator in release: --seeds N --start S, --planted NAME
  fuzz NAME [N]  cargo-fuzz for N seconds (60): plan, expression, event
  mutants FILE   cargo-mutants over a file of the core, such as crates/core/src/policy/retry.rs
  bench NAME     balance: agents over unequal tasks; check: hostile files; core: cost per task up to a million; dag: 1,000 tasks beside ninja; speedup: slots
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => verbs::test(),
        ["test", "quick"] => verbs::test_quick(),
        ["fix"] => verbs::fix(),
        ["accept"] => verbs::accept(),
        ["picture"] => verbs::picture(),
        ["golden"] => verbs::golden(),
        ["sim", rest @ ..] => verbs::sim(rest),
        ["fuzz", name] => slices::fuzz(name, "60"),
        ["fuzz", name, seconds] => slices::fuzz(name, seconds),
        ["mutants", file] => slices::mutants(file),
        ["bench", name, rest @ ..] => verbs::bench(name, rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: no such task: {}\n\n{USAGE}", words.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("\nerror: {failed}");
            ExitCode::FAILURE
        }
    }
}
