//! Errands as they are carried out: this binary under another name reads one, does it, and prints what came of it. Each
//! looks first at what is there, so that it may be done again wherever it was cut off. Never: running within an engine,
//! or choosing what follows.

mod brought;
mod commit_work;
mod durable;
mod git;
mod heads;
mod locks;
mod look;
mod make_worktree;
mod merge;
mod message;
mod prepare_merge;
mod quarantine;
mod rescue;
mod status;
mod step;
mod target;
mod unfinished;
mod worktrees;

use std::io::{self, Read as _, Write as _};

use windlass_core::errand::{Done, Errand, NAME};
use windlass_core::failure::{ErrorKind, Failure};

pub use look::Repository;

/// Does an errand if this process was started for one, and returns otherwise. To be called at the start of `main`,
/// beside [`crate::run_if_keeper`].
pub fn run_if_errand() {
    if std::env::args_os().next().is_none_or(|name| name != NAME) {
        return;
    }
    let code = i32::from(answer().is_err());
    #[expect(clippy::exit, reason = "this process is the errand and nothing else")]
    std::process::exit(code);
}

/// What came of it is said on standard output, a failure too: the exit tells only whether it could be said.
fn answer() -> io::Result<()> {
    let mut asked = String::new();
    io::stdin().read_to_string(&mut asked)?;
    let outcome = match serde_json::from_str(&asked) {
        Ok(errand) => carry_out(&errand),
        Err(error) => Err(Failure::new(ErrorKind::SpawnInvalid, format!("an errand can't be read: {error}"))),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &outcome)?;
    writeln!(out)?;
    out.flush()
}

fn carry_out(errand: &Errand) -> Result<Done, Failure> {
    match errand {
        Errand::MakeWorktree(asked) => make_worktree::carry_out(asked),
        Errand::CommitWork(asked) => commit_work::carry_out(asked),
        Errand::PrepareMerge(asked) => prepare_merge::carry_out(asked),
        Errand::Merge(asked) => merge::carry_out(asked),
    }
}

/// Tells whoever reads the log of the errand.
fn say(text: &str) {
    // Where nobody listens there is nothing left to do.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// The failure of a step on a file or folder.
fn failed(what: &str, path: &std::path::Path, error: &io::Error) -> Failure {
    let message = format!("{what} `{}`: {error}", path.display());
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if is_full { ErrorKind::DiskFull } else { ErrorKind::SpawnDir };
    Failure::new(kind, message)
}

/// What an attempt is to be told of what it left.
fn at_fault(message: String) -> Failure {
    Failure::new(ErrorKind::InvalidOutput, message)
}

/// What somebody has to take out of the way first: no fault of the attempt.
fn in_the_way(cause: &str, message: String) -> Failure {
    Failure::new(ErrorKind::Interrupted, message).cause(cause)
}

/// Some names of many, for people.
fn named(files: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> =
        files.iter().take(SHOWN).map(|file| format!("`{}`", file.escape_debug())).collect();
    match files.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
