//! Where the worker's reports are made ready for the core: outputs become values and blobs, durable before they are
//! told of. A thread of its own does that, since a disk may take its time. Never: keeping the worker waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use windlass_core::effect::Settle;
use windlass_core::errand::Done;
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::Fence;
use windlass_core::input::{Ended, LostAttempt, Report};
use windlass_core::output::RawOutput;
use windlass_journal::blob::{Blobs as _, FolderBlobs};
use windlass_journal::error::BlobError;
use windlass_worker::planted::{self, Bug, is_planted};
use windlass_worker::{AttemptEnded, Captured, WorkerReport, settle};

use crate::error::EngineError;
use crate::guard::Guard;
use crate::inbox::Message;

/// The names of the threads on both sides.
const WORKER: &str = "windlass-worker";
const CLERK: &str = "windlass-clerk";

/// The engine's side of the bureau.
pub(crate) struct Bureau {
    books: Arc<Mutex<Books>>,
    clerk: JoinHandle<()>,
}

/// The worker's side of it.
pub(crate) struct Intake {
    books: Arc<Mutex<Books>>,
    reports: Sender<WorkerReport>,
    /// The worker's thread has it.
    #[expect(dead_code, reason = "it is held, not read")]
    guard: Guard,
}

/// What is known of attempts in flight.
#[derive(Default)]
struct Books {
    /// What is to be done with their outputs, where that is more than to take them as they are.
    settles: BTreeMap<Fence, Settle>,
    /// Those whose end was reported and has not reached the engine.
    held: BTreeSet<Fence>,
    /// The errands that are being done.
    errands: BTreeSet<Fence>,
}

/// The one who works there.
struct Clerk {
    books: Arc<Mutex<Books>>,
    inbox: Sender<Message>,
    blobs: Arc<FolderBlobs>,
    #[expect(dead_code, reason = "it is held, not read")]
    guard: Guard,
}

impl Bureau {
    /// Opens a bureau. It closes when the intake is gone.
    pub(crate) fn open(
        inbox: Sender<Message>,
        blobs: Arc<FolderBlobs>,
    ) -> Result<(Self, Intake), EngineError> {
        let books = Arc::<Mutex<Books>>::default();
        let guard = Guard::of(WORKER, inbox.clone());
        let clerk =
            Clerk { books: Arc::clone(&books), inbox: inbox.clone(), blobs, guard: Guard::of(CLERK, inbox) };
        let (reports, queue) = mpsc::channel();
        let failed = |source| EngineError::System { doing: "start a thread", source };
        let work = planted::carried(move || clerk.work(&queue));
        let clerk = thread::Builder::new().name(CLERK.into()).spawn(work).map_err(failed)?;
        Ok((Self { books: Arc::clone(&books), clerk }, Intake { books, reports, guard }))
    }

    /// Remembers what is to be done with the output of an attempt that begins.
    pub(crate) fn expect(&self, fence: Fence, settle: &Settle) {
        if *settle != Settle::default() {
            locked(&self.books).settles.insert(fence, settle.clone());
        }
    }

    /// Remembers that what ends with this fence is an errand.
    pub(crate) fn expect_errand(&self, fence: Fence) {
        locked(&self.books).errands.insert(fence);
    }

    /// Whether an errand is being done.
    pub(crate) fn expects_errand(&self, fence: Fence) -> bool {
        locked(&self.books).errands.contains(&fence)
    }

    /// The attempts whose end lies here.
    pub(crate) fn holds(&self) -> Vec<Fence> {
        locked(&self.books).held.iter().copied().collect()
    }

    /// Waits until all that lies here has reached the engine. The intake must be gone.
    pub(crate) fn close(self) {
        // Of a panic its guard has told.
        self.clerk.join().unwrap_or_default();
    }
}

impl Intake {
    /// Takes a report. From here on the attempts that it ends are at the bureau, until they are in the inbox.
    pub(crate) fn take(&self, report: WorkerReport) {
        locked(&self.books).held.extend(over(&report));
        // The clerk ends only with this queue, whose other end is held here.
        self.reports.send(report).unwrap_or_default();
    }
}

/// The attempts that a report ends.
fn over(report: &WorkerReport) -> Vec<Fence> {
    match report {
        WorkerReport::Ended(ended) => vec![ended.fence],
        WorkerReport::Lost { attempts, .. } => attempts.iter().map(|one| one.fence).collect(),
        WorkerReport::Overdue { .. } => Vec::new(),
    }
}

/// The end of an attempt, and with it that of the engine where the store did not give what it needed.
pub(crate) fn over_with(ended: Ended, not_given: Option<String>) -> Message {
    let key = ended.key.clone();
    let report = Report::Ended(Box::new(ended));
    match not_given {
        Some(why) => Message::Last(report, EngineError::NotGiven { key, why }),
        None => Message::Report(report),
    }
}

impl Clerk {
    fn work(&self, queue: &Receiver<WorkerReport>) {
        for report in queue {
            assert!(!is_planted(Bug::ClerkPanics), "a bug that is planted");
            let over = over(&report);
            let message = self.message(report);
            // The engine may have ended meanwhile: then the next one learns what became of the attempt.
            self.inbox.send(message).unwrap_or_default();
            let mut books = locked(&self.books);
            for fence in over {
                books.held.remove(&fence);
                books.settles.remove(&fence);
            }
        }
    }

