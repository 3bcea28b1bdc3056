//! Reading a log, also one that is still being written. Never: changing anything.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use windlass_core::time::Time;

use super::{LogLine, Stream, part_path, slot};

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// The lines of a log, from its start. A log that is not there has none.
pub fn read(path: &Path) -> LogLines {
    LogLines::new(path, true)
}

/// How much of a line is read of the last ones; the rest of it is passed over.
const LAST_BYTES_MAX: usize = 16 * 1024;

/// The last lines of a log, at most this many.
pub fn last_lines(path: &Path, count: usize) -> io::Result<Vec<LogLine>> {
    let mut last = VecDeque::with_capacity(count.min(1024) + 1);
    for line in read(path) {
        let mut line: LogLine = line?;
        if let Some(begun) = last.back_mut().filter(|begun: &&mut LogLine| line.follows(begun)) {
            line.bytes.truncate(LAST_BYTES_MAX.saturating_sub(begun.bytes.len()));
            begun.bytes.append(&mut line.bytes);
            begun.ended = line.ended;
            continue;
        }
        last.push_back(line);
        if last.len() > count {
            last.pop_front();
        }
    }
    Ok(last.into())
}

/// How much of what an attempt printed is not in its log.
pub fn bytes_cut(path: &Path) -> io::Result<u64> {
    let mut cut = 0;
    for line in LogLines::new(path, true) {
        let line = line?;
        if line.stream == Stream::Windlass {
            cut += bytes_of_cut_notice(&line.bytes).unwrap_or(0);
        }
    }
    Ok(cut)
}

/// The oldest part of a log after this one that is there.
pub(super) fn first_part_after(path: &Path, part: u64) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let entries = fs::read_dir(path.parent()?).ok()?.flatten();
    let parts = entries.filter_map(|entry| {
        entry.file_name().to_str()?.strip_prefix(name)?.strip_prefix('.')?.parse::<u64>().ok()
    });
    parts.filter(|found| *found > part).min()
}

/// An iterator over the lines of a log.
#[derive(Debug)]
pub struct LogLines {
    path: PathBuf,
    input: Option<BufReader<File>>,
    part: u64,
    /// A record that is not whole yet.
    record: Vec<u8>,
    /// Whether the first part was read to its end, behind which others follow.
    head_ended: bool,
    /// How many bytes of text lie before this place, those included that were cut.
    text_bytes: u64,
    /// When the last line was read from the attempt, and where it came from: what the next one does not say again.
    last: (Time, Stream),
    /// Whether output and error are in the middle of a line.
    is_open: [bool; 2],
    /// Whether the log is taken to be complete: a torn record at its end is shown, and said to be torn.
    complete: bool,
    /// The last record was torn, which is still to be said.
    is_torn: bool,
}

impl LogLines {
    pub(super) fn new(path: &Path, complete: bool) -> Self {
        Self {
            path: path.to_owned(),
            input: None,
            part: 0,
            record: Vec::new(),
            head_ended: false,
            text_bytes: 0,
            last: (Time::default(), Stream::Windlass),
            is_open: [false; 2],
            complete,
            is_torn: false,
        }
    }

    /// The next line that is whole; none where there is none yet.
    pub(super) fn next_line(&mut self) -> io::Result<Option<LogLine>> {
        loop {
            if self.input.is_none() && !self.open()? {
                return Ok(None);
            }
            if !self.read_record()? {
                let Some(part) = self.next_part() else { return Ok(None) };
                // Nothing is added to a part once the next one is there; but until then something may have been.
                if !self.read_record()? {
                    self.go_to(part);
                    continue;
                }
            }
            let record = std::mem::take(&mut self.record);
            let line = self.understand(&record);
            self.record = record;
            self.record.clear();
            if line.is_some() {
                return Ok(line);
            }
        }
    }

