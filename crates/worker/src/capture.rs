//! What an attempt gives as its output: the start of its standard output within bounds, and the end of its errors.
//! Never: reading more into memory than is kept.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use windlass_core::failure::{ErrorKind, Failure};

use crate::fault;
use crate::private;
use crate::report::Captured;

/// The longest output that is kept in memory and handed over within the report.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Standard output as it comes.
#[derive(Debug)]
pub(crate) struct Capture {
    spool_path: PathBuf,
    bytes_max: u64,
    inline: Vec<u8>,
    spool: Option<File>,
    bytes: u64,
    failed: Option<io::Error>,
}

impl Capture {
    /// A capture that keeps at most this much, in a file at this path once it is longer than a report may carry.
    pub(crate) fn new(spool_path: PathBuf, bytes_max: u64) -> Self {
        Self { spool_path, bytes_max, inline: Vec::new(), spool: None, bytes: 0, failed: None }
    }

    /// Adds what was read.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max || self.failed.is_some() {
            return self.drop_kept();
        }
        if self.spool.is_none() && self.inline.len() + bytes.len() <= INLINE_BYTES_MAX {
            return self.inline.extend_from_slice(bytes);
        }
        if let Err(error) = self.write_to_file(bytes) {
            self.failed = Some(error);
            self.drop_kept();
        }
    }

    fn write_to_file(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.spool {
            Some(file) => file,
            None => self.spool.insert(self.open_spool()?),
        };
        file.write_all(&std::mem::take(&mut self.inline))?;
        file.write_all(bytes)
    }

    fn open_spool(&self) -> io::Result<File> {
        private::options().read(true).write(true).truncate(true).open(&self.spool_path)
    }

    fn drop_kept(&mut self) {
        self.inline = Vec::new();
        if self.spool.take().is_some() {
            drop(fs::remove_file(&self.spool_path));
        }
    }

    /// What was captured, its full length, and whether that was too much to keep.
    pub(crate) fn finish(mut self) -> Result<(Captured, u64, bool), Failure> {
        let spool = match (self.failed.take(), &mut self.spool) {
            (Some(error), _) => Err(error),
            (None, Some(file)) => file.rewind(),
            (None, None) => Ok(()),
        };
        spool.map_err(|error| not_kept(&self.spool_path, &error))?;
        let truncated = self.bytes > self.bytes_max;
        let captured = match self.spool {
            Some(file) => Captured::Spooled(file, self.bytes),
            None => Captured::Inline(self.inline),
        };
        Ok((captured, self.bytes, truncated))
    }
}

/// The output that an attempt wrote into its file; none where it wrote none.
pub(crate) fn written_output(path: &Path, bytes_max: u64) -> Option<Result<(Captured, u64), Failure>> {
    // What lies there was put there by the attempt: it may be a link or a pipe.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Some(Err(unreadable("it is a symbolic link")));
        }
        Err(error) => return Some(Err(unreadable(&error.to_string()))),
    };
    Some(match file.metadata() {
        Err(error) => Err(unreadable(&error.to_string())),
        Ok(meta) if meta.is_dir() => Err(unreadable("it is a folder")),
        Ok(meta) if !meta.is_file() => Err(unreadable("it is no regular file")),
        Ok(meta) if meta.len() > bytes_max => Err(Failure::new(
            ErrorKind::InvalidOutput,
            format!("the file in WINDLASS_OUTPUT is {} bytes long, {bytes_max} are taken", meta.len()),
        )
        .hint("write a summary, and leave the rest in the workspace")),
        Ok(meta) if meta.len() > INLINE_BYTES_MAX as u64 => {
            Ok((Captured::Spooled(file, meta.len()), meta.len()))
        }
        Ok(_) => {
            let mut bytes = Vec::new();
            match file.read_to_end(&mut bytes) {
                Ok(length) => Ok((Captured::Inline(bytes), length as u64)),
                Err(error) => Err(unreadable(&error.to_string())),
            }
        }
    })
}

fn unreadable(why: &str) -> Failure {
    Failure::new(ErrorKind::InvalidOutput, format!("the file in WINDLASS_OUTPUT can't be read: {why}"))
        .hint("write JSON or text into a file of that name, or print it and make no such file")
}

/// Our own failure to keep an output.
pub(crate) fn not_kept(path: &Path, error: &io::Error) -> Failure {
    let is_full = matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT));
    let kind = if is_full { ErrorKind::DiskFull } else { ErrorKind::InvalidOutput };
    let failure = Failure::new(kind, format!("the output could not be kept in {}: {error}", path.display()));
    if is_full {
        return failure;
    }
    if error.kind() == io::ErrorKind::FileTooLarge {
        return failure.hint(fault::LARGER_FILES);
    }
    failure.hint("a task must leave the folder alone that WINDLASS_OUTPUT lies in")
}

/// The end of what an attempt said on standard error, for the message of its failure.
#[derive(Debug, Default)]
pub(crate) struct ErrorEnd(Vec<u8>);

impl ErrorEnd {
    const BYTES_MAX: usize = 2048;
    const LINES_MAX: usize = 5;

    /// Adds what was read.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(Self::BYTES_MAX)..];
        self.0.extend_from_slice(new);
        let surplus = self.0.len().saturating_sub(Self::BYTES_MAX);
        self.0.drain(..surplus);
    }

    /// The last lines that say something.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(Self::LINES_MAX)..].join("\n")
    }
}
