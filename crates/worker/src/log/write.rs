//! Writing a log. A record is a line: milliseconds and a blank, a letter for the stream, a blank (or `+` where the line
//! goes on), the text. Where time or stream are those of the record before they are left out, so that a log of short
//! lines takes little more of the disk than its text. A record `@N` at the end of the first part and at the start of
//! each other says how many bytes of text lie before it.
//!
//! Past its limit a log takes so much in a second and no more: the rest of the second is still read, and dropped
//! but for its end. Why it is not held back is in docs/design/logs.md.
//! Never: failing an attempt because its log can't be written.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use windlass_core::time::Time;

use super::read::cut_notice;
use super::{Stream, part_path, slot};
use crate::private;

/// How much of a log is kept, in bytes of what was printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Of the beginning.
    pub(crate) head: u64,
    /// Of each of the two parts that hold the end.
    pub(crate) tail: u64,
    /// Past the limit: what is taken in a second. The rest of that second is read and dropped, but for its end.
    pub(crate) per_second: u64,
}

impl LogLimits {
    /// The limits of a log of this length.
    pub(crate) fn of(bytes_max: u64) -> Self {
        Self { head: bytes_max / 2, tail: bytes_max / 4, per_second: (bytes_max / 16).max(1) }
    }

    /// Up to here all of it is kept.
    fn all(self) -> u64 {
        self.head + 2 * self.tail
    }
}

/// The longest piece of a line.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// What stands at the beginning of a log that was removed while it was written.
const REMOVED: &str = "[the log was removed: what was printed before is gone]";
/// What is kept of the end of a second that printed too much.
const KEPT_BYTES: usize = 64 * 1024;

/// The writer of an attempt's log. It makes the file with the first line.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    limits: LogLimits,
    part: u64,
    file: Option<File>,
    /// How many bytes of text are in this part, and how many were printed in all.
    in_part: u64,
    text_bytes: u64,
    /// What the record before said.
    said: Option<(Time, Stream)>,
    /// Records that are not written yet.
    records: Vec<u8>,
    /// Lines that have not ended yet, of output and of error.
    open: [Vec<u8>; 2],
    flood: Flood,
    broken: bool,
}

/// The second that is being counted, and what was dropped in it.
#[derive(Debug, Default)]
struct Flood {
    since: Time,
    taken: u64,
    dropped: [u64; 2],
    kept: [Vec<u8>; 2],
}

impl LogWriter {
    /// A writer of this file.
    pub(crate) fn new(path: PathBuf, limits: LogLimits) -> Self {
        Self {
            path,
            limits,
            part: 0,
            file: None,
            in_part: 0,
            text_bytes: 0,
            said: None,
            records: Vec::new(),
            open: [Vec::new(), Vec::new()],
            flood: Flood::default(),
            broken: false,
        }
    }

    /// Adds what was read from a stream. Never [`Stream::Windlass`].
    pub(crate) fn add(&mut self, stream: Stream, bytes: &[u8], at: Time) {
        if self.broken {
            return;
        }
        self.look_for_removal(at);
        if self.text_bytes >= self.limits.all() && self.floods(stream, bytes, at) {
            return;
        }
        self.split(stream, bytes, at);
        self.write_out();
    }

