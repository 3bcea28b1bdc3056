//! Writing a log. A record is a line: milliseconds and a blank, a letter for the stream, a blank (or `+` where the line
//! goes on), the text. Where time or stream are those of the record before they are left out, so that a log of short
//! lines takes little more of the disk than its text. A record `@N` at the end of the first part and at the start of
//! each other says how many bytes of text lie before it.
//!
//! Past its limit a log takes so much in a second and no more: the rest of the second is still read, and dropped
//! but for its end. Why it is not held back is in docs/design/logs.md. In the same way nothing is written while the disk
//! has little room left, nor for a while after a write failed.
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
/// What is kept of the end of what is dropped.
const KEPT_BYTES: usize = 64 * 1024;
/// How long after a write that failed the next one is tried, in milliseconds.
const AGAIN_AFTER_MS: u64 = 1000;

/// The writer of an attempt's log. It makes the file with the first line.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    limits: LogLimits,
    part: u64,
    file: Option<File>,
    /// How long the file of this part is, once something was written to it.
    length: Option<u64>,
    /// How many bytes of text are in this part, and how many were printed in all.
    in_part: u64,
    text_bytes: u64,
    /// How many were printed before this part.
    before_part: u64,
    /// What the record before said.
    said: Option<(Time, Stream)>,
    unwritten: Unwritten,
    /// Lines that have not ended yet, of output and of error.
    open: [Vec<u8>; 2],
    flood: Flood,
    /// The disk has little room left: nothing is written before it has, or the attempt is over.
    sparing: bool,
    /// When a write failed last, and none has succeeded since.
    failed: Option<Time>,
    /// How many bytes of text were lost by that.
    lost: u64,
}

/// Records that are not written yet.
#[derive(Debug, Default)]
struct Unwritten {
    records: Vec<u8>,
    /// For how many bytes of text they stand, and how many they add to their part.
    text_bytes: u64,
    in_part: u64,
}

/// The second that is being counted, and what was dropped in it.
#[derive(Debug, Default)]
struct Flood {
    since: Time,
    taken: u64,
    dropped: [u64; 2],
    kept: [Vec<u8>; 2],
    /// It was no flood: nothing could be written.
    is_withheld: bool,
}

impl LogWriter {
    /// A writer of this file.
    pub(crate) fn new(path: PathBuf, limits: LogLimits) -> Self {
        Self {
            path,
            limits,
            part: 0,
            file: None,
            length: None,
            in_part: 0,
            text_bytes: 0,
            before_part: 0,
            said: None,
            unwritten: Unwritten::default(),
            open: [Vec::new(), Vec::new()],
            flood: Flood::default(),
            sparing: false,
            failed: None,
            lost: 0,
        }
    }

    /// Writes nothing from here on, or goes on with it.
    pub(crate) const fn spare(&mut self, sparing: bool) {
        self.sparing = sparing;
    }

    /// Adds what was read from a stream. Never [`Stream::Windlass`].
    pub(crate) fn add(&mut self, stream: Stream, bytes: &[u8], at: Time) {
        if !self.is_to_write(at) {
            return self.withhold(stream, bytes);
        }
        self.go_on(at);
        self.look_for_removal(at);
        if self.text_bytes >= self.limits.all() && self.floods(stream, bytes, at) {
            return;
        }
        self.split(stream, bytes, at);
        self.write_out(at);
    }

    /// Writes lines that have not ended as pieces, so that a follower sees them.
    pub(crate) fn show_open_lines(&mut self, at: Time) {
        if self.is_to_write(at) {
            self.go_on(at);
            self.record_open_lines(at);
            self.write_out(at);
        }
    }

    /// Adds a notice of ours.
    pub(crate) fn note(&mut self, text: &str, at: Time) {
        self.go_on(at);
        self.look_for_removal(at);
        self.record(Stream::Windlass, text.as_bytes(), at, true);
        self.write_out(at);
    }

    /// The attempt is over.
    pub(crate) fn finish(&mut self, at: Time) {
        self.failed = None;
        self.settle(at);
        self.record_open_lines(at);
        self.write_out(at);
    }

    /// Whether anything may be written: the disk has room, and no write has failed just now.
    fn is_to_write(&self, at: Time) -> bool {
        // A clock that was set back tells nothing of how long ago that was.
        let is_over = |failed: Time| at < failed || at.since(failed).ms >= AGAIN_AFTER_MS;
        !self.sparing && self.failed.is_none_or(is_over)
    }

    /// Writes what could not be written for a while, if there was such a while.
    fn go_on(&mut self, at: Time) {
        if self.failed.take().is_some() || self.flood.is_withheld {
            self.settle(at);
        }
    }

    /// Where somebody removed the file under it, all would go nowhere: the log begins anew.
    fn look_for_removal(&mut self, at: Time) {
        let is_removed = |file: &File| rustix::fs::fstat(file).is_ok_and(|stat| stat.st_nlink == 0);
        if self.file.as_ref().is_some_and(is_removed) {
            (self.file, self.length, self.said, self.part, self.in_part) = (None, None, None, 0, 0);
            self.record(Stream::Windlass, REMOVED.as_bytes(), at, true);
        }
    }

