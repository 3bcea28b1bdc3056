//! An attempt in flight: its streams, its log, its output, what it used. Never: watching limits (that is `watch.rs`).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_core::effect::{Assignment, Program};
use windlass_core::event::{Exit, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, Fence};
use windlass_core::input::LostAttempt;

use super::driver::Awaited;
use super::launch::Ready;
use super::spool::Spool;
use super::watch::Watch;
use crate::adapter::{End, Reading};
use crate::capture::{Capture, ErrorEnd, written_output};
use crate::clock;
use crate::log::{self, LogLimits, LogWriter, Stream};
use crate::os::{Host, Os as _};
use crate::report::{AttemptEnded, Captured};
use crate::settings::Settings;
use crate::wire::Reckoning;

/// What a pipe can hold at most when its writer is gone: so much is still read at the end, and no more, since
/// somebody else may go on writing into it.
const PIPE_BYTES_MAX: usize = 1 << 20;

/// What programs say when a disk, or a quota of one, is full.
const FULL_DISK: [&str; 2] = ["No space left on device", "Disk quota exceeded"];
/// A disk with less than this left is full.
const FULL_BELOW_BYTES: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) key: AttemptKey,
    pub(super) fence: Fence,
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) watch: Watch,
    /// A stop of it was ordered.
    pub(super) stopped: bool,
    /// Its monitor was ended by force.
    pub(super) forced: bool,
    streams: [Option<OwnedFd>; 2],
    log: LogWriter,
    capture: Capture,
    errors: ErrorEnd,
    spool: Spool,
    output_bytes_max: u64,
    reading: Reading,
}

/// What reading from a stream gave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Some,
    Nothing,
    End,
}

impl Attempt {
    /// An attempt that begins; the descriptors for its monitor come back with it.
    pub(super) fn new(
        settings: &Settings,
        assignment: &Assignment,
        ready: Ready,
    ) -> (Self, Vec<u8>, Vec<Arc<OwnedFd>>) {
        let Ready { message, descriptors, streams, program, reading } = ready;
        let spool = Spool::of(settings, assignment.fence);
        let attempt = Self {
            key: assignment.key.clone(),
            fence: assignment.fence,
            program,
            folder: assignment.folder.clone().into(),
            watch: Watch::new(assignment),
            stopped: false,
            forced: false,
            streams: streams.map(Some),
            log: LogWriter::new(
                match &assignment.program {
                    Program::Errand(_) => log::path_of_errands(&settings.home, &assignment.key),
                    Program::Argv(_) | Program::Shell(_) | Program::Agent { .. } => {
                        log::path(&settings.home, &assignment.key)
                    }
                },
                LogLimits::of(settings.log_bytes_max),
            ),
            capture: Capture::new(spool.printed(), settings.output_bytes_max),
            errors: ErrorEnd::default(),
            spool,
            output_bytes_max: settings.output_bytes_max,
            reading,
        };
        (attempt, message, descriptors)
    }

    /// Lets the poller tell when a stream has something to say.
    pub(super) fn watch_streams(&self, poller: &OwnedFd) -> io::Result<()> {
        let open =
            self.streams.iter().enumerate().filter_map(|(side, stream)| Some((side, stream.as_ref()?)));
        for (side, stream) in open {
            Host::watch(poller, stream.as_fd(), Awaited::Stream(self.fence, side).token())?;
        }
        Ok(())
    }

    /// Reads once from a stream that has something to say.
    pub(super) fn read(&mut self, side: usize, buffer: &mut [u8]) {
        self.read_once(side, buffer);
    }