    /// Writes lines that have not ended as pieces, so that a follower sees them.
    pub(crate) fn show_open_lines(&mut self, at: Time) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let open = std::mem::take(&mut self.open[slot(stream)]);
            if !open.is_empty() {
                self.record(stream, &open, at, false);
            }
        }
        self.write_out();
    }

    /// Adds a notice of ours.
    pub(crate) fn note(&mut self, text: &str, at: Time) {
        self.look_for_removal(at);
        self.record(Stream::Windlass, text.as_bytes(), at, true);
        self.write_out();
    }

    /// The attempt is over.
    pub(crate) fn finish(&mut self, at: Time) {
        self.settle_flood(at);
        self.show_open_lines(at);
    }

    /// Where somebody removed the file under it, all would go nowhere: the log begins anew.
    fn look_for_removal(&mut self, at: Time) {
        let is_removed = |file: &File| rustix::fs::fstat(file).is_ok_and(|stat| stat.st_nlink == 0);
        if self.file.as_ref().is_some_and(is_removed) {
            (self.file, self.said, self.part, self.in_part) = (None, None, 0, 0);
            self.record(Stream::Windlass, REMOVED.as_bytes(), at, true);
        }
    }

    /// Whether these bytes are more than this second may hold; they are counted and their end is kept then.
    fn floods(&mut self, stream: Stream, bytes: &[u8], at: Time) -> bool {
        // A clock that was set back begins another second too.
        if at < self.flood.since || at.since(self.flood.since).ms >= 1000 {
            self.settle_flood(at);
            self.flood = Flood { since: at, ..Flood::default() };
        }
        self.flood.taken += bytes.len() as u64;
        if self.flood.taken <= self.limits.per_second {
            return false;
        }
        let slot = slot(stream);
        self.flood.dropped[slot] += bytes.len() as u64;
        let kept = &mut self.flood.kept[slot];
        if bytes.len() >= KEPT_BYTES {
            kept.clear();
        } else if kept.len() + bytes.len() > 2 * KEPT_BYTES {
            kept.drain(..kept.len() - KEPT_BYTES);
        }
        kept.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT_BYTES)..]);
        true
    }

    /// Writes how much was dropped, and the end of it from its first whole line on.
    fn settle_flood(&mut self, at: Time) {
        let flood = std::mem::take(&mut self.flood);
        let mut cut = 0;
        let mut ends = Vec::new();
        for (stream, (dropped, kept)) in
            [Stream::Stdout, Stream::Stderr].into_iter().zip(flood.dropped.into_iter().zip(flood.kept))
        {
            if dropped == 0 {
                continue;
            }
            let whole = if dropped > kept.len() as u64 {
                kept.iter().position(|byte| *byte == b'\n').map_or(kept.len(), |end| end + 1)
            } else {
                0
            };
            let end = kept[whole..].to_vec();
            cut += dropped - end.len() as u64;
            ends.push((stream, end));
        }
        if cut > 0 {
            self.show_open_lines(at);
            self.text_bytes += cut;
            self.record(Stream::Windlass, cut_notice(cut).as_bytes(), at, true);
        }
        for (stream, end) in ends {
            self.split(stream, &end, at);
        }
        self.write_out();
    }

    fn split(&mut self, stream: Stream, bytes: &[u8], at: Time) {
        let mut open = std::mem::take(&mut self.open[slot(stream)]);
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = PIECE_BYTES_MAX - open.len();
            let piece = &rest[..rest.len().min(room)];
            let end = piece.iter().position(|byte| *byte == b'\n');
            match end {
                Some(end) if open.is_empty() => self.record(stream, &piece[..end], at, true),
                Some(end) => {
                    open.extend_from_slice(&piece[..end]);
                    self.record(stream, &open, at, true);
                    open.clear();
                }
                None => {
                    open.extend_from_slice(piece);
                    if open.len() == PIECE_BYTES_MAX {
                        let whole = whole_letters(&open);
                        self.record(stream, &open[..whole], at, false);
                        open.drain(..whole);
                    }
                }
            }
            rest = &rest[end.map_or(piece.len(), |end| end + 1)..];
        }
        self.open[slot(stream)] = open;
    }

    fn record(&mut self, stream: Stream, text: &[u8], at: Time, ended: bool) {
        let room = if self.part == 0 { self.limits.head } else { self.limits.tail };
        if self.in_part >= room {
            self.next_part();
        }
        let said = self.said.replace((at, stream));
        if said.is_none_or(|(before, _)| before != at) {
            write!(self.records, "{} ", at.ms).expect("memory takes what is written");
        }
        if said != Some((at, stream)) {
            self.records.push(stream.letter());
        }
        self.records.push(if ended { b' ' } else { b'+' });
        self.records.extend_from_slice(text);
        self.records.push(b'\n');
        let length = text.len() as u64 + u64::from(ended);
        self.in_part += length;
        if stream != Stream::Windlass {
            self.text_bytes += length;
        }
    }

    fn next_part(&mut self) {
        let mark = format!("@{}\n", self.text_bytes);
        if self.part == 0 {
            self.records.extend_from_slice(mark.as_bytes());
        }
        self.write_out();
        if self.part >= 2 {
            // The oldest part of the end makes room; one that is gone already takes none.
            drop(fs::remove_file(part_path(&self.path, self.part - 1)));
        }
        self.part += 1;
        self.in_part = 0;
        // The part before it may be gone when it is read.
        self.said = None;
        self.file = None;
        self.records.extend_from_slice(mark.as_bytes());
    }

    fn write_out(&mut self) {
        if self.records.is_empty() || self.broken {
            self.records.clear();
            return;
        }
        // A full disk costs the log, never the attempt; what it prints goes on being read.
        self.broken = self.try_write_out().is_err();
        self.records.clear();
        if self.records.capacity() > 4 * KEPT_BYTES {
            self.records = Vec::new();
        }
    }

    fn try_write_out(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let path = part_path(&self.path, self.part);
            if let Some(folder) = path.parent() {
                private::make_folder(folder)?;
            }
            self.file = Some(private::options().append(true).open(path)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&self.records))
    }
}

