//! How fast the disk is at what a journal does, and how busy the machine is: printed beside every result.
//! Never: a judgement; a disk that absorbs flushes is named as one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long an append of 4 KiB with its fdatasync takes here, the median of 300.
pub(crate) fn fdatasync(folder: &Path) -> Result<Duration, String> {
    let path = folder.join("fdatasync");
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = File::create(&path).map_err(told)?;
    let mut times = Vec::new();
    for _ in 0..300 {
        let began = now();
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(told)?;
        times.push(began.elapsed());
    }
    fs::remove_file(&path).map_err(told)?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// The clock of all measurements.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
