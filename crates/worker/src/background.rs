//! Leaving the terminal: this process goes on as another one, in a session of its own, and tells the one that was
//! started how far it came. Never: with more than one thread, or for anything but the engine itself.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{WaitOptions, setsid, waitpid};

use crate::os::{Host, Os as _, Pid};

/// Which of the two this process is.
#[derive(Debug)]
pub enum Side {
    /// The one that was started: it waits for word from the other.
    Here(Here),
    /// The one that goes on.
    There(There),
}

/// The side at the terminal.
#[derive(Debug)]
pub struct Here {
    word: File,
    other: Pid,
}

/// The side that goes on.
#[derive(Debug)]
pub struct There {
    word: File,
}

/// Parts the process. There must be no other thread.
pub fn leave() -> io::Result<Side> {
    let (reader, writer) = io::pipe()?;
    if let Some(other) = Host::fork()? {
        return Ok(Side::Here(Here { word: File::from(OwnedFd::from(reader)), other }));
    }
    drop(reader);
    setsid()?;
    let nothing = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok(Side::There(There { word: File::from(OwnedFd::from(writer)) }))
}

impl Here {
    /// Waits until the other side tells something, or ends: then its exit code is the answer.
    pub fn wait(mut self) -> io::Result<Result<String, i32>> {
        let mut word = String::new();
        self.word.read_to_string(&mut word)?;
        if !word.is_empty() {
            return Ok(Ok(word));
        }
        let ended = waitpid(Some(self.other), WaitOptions::empty())?;
        Ok(Err(ended.and_then(|(_, status)| status.exit_status()).unwrap_or(70)))
    }
}

impl There {
    /// Tells the other side, and lets go of its terminal: what is printed from here on goes to a file.
    pub fn tell(mut self, word: &str, prints: impl AsFd) -> io::Result<()> {
        rustix::stdio::dup2_stdout(&prints)?;
        rustix::stdio::dup2_stderr(&prints)?;
        self.word.write_all(word.as_bytes())
    }
}