/// How much of these bytes is there without a letter that has only begun.
fn whole_letters(bytes: &[u8]) -> usize {
    let begun = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = str::from_utf8(begun).is_err_and(|error| error.error_len().is_none());
    if is_begun { bytes.len() - begun.len() } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogLine, last_lines, read};

    const LIMITS: LogLimits = LogLimits { head: 200, tail: 100, per_second: 60 };

    fn texts(path: &std::path::Path) -> Vec<String> {
        read(path).map(|line| line.expect("a line").text().into_owned()).collect()
    }

    fn log() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("t@1.log");
        (folder, path)
    }

    #[test]
    fn of_a_long_log_the_beginning_and_the_end_are_kept_and_the_rest_is_counted() {
        let (folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LIMITS);
        // A line a second is no flood.
        for number in 10..90 {
            writer.add(Stream::Stdout, format!("line {number}\n").as_bytes(), Time::from_ms(number * 1000));
        }
        writer.finish(Time::from_ms(90_000));
        let texts = texts(&path);
        assert_eq!((texts[0].as_str(), texts[texts.len() - 1].as_str()), ("line 10", "line 89"));
        let cut: Vec<&String> = texts.iter().filter(|text| text.starts_with('[')).collect();
        assert_eq!(cut, [&format!("[{} bytes cut]", 8 * (80 - (texts.len() - 1)))]);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
    }

    #[test]
    fn a_line_that_is_too_long_for_one_piece_is_known_as_one_line_and_its_letters_stay_whole() {
        let (_folder, path) = log();
        let limits = LogLimits { head: 1 << 20, tail: 1, per_second: 1 };
        let mut writer = LogWriter::new(path.clone(), limits);
        let line = format!("a{}", "é".repeat(PIECE_BYTES_MAX));
        writer.add(Stream::Stdout, line.as_bytes(), Time::default());
        writer.add(Stream::Stderr, b"between\n", Time::default());
        writer.add(Stream::Stdout, b" end\nnext\n", Time::default());
        writer.finish(Time::default());
        let lines: Vec<_> = read(&path).map(|line| line.expect("a line")).collect();
        let said: Vec<_> =
            lines.iter().map(|line| (line.stream.letter(), line.continues, line.ended)).collect();
        let out = |continues, ended| (b'o', continues, ended);
        let between = (b'e', false, true);
        assert_eq!(said, [out(false, false), out(true, false), between, out(true, true), out(false, true)]);
        let whole: String =
            lines.iter().filter(|line| line.stream == Stream::Stdout).map(LogLine::text).collect();
        assert_eq!(whole, format!("{line} endnext"));
        let last = last_lines(&path, 10).expect("a log");
        assert_eq!(last.iter().map(|line| line.bytes.len()).collect::<Vec<_>>(), [PIECE_BYTES_MAX, 7, 6, 4]);
    }

    #[test]
    fn a_clock_that_is_set_back_drops_nothing() {
        let (_folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LogLimits { head: 1, tail: 10_000, per_second: 60 });
        for number in 0..20 {
            writer.add(
                Stream::Stdout,
                b"some fifty bytes in a line, or nearly as many\n",
                Time::from_ms(-number),
            );
        }
        writer.finish(Time::default());
        assert_eq!(texts(&path).len(), 20);
    }

    #[test]
    fn a_log_that_is_removed_begins_anew_and_says_so() {
        let (folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LIMITS);
        for number in 10..90 {
            writer.add(Stream::Stdout, format!("line {number}\n").as_bytes(), Time::from_ms(number * 1000));
        }
        fs::remove_dir_all(folder.path()).expect("ours");
        writer.add(Stream::Stdout, b"after", Time::from_ms(100_000));
        writer.finish(Time::from_ms(100_000));
        assert_eq!(texts(&path), ["[the log was removed: what was printed before is gone]", "after"]);
    }

    #[test]
    fn a_log_that_was_torn_says_so() {
        let (_folder, path) = log();
        fs::write(&path, "1000 o whole\n2000 e to").expect("a log");
        assert_eq!(texts(&path), ["whole", "to", "[the log ends in the middle of a line]"]);
        fs::write(&path, "1000 o whole\n20").expect("a log");
        assert_eq!(texts(&path), ["whole", "[the log ends in the middle of a line]"]);
    }
}
