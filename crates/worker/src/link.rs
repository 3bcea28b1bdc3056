//! A socket between two of our processes: whole messages, descriptors handed over with them, and an end that shows;
//! and waiting for one of a few.
//! Never: what the messages mean (that is `wire.rs`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};

/// Descriptors that one message may carry.
const DESCRIPTORS_MAX: usize = 4;
/// The longest message; what is longer goes through a file.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// One end.
#[derive(Debug)]
pub(crate) struct Link(OwnedFd);

/// What came out of a [`Link`].
#[derive(Debug)]
pub(crate) enum Received {
    /// A message of this length, with these descriptors.
    Message(usize, Vec<OwnedFd>),
    /// Nothing is there yet.
    Nothing,
    /// The other end is gone.
    End,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The other end will read it.
    Taken,
    /// The other end has not read what it was sent before.
    NoRoom,
    /// The other end is gone.
    Gone,
}

impl Link {
    /// Two ends.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Lets the other end see an end. What was sent before still arrives.
    pub(crate) fn close(&self) {
        // It fails where the other end is gone, and then there is nobody to see it.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }

    /// Sends a message, waiting for room if there is none; false when the other end is gone.
    pub(crate) fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<bool> {
        Ok(self.send_with(message, descriptors, SendFlags::empty())? == Sent::Taken)
    }

    /// Sends a message if there is room for it.
    pub(crate) fn try_send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<Sent> {
        self.send_with(message, descriptors, SendFlags::DONTWAIT)
    }

    fn send_with(
        &self,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> io::Result<Sent> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)), "room for each descriptor");
        }
        loop {
            let parts = [IoSlice::new(message)];
            match rustix::net::sendmsg(&self.0, &parts, &mut control, flags | SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(Sent::Taken),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(Sent::NoRoom),
                Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => return Ok(Sent::Gone),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the next message, waiting for it if `wait` is set. A connection that was reset is an end too.
    pub(crate) fn receive(&self, into: &mut [u8], wait: bool) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let answer = loop {
            let mut parts = [IoSliceMut::new(into)];
            match rustix::net::recvmsg(&self.0, &mut parts, &mut control, flags) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other,
            }
        };
        match answer {
            Ok(message) if message.bytes == 0 => Ok(Received::End),
            Ok(message) => {
                let mut descriptors = Vec::new();
                for part in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(received) = part {
                        descriptors.extend(received);
                    }
                }
                Ok(Received::Message(message.bytes, descriptors))
            }
            Err(rustix::io::Errno::AGAIN) => Ok(Received::Nothing),
            Err(rustix::io::Errno::CONNRESET) => Ok(Received::End),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Link {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl From<Link> for OwnedFd {
    fn from(link: Link) -> Self {
        link.0
    }
}

/// Waits until one of these is readable or was closed, for this long at most.
pub(crate) fn wait_for<const N: usize>(
    sources: [&impl AsFd; N],
    at_most: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut waited_for = sources.map(|source| PollFd::new(source, PollFlags::IN));
    let at_most = at_most.map(|span| Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    });
    match rustix::event::poll(&mut waited_for, at_most.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(waited_for.map(|one| !one.revents().is_empty())),
        Err(error) => Err(error.into()),
    }
}
