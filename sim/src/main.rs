//! `windlass-sim --seeds N --start S`: the simulator from the command line. Never: anything but that; see `cli.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    ExitCode::from(windlass_sim::cli::run(&arguments))
}
