//! The command line: one file a verb, each with its options and what it does. Never: logic that another face needs.

mod approve;
mod cancel;
mod chaos;
mod check;
mod completions;
mod dlq;
mod doctor;
mod emit;
mod events;
mod graph;
mod guide;
mod init;
mod logs;
mod man;
mod pause;
mod ps;
mod raise;
mod resume;
mod retry;
mod revise;
pub(crate) mod run;
mod schema;
mod settle;
mod show;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::desk::Desk;
use crate::error::Outcome;
use crate::nested;

/// Many hands, one pull: runs plans of tasks in parallel, durably, and goes on after any crash.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, arg_required_else_help = true, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
    #[command(subcommand)]
    verb: Verb,
}

/// Where things are.
#[derive(Args, Debug)]
pub(crate) struct PlaceOptions {
    /// Where the runs are kept (default: `$XDG_STATE_HOME/windlass/<project>`)
    #[arg(long, global = true, env = "WINDLASS_HOME", value_name = "DIR", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,
    /// The folder that it is about, and in which tasks work [default: the current one]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Init),
    Check(check::Check),
    Graph(graph::Graph),
    Run(run::Run),
    Resume(resume::Resume),
    Pause(pause::Pause),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Revise(revise::Revise),
    Settle(settle::Settle),
    Approve(approve::Approve),
    Emit(emit::Emit),
    Ps(ps::Ps),
    Show(show::Show),
    Logs(logs::Logs),
    Events(events::Events),
    Dlq(dlq::Dlq),
    Doctor(doctor::Doctor),
    Chaos(chaos::Chaos),
    Guide(guide::GuideOn),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Verb {
    /// What of it only people may do, in words: from within a task it is refused. A verb without a row does not compile.
    fn only_people(&self) -> Option<&'static str> {
        match self {
            Self::Retry(_) => Some(retry::IN_WORDS),
            Self::Settle(_) => Some("say what became of a task"),
            Self::Approve(_) => Some("answer what a person is asked"),
            Self::Dlq(verb) => verb.only_people(),
            Self::Doctor(verb) => verb.only_people(),
            Self::Chaos(_) => Some(chaos::IN_WORDS),
            // Which home it is in which they are called decides: they look themselves.
            Self::Run(_) | Self::Resume(_) | Self::Revise(_) => None,
            // What waits behind a question that is cancelled goes as after a no; who hears a message, the plan says.
            Self::Pause(_) | Self::Cancel(_) | Self::Emit(_) => None,
            Self::Ps(_) | Self::Show(_) | Self::Logs(_) | Self::Events(_) | Self::Graph(_) => None,
            Self::Init(_)
            | Self::Check(_)
            | Self::Guide(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_) => None,
        }
    }
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        if let Some(what) = self.verb.only_people() {
            nested::refuse_what_people_say(desk, what)?;
        }
        match self.verb {
            Verb::Init(verb) => verb.carry_out(desk),
            Verb::Check(verb) => verb.carry_out(desk),
            Verb::Graph(verb) => verb.carry_out(desk),
            Verb::Run(verb) => verb.carry_out(desk),
            Verb::Resume(verb) => verb.carry_out(desk),
            Verb::Pause(verb) => verb.carry_out(desk),
            Verb::Cancel(verb) => verb.carry_out(desk),
            Verb::Retry(verb) => verb.carry_out(desk),
            Verb::Revise(verb) => verb.carry_out(desk),
            Verb::Settle(verb) => verb.carry_out(desk),
            Verb::Approve(verb) => verb.carry_out(desk),
            Verb::Emit(verb) => verb.carry_out(desk),
            Verb::Ps(verb) => verb.carry_out(desk),
            Verb::Show(verb) => verb.carry_out(desk),
            Verb::Logs(verb) => verb.carry_out(desk),
            Verb::Events(verb) => verb.carry_out(desk),
            Verb::Dlq(verb) => verb.carry_out(desk),
            Verb::Doctor(verb) => verb.carry_out(desk),
            Verb::Chaos(verb) => verb.carry_out(desk),
            Verb::Guide(verb) => verb.carry_out(desk),
            Verb::Schema(verb) => verb.carry_out(desk),
            Verb::Completions(verb) => verb.carry_out(desk),
            Verb::Man(verb) => verb.carry_out(desk),
        }
    }
}