    fn read_once(&mut self, side: usize, buffer: &mut [u8]) -> (Read, usize) {
        let Some(stream) = &self.streams[side] else { return (Read::End, 0) };
        match rustix::io::read(stream, &mut *buffer) {
            Ok(0) => {
                self.streams[side] = None;
                (Read::End, 0)
            }
            Ok(length) => {
                self.take(side, &buffer[..length]);
                (Read::Some, length)
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => (Read::Nothing, 0),
            Err(_) => {
                self.streams[side] = None;
                (Read::End, 0)
            }
        }
    }

    fn take(&mut self, side: usize, bytes: &[u8]) {
        self.watch.heard(clock::monotonic());
        let stream = if side == 0 { Stream::Stdout } else { Stream::Stderr };
        self.log.add(stream, bytes, clock::wall());
        if side == 0 {
            self.capture.add(bytes);
        } else {
            self.errors.add(bytes);
        }
    }

    /// Lets a follower of the log see lines that have not ended.
    pub(super) fn show_open_lines(&mut self) {
        self.log.show_open_lines(clock::wall());
    }

    /// The disk has little room left, or has room again.
    pub(super) const fn spare_log(&mut self, sparing: bool) {
        self.log.spare(sparing);
    }

    /// Adds a notice of ours to the log.
    pub(super) fn note(&mut self, text: &str) {
        self.log.note(text, clock::wall());
    }

    /// Reads what is left in the pipes. They may be held open by a stranger, so nothing is waited for.
    fn drain(&mut self, buffer: &mut [u8]) {
        for side in 0..2 {
            let mut total = 0;
            while total < PIPE_BYTES_MAX {
                let (read, length) = self.read_once(side, buffer);
                total += length;
                if read != Read::Some {
                    break;
                }
            }
            self.streams[side] = None;
        }
        self.log.finish(clock::wall());
    }

    /// The attempt is over, as its monitor tells; perhaps the kernel ended it for want of memory.
    pub(super) fn ended(mut self, reckoning: &Reckoning, by_kernel: bool, buffer: &mut [u8]) -> AttemptEnded {
        self.drain(buffer);
        let exit = exit_of(reckoning.status);
        let program = self.reading.called().map_or_else(|| self.program.display().to_string(), str::to_owned);
        let end = End { exit, errors: &self.errors.text(), program: &program };
        let mut conclusion = self.reading.conclude(&end);
        if by_kernel {
            let what = format!("the kernel ended `{program}` for want of memory");
            let hint = "let fewer attempts run at a time, or bound them by `memory`";
            conclusion.error = Some(Failure::new(ErrorKind::OutOfMemory, what).hint(hint));
        } else if conclusion.error.is_some() && self.met_a_full_disk() {
            conclusion.error.iter_mut().for_each(|error| error.kind = ErrorKind::DiskFull);
        }
        let usage = Usage {
            cpu_ms: u64::try_from(reckoning.cpu.as_millis()).unwrap_or(u64::MAX),
            memory_bytes_peak: self.watch.memory_peak().max(reckoning.resident_peak),
            processes_peak: self.watch.processes_peak().max(1),
            tokens: conclusion.tokens,
            usd_micro: conclusion.usd_micro,
        };
        let mut report = self.report(exit, conclusion.error, usage);
        report.leftovers = reckoning.leftovers;
        report
    }

    /// Whether it complained of a full disk, and there is one.
    fn met_a_full_disk(&self) -> bool {
        let complained = FULL_DISK.iter().any(|text| self.errors.text().contains(text));
        let full = |folder: &Path| {
            rustix::fs::statvfs(folder).is_ok_and(|disk| {
                // Some file systems count no inodes.
                let no_more_files = disk.f_files > 0 && disk.f_favail == 0;
                no_more_files || disk.f_bavail * disk.f_frsize < FULL_BELOW_BYTES
            })
        };
        complained && (full(&self.folder) || self.spool.output().parent().is_some_and(full))
    }

    /// The attempt is over and nobody can tell how its main process ended.
    pub(super) fn failed(
        mut self,
        exit: Exit,
        failure: Failure,
        leftovers: u32,
        buffer: &mut [u8],
    ) -> AttemptEnded {
        self.drain(buffer);
        let mut report = self.report(exit, Some(failure), Usage::default());
        report.leftovers = leftovers;
        report
    }

    /// It has given all that it will give: nothing of it is listened to any more.
    pub(super) fn close(&mut self, buffer: &mut [u8]) {
        self.drain(buffer);
        self.spool.clear();
    }

    /// No end of it will be reported.
    pub(super) fn lost(mut self, leftovers: u32, buffer: &mut [u8]) -> LostAttempt {
        self.close(buffer);
        LostAttempt { key: self.key, fence: self.fence, leftovers }
    }

    fn report(self, exit: Exit, error: Option<Failure>, usage: Usage) -> AttemptEnded {
        let kept = match written_output(&self.spool.output(), self.output_bytes_max) {
            Some(written) => written.map(|(captured, bytes)| (captured, bytes, false)),
            None => self.capture.finish(),
        };
        self.spool.clear();
        let nothing = || (Captured::Inline(Vec::new()), 0, false);
        // What an agent failed with says more than that its output could not be kept.
        let ((captured, bytes, truncated), error) = match kept {
            Ok(kept) => (kept, error),
            // A full disk is behind whatever else went wrong.
            Err(failure) if failure.kind == ErrorKind::DiskFull => (nothing(), Some(failure)),
            Err(failure) => (nothing(), error.or(Some(failure))),
        };
        let (key, fence) = (self.key, self.fence);
        AttemptEnded { key, fence, exit, error, captured, bytes, truncated, usage, leftovers: 0 }
    }
}

/// How the main process ended, from what `wait` says.
fn exit_of(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    }
}

/// The report of an attempt that never began.
pub(super) fn not_started(key: AttemptKey, fence: Fence, failure: Failure) -> AttemptEnded {
    AttemptEnded {
        key,
        fence,
        exit: Exit::NotStarted,
        error: Some(failure),
        captured: Captured::Inline(Vec::new()),
        bytes: 0,
        truncated: false,
        usage: Usage::default(),
        leftovers: 0,
    }
}

/// Errors of the system that are met while an attempt is handed over.
pub(super) fn not_handed_over(error: &io::Error) -> Failure {
    super::launch::not_made("it could not be handed to its monitor", error)
}
