//! The log of an attempt: what it printed, line by line, with time and stream. One file for its beginning, and two
//! that follow each other for its end. Never: holding a whole log in memory.

mod follow;
mod last;
mod read;
mod write;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use windlass_core::id::AttemptKey;
use windlass_core::time::Time;

pub use follow::Follower;
pub use last::LastLine;
pub use read::{LogLines, bytes_cut, last_lines, read};
pub(crate) use write::{LogLimits, LogWriter};

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A notice of ours, such as `[N bytes cut]`.
    Windlass,
}

impl Stream {
    /// Its name, as `logs --json` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Windlass => "windlass",
        }
    }

    const fn letter(self) -> u8 {
        match self {
            Self::Stdout => b'o',
            Self::Stderr => b'e',
            Self::Windlass => b'w',
        }
    }

    const fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'o' => Some(Self::Stdout),
            b'e' => Some(Self::Stderr),
            b'w' => Some(Self::Windlass),
            _ => None,
        }
    }
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read from the attempt.
    pub at: Time,
    /// Where it came from.
    pub stream: Stream,
    /// What was printed, without the end of its line.
    pub bytes: Vec<u8>,
    /// Whether the line ends here; long lines, and a last one without an end, come in pieces.
    pub ended: bool,
    /// Whether it goes on with the line that was begun before on the same stream.
    pub continues: bool,
}

impl LogLine {
    /// The text for people; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Whether it is the next piece of the same line.
    pub fn follows(&self, before: &Self) -> bool {
        self.continues && self.stream == before.stream && !before.ended
    }
}

/// The place of output or of error in a pair of both.
fn slot(stream: Stream) -> usize {
    usize::from(stream == Stream::Stderr)
}

/// Where the log of an attempt lies. An attempt that printed nothing has none.
pub fn path(home: &Path, key: &AttemptKey) -> PathBuf {
    home.join("logs").join(key.run.as_str()).join(format!("{}@{}.log", key.task, key.attempt))
}

/// Where what the errands of an attempt print lies.
pub(crate) fn path_of_errands(home: &Path, key: &AttemptKey) -> PathBuf {
    home.join("logs").join(key.run.as_str()).join(format!("{}@{}.errands.log", key.task, key.attempt))
}

/// The path of the part of this number; 0 is the beginning.
fn part_path(path: &Path, part: u64) -> PathBuf {
    if part == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{part}"));
    name.into()
}
