//! What happens, for those who follow an engine in its own process. The engine waits for nobody and keeps only so much for
//! whoever lags: what did not fit is in the journal, and is read from there. Never: a record left out, or told twice.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use windlass_core::event::Record;
use windlass_core::id::Seq;
use windlass_core::size;
use windlass_journal::error::JournalError;
use windlass_journal::reader::Reader;

use crate::engine::BUILD;
use crate::error::EngineError;

/// How much is kept for a follower that lags, in bytes as stored. A single batch is kept whatever its size.
const FEED_BYTES_MAX: usize = 1 << 20;
/// How many records are read from the journal before they are handed over.
const READ_AT_ONCE: usize = 256;

/// What reaches a follower.
#[derive(Clone, Debug)]
pub enum Fed {
    /// A batch, durable.
    Records(Arc<[Record]>),
    /// The follower was too slow: what comes after this place is in the journal, and batches come again from some place
    /// on that is there already.
    Behind(Seq),
}

/// The follower's side of a feed.
pub struct Feed {
    shared: Arc<Shared>,
    home: Arc<Path>,
}

/// The engine's side of it. The feed ends when it is dropped.
pub(crate) struct Feeder(Arc<Shared>);

struct Shared {
    bytes_max: usize,
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<(Arc<[Record]>, usize)>,
    bytes: usize,
    /// Since when batches are left out.
    behind: Option<Seq>,
    has_ended: bool,
    is_heard: bool,
}

/// How many bytes a batch comes to in a feed.
pub(crate) fn bytes_of(batch: &[Record]) -> usize {
    batch.iter().map(|record| size::of_record(&record.event)).sum()
}

/// A feed of a home's engine.
pub(crate) fn feed(home: Arc<Path>) -> (Feeder, Feed) {
    bounded(home, FEED_BYTES_MAX)
}

fn bounded(home: Arc<Path>, bytes_max: usize) -> (Feeder, Feed) {
    let queue = Mutex::new(Queue { is_heard: true, ..Queue::default() });
    let shared = Arc::new(Shared { bytes_max, queue, more: Condvar::new() });
    (Feeder(Arc::clone(&shared)), Feed { shared, home })
}

impl Feeder {
    /// Hands over a batch of so many bytes, without waiting for anybody. False where nobody follows any more.
    pub(crate) fn feed(&self, batch: &Arc<[Record]>, bytes: usize) -> bool {
        let Some(first) = batch.first() else { return true };
        let mut queue = self.0.queue();
        if queue.behind.is_none() && queue.is_heard {
            if queue.batches.is_empty() || queue.bytes + bytes <= self.0.bytes_max {
                queue.bytes += bytes;
                queue.batches.push_back((Arc::clone(batch), bytes));
            } else {
                queue.behind = Some(Seq(first.seq.0 - 1));
            }
            self.0.more.notify_one();
        }
        queue.is_heard
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.queue().has_ended = true;
        self.0.more.notify_one();
    }
}

impl Feed {
    /// What comes next; waits for it. None once the engine has ended.
    pub fn hear(&self) -> Option<Fed> {
        let waits =
            |queue: &mut Queue| queue.batches.is_empty() && queue.behind.is_none() && !queue.has_ended;
        let waited = self.shared.more.wait_while(self.shared.queue(), waits);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some((batch, bytes)) = queue.batches.pop_front() {
            queue.bytes -= bytes;
            return Some(Fed::Records(batch));
        }
        // From here on batches are kept again, before the journal is read: none falls between the two.
        queue.behind.take().map(Fed::Behind)
    }

