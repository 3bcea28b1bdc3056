//! The `windlass` binary: reads what is asked, does it, and ends with the code that INTERFACES promises.
//! Never: anything before the keeper, the scripted agent and errands had their look, which are this same binary.

mod asking;
mod background;
mod calling;
mod cli;
mod closing;
mod completing;
mod config;
mod desk;
mod door;
mod error;
mod exit;
mod failures;
mod following;
mod graph;
mod guides;
mod home;
mod host;
mod keyboard;
mod live;
mod lookup;
mod mistyped;
mod nested;
mod news;
mod opening;
mod origin;
mod output;
mod part;
mod plan_file;
mod printing;
mod progress;
mod question;
mod reaching;
mod regular;
mod render;
mod results;
mod screen;
mod signals;
mod socket;
#[cfg(test)]
mod staged;
mod steer;
mod surroundings;
mod teller;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::desk::Desk;
use crate::error::{Failed, Outcome};
use crate::exit::Exit;
use crate::home::Place;
use crate::surroundings::Surroundings;

fn main() -> ExitCode {
    windlass_worker::run_if_keeper();
    windlass_worker::run_if_scripted();
    windlass_worker::run_if_errand();
    end_with_a_code_of_our_own_after_a_bug();
    signals::let_writes_past_a_limit_fail();
    if completing::answer_a_shell() {
        return Exit::Done.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            return mistyped::say(usage).into();
        }
    };
    carry_out(cli).unwrap_or_else(|failed| end(&failed)).into()
}

fn carry_out(cli: Cli) -> Outcome {
    let surroundings = Surroundings::read();
    let place = Place::find(cli.place.dir.as_deref(), cli.place.home.as_deref(), &surroundings)?;
    calling::remember(&cli.place, &place, &surroundings);
    let mut desk = Desk::new(place, surroundings);
    let done = cli.carry_out(&mut desk);
    match desk.flush() {
        // What came of it does not depend on who reads it.
        Ok(()) | Err(Failed::ClosedPipe) => done,
        Err(failed) => done.and(Err(failed)),
    }
}

/// Says what went wrong. Where that can't be said either, the code must do.
fn end(failed: &Failed) -> Exit {
    let mut to = anstream::stderr();
    printing::print(|| match failed {
        Failed::Report(report) => {
            render::report::print(&mut to, report).unwrap_or_default();
            report.exit
        }
        Failed::File(errors) => {
            render::report::print_file(&mut to, errors).unwrap_or_default();
            Exit::Usage
        }
        Failed::ClosedPipe => Exit::Done,
    })
}

/// A panic is a bug of ours: it is told as one, and nothing goes on beside it.
fn end_with_a_code_of_our_own_after_a_bug() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        let report =
            error::Report::new(Exit::Bug, format!("this is a bug of Windlass{}", place.unwrap_or_default()))
                .cause(panic.payload_as_str().unwrap_or("no message").to_owned())
                .hint(format!(
                    "please report it; what was acknowledged is in the journal: `{}` goes on",
                    calling::command("resume")
                ));
        render::report::print(&mut anstream::stderr(), &report).unwrap_or_default();
        #[expect(clippy::exit, reason = "the state may be ahead of the disk: nobody may go on")]
        std::process::exit(Exit::Bug.code().into());
    }));
}
