//! What is typed at this terminal, line by line. Never: a line as an answer to a question that came after it.

use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};

use crate::news::News;

/// How much is read at once: a terminal gives a line, and none is longer.
const LINE_BYTES_MAX: usize = 4096;

/// A line, and how often what was typed had been thrown away when it was read.
pub(crate) struct Line {
    /// What was typed.
    pub(crate) text: String,
    age: u64,
}

/// What was typed at this terminal.
#[derive(Clone, Default)]
pub(crate) struct Keyboard {
    typed: Arc<Mutex<Typed>>,
}

#[derive(Default)]
struct Typed {
    age: u64,
    /// A line without its end.
    begun: Vec<u8>,
}

impl Keyboard {
    /// Throws away whatever was typed so far, wherever it is.
    pub(crate) fn forget(&self) {
        let mut typed = self.typed();
        typed.age += 1;
        typed.begun.clear();
        forget_unread();
    }

    /// Whether a line was typed after all that was thrown away.
    pub(crate) fn is_new(&self, line: &Line) -> bool {
        self.typed().age == line.age
    }

    /// Reads what is typed on a thread of its own: a line may come at any time, or never.
    pub(crate) fn listen(&self, to_news: &Sender<News>) {
        let (keyboard, to_news) = (self.clone(), to_news.clone());
        let hearing = move || {
            while let Some(lines) = keyboard.read() {
                if lines.into_iter().any(|line| to_news.send(News::Word(Some(line))).is_err()) {
                    return;
                }
            }
            to_news.send(News::Word(None)).unwrap_or_default();
        };
        // Without a thread nobody is asked here; `approve` answers from elsewhere.
        drop(thread::Builder::new().name("stdin".into()).spawn(hearing));
    }

    /// Waits for what is typed, and gives the lines that have their end; none at the end of all.
    fn read(&self) -> Option<Vec<Line>> {
        if !is_readable(None) {
            return None;
        }
        // Read under the lock, so that nothing is on its way between the terminal and its age. It must not wait there:
        // what could be read may be thrown away by now.
        let mut typed = self.typed();
        if !is_readable(Some(Timespec { tv_sec: 0, tv_nsec: 0 })) {
            return Some(Vec::new());
        }
        let mut bytes = [0; LINE_BYTES_MAX];
        let length = match rustix::io::read(io::stdin(), &mut bytes) {
            Ok(0) => return None,
            Ok(length) => length,
            Err(Errno::INTR | Errno::AGAIN) => 0,
            Err(_) => return None,
        };
        typed.begun.extend_from_slice(&bytes[..length]);
        let Some(end) = typed.begun.iter().rposition(|byte| *byte == b'\n') else { return Some(Vec::new()) };
        let rest = typed.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut typed.begun, rest);
        let age = typed.age;
        Some(String::from_utf8_lossy(&whole).lines().map(|text| Line { text: text.into(), age }).collect())
    }

    fn typed(&self) -> MutexGuard<'_, Typed> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Throws away what the terminal has of what was typed, also a line that was only begun.
pub(crate) fn forget_unread() {
    // What is no terminal has nothing that was typed.
    tcflush(io::stdin(), QueueSelector::IFlush).unwrap_or_default();
}

/// Whether something can be read, or the end of it. False also where that can't be known.
fn is_readable(within: Option<Timespec>) -> bool {
    let stdin = io::stdin();
    loop {
        let mut waited_for = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut waited_for, within.as_ref()) {
            Err(Errno::INTR) => {}
            known => return known.is_ok_and(|count| count > 0),
        }
    }
}