    /// Whether these bytes are more than this second may hold; they are counted and their end is kept then.
    fn floods(&mut self, stream: Stream, bytes: &[u8], at: Time) -> bool {
        // A clock that was set back begins another second too.
        if at < self.flood.since || at.since(self.flood.since).ms >= 1000 {
            self.settle(at);
            self.flood = Flood { since: at, ..Flood::default() };
        }
        self.flood.taken += bytes.len() as u64;
        let floods = self.flood.taken > self.limits.per_second;
        if floods {
            self.flood.drop(stream, bytes);
        }
        floods
    }

    /// Counts what comes while nothing can be written, and keeps its end.
    fn withhold(&mut self, stream: Stream, bytes: &[u8]) {
        self.flood.is_withheld = true;
        self.flood.drop(stream, bytes);
    }

    /// Writes how much is missing, and the end of it from its first whole line on.
    fn settle(&mut self, at: Time) {
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
        self.text_bytes += cut;
        // What was lost came before the lines that are open, and what was dropped after them.
        let mut missing = std::mem::take(&mut self.lost);
        if cut > 0 && self.open.iter().any(|open| !open.is_empty()) {
            self.record_missing(std::mem::take(&mut missing), at);
            self.record_open_lines(at);
        }
        self.record_missing(missing + cut, at);
        for (stream, end) in ends {
            self.split(stream, &end, at);
        }
        self.write_out(at);
    }

    fn record_missing(&mut self, bytes: u64, at: Time) {
        if bytes > 0 {
            self.record(Stream::Windlass, cut_notice(bytes).as_bytes(), at, true);
            self.unwritten.text_bytes += bytes;
        }
    }

    fn record_open_lines(&mut self, at: Time) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let open = std::mem::take(&mut self.open[slot(stream)]);
            if !open.is_empty() {
                self.record(stream, &open, at, false);
            }
        }
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
            self.next_part(at);
        }
        let said = self.said.replace((at, stream));
        let records = &mut self.unwritten.records;
        if said.is_none_or(|(before, _)| before != at) {
            write!(records, "{} ", at.ms).expect("memory takes what is written");
        }
        if said != Some((at, stream)) {
            records.push(stream.letter());
        }
        records.push(if ended { b' ' } else { b'+' });
        records.extend_from_slice(text);
        records.push(b'\n');
        let length = text.len() as u64 + u64::from(ended);
        self.in_part += length;
        self.unwritten.in_part += length;
        if stream != Stream::Windlass {
            self.text_bytes += length;
            self.unwritten.text_bytes += length;
        }
    }

    /// Goes on in the next part, unless this one can't be brought to its end.
    fn next_part(&mut self, at: Time) {
        if self.part == 0 {
            self.unwritten.records.extend_from_slice(mark(self.text_bytes).as_bytes());
        }
        self.write_out(at);
        if self.failed.is_some() {
            return;
        }
        if self.part >= 2 {
            // The oldest part of the end makes room; one that is gone already takes none.
            drop(fs::remove_file(part_path(&self.path, self.part - 1)));
        }
        self.part += 1;
        self.before_part = self.text_bytes;
        // The part before it may be gone when it is read.
        (self.file, self.length, self.said, self.in_part) = (None, None, None, 0);
    }

    /// Writes the records. A full disk costs the log, never the attempt: what can't be written is counted as lost, and
    /// for a while nothing else is tried.
    fn write_out(&mut self, at: Time) {
        let Unwritten { mut records, text_bytes, in_part } = std::mem::take(&mut self.unwritten);
        if records.is_empty() {
            return;
        }
        if self.failed.is_some() || self.try_write(&records).is_err() {
            self.failed.get_or_insert(at);
            self.lost += text_bytes;
            self.in_part -= in_part;
            if let (Some(file), Some(length)) = (self.file.take(), self.length) {
                // What was written of it. Where that fails it is tried again when the file is opened anew.
                file.set_len(length).unwrap_or_default();
            }
            self.said = None;
        }
        if records.capacity() <= 4 * KEPT_BYTES {
            records.clear();
            self.unwritten.records = records;
        }
    }

    fn try_write(&mut self, records: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.open_part()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(records)?;
            *self.length.get_or_insert(0) += records.len() as u64;
        }
        Ok(())
    }

    /// Opens the file of this part, and brings it to where the last write that succeeded had left it.
    fn open_part(&mut self) -> io::Result<()> {
        let path = part_path(&self.path, self.part);
        if let Some(folder) = path.parent() {
            private::make_folder(folder)?;
        }
        let mut file = private::options().append(true).open(path)?;
        let is = file.metadata()?.len();
        let length = self.length.unwrap_or(is).min(is);
        if length < is {
            file.set_len(length)?;
        }
        self.length = Some(length);
        if self.part > 0 && length == 0 {
            let mark = mark(self.before_part);
            file.write_all(mark.as_bytes())?;
            self.length = Some(mark.len() as u64);
        }
        self.file = Some(file);
        Ok(())
    }
}