    /// Hands over all that happens from here on, in order and once, until the engine has ended or the follower has
    /// enough. A follower may take its time.
    ///
    /// # Errors
    /// When it lagged and the journal could not be read.
    pub fn follow(self, each: &mut dyn FnMut(Arc<[Record]>) -> ControlFlow<()>) -> Result<(), EngineError> {
        let mut known = Seq(0);
        while let Some(fed) = self.hear() {
            let flow = match fed {
                Fed::Records(batch) => match batch.partition_point(|record| record.seq <= known) {
                    0 => each(batch),
                    old if old == batch.len() => ControlFlow::Continue(()),
                    old => each(batch[old..].into()),
                },
                Fed::Behind(after) => {
                    known = known.max(after);
                    read(&self.home, &mut known, each)?
                }
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // Nobody hears it any more, and nothing is kept.
        *self.shared.queue() = Queue::default();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands over what is in the journal behind a place, which moves on with it.
fn read(
    home: &Path,
    known: &mut Seq,
    each: &mut dyn FnMut(Arc<[Record]>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, EngineError> {
    let mut some = Vec::new();
    let mut flow = ControlFlow::Continue(());
    let mut reader = Reader::open(home, BUILD)?;
    let found = reader.head().seq;
    if found <= *known {
        // What was left out was durable: it is gone, and the home with it perhaps.
        return Err(JournalError::NotTheEnd { expected: known.next(), found }.into());
    }
    reader.replay(*known, &mut |record| {
        *known = record.seq;
        some.push(record);
        if some.len() >= READ_AT_ONCE {
            flow = each(std::mem::take(&mut some).into());
        }
        flow
    })?;
    Ok(if flow.is_continue() && !some.is_empty() { each(some.into()) } else { flow })
}

#[cfg(test)]
mod tests {
    use windlass_core::id::Epoch;
    use windlass_journal::Journal as _;
    use windlass_journal::home::{Home, HomeSettings};
    use windlass_journal::lock::Lock;
    use windlass_journal::sqlite::SqliteJournal;
    use windlass_journal::suite::{reaped, started};

    use super::*;

    /// How many records a batch of these tests has.
    const BATCH: u64 = 10;

    /// An engine that does nothing but write, and the feed that it tells of it.
    struct Writer {
        journal: SqliteJournal,
        feeder: Feeder,
    }

    impl Writer {
        fn new(folder: &Path, bytes_max: usize) -> (Self, Feed) {
            let settings = HomeSettings { reserve: 0, min_free: 0, force: true };
            let home = Home::open(folder, settings).expect("a home");
            let lock = Lock::take(home.path(), None).expect("it is free");
            let journal = SqliteJournal::open(&home, &lock, BUILD).expect("a journal");
            let (feeder, feed) = bounded(folder.into(), bytes_max);
            let mut writer = Self { journal, feeder };
            writer.write(vec![started(1, 1)]);
            (writer, feed)
        }

        fn write(&mut self, records: Vec<Record>) {
            let batch: Arc<[Record]> = records.into();
            let before = self.journal.head().seq;
            self.journal.append(Epoch(1), before, &batch).expect("it is written");
            assert!(self.feeder.feed(&batch, bytes_of(&batch)));
        }

        fn write_batches(&mut self, count: u64) {
            for _ in 0..count {
                let first = self.journal.head().seq.0 + 1;
                self.write((first..first + BATCH).map(reaped).collect());
            }
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::TempDir::new().expect("a folder")
    }

    /// What the queue holds, in bytes.
    fn held(feed: &Feed) -> usize {
        let queue = feed.shared.queue();
        let bytes = queue.batches.iter().map(|(batch, _)| bytes_of(batch)).sum();
        assert_eq!(queue.bytes, bytes);
        bytes
    }

    #[test]
    fn a_follower_that_lags_costs_no_memory_misses_nothing_and_hears_nothing_twice() {
        const MOST: usize = 10_000;
        let home = folder();
        let (mut writer, feed) = Writer::new(home.path(), MOST);
        let shared = Arc::clone(&feed.shared);
        let mut seen = Vec::new();
        writer.write_batches(100);
        assert!(held(&feed) <= MOST, "of {} bytes it keeps {}", 100 * BATCH * 100, held(&feed));
        let mut writer = Some(writer);
        feed.follow(&mut |batch| {
            seen.extend(batch.iter().map(|record| record.seq.0));
            // It goes on while the journal is read, and lags, catches up and lags again.
            if let Some(engine) = &mut writer {
                engine.write_batches(if seen.len() < 1500 { 2 } else { 0 });
                if seen.len() >= 1500 && shared.queue().behind.is_none() {
                    engine.write_batches(50);
                    assert!(shared.queue().behind.is_some(), "it lags once more at the end");
                    writer = None;
                }
            }
            ControlFlow::Continue(())
        })
        .expect("the journal can be read");
        let last = *seen.last().expect("it heard something");
        assert!(last > 2000, "it heard up to {last}");
        assert_eq!(seen, (1..=last).collect::<Vec<u64>>());
    }

    #[test]
    fn a_follower_that_keeps_up_needs_no_journal() {
        let home = folder();
        let (mut writer, feed) = Writer::new(home.path(), 1);
        for round in 0..50 {
            let Some(Fed::Records(batch)) = feed.hear() else { panic!("it lags in round {round}") };
            assert_eq!(batch.last().map(|record| record.seq), Some(writer.journal.head().seq));
            writer.write_batches(1);
        }
        drop(home);
        drop(writer);
        assert!(matches!(feed.hear(), Some(Fed::Records(_))));
        assert!(feed.hear().is_none());
    }

    #[test]
    fn a_follower_that_has_enough_is_told_nothing_more() {
        let home = folder();
        let (mut writer, feed) = Writer::new(home.path(), 1);
        writer.write_batches(3);
        feed.follow(&mut |_| ControlFlow::Break(())).expect("nothing is read");
        assert!(!writer.feeder.feed(&vec![reaped(99)].into(), 1));
    }

    #[test]
    fn what_was_left_out_and_is_gone_from_the_disk_is_a_failure() {
        let home = folder();
        let (mut writer, feed) = Writer::new(home.path(), 1);
        writer.write_batches(3);
        drop((writer, home));
        let mut seen = 0;
        let failed = feed.follow(&mut |batch| {
            seen += batch.len();
            ControlFlow::Continue(())
        });
        let gone =
            |error: &EngineError| matches!(error, EngineError::Journal(JournalError::NotTheEnd { .. }));
        assert!(failed.as_ref().is_err_and(gone), "{failed:?}");
        assert_eq!(seen, 1, "what was kept is told");
    }
}
