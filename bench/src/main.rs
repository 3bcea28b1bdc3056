//! Measurements that README and docs quote, each beside something to compare it with, in the same run.
//! Never: a time that fails (machines differ; a ratio to what was counted may), or a number without the conditions it was
//! measured under.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people, printing is what it does"
)]

mod balance;
mod check;
mod core;
mod dag;
mod disk;
mod graph;
mod hostile;
mod measure;
mod speedup;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
windlass-bench dag WINDLASS FOLDER [ROUNDS]   1,000 tasks of `true` as layers and as a chain, beside ninja
windlass-bench balance                        what the ways to balance come to over tasks of unequal lengths
windlass-bench speedup WINDLASS FOLDER        unequal tasks with more and more slots, beside one after the other
windlass-bench check WINDLASS FOLDER [WORD]   hostile files of 10 MiB, or those in whose names the word stands
windlass-bench parse FILE                     the other side of that: the parser alone
windlass-bench core [MOST]                    what a task costs the core, from 1,000 tasks to MOST (1,000,000), and beside runs that rest
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["dag", windlass, folder] => dag::compare(&PathBuf::from(windlass), &PathBuf::from(folder), 7),
        ["dag", windlass, folder, rounds] => match rounds.parse() {
            Ok(rounds) => dag::compare(&PathBuf::from(windlass), &PathBuf::from(folder), rounds),
            Err(_) => Err(format!("`{rounds}` is no number of rounds")),
        },
        ["balance"] => balance::compare(),
        ["speedup", windlass, folder] => speedup::measure(&PathBuf::from(windlass), &PathBuf::from(folder)),
        ["check", windlass, folder, word @ ..] if word.len() < 2 => {
            check::compare(&PathBuf::from(windlass), &PathBuf::from(folder), word.first().copied())
        }
        ["parse", file] => check::parse(&PathBuf::from(file)),
        ["core"] => core::grow(1_000_000),
        ["core", most] => match most.parse() {
            Ok(most) => core::grow(most),
            Err(_) => Err(format!("`{most}` is no number of tasks")),
        },
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