    fn message(&self, report: WorkerReport) -> Message {
        match report {
            WorkerReport::Ended(ended) if locked(&self.books).errands.remove(&ended.fence) => {
                Message::Report(done(*ended))
            }
            WorkerReport::Ended(ended) => {
                let not_given = ended.not_given().map(|failure| failure.message.clone());
                match self.ended(*ended) {
                    Ok(ended) => over_with(ended, not_given),
                    Err(error) => Message::Fatal(error.into()),
                }
            }
            WorkerReport::Overdue { key, fence, why, message } => {
                Message::Report(Report::Overdue { key, fence, why, message })
            }
            WorkerReport::Lost { attempts, reason } => {
                let books = locked(&self.books);
                let is_errand = |lost: &LostAttempt| books.errands.contains(&lost.fence);
                let (errands, attempts): (Vec<_>, Vec<_>) = attempts.into_iter().partition(is_errand);
                drop(books);
                let errands: Vec<Fence> = errands.into_iter().map(|lost| lost.fence).collect();
                if !errands.is_empty() {
                    self.inbox.send(Message::Errands(errands)).unwrap_or_default();
                }
                Message::Report(Report::Lost { attempts, reason })
            }
        }
    }

    fn ended(&self, ended: AttemptEnded) -> Result<Ended, BlobError> {
        let wanted = locked(&self.books).settles.remove(&ended.fence).unwrap_or_default();
        let mut error = ended.error;
        let kept = match ended.captured {
            Captured::Spooled(file, length) => {
                self.blobs.put_all(&mut file.take(length)).map(|(digest, _)| (Some(digest), None))
            }
            Captured::Inline(_) if error.is_some() => Ok((None, None)),
            Captured::Inline(bytes) => {
                let settled = settle(&bytes, ended.truncated, &wanted);
                // A small text can be a large JSON string; it goes into a blob like any other large value.
                let blob = settled.as_ref().ok().and_then(|output| output.blob);
                let kept = if blob.is_some() { self.blobs.put(&bytes).map(drop) } else { Ok(()) };
                kept.map(|()| (blob, Some(settled)))
            }
        };
        let (blob, output) = match kept {
            Ok(kept) => kept,
            // What it printed does not fit on the disk: that is no fault of the attempt, and pauses its run.
            Err(full) if full.is_disk_full() => {
                let message = format!("its output could not be kept: {full}");
                error = Some(Failure::new(ErrorKind::DiskFull, message));
                (None, None)
            }
            // What it wrote is its own; what can't be written is the store's, and ends the engine.
            Err(BlobError::Unread(why)) => {
                let message = format!("its output can't be read: {why}");
                error.get_or_insert_with(|| Failure::new(ErrorKind::InvalidOutput, message));
                (None, None)
            }
            Err(other) => return Err(other),
        };
        Ok(Ended {
            key: ended.key,
            fence: ended.fence,
            exit: ended.exit,
            error,
            raw: RawOutput { bytes: ended.bytes, blob, truncated: ended.truncated },
            output,
            usage: ended.usage,
            leftovers: ended.leftovers,
        })
    }
}

/// What an errand came to, as it says itself on its standard output.
fn done(ended: AttemptEnded) -> Report {
    let said = |bytes: &[u8]| serde_json::from_slice::<Result<Done, Failure>>(bytes).ok();
    let outcome = match (&ended.captured, ended.error) {
        (_, Some(error)) => Err(error),
        (Captured::Inline(bytes), None) if let Some(outcome) = said(bytes) => outcome,
        (Captured::Inline(_) | Captured::Spooled(..), None) => {
            Err(Failure::new(ErrorKind::Lost, "its errand did not say what came of it"))
        }
    };
    Report::ErrandDone { key: ended.key, fence: ended.fence, outcome }
}

fn locked(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use windlass_core::event::{Exit, StopWhy, Usage};
    use windlass_core::id::{AttemptKey, Digest};

    use super::*;

    fn key() -> AttemptKey {
        "abcdef/task/1".parse().expect("a key")
    }

    fn ended_with(output: File) -> WorkerReport {
        WorkerReport::Ended(Box::new(AttemptEnded {
            key: key(),
            fence: Fence(7),
            exit: Exit::Code(0),
            error: None,
            captured: Captured::Spooled(output, 5),
            bytes: 5,
            truncated: false,
            usage: Usage::default(),
            leftovers: 0,
        }))
    }

    #[test]
    fn a_disk_that_takes_its_time_keeps_no_worker_waiting_and_loses_no_attempt() {
        let home = tempfile::TempDir::new().expect("a folder");
        // What is read from it comes when this test writes it.
        let (slow, slowly) = rustix::pipe::pipe().expect("a pipe");
        let (inbox, messages) = mpsc::channel();
        let blobs = Arc::new(FolderBlobs::new(&home.path().join("blobs")));
        let (bureau, intake) = Bureau::open(inbox, blobs).expect("a bureau");
        intake.take(ended_with(File::from(slow)));
        intake.take(WorkerReport::Overdue {
            key: key(),
            fence: Fence(8),
            why: StopWhy::Timeout,
            message: "late".into(),
        });
        assert_eq!(bureau.holds(), [Fence(7)]);
        File::from(slowly).write_all(b"large").expect("it is read");
        drop(intake);
        bureau.close();
        let Message::Report(Report::Ended(ended)) = messages.recv().expect("the end") else {
            panic!("the end comes first");
        };
        assert_eq!((ended.fence, ended.raw.blob), (Fence(7), Some(Digest::of(b"large"))));
        assert!(matches!(messages.recv(), Ok(Message::Report(Report::Overdue { fence: Fence(8), .. }))));
    }
}
