//! The signals that end a run in order: Ctrl-C, SIGTERM, SIGHUP. Never: a SIGHUP that was ignored when we started, as
//! `nohup` does. SIGINT is ignored for every background job of a shell script, and whoever sends it there means it.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::news::News;

/// Passes every such signal on from now on.
pub(crate) fn forward(to: Sender<News>) -> io::Result<()> {
    let hangs_up = ignored() & (1 << (SIGHUP - 1)) == 0;
    let wanted = [SIGINT, SIGTERM].into_iter().chain(hangs_up.then_some(SIGHUP));
    let mut signals = Signals::new(wanted)?;
    let passing = move || {
        for signal in &mut signals {
            if to.send(News::Signal(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(passing)?;
    Ok(())
}

/// The signals that this process ignores, as bits. Where that can't be read, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

/// The code that a program ends with after a signal.
pub(crate) fn exit_after(signal: i32) -> Exit {
    match signal {
        SIGTERM => Exit::Terminated,
        SIGHUP => Exit::HungUp,
        _ => Exit::Interrupted,
    }
}
