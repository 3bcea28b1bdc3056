//! A stream on which a whole message has so much time, however it comes. The system's timeouts begin anew with each byte:
//! by them alone one that sends a byte now and then would hold its place for ever. Never: a wait without a bound.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A stream, and until when the message on it must be over by this clock.
pub(crate) struct InTime<Clock> {
    stream: UnixStream,
    within: Duration,
    clock: Clock,
    until: Duration,
}

impl<Clock: Fn() -> Duration> InTime<Clock> {
    /// One whose messages have this time each. The first begins with [`InTime::begin`], as all do.
    pub(crate) const fn new(stream: UnixStream, within: Duration, clock: Clock) -> Self {
        Self { stream, within, clock, until: Duration::ZERO }
    }

    /// Begins a message.
    pub(crate) fn begin(&mut self) {
        self.until = (self.clock)() + self.within;
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_sub((self.clock)());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl<Clock: Fn() -> Duration> Read for InTime<Clock> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(bytes)
    }
}

impl<Clock: Fn() -> Duration> Write for InTime<Clock> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_message_that_comes_bit_by_bit_has_no_more_time_than_one_that_comes_at_once() {
        let (stream, mut other) = UnixStream::pair().expect("a pair");
        other.write_all(b"slow").expect("it has room");
        let seconds = Cell::new(0);
        let clock = || Duration::from_secs(seconds.replace(seconds.get() + 4));
        let mut in_time = InTime::new(stream, Duration::from_secs(10), clock);
        let mut byte = [0];
        in_time.begin();
        assert_eq!(in_time.read(&mut byte).expect("4 s are over"), 1);
        assert_eq!(in_time.read(&mut byte).expect("8 s are over"), 1);
        let late = in_time.read(&mut byte).expect_err("12 s are over, whatever has come");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(in_time.write(&byte).expect_err("it is over").kind(), io::ErrorKind::TimedOut);
        in_time.begin();
        assert_eq!(in_time.read(&mut byte).expect("the next has its own time"), 1);
        assert_eq!(in_time.write(&byte).expect("and may be answered"), 1);
    }
}
