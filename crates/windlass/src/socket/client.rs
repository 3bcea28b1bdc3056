//! The second terminal's side of the socket. Never: waiting for ever, for a place in the queue or for an answer.

use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use windlass_engine::clock;

use crate::socket::wire::{self, Hello, Reply, Request};

/// How long an answer is waited for; the wait for a place in the queue counts.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What is left for the answer at the least where the place took long.
const ANSWER_WITHIN_MIN: Duration = Duration::from_millis(100);

/// A connection to a live engine.
pub(crate) struct Client {
    from: BufReader<UnixStream>,
    to: UnixStream,
    has_greeted: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The engine has closed the connection, or there is none: it ended. What became of the request is in the journal.
    Closed,
    /// It did not answer in time.
    Silent,
}

impl Client {
    /// Reaches an engine by its socket.
    pub(crate) fn connect(path: &Path) -> Result<Self, Lost> {
        Self::connect_within(path, ANSWER_WITHIN)
    }

    fn connect_within(path: &Path, within: Duration) -> Result<Self, Lost> {
        let began = clock::awake();
        let to = queue_up(path, within).map_err(|error| lost(&error.into()))?;
        let left = within.saturating_sub(clock::awake().saturating_sub(began)).max(ANSWER_WITHIN_MIN);
        let client = || {
            to.set_read_timeout(Some(left))?;
            to.set_write_timeout(Some(left))?;
            Ok(Self { from: BufReader::new(to.try_clone()?), to, has_greeted: false })
        };
        client().map_err(|error: io::Error| lost(&error))
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply, Lost> {
        let sent = self.greet().and_then(|()| wire::write(&mut self.to, request));
        let sent = sent.map_err(|error| lost(&error));
        if sent == Err(Lost::Silent) {
            return Err(Lost::Silent);
        }
        // An engine that has no room for us, or speaks otherwise, says so, and hears nothing.
        let heard = wire::read(&mut self.from).map_err(|error| lost(&error));
        let reply = heard
            .and_then(|reply| reply.ok_or(Lost::Closed))
            .map_err(|unheard| sent.err().unwrap_or(unheard))?;
        // Whoever has answered once has the whole time for what comes next.
        let again = self.to.set_read_timeout(Some(ANSWER_WITHIN));
        again.and_then(|()| self.to.set_write_timeout(Some(ANSWER_WITHIN))).map_err(|error| lost(&error))?;
        Ok(reply)
    }

    /// Says that what was started is not waited for any more, and may go on.
    pub(crate) fn leave(mut self) {
        // Where the engine is gone nobody has to hear it.
        wire::write(&mut self.to, &Request::Leave).unwrap_or_default();
    }

    /// Says first which version of the wire it speaks.
    fn greet(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_greeted, true) {
            wire::write(&mut self.to, &Hello::ours())?;
        }
        Ok(())
    }
}

/// A place in the queue of a socket. Where the queue is full the kernel waits, by default without end: an engine that is
/// held accepts nobody.
fn queue_up(path: &Path, within: Duration) -> Result<UnixStream, Errno> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(within))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

fn lost(error: &io::Error) -> Lost {
    let too_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    if too_late { Lost::Silent } else { Lost::Closed }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn nobody_there_is_an_end_and_a_full_queue_is_silence() {
        let desk = tempfile::tempdir().expect("a folder");
        let path = desk.path().join("socket");
        let reached = || Client::connect_within(&path, Duration::from_millis(1)).map(drop);
        assert_eq!(reached(), Err(Lost::Closed));
        let listener = UnixListener::bind(&path).expect("a socket");
        rustix::net::listen(&listener, 0).expect("a shorter queue");
        assert_eq!(reached(), Ok(()), "one place there is always");
        assert_eq!(reached(), Err(Lost::Silent));
        drop(listener);
        assert_eq!(reached(), Err(Lost::Closed));
    }
}
