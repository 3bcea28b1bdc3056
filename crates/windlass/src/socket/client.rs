//! The second terminal's side of the socket. Never: waiting for ever.

use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::socket::wire::{self, Reply, Request};

/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A connection to a live engine.
pub(crate) struct Client {
    from: BufReader<UnixStream>,
    to: UnixStream,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The engine has closed the connection: it ended. What became of the request is in the journal.
    Closed,
    /// It did not answer in time.
    Silent,
}

impl Client {
    /// Reaches an engine by its socket.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let to = UnixStream::connect(path)?;
        to.set_read_timeout(Some(ANSWER_WITHIN))?;
        to.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self { from: BufReader::new(to.try_clone()?), to })
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply, Lost> {
        let lost = |error: &io::Error| {
            let too_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
            if too_late { Lost::Silent } else { Lost::Closed }
        };
        wire::write(&mut self.to, request).map_err(|error| lost(&error))?;
        wire::read(&mut self.from).map_err(|error| lost(&error))?.ok_or(Lost::Closed)
    }
}
