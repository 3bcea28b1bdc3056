//! Carrying out what a turn orders, and bringing back what comes of it. Never: choosing; and never waiting, since the
//! engine's thread calls it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use windlass_core::effect::{Assignment, Effect, Settle};
use windlass_core::event::{Exit, LossReason, Output, RawOutput, Record, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::input::{Answer, Ended, LostAttempt, Report};
use windlass_core::state::State;
use windlass_journal::blob::{Blobs as _, FolderBlobs};
use windlass_journal::error::BlobError;
use windlass_worker::{
    AttemptEnded, Blobs, Captured, Settings, Supervisor, Surroundings, WorkerReport, settle,
};

use crate::error::EngineError;
use crate::inbox::Message;
use crate::turn::Outside;

/// What is to be done with the outputs of attempts in flight, where that is more than to take them as they are.
type Settles = Arc<Mutex<BTreeMap<Fence, Settle>>>;

/// The engine's hands.
pub(crate) struct Hands {
    inbox: Sender<Message>,
    blobs: Arc<FolderBlobs>,
    supervisor: Option<Supervisor>,
    subscribers: Vec<Sender<Arc<[Record]>>>,
    settles: Settles,
    env: BTreeMap<Digest, Arc<BTreeMap<String, String>>>,
    unknown: Vec<LostAttempt>,
    swept: BTreeMap<AttemptKey, u32>,
    settler: Option<Sender<Unsettled>>,
}

impl Hands {
    pub(crate) fn new(
        inbox: Sender<Message>,
        blobs: Arc<FolderBlobs>,
        swept: BTreeMap<AttemptKey, u32>,
    ) -> Self {
        Self {
            inbox,
            blobs,
            supervisor: None,
            subscribers: Vec::new(),
            settles: Settles::default(),
            env: BTreeMap::new(),
            unknown: Vec::new(),
            swept,
            settler: None,
        }
    }

    /// Starts the keeper.
    pub(crate) fn employ(&mut self, settings: Settings) -> Result<(), EngineError> {
        let desk = Desk {
            inbox: self.inbox.clone(),
            blobs: Arc::clone(&self.blobs),
            settles: Arc::clone(&self.settles),
        };
        self.supervisor = Some(Supervisor::start(settings, move |report| desk.take(report))?);
        Ok(())
    }

    pub(crate) fn subscribe(&mut self, subscriber: Sender<Arc<[Record]>>) {
        self.subscribers.push(subscriber);
    }

    /// The attempts of lower epochs whose fate was asked for: the old keeper is gone and the sweep was done before the
    /// journal opened, so all of them are lost and nothing of them is left.
    pub(crate) fn learn(&mut self) -> Option<Report> {
        let attempts = std::mem::take(&mut self.unknown);
        (!attempts.is_empty()).then_some(Report::Lost { attempts, reason: LossReason::EngineDied })
    }

    /// The fences of attempts whose end was not reported yet.
    pub(crate) fn live(&self) -> Vec<Fence> {
        let live = self.supervisor.as_ref().map(Supervisor::live).unwrap_or_default();
        live.into_iter().map(|(_, fence)| fence).collect()
    }

    /// Ends the keeper, and with it all that still runs.
    pub(crate) fn rest(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.shutdown();
        }
    }

    fn report(&self, report: Report) {
        // The inbox outlives the hands: the engine holds both.
        self.inbox.send(Message::Report(report)).unwrap_or_default();
    }

    fn spawn(&mut self, assignment: Assignment) {
        let env_base = match self.surroundings(assignment.env_base) {
            Ok(env) => env,
            Err(failure) => {
                self.report(never_began(&assignment, failure));
                return;
            }
        };
        if assignment.settle != Settle::default() {
            locked(&self.settles).insert(assignment.fence, assignment.settle.clone());
        }
        let blobs: Arc<dyn Blobs> = Arc::new(Bodies(Arc::clone(&self.blobs)));
        match &self.supervisor {
            Some(supervisor) => supervisor.spawn(assignment, Surroundings { env_base, blobs }),
            None => unreachable!("an engine without a keeper starts nothing"),
        }
    }

    fn surroundings(&mut self, digest: Digest) -> Result<Arc<BTreeMap<String, String>>, Failure> {
        if let Some(env) = self.env.get(&digest) {
            return Ok(Arc::clone(env));
        }
        let unreadable = |why: &dyn std::fmt::Display| {
            Failure::new(ErrorKind::SpawnInvalid, format!("the variables of its run can't be read: {why}"))
                .hint("`windlass doctor` looks the store through")
        };
        let bytes = self.blobs.get(digest).map_err(|error| unreadable(&error))?;
        let env: BTreeMap<String, String> =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        let env = Arc::new(env);
        self.env.insert(digest, Arc::clone(&env));
        Ok(env)
    }

    /// Hands a large output to the thread that settles them, one after another: each may be 16 MiB of JSON.
    fn settle(&mut self, order: Unsettled) {
        let settler = match self.settler.take() {
            Some(settler) => settler,
            None => match settler(self.inbox.clone(), Arc::clone(&self.blobs)) {
                Ok(settler) => settler,
                Err(error) => return self.inbox.send(Message::Fatal(error)).unwrap_or_default(),
            },
        };
        // The thread ends only with its queue, which is held here.
        settler.send(order).unwrap_or_default();
        self.settler = Some(settler);
    }
}

/// A large output that is to be settled.
struct Unsettled {
    key: AttemptKey,
    fence: Fence,
    raw: RawOutput,
    wanted: Settle,
}