    fn open(&mut self) -> io::Result<bool> {
        match File::open(part_path(&self.path, self.part)) {
            Ok(file) => {
                self.input = Some(BufReader::with_capacity(READ_BYTES, file));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.next_part() {
                // It made room for newer ones since it was seen.
                Some(part) if self.part > 0 => {
                    self.go_to(part);
                    self.open()
                }
                _ => Ok(false),
            },
            Err(error) => Err(error),
        }
    }

    fn go_to(&mut self, part: u64) {
        self.part = part;
        self.input = None;
        self.record.clear();
    }

    /// Whether a whole record was read.
    fn read_record(&mut self) -> io::Result<bool> {
        let Some(input) = &mut self.input else { return Ok(false) };
        input.read_until(b'\n', &mut self.record)?;
        Ok(self.record.last() == Some(&b'\n'))
    }

    /// The oldest part after this one.
    fn next_part(&self) -> Option<u64> {
        let first = self.part + 1;
        if part_path(&self.path, first).exists() {
            return Some(first);
        }
        // Only a log that has outgrown its first part has others.
        if !self.head_ended {
            return None;
        }
        first_part_after(&self.path, self.part)
    }

    pub(super) fn understand(&mut self, record: &[u8]) -> Option<LogLine> {
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Some(number) = record.strip_prefix(b"@") {
            let bytes: u64 = str::from_utf8(number).ok()?.parse().ok()?;
            if self.part == 0 {
                self.head_ended = true;
                return None;
            }
            let cut = bytes.saturating_sub(std::mem::replace(&mut self.text_bytes, bytes));
            self.forget_open_lines(cut > 0);
            return (cut > 0).then(|| self.notice(cut_notice(cut)));
        }
        let (mut at, mut stream) = self.last;
        let mut rest = record;
        if matches!(rest.first()?, b'0'..=b'9' | b'-') {
            let (number, after) = split_once(rest, b' ')?;
            at = Time::from_ms(str::from_utf8(number).ok()?.parse().ok()?);
            rest = after;
        }
        if let Some(found) = Stream::of_letter(*rest.first()?) {
            stream = found;
            rest = &rest[1..];
        }
        let (mark, text) = rest.split_first()?;
        let ended = *mark == b' ';
        self.last = (at, stream);
        let continues = match stream {
            Stream::Windlass => {
                let cut = bytes_of_cut_notice(text);
                self.text_bytes += cut.unwrap_or(0);
                self.forget_open_lines(cut.is_some());
                false
            }
            Stream::Stdout | Stream::Stderr => {
                self.text_bytes += text.len() as u64 + u64::from(ended);
                std::mem::replace(&mut self.is_open[slot(stream)], !ended)
            }
        };
        Some(LogLine { at, stream, bytes: text.to_vec(), ended, continues })
    }

    /// What stands behind a cut goes on with nothing that is there.
    fn forget_open_lines(&mut self, is_cut: bool) {
        if is_cut {
            self.is_open = [false; 2];
        }
    }

    fn torn_notice(&self) -> LogLine {
        self.notice("[the log ends in the middle of a line]".to_owned())
    }

    fn notice(&self, text: String) -> LogLine {
        let bytes = text.into_bytes();
        LogLine { at: self.last.0, stream: Stream::Windlass, bytes, ended: true, continues: false }
    }
}

/// What stands in a log where some of it was not kept.
pub(super) fn cut_notice(bytes: u64) -> String {
    format!("[{bytes} bytes cut]")
}

fn bytes_of_cut_notice(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.strip_prefix('[')?.strip_suffix(" bytes cut]")?.parse().ok()
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

impl Iterator for LogLines {
    type Item = io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_line() {
            Ok(None) if self.complete && !self.record.is_empty() => {
                let record = std::mem::take(&mut self.record);
                let torn = self.understand(&record).map(|line| LogLine { ended: false, ..line });
                self.is_torn = torn.is_some();
                Some(Ok(torn.unwrap_or_else(|| self.torn_notice())))
            }
            Ok(None) if std::mem::take(&mut self.is_torn) => Some(Ok(self.torn_notice())),
            other => other.transpose(),
        }
    }
}
