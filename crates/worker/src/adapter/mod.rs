//! How each kind of work is started, and what its end means. Never: starting it, or deciding what follows.

pub(crate) mod act;
mod command;
mod script;
mod scripted;

use std::path::PathBuf;

use windlass_core::effect::Program;
use windlass_core::errand;
use windlass_core::event::Exit;
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::plan::Adapter;
use windlass_core::template::PromptPart;

use crate::os::{Host, Os as _};

/// How one attempt is started.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// A path, or a name to be found on the attempt's PATH.
    pub(crate) program: String,
    pub(crate) argv: Vec<String>,
    /// What it reads from its standard input.
    pub(crate) prompt: Vec<PromptPart>,
    /// Variables besides those that every attempt gets.
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) reading: Reading,
}

/// How the end of an attempt is read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// By its exit alone.
    Exit,
    /// By what the scripted agent noted in this file, and then by its exit.
    Notes(PathBuf),
}

/// What an adapter is given to read.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) exit: Exit,
    /// The last lines of standard error.
    pub(crate) errors: &'a str,
    /// What it was, for messages.
    pub(crate) program: &'a str,
}

/// What an adapter made of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Conclusion {
    pub(crate) error: Option<Failure>,
    pub(crate) tokens: Option<u64>,
    pub(crate) usd_micro: Option<u64>,
}

/// The recipe for a program. `notes` is a path at which an adapter may have its agent leave word.
pub(crate) fn recipe(program: &Program, notes: PathBuf) -> Result<Recipe, Failure> {
    match program {
        Program::Argv(argv) => {
            let program = argv.first().filter(|name| !name.is_empty()).cloned().ok_or_else(|| {
                Failure::new(ErrorKind::SpawnInvalid, "the command is empty")
                    .hint("name a program as the first item of `run`")
            })?;
            Ok(Recipe {
                program,
                argv: argv.clone(),
                prompt: Vec::new(),
                env: Vec::new(),
                reading: Reading::Exit,
            })
        }
        Program::Shell(line) => Ok(Recipe {
            program: "/bin/sh".to_owned(),
            argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
            prompt: Vec::new(),
            env: Vec::new(),
            reading: Reading::Exit,
        }),
        Program::Errand(errand) => Ok(Recipe {
            program: Host::OWN_PROGRAM.to_owned(),
            argv: vec![errand::NAME.to_owned()],
            prompt: vec![PromptPart::Text(serde_json::to_string(errand).expect("errands are plain data"))],
            env: Vec::new(),
            reading: Reading::Exit,
        }),
        Program::Agent { agent, name, prompt } => match agent.adapter {
            Adapter::Command => command::recipe(agent, name, prompt),
            Adapter::Scripted => Ok(scripted::recipe(agent, prompt, notes)),
        },
    }
}

impl Reading {
    /// What the program is called, where its path would tell nobody anything.
    pub(crate) fn called(&self) -> Option<&'static str> {
        match self {
            Self::Exit => None,
            Self::Notes(_) => Some(scripted::NAME),
        }
    }

    /// Reads the end of an attempt.
    pub(crate) fn conclude(&self, end: &End<'_>) -> Conclusion {
        match self {
            Self::Exit => Conclusion { error: by_exit(end), ..Conclusion::default() },
            Self::Notes(path) => scripted::conclude(path, end),
        }
    }
}

/// What an exit says by itself.
pub(crate) fn by_exit(end: &End<'_>) -> Option<Failure> {
    let last = if end.errors.is_empty() { String::new() } else { format!(": {}", end.errors) };
    match end.exit {
        Exit::Code(0) => None,
        Exit::Code(code) => {
            let failure =
                Failure::new(ErrorKind::Exit, format!("`{}` exited with code {code}{last}", end.program));
            Some(match code {
                127 => failure.hint("127 is what a shell gives when it did not find a command"),
                126 => failure.hint("126 is what a shell gives when a command may not be executed"),
                _ => failure,
            })
        }
        Exit::Signal(signal) => Some(Failure::new(
            ErrorKind::Crashed,
            format!("`{}` was ended by {}{last}", end.program, signal_name(signal)),
        )),
        Exit::NotStarted => Some(Failure::new(ErrorKind::Crashed, "it never began")),
    }
}

/// The name of a signal, with its number.
fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 15] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((number, name)) => format!("{name} ({number})"),
        None => format!("signal {signal}"),
    }
}