/// Starts the thread that settles large outputs.
fn settler(inbox: Sender<Message>, blobs: Arc<FolderBlobs>) -> Result<Sender<Unsettled>, EngineError> {
    let (orders, queue) = mpsc::channel::<Unsettled>();
    let settle_all = move || {
        for order in queue {
            let message = match settle_one(&blobs, order) {
                Ok(settled) => Message::Report(settled),
                Err(error) => Message::Fatal(error.into()),
            };
            inbox.send(message).unwrap_or_default();
        }
    };
    let failed = |source| EngineError::System { doing: "start a thread", source };
    std::thread::Builder::new().name("windlass-settle".into()).spawn(settle_all).map_err(failed)?;
    Ok(orders)
}

fn settle_one(blobs: &FolderBlobs, order: Unsettled) -> Result<Report, BlobError> {
    let Unsettled { key, fence, raw, wanted } = order;
    let bytes = raw.blob.map(|digest| blobs.get(digest)).transpose()?.unwrap_or_default();
    let (output, error) = match settle(&bytes, raw.truncated, &wanted) {
        Ok(output) => (output, None),
        Err(failure) => (Output::default(), Some(failure)),
    };
    Ok(Report::OutputSettled { key, fence, output, error })
}

impl Outside for Hands {
    type Reply = SyncSender<Answer>;

    fn answer(&mut self, reply: Self::Reply, answer: Answer) {
        // Where the asker has gone, the answer is in the journal.
        reply.send(answer).unwrap_or_default();
    }

    fn publish(&mut self, _: &State, records: &Arc<[Record]>) {
        if !records.is_empty() {
            self.subscribers.retain(|subscriber| subscriber.send(Arc::clone(records)).is_ok());
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SpawnAttempt(assignment) => self.spawn(*assignment),
            Effect::StopAttempt { fence, grace, .. } => {
                if let Some(supervisor) = &self.supervisor {
                    supervisor.stop(fence, grace);
                }
            }
            Effect::LearnAttempt { key, fence } => {
                let leftovers = self.swept.get(&key).copied().unwrap_or(0);
                self.unknown.push(LostAttempt { key, fence, leftovers });
            }
            Effect::SettleOutput { key, fence, raw, settle } => {
                self.settle(Unsettled { key, fence, raw, wanted: settle });
            }
        }
    }
}

/// Where the worker's reports are made ready for the core: outputs become values and blobs, durable before they are
/// told of. Runs on the worker's thread.
struct Desk {
    inbox: Sender<Message>,
    blobs: Arc<FolderBlobs>,
    settles: Settles,
}

impl Desk {
    fn take(&self, report: WorkerReport) {
        let message = match report {
            WorkerReport::Ended(ended) => match self.ended(*ended) {
                Ok(ended) => Message::Report(Report::Ended(Box::new(ended))),
                Err(error) => Message::Fatal(error.into()),
            },
            WorkerReport::Overdue { key, fence, why, message } => {
                Message::Report(Report::Overdue { key, fence, why, message })
            }
            WorkerReport::Lost { attempts, reason } => {
                let mut settles = locked(&self.settles);
                for lost in &attempts {
                    settles.remove(&lost.fence);
                }
                drop(settles);
                Message::Report(Report::Lost { attempts, reason })
            }
        };
        // The engine may have ended meanwhile: then the next one learns what became of the attempt.
        self.inbox.send(message).unwrap_or_default();
    }

    fn ended(&self, ended: AttemptEnded) -> Result<Ended, BlobError> {
        let wanted = locked(&self.settles).remove(&ended.fence).unwrap_or_default();
        let mut error = ended.error;
        let (blob, output) = match ended.captured {
            Captured::Spooled(path, _) => match self.blobs.put_file(&path) {
                Ok((digest, _)) => (Some(digest), None),
                // What it printed does not fit on the disk: that is no fault of the attempt, and pauses its run.
                Err(full) if full.is_disk_full() => {
                    std::fs::remove_file(&path).unwrap_or_default();
                    error = Some(Failure::new(
                        ErrorKind::DiskFull,
                        format!("its output could not be kept: {full}"),
                    ));
                    (None, None)
                }
                Err(other) => return Err(other),
            },
            Captured::Inline(_) if error.is_some() => (None, None),
            Captured::Inline(bytes) => {
                let settled = settle(&bytes, ended.truncated, &wanted);
                // A small text can be a large JSON string; it goes into a blob like any other large value.
                let blob = settled.as_ref().ok().and_then(|output| output.blob);
                if blob.is_some() {
                    self.blobs.put(&bytes)?;
                }
                (blob, Some(settled))
            }
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

/// The report of an attempt that failed before there was anything to start.
fn never_began(assignment: &Assignment, failure: Failure) -> Report {
    Report::Ended(Box::new(Ended {
        key: assignment.key.clone(),
        fence: assignment.fence,
        exit: Exit::NotStarted,
        error: Some(failure),
        raw: RawOutput::default(),
        output: None,
        usage: Usage::default(),
        leftovers: 0,
    }))
}

/// The blobs of the home, as the worker reads prompts from them.
struct Bodies(Arc<FolderBlobs>);

impl Blobs for Bodies {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>> {
        let file = self.0.open(*digest).map_err(io::Error::other)?;
        Ok(Box::new(file))
    }
}

fn locked(settles: &Settles) -> std::sync::MutexGuard<'_, BTreeMap<Fence, Settle>> {
    settles.lock().unwrap_or_else(PoisonError::into_inner)
}
