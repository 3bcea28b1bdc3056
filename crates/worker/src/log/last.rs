//! The last line of a log that is being written, for a display that looks again and again. Never: reading more than the
//! end of the newest part.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::part_path;
use super::read::{LogLines, first_part_after};

/// How much of the end is looked at: the longest piece of a line, and what stands before it.
const END_BYTES: u64 = 17 * 1024;

/// The last line of a log.
#[derive(Debug)]
pub struct LastLine {
    path: PathBuf,
    part: u64,
    /// How long the part was at the last look, and what was found there.
    known: (u64, Option<String>),
}

impl LastLine {
    /// Of this log, which may not be there yet.
    pub fn of(path: PathBuf) -> Self {
        Self { path, part: 0, known: (0, None) }
    }

    /// What it says now; none where nothing was printed, or nothing but blanks at the end.
    pub fn read(&mut self) -> io::Result<Option<String>> {
        while let Some(mut file) = self.newest()? {
            let length = file.metadata()?.len();
            if length == self.known.0 {
                break;
            }
            let start = length.saturating_sub(END_BYTES);
            file.seek(SeekFrom::Start(start))?;
            let mut end = Vec::new();
            file.take(END_BYTES).read_to_end(&mut end)?;
            self.known = (length, last_of(&self.path, &end, start == 0).or(self.known.1.take()));
            // The first part says at its end that there are others; those that follow it may be gone already.
            let next = first_part_after(&self.path, self.part).filter(|_| self.part == 0 && has_ended(&end));
            let Some(next) = next else { break };
            self.go_to(next);
        }
        Ok(self.known.1.clone())
    }

    /// The newest part; none where there is no log yet.
    fn newest(&mut self) -> io::Result<Option<File>> {
        loop {
            // Nothing is added to a part once the next one is there.
            if part_path(&self.path, self.part + 1).exists() {
                self.go_to(self.part + 1);
                continue;
            }
            match File::open(part_path(&self.path, self.part)) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // It has made room for newer ones, or there is none yet.
                    let Some(next) = first_part_after(&self.path, self.part) else { return Ok(None) };
                    self.go_to(next);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn go_to(&mut self, part: u64) {
        (self.part, self.known.0) = (part, 0);
    }
}

/// Whether the last record says how much lies before the next part.
fn has_ended(end: &[u8]) -> bool {
    let records = end.strip_suffix(b"\n").unwrap_or(end);
    records.rsplit(|byte| *byte == b'\n').next().is_some_and(|last| last.starts_with(b"@"))
}

/// The text of the last record that says something; the first may be the end of one.
fn last_of(path: &Path, end: &[u8], is_whole: bool) -> Option<String> {
    let end = &end[..end.iter().rposition(|byte| *byte == b'\n')?];
    let mut records: Vec<&[u8]> = end.split(|byte| *byte == b'\n').collect();
    if !is_whole {
        records.remove(0);
    }
    let said = |record: &&[u8]| {
        let line = LogLines::new(path, false).understand(record)?;
        Some(line.text().trim().to_owned()).filter(|text| !text.is_empty())
    };
    records.iter().rev().find_map(said)
}