impl Flood {
    fn drop(&mut self, stream: Stream, bytes: &[u8]) {
        let slot = slot(stream);
        self.dropped[slot] += bytes.len() as u64;
        let kept = &mut self.kept[slot];
        if bytes.len() >= KEPT_BYTES {
            kept.clear();
        } else if kept.len() + bytes.len() > 2 * KEPT_BYTES {
            kept.drain(..kept.len() - KEPT_BYTES);
        }
        kept.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT_BYTES)..]);
    }
}

/// What stands where parts meet: how many bytes of text lie before.
fn mark(text_bytes: u64) -> String {
    format!("@{text_bytes}\n")
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

    /// Fills the disk of a log: what is written to this file fails.
    fn fill_disk(path: &std::path::Path) {
        std::os::unix::fs::symlink("/dev/full", path).expect("a link");
    }

    #[test]
    fn what_can_t_be_written_is_counted_and_the_log_goes_on_once_there_is_room() {
        let (_folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LogLimits { head: 1 << 20, tail: 1, per_second: 1 });
        fill_disk(&path);
        writer.add(Stream::Stdout, b"lost\nbegun", Time::from_ms(1000));
        writer.add(Stream::Stderr, b"kept\n", Time::from_ms(1001));
        fs::remove_file(&path).expect("room");
        writer.add(Stream::Stdout, b" before the next try\n", Time::from_ms(1999));
        assert!(!path.exists(), "nothing is tried for a second");
        writer.add(Stream::Stdout, b"there\n", Time::from_ms(2000));
        writer.finish(Time::from_ms(2000));
        assert_eq!(texts(&path), ["[5 bytes cut]", "begun before the next try", "kept", "there"]);
        assert_eq!(crate::log::bytes_cut(&path).expect("a log"), 5);
    }

    #[test]
    fn one_that_prints_nothing_more_has_its_notice_too() {
        let (_folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LIMITS);
        fill_disk(&path);
        writer.add(Stream::Stdout, b"lost\n", Time::from_ms(1000));
        writer.show_open_lines(Time::from_ms(5000));
        fs::remove_file(&path).expect("room");
        writer.show_open_lines(Time::from_ms(6000));
        assert_eq!(texts(&path), ["[5 bytes cut]"]);
    }

    #[test]
    fn a_part_that_can_t_be_begun_is_begun_once_there_is_room() {
        let (_folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LIMITS);
        let mut print = |from: i64, to: i64| {
            for number in from..to {
                let line = format!("line {number}\n");
                writer.add(Stream::Stdout, line.as_bytes(), Time::from_ms(number * 1000));
            }
        };
        // All three parts are full to their last byte.
        print(10, 60);
        assert_eq!(texts(&path).len(), 50);
        fill_disk(&part_path(&path, 3));
        print(60, 90);
        assert!(!part_path(&path, 4).exists(), "no part follows one that is not there");
        fs::remove_file(part_path(&path, 3)).expect("room");
        print(90, 92);
        let texts = texts(&path);
        assert_eq!(texts[texts.len() - 2..], ["line 90", "line 91"]);
        let kept = texts.iter().filter(|text| text.starts_with("line")).count() as u64;
        assert_eq!(crate::log::bytes_cut(&path).expect("a log"), (82 - kept) * 8, "{texts:?}");
    }

    #[test]
    fn while_the_disk_has_little_room_left_the_end_is_kept_until_it_has_or_the_attempt_is_over() {
        let (_folder, path) = log();
        let mut writer = LogWriter::new(path.clone(), LogLimits { head: 1 << 20, tail: 1, per_second: 1 });
        writer.add(Stream::Stdout, b"first\n", Time::from_ms(1000));
        writer.spare(true);
        for number in 0..10_000 {
            writer.add(Stream::Stdout, b"0123456789abcde\n", Time::from_ms(1000 + number));
        }
        writer.show_open_lines(Time::from_ms(20_000));
        assert_eq!(texts(&path), ["first"]);
        writer.spare(false);
        writer.add(Stream::Stdout, b"between\n", Time::from_ms(30_000));
        writer.spare(true);
        writer.add(Stream::Stderr, b"last\n", Time::from_ms(40_000));
        writer.finish(Time::from_ms(40_000));
        let texts = texts(&path);
        let kept = texts.iter().filter(|text| text.len() == 15).count();
        assert!(kept * 16 <= 2 * KEPT_BYTES, "{kept} lines");
        let cut = format!("[{} bytes cut]", (10_000 - kept) * 16);
        assert_eq!((texts[0].as_str(), texts[1].as_str()), ("first", cut.as_str()));
        assert_eq!(texts[texts.len() - 2..], ["between", "last"]);
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
